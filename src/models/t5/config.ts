/** @file T5's configuration. */
import { z } from 'zod';
import { FormatError } from '../../ir/errors.ts';
import { defineConfig } from '../config.ts';

/** Keys and defaults of transformers.T5Config. */
export const t5Config = defineConfig('t5', {
  vocabSize: z.number().int().positive().default(32128),
  dModel: z.number().int().positive().default(512),
  /** Features of one head; heads need not add up to dModel. */
  dKv: z.number().int().positive().default(64),
  dFf: z.number().int().positive().default(2048),
  numLayers: z.number().int().positive().default(6),
  /** As many as the encoder's without. */
  numDecoderLayers: z.number().int().positive().nullish(),
  numHeads: z.number().int().positive().default(8),
  relativeAttentionNumBuckets: z.number().int().min(2).default(32),
  relativeAttentionMaxDistance: z.number().int().positive().default(128),
  dropoutRate: z.number().min(0).max(1).default(0.1),
  layerNormEpsilon: z.number().positive().default(1e-6),
  initializerFactor: z.number().positive().default(1),
  /** An activation, or `gated-` and one: T5 1.1 and Flan-T5 have gated-gelu. */
  feedForwardProj: z.string().default('relu'),
  /** One matrix for embeddings and logits, as in T5 1.0, which also scales what it multiplies. */
  tieWordEmbeddings: z.boolean().default(true),
  /** What newer files have in place of `tie_word_embeddings: false`. */
  scaleDecoderOutputs: z.boolean().optional(),
  padTokenId: z.number().int().nullish().default(0),
  eosTokenId: z
    .union([z.number().int(), z.array(z.number().int())])
    .nullish()
    .default(1),
  /** The padding token without. */
  decoderStartTokenId: z.number().int().nullish(),
});

export type T5Config = ReturnType<typeof t5Config.create>;

/** Whether logits come from the embeddings, scaled (T5 1.0), or from a matrix of their own (1.1, Flan). */
export function isTied(config: T5Config): boolean {
  return config.tieWordEmbeddings && config.scaleDecoderOutputs !== false;
}

/** The feed-forward layers' activation. @throws FormatError for a malformed name. */
export function feedForward({ feedForwardProj }: T5Config): { isGated: boolean; act: string } {
  const found = /^(gated-)?([a-z_]+)$/.exec(feedForwardProj);
  if (!found)
    throw new FormatError(
      `config.json: "feed_forward_proj": expected an activation such as 'relu' or 'gated-gelu', found '${feedForwardProj}'`,
    );
  const isGated = found[1] !== undefined;
  return { isGated, act: isGated && found[2] === 'gelu' ? 'gelu_new' : found[2] };
}

/** The first token of answers. */
export function startToken(config: T5Config): number {
  return config.decoderStartTokenId ?? config.padTokenId ?? 0;
}
