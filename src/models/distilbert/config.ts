/** @file DistilBERT's configuration. */
import { z } from 'zod';
import { defineConfig, entry, headsDivide, paddingExists } from '../config.ts';

/** Keys and defaults of transformers.DistilBertConfig, under the names that BERT's have; files have DistilBERT's own. */
export const distilbertConfig = defineConfig(
  'distilbert',
  {
    vocabSize: entry.size.default(30522),
    maxPositionEmbeddings: entry.size.default(512),
    hiddenSize: entry.size.default(768),
    numHiddenLayers: entry.layers.default(6),
    numAttentionHeads: entry.size.default(12),
    intermediateSize: entry.size.default(3072),
    hiddenAct: z.string().default('gelu'),
    hiddenDropoutProb: entry.probability.default(0.1),
    attentionProbsDropoutProb: entry.probability.default(0.1),
    qaDropout: entry.probability.default(0.1),
    seqClassifDropout: entry.probability.default(0.2),
    padTokenId: z.number().int().nullish().default(0),
    tieWordEmbeddings: z.boolean().default(true),
  },
  {
    hiddenSize: 'dim',
    numHiddenLayers: 'n_layers',
    numAttentionHeads: 'n_heads',
    intermediateSize: 'hidden_dim',
    hiddenAct: 'activation',
    hiddenDropoutProb: 'dropout',
    attentionProbsDropoutProb: 'attention_dropout',
  },
  (config) => headsDivide(config) ?? paddingExists(config),
);

export type DistilBertConfig = ReturnType<typeof distilbertConfig.create>;
