/** @file BERT's configuration. */
import { z } from 'zod';
import { defineConfig } from '../config.ts';

/** Keys and defaults of transformers.BertConfig. */
export const bertConfig = defineConfig('bert', {
  vocabSize: z.number().int().positive().default(30522),
  hiddenSize: z.number().int().positive().default(768),
  numHiddenLayers: z.number().int().positive().default(12),
  numAttentionHeads: z.number().int().positive().default(12),
  intermediateSize: z.number().int().positive().default(3072),
  hiddenAct: z.string().default('gelu'),
  hiddenDropoutProb: z.number().min(0).max(1).default(0.1),
  attentionProbsDropoutProb: z.number().min(0).max(1).default(0.1),
  maxPositionEmbeddings: z.number().int().positive().default(512),
  typeVocabSize: z.number().int().positive().default(2),
  layerNormEps: z.number().positive().default(1e-12),
  padTokenId: z.number().int().nullish().default(0),
  classifierDropout: z.number().min(0).max(1).nullish(),
});

export type BertConfig = ReturnType<typeof bertConfig.create>;
