import { describe, expect, it } from 'vitest';
import { grad } from '../../src/autograd/grad.ts';
import type { Value } from '../../src/ir/graph.ts';
import { outputsOf } from '../../src/ops/define.ts';
import {
  batchNormalization,
  groupNormalization,
  instanceNormalization,
  layerNormalization,
  lpNormalization,
  lrn,
  rmsNormalization,
} from '../../src/ops/normalization.ts';
import { checkDecomposition, checkDifferences, evaluate, leaf, noise, testGolden } from './nn-harness.ts';

describe('golden', () => {
  testGolden([
    'BatchNormalization',
    'LayerNormalization',
    'RMSNormalization',
    'GroupNormalization',
    'InstanceNormalization',
    'LRN',
    'MeanVarianceNormalization',
    'LpNormalization',
  ]);
});

describe('decompositions equal the kernels', () => {
  checkDecomposition(['BatchNormalization', 'LayerNormalization', 'RMSNormalization', 'InstanceNormalization']);
  checkDecomposition(['LRN', 'MeanVarianceNormalization', 'LpNormalization']);
});

describe('derivatives by differences, first and second', () => {
  const options = { second: true, tolerance: 3e-2 };
  const x = { shape: [2, 2, 3] };
  const vector = { shape: [2] };
  it('BatchNormalization while training, also through its running statistics', async () => {
    for (const momentum of [0, 0.7]) {
      const f = ([v, s, b]: readonly Value[]) =>
        outputsOf(
          batchNormalization(v, s, b, noise([2], 8, false), noise([2], 9, false), { training_mode: 1, momentum }),
        );
      await checkDifferences(f, [x, vector, vector], options);
    }
  });
  it('BatchNormalization by given statistics, which take gradients too', async () => {
    const variance = { shape: [2], data: Float32Array.of(0.8, 1.4) };
    const f = ([v, s, b, m, w]: readonly Value[]) => batchNormalization(v, s, b, m, w);
    await checkDifferences(f, [x, vector, vector, vector, variance], options);
  });
  it('LayerNormalization, all three outputs', async () => {
    const f = ([v, s, b]: readonly Value[]) => outputsOf(layerNormalization(v, s, b, { epsilon: 1e-2 }));
    await checkDifferences(f, [{ shape: [2, 4] }, { shape: [4] }, { shape: [4] }], options);
  });
  it('RMSNormalization', async () => {
    await checkDifferences(([v, s]) => rmsNormalization(v, s), [{ shape: [2, 4] }, { shape: [4] }], options);
  });
  it('GroupNormalization and InstanceNormalization', async () => {
    const four = { shape: [4] };
    const group = ([v, s, b]: readonly Value[]) => groupNormalization(v, s, b, { num_groups: 2, epsilon: 1e-2 });
    await checkDifferences(group, [{ shape: [1, 4, 2] }, four, four], options);
    await checkDifferences(
      ([v, s, b]) => instanceNormalization(v, s, b, { epsilon: 1e-2 }),
      [x, vector, vector],
      options,
    );
  });
  it('LRN and LpNormalization', async () => {
    for (const size of [3, 4])
      await checkDifferences(([v]) => lrn(v, { size, alpha: 0.5 }), [{ shape: [1, 4, 2] }], options);
    await checkDifferences(([v]) => lpNormalization(v), [{ shape: [2, 3] }], options);
  });
});

describe('edges', () => {
  it('keeps zero vectors zero, with a finite gradient', async () => {
    const x = leaf(new Float32Array(3), [1, 3], 'float32', true);
    const y = lpNormalization(x);
    const [dx] = grad([y], [x], { gradOutputs: [noise([1, 3], 1, false)] }) as [Value];
    const [yd, dxd] = await evaluate([y, dx]);
    expect(Array.from(yd)).toEqual([0, 0, 0]);
    expect(Array.from(dxd).every(Number.isFinite)).toBe(true);
  });
  it('names what does not fit', () => {
    const x = noise([2, 4, 3], 0);
    const v = noise([4], 0);
    expect(() => batchNormalization(x, v, v, v, noise([3], 0))).toThrow(/variance must have shape \[4\]/);
    expect(() => groupNormalization(x, v, v, { num_groups: 3 })).toThrow(/num_groups must divide the 4 channels/);
    expect(() => layerNormalization(x, v)).toThrow(/shape of the normalised axes, \[3\], found \[4\]/);
    expect(() => lpNormalization(x, { p: 3 })).toThrow(/p must be 1 or 2/);
    expect(() => lrn(x, {})).toThrow(/size must be a positive whole number/);
  });
});
