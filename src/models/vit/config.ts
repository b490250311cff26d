/** @file ViT's configuration. */
import { z } from 'zod';
import { defineConfig, entry, headsDivide } from '../config.ts';

/** One number, or height and width. */
const sides = z.union([entry.size, z.tuple([entry.size, entry.size])]);

/** Keys and defaults of transformers.ViTConfig. */
export const vitConfig = defineConfig(
  'vit',
  {
    hiddenSize: entry.size.default(768),
    numHiddenLayers: entry.layers.default(12),
    numAttentionHeads: entry.size.default(12),
    intermediateSize: entry.size.default(3072),
    hiddenAct: z.string().default('gelu'),
    hiddenDropoutProb: entry.probability.default(0),
    attentionProbsDropoutProb: entry.probability.default(0),
    layerNormEps: z.number().positive().default(1e-12),
    imageSize: sides.default(224),
    patchSize: sides.default(16),
    numChannels: entry.size.default(3),
    qkvBias: z.boolean().default(true),
    /** Width of the pooler; the hidden size without. */
    poolerOutputSize: entry.size.nullish(),
    poolerAct: z.string().default('tanh'),
  },
  {},
  (config) => headsDivide(config) ?? patchesFit(config),
);

type Sides = z.infer<typeof sides>;

/** Height and width. */
export const sidesOf = (size: Sides): readonly [number, number] => (typeof size === 'number' ? [size, size] : size);

function patchesFit({ imageSize, patchSize }: { imageSize: Sides; patchSize: Sides }): string | undefined {
  const [image, patch] = [sidesOf(imageSize), sidesOf(patchSize)];
  return image.every((n, i) => n >= patch[i])
    ? undefined
    : `patches of ${patch.join(' x ')} do not fit pictures of ${image.join(' x ')}`;
}

export type ViTConfig = ReturnType<typeof vitConfig.create>;
