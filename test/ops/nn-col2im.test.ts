import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { constant, type Value } from '../../src/ir/graph.ts';
import { col2Im, im2col } from '../../src/ops/col2im.ts';
import { checkDecomposition, checkDifferences, evaluate, expectClose, noise, testGolden } from './nn-harness.ts';

describe('golden', () => testGolden(['Col2Im']));
describe('decompositions', () => checkDecomposition(['Col2Im']));

const ints = (...values: number[]) => constant(values, 'int64');

describe('im2col', () => {
  it('cuts out windows in the order of channels, then taps', async () => {
    const x = constant([1, 2, 3, 4, 5, 6, 7, 8, 9], 'float32', [1, 1, 3, 3]);
    const [columns] = await evaluate([im2col(x, { kernel_shape: [2, 2] })]);
    expect(Array.from(columns)).toEqual([1, 2, 4, 5, 2, 3, 5, 6, 4, 5, 7, 8, 5, 6, 8, 9]);
  });
  it('is the adjoint of Col2Im in one to three dimensions, dilated or not', async () => {
    const axes = fc.record({
      size: fc.integer({ min: 2, max: 5 }),
      kernel: fc.integer({ min: 1, max: 2 }),
      dilation: fc.integer({ min: 1, max: 2 }),
      stride: fc.integer({ min: 1, max: 2 }),
      pad: fc.integer({ min: 0, max: 1 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(axes, { minLength: 1, maxLength: 3 }), async (list) => {
        const image = list.map((a) => Math.max(a.size, a.dilation * (a.kernel - 1) + 1));
        const kernel = list.map((a) => a.kernel);
        const pads = list.map((a) => a.pad);
        const attrs = {
          strides: list.map((a) => a.stride),
          dilations: list.map((a) => a.dilation),
          pads: [...pads, ...pads],
        };
        const x = noise([2, 2, ...image], 1, false);
        const columns = im2col(x, { ...attrs, kernel_shape: kernel });
        const weights = noise(columns.shape, 2, false);
        const folded = col2Im(weights, ints(...image), ints(...kernel), attrs);
        const [xd, cd, wd, fd] = await evaluate([x, columns, weights, folded]);
        const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((n, v, i) => n + v * b[i], 0);
        expectClose([dot(xd, fd)], [dot(cd, wd)], '<x, fold(w)> = <unfold(x), w>', 2e-5);
      }),
      { numRuns: 25, seed: 3 },
    );
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
