/** @file BERT's configuration. */
import { z } from 'zod';
import { defineConfig, entry, headsDivide, paddingExists } from '../config.ts';

/** Keys of BERT's configuration that RoBERTa's has, too. */
export const bertShape = {
  vocabSize: entry.size.default(30522),
  hiddenSize: entry.size.default(768),
  numHiddenLayers: entry.layers.default(12),
  numAttentionHeads: entry.size.default(12),
  intermediateSize: entry.size.default(3072),
  hiddenAct: z.string().default('gelu'),
  hiddenDropoutProb: entry.probability.default(0.1),
  attentionProbsDropoutProb: entry.probability.default(0.1),
  maxPositionEmbeddings: entry.size.default(512),
  typeVocabSize: entry.size.default(2),
  layerNormEps: z.number().positive().default(1e-12),
  padTokenId: z.number().int().nullish().default(0),
  classifierDropout: entry.probability.nullish(),
  tieWordEmbeddings: z.boolean().default(true),
  /** Only the positions that BERT itself has are known. */
  positionEmbeddingType: z.literal('absolute').nullish(),
  /** A decoder would be another model. */
  isDecoder: z.literal(false).nullish(),
};

/** Keys and defaults of transformers.BertConfig. */
export const bertConfig = defineConfig('bert', bertShape, {}, (config) => headsDivide(config) ?? paddingExists(config));

export type BertConfig = ReturnType<typeof bertConfig.create>;
