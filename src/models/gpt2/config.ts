/** @file GPT-2's configuration. */
import { z } from 'zod';
import { defineConfig } from '../config.ts';

/** Keys and defaults of transformers.GPT2Config. */
export const gpt2Config = defineConfig('gpt2', {
  vocabSize: z.number().int().positive().default(50257),
  nPositions: z.number().int().positive().default(1024),
  nEmbd: z.number().int().positive().default(768),
  nLayer: z.number().int().positive().default(12),
  nHead: z.number().int().positive().default(12),
  /** Width of the feed-forward layers; 4 nEmbd without. */
  nInner: z.number().int().positive().nullish(),
  activationFunction: z.string().default('gelu_new'),
  residPdrop: z.number().min(0).max(1).default(0.1),
  embdPdrop: z.number().min(0).max(1).default(0.1),
  attnPdrop: z.number().min(0).max(1).default(0.1),
  layerNormEpsilon: z.number().positive().default(1e-5),
  /** Divide scores by the square root of a head's width. */
  scaleAttnWeights: z.boolean().default(true),
  /** Divide scores by the number of the layer, too. */
  scaleAttnByInverseLayerIdx: z.boolean().default(false),
  tieWordEmbeddings: z.boolean().default(true),
  bosTokenId: z.number().int().nullish().default(50256),
  eosTokenId: z
    .union([z.number().int(), z.array(z.number().int())])
    .nullish()
    .default(50256),
});

export type GPT2Config = ReturnType<typeof gpt2Config.create>;
