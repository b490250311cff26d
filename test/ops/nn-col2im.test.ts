import { describe, expect, it } from 'vitest';
import { constant, type Value } from '../../src/ir/graph.ts';
import { col2Im, im2col } from '../../src/ops/col2im.ts';
import { checkDecomposition, checkDifferences, evaluate, noise, testGolden } from './nn-harness.ts';

describe('golden', () => testGolden(['Col2Im']));
describe('decompositions', () => checkDecomposition(['Col2Im']));

const ints = (...values: number[]) => constant(values, 'int64');

describe('im2col', () => {
  it('cuts out windows in the order of channels, then taps', async () => {
    const x = constant([1, 2, 3, 4, 5, 6, 7, 8, 9], 'float32', [1, 1, 3, 3]);
    const [columns] = await evaluate([im2col(x, { kernel_shape: [2, 2] })]);
    expect(Array.from(columns)).toEqual([1, 2, 4, 5, 2, 3, 5, 6, 4, 5, 7, 8, 5, 6, 8, 9]);
  });
  it('has Col2Im as its derivative, and that im2col', async () => {
    const attrs = { strides: [2, 1], pads: [1, 0, 1, 1] };
    await checkDifferences(([x]) => im2col(x, { ...attrs, kernel_shape: [2, 2] }), [{ shape: [1, 2, 3, 3] }]);
    const f = ([x]: readonly Value[]) => col2Im(x, ints(3, 3), ints(2, 2), attrs);
    await checkDifferences(f, [{ shape: [1, 4, 6] }], { second: true });
  });
});

describe('errors', () => {
  it('tell which columns were expected', () => {
    expect(() => col2Im(noise([1, 4, 5], 0), ints(3, 3), ints(2, 2))).toThrow(/must be \[batch, channels \* 4, 4\]/);
    expect(() => col2Im(noise([1, 4, 4], 0), ints(3, 3), ints(2))).toThrow(/must have as many axes/);
  });
});
