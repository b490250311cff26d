import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grad } from '../../src/autograd/grad.ts';
import type { Attrs, Value } from '../../src/ir/graph.ts';
import { sizeOf } from '../../src/ir/shape.ts';
import { mul } from '../../src/ops/arithmetic.ts';
import { outputsOf } from '../../src/ops/define.ts';
import { averagePool, globalAveragePool, lpPool, maxPool, maxPoolGradByComparison } from '../../src/ops/pool.ts';
import { checkDifferences, evaluate, expectClose, leaf, noise, testGolden } from './nn-harness.ts';

describe('golden', () =>
  testGolden(['AveragePool', 'GlobalAveragePool', 'MaxPool', 'GlobalMaxPool', 'LpPool', 'GlobalLpPool', 'MaxUnpool']));

/** Random pools over [2, 2, ...spatial] whose windows fit. */
const pools = fc
  .array(
    fc.record({
      size: fc.integer({ min: 2, max: 9 }),
      kernel: fc.integer({ min: 1, max: 3 }),
      stride: fc.integer({ min: 1, max: 3 }),
      dilation: fc.integer({ min: 1, max: 2 }),
      pad: fc.boolean(),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .chain((axes) => fc.record({ axes: fc.constant(axes), ceil: fc.boolean(), include: fc.boolean() }))
  .map(({ axes, ceil, include }) => {
    const pads = axes.map((a) => (a.pad && a.kernel > 1 ? 1 : 0));
    const shape = [2, 2, ...axes.map((a, i) => Math.max(a.size, a.dilation * (a.kernel - 1) + 1 - 2 * pads[i]))];
    const attrs: Attrs = {
      kernel_shape: axes.map((a) => a.kernel),
      strides: axes.map((a) => a.stride),
      dilations: axes.map((a) => a.dilation),
      pads: [...pads, ...pads],
      ceil_mode: ceil ? 1 : 0,
    };
    return { shape, attrs, include };
  });

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
}

describe('properties', () => {
  it('average: the gradient is the adjoint, for any geometry', async () => {
    await fc.assert(
      fc.asyncProperty(pools, async ({ shape, attrs, include }) => {
        const x = noise(shape, 1);
        const y = averagePool(x, { ...attrs, count_include_pad: include ? 1 : 0 });
        const dy = noise(y.shape, 2, false);
        const [dx] = grad([y], [x], { gradOutputs: [dy] }) as [Value];
        const [xd, yd, dyd, dxd] = await evaluate([x, y, dy, dx]);
        expectClose([dot(xd, dxd)], [dot(yd, dyd)], '<pool(x), dy> = <x, dx>', 2e-5);
      }),
      { numRuns: 20, seed: 5 },
    );
  });

  it('maximum: the gradient goes to the indices, and the second derivative takes it back from there', async () => {
    await fc.assert(
      fc.asyncProperty(pools, async ({ shape, attrs }) => {
        const x = leaf(
          Float32Array.from({ length: sizeOf(shape) }, (_, i) => (i * 7) % 5),
          shape,
          'float32',
          true,
        );
        const y = maxPool(x, attrs);
        const dy = noise(y.shape, 2);
        const [dx] = grad([y], [x], { gradOutputs: [dy], createGraph: true }) as [Value];
        const g = noise(shape, 3, false);
        const [back] = grad([dx], [dy], { gradOutputs: [g] }) as [Value];
        const [xd, yd, at, dyd, dxd, gd, bd] = await evaluate([x, y, outputsOf(y)[1], dy, dx, g, back]);
        const expected = new Float64Array(xd.length);
        at.forEach((i, k) => {
          expected[i] += dyd[k];
          expect(xd[i]).toBe(yd[k]);
          expect(gd[i]).toBe(bd[k]);
        });
        expectClose(dxd, expected, 'dx');
      }),
      { numRuns: 20, seed: 6 },
    );
  });
});

describe('without indices', () => {
  it('gives the gradient of the maximum bit for bit, ties included', async () => {
    await fc.assert(
      fc.asyncProperty(pools, async ({ shape, attrs }) => {
        const x = leaf(
          Float32Array.from({ length: sizeOf(shape) }, (_, i) => (i * 7) % 5),
          shape,
          'float32',
          true,
        );
        const y = maxPool(x, attrs);
        const dy = leaf(
          Float32Array.from({ length: y.size }, (_, i) => (i % 9) - 4),
          y.shape,
        );
        const [dx] = grad([y], [x], { gradOutputs: [dy] }) as [Value];
        const [a, b] = await evaluate([dx, maxPoolGradByComparison(x, y, dy, attrs)]);
        expectClose(
          Float32Array.from(b, (v) => v + 0),
          Float32Array.from(a, (v) => v + 0),
          'dx',
          0,
        );
      }),
      { numRuns: 20, seed: 9 },
    );
  });
});

describe('derivatives by differences', () => {
  const square = (y: Value) => mul(y, y);
  it('AveragePool', async () => {
    const attrs = { kernel_shape: [2, 3], strides: [1, 2], pads: [1, 1, 0, 1] };
    await checkDifferences(([x]) => square(averagePool(x, attrs)), [{ shape: [1, 2, 3, 4] }], { second: true });
  });
  it('GlobalAveragePool', async () => {
    await checkDifferences(([x]) => square(globalAveragePool(x)), [{ shape: [2, 2, 3] }], { second: true });
  });
  it('LpPool', async () => {
    const data = Float32Array.of(0.5, -0.7, 0.9, 0.4, -0.6, 0.8, 1.1, -0.5);
    const attrs = { kernel_shape: [3], strides: [2], p: 3, pads: [1, 0] };
    await checkDifferences(([x]) => lpPool(x, attrs), [{ shape: [1, 1, 8], data }], { second: true, tolerance: 1e-2 });
  });
});

describe('edges', () => {
  it('gives no NaN where a window of LpPool holds only zeros', async () => {
    const x = leaf(new Float32Array(4), [1, 1, 4], 'float32', true);
    const [dx] = grad([lpPool(x, { kernel_shape: [2], strides: [2] })], [x], {
      gradOutputs: [noise([1, 1, 2], 0, false)],
    }) as [Value];
    expect(Array.from((await evaluate([dx]))[0])).toEqual([0, 0, 0, 0]);
  });
  it('names what does not fit', () => {
    const x = noise([1, 2, 4, 4], 0);
    expect(() => maxPool(x, { kernel_shape: [2] })).toThrow(/kernel_shape must hold 2 positive whole numbers/);
    expect(() => maxPool(x, { kernel_shape: [2, 2], pads: [2, 0, 0, 0] })).toThrow(/smaller than the window/);
    expect(() => averagePool(x, { kernel_shape: [5, 1] })).toThrow(/a window of 5 elements/);
    expect(() => maxPool(noise([3, 4], 0), { kernel_shape: [] })).toThrow(/\[batch, channels, \.\.\.spatial\]/);
  });
});
