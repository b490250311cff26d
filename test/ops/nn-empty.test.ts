import { describe, expect, it } from 'vitest';
import { grad } from '../../src/autograd/grad.ts';
import { constant, type Value } from '../../src/ir/graph.ts';
import { attention } from '../../src/ops/attention.ts';
import { conv, convTranspose } from '../../src/ops/conv.ts';
import { dropout } from '../../src/ops/dropout.ts';
import { softmaxCrossEntropyLoss } from '../../src/ops/loss.ts';
import { batchNormalization, groupNormalization, layerNormalization } from '../../src/ops/normalization.ts';
import { averagePool, maxPool } from '../../src/ops/pool.ts';
import { evaluate, leaf, noise } from './nn-harness.ts';

const one = (n: number) => constant(1, 'float32', [n]);

/** Operators over [0, ...]: a last batch without images must neither fail nor give anything but zeros to the weights. */
const cases: [string, number[][], (v: readonly Value[]) => Value][] = [
  ['Conv', [[0, 5, 6, 6], [4, 5, 3, 3], [4]], ([x, w, b]) => conv(x, w, b, { pads: [1, 1, 1, 1] })],
  [
    'Conv, first layer',
    [
      [0, 3, 6, 6],
      [4, 3, 3, 3],
    ],
    ([x, w]) => conv(x, w),
  ],
  [
    'Conv, pointwise',
    [
      [0, 5, 6, 6],
      [4, 5, 1, 1],
    ],
    ([x, w]) => conv(x, w),
  ],
  [
    'ConvTranspose',
    [
      [0, 5, 3, 3],
      [5, 4, 3, 3],
    ],
    ([x, w]) => convTranspose(x, w, { strides: [2, 2] }),
  ],
  ['MaxPool', [[0, 2, 4, 4]], ([x]) => maxPool(x, { kernel_shape: [2, 2], strides: [2, 2] })],
  ['AveragePool', [[0, 2, 4, 4]], ([x]) => averagePool(x, { kernel_shape: [3, 3], strides: [2, 2] })],
  ['LayerNormalization', [[0, 4], [4], [4]], ([x, s, b]) => layerNormalization(x, s, b)],
  ['GroupNormalization', [[0, 4, 3], [4], [4]], ([x, s, b]) => groupNormalization(x, s, b, { num_groups: 2 })],
  ['BatchNormalization', [[0, 4, 3], [4], [4]], ([x, s, b]) => batchNormalization(x, s, b, one(4), one(4))],
  ['Dropout', [[0, 4]], ([x]) => dropout(x, leaf(Uint32Array.of(1), [], 'uint32'))],
  [
    'Attention',
    [
      [0, 2, 3, 4],
      [0, 2, 3, 4],
    ],
    ([q, k]) => attention(q, k, k),
  ],
  [
    'SoftmaxCrossEntropyLoss',
    [[0, 4]],
    ([x]) => softmaxCrossEntropyLoss(x, constant(0, 'int64', [0]), { reduction: 'none' }),
  ],
];

describe('no images', () => {
  for (const [name, shapes, f] of cases)
    it(name, async () => {
      const leaves = shapes.map((s, i) => noise(s, i));
      const y = f(leaves);
      const gradients = grad([y], leaves, { gradOutputs: [noise(y.shape, 9, false)] }) as Value[];
      const [found, ...ds] = await evaluate([y, ...gradients]);
      expect(found.length).toBe(0);
      ds.forEach((d, i) => {
        expect(d.length).toBe(leaves[i].size);
        expect(d.every((v) => v === 0)).toBe(true);
      });
    });
});
