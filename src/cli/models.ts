/** @file Which model a run has: chosen by the data, or the user's own file; built again the same from run.json. */
import { z } from 'zod';
import type { Module } from '../nn/index.ts';
import { manualSeed } from '../tensor/index.ts';
import { loadUserModel } from './model-file.ts';
import { ConvNet, Perceptron } from './networks.ts';

const counts = z.array(z.number().int().positive().max(1_000_000)).max(100);
const size = z.number().int().positive().max(10_000_000);
const share = z.number().min(0).max(0.95);

/** Everything needed to build the model again. */
export const modelCode = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('mlp'), inputs: size, hidden: counts, outputs: size, dropout: share }),
  z.object({
    kind: z.literal('cnn'),
    channels: size,
    widths: counts.min(1),
    depths: counts.min(1),
    outputs: size,
    dropout: share,
  }),
  z.object({ kind: z.literal('file'), file: z.string(), sha256: z.string() }),
]);
export type ModelCode = z.infer<typeof modelCode>;

/** What a model file is told about the data. */
export interface ModelInfo {
  readonly task: string;
  /** Shape of one input without the batch: [channels, height, width] or [features]. */
  readonly inputShape: readonly number[];
  /** Numbers the model must give per sample: classes, or 1. */
  readonly outputs: number;
  readonly classes: readonly string[];
}

/** The network for this data. Wider for more samples: small tables are learnt by heart otherwise. */
export function chooseModel(
  info: ModelInfo,
  samples: number,
  asked: { hidden?: readonly number[] | undefined; dropout?: number | undefined; width?: number | undefined },
): ModelCode {
  const { inputShape, outputs } = info;
  if (inputShape.length === 1) {
    const wide = samples < 2000 ? 64 : samples < 20_000 ? 128 : 256;
    const hidden = [...(asked.hidden ?? [wide, wide / 2])];
    return {
      kind: 'mlp',
      inputs: inputShape[0],
      hidden,
      outputs,
      dropout: asked.dropout ?? (info.classes.length ? 0.2 : 0),
    };
  }
  const [channels, height, width] = inputShape;
  // Blocks halve the picture until about 4 pixels are left.
  const blocks = Math.min(4, Math.max(1, Math.floor(Math.log2(Math.min(height, width) / 3))));
  const base = asked.width ?? 32;
  const widths = Array.from({ length: blocks }, (_, i) => base * Math.min(4, 2 ** i));
  const depths = widths.map((_, i) => (i === 0 ? 1 : 2));
  return { kind: 'cnn', channels, widths, depths, outputs, dropout: asked.dropout ?? 0.2 };
}

/** Builds the model with parameters drawn from the seed. */
export async function buildModel(code: ModelCode, info: ModelInfo, seed: number): Promise<Module> {
  manualSeed(seed);
  switch (code.kind) {
    case 'mlp':
      return new Perceptron(code);
    case 'cnn':
      return new ConvNet(code);
    case 'file':
      return await loadUserModel(code.file, info);
  }
}

/** `MLP 20-64-32-2`. */
export function describeModel(code: ModelCode): string {
  switch (code.kind) {
    case 'mlp':
      return `dense network ${[code.inputs, ...code.hidden, code.outputs].join('-')}, dropout ${code.dropout}`;
    case 'cnn':
      return `convolutional network, ${code.widths.map((w, i) => `${code.depths[i]} x ${w}`).join(', ')} channels, dropout ${code.dropout}`;
    case 'file':
      return code.file;
  }
}
