import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grad } from '../../src/autograd/grad.ts';
import type { NumericArray } from '../../src/ir/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../../src/ir/errors.ts';
import { type Attrs, constant, type Value } from '../../src/ir/graph.ts';
import { type Shape, sizeOf } from '../../src/ir/shape.ts';
import { mul } from '../../src/ops/arithmetic.ts';
import { conv, convTranspose } from '../../src/ops/conv.ts';
import { checkDifferences, evaluate, expectClose, noise, testGolden } from './nn-harness.ts';

describe('golden', () => testGolden(['Conv', 'ConvTranspose']));

interface Geometry {
  x: number[];
  w: number[];
  strides: number[];
  dilations: number[];
  pads: number[];
  group: number;
}

/** Random convolutions in one to three dimensions whose windows fit. */
const geometries: fc.Arbitrary<Geometry> = fc
  .record({
    rank: fc.constantFrom(1, 2, 2, 3),
    batch: fc.integer({ min: 1, max: 3 }),
    group: fc.constantFrom(1, 1, 2, 3),
    inputs: fc.integer({ min: 1, max: 5 }),
    outputs: fc.integer({ min: 1, max: 3 }),
    axes: fc.array(
      fc.record({
        size: fc.integer({ min: 1, max: 9 }),
        kernel: fc.integer({ min: 1, max: 4 }),
        stride: fc.integer({ min: 1, max: 3 }),
        dilation: fc.integer({ min: 1, max: 4 }),
        begin: fc.integer({ min: 0, max: 4 }),
        end: fc.integer({ min: 0, max: 4 }),
      }),
      { minLength: 3, maxLength: 3 },
    ),
  })
  .map(({ rank, batch, group, inputs, outputs, axes }) => {
    const used = axes.slice(0, rank);
    const spatial = used.map((a) => Math.max(a.size, a.dilation * (a.kernel - 1) + 1 - a.begin - a.end));
    return {
      x: [batch, inputs * group, ...spatial],
      w: [outputs * group, inputs, ...used.map((a) => a.kernel)],
      strides: used.map((a) => a.stride),
      dilations: used.map((a) => a.dilation),
      pads: [...used.map((a) => a.begin), ...used.map((a) => a.end)],
      group,
    };
  });

/** Every index of a shape, in order. */
function* indices(shape: Shape): Generator<number[]> {
  const total = sizeOf(shape);
  for (let i = 0; i < total; i++) {
    let rest = i;
    yield shape.map((_, axis) => {
      const step = sizeOf(shape.slice(axis + 1));
      const at = Math.floor(rest / step);
      rest -= at * step;
      return at;
    });
  }
}

const offset = (index: readonly number[], shape: Shape) => index.reduce((n, i, axis) => n * shape[axis] + i, 0);

/** The definition of a convolution, element by element. */
function reference(x: NumericArray, w: NumericArray, g: Geometry, out: Shape): Float64Array {
  const result = new Float64Array(sizeOf(out));
  for (const index of indices(out)) {
    const group = Math.floor(index[1] / (g.w[0] / g.group));
    for (const tap of indices(g.w.slice(1))) {
      const at = g.strides.map((s, i) => index[i + 2] * s + tap[i + 1] * g.dilations[i] - g.pads[i]);
      if (at.some((p, i) => p < 0 || p >= g.x[i + 2])) continue;
      const from = offset([index[0], group * g.w[1] + tap[0], ...at], g.x);
      result[offset(index, out)] += x[from] * w[offset([index[1], ...tap], g.w)];
    }
  }
  return result;
}

function dot(a: NumericArray, b: NumericArray): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
}

describe('properties', () => {
  it('equals its definition; both gradients are its adjoints, for any geometry', async () => {
    await fc.assert(
      fc.asyncProperty(geometries, async (g) => {
        const { x: xs, w: ws, ...attrs } = g;
        const [x, w] = [noise(xs, 1), noise(ws, 2)];
        const y = conv(x, w, attrs);
        const dy = noise(y.shape, 3, false);
        const [dx, dw] = grad([y], [x, w], { gradOutputs: [dy] }) as [Value, Value];
        const [xd, wd, yd, dyd, dxd, dwd] = await evaluate([x, w, y, dy, dx, dw]);
        expectClose(yd, reference(xd, wd, g, y.shape), 'conv');
        const product = dot(yd, dyd);
        expectClose([dot(xd, dxd), dot(wd, dwd)], [product, product], '<conv(x, w), dy> = <x, dx> = <w, dw>', 2e-5);
      }),
      { numRuns: 40, seed: 7 },
    );
  });

  it('transposed: the adjoint of the convolution with the same attributes', async () => {
    await fc.assert(
      fc.asyncProperty(geometries, async (g) => {
        const { x: xs, w: ws, pads: _, ...attrs } = g;
        const x = noise([xs[0], ws[0], ...xs.slice(2)], 1);
        const w = noise(ws, 2);
        const y = convTranspose(x, w, attrs);
        const dy = noise(y.shape, 3, false);
        const [dx, dw] = grad([y], [x, w], { gradOutputs: [dy] }) as [Value, Value];
        const [xd, wd, yd, dyd, dxd, dwd] = await evaluate([x, w, y, dy, dx, dw]);
        const product = dot(yd, dyd);
        expectClose([dot(xd, dxd), dot(wd, dwd)], [product, product], '<y, dy> = <x, dx> = <w, dw>', 2e-5);
      }),
      { numRuns: 25, seed: 8 },
    );
  });
});

describe('wide layers', () => {
  it('takes the input gradient by ConvTranspose and the weight gradient in one group', async () => {
    const [x, w] = [noise([2, 256, 4, 4], 1), noise([2, 256, 3, 3], 2)];
    const y = conv(x, w, { pads: [1, 1, 1, 1] });
    const dy = noise(y.shape, 3, false);
    const [dx, dw] = grad([y], [x, w], { gradOutputs: [dy] }) as [Value, Value];
    const [xd, wd, yd, dyd, dxd, dwd] = await evaluate([x, w, y, dy, dx, dw]);
    expectClose([dot(xd, dxd), dot(wd, dwd)], [dot(yd, dyd), dot(yd, dyd)], 'adjoints', 1e-4);
  });
});

describe('derivatives by differences', () => {
  const cases: [string, Shape, Shape, Attrs][] = [
    ['2d', [1, 2, 3, 4], [2, 2, 2, 2], { pads: [1, 0, 0, 1] }],
    ['strided, grouped', [2, 2, 5], [2, 1, 3], { strides: [2], group: 2, pads: [1, 1] }],
    ['dilated', [1, 5, 1, 5], [1, 5, 1, 2], { dilations: [1, 2] }],
  ];
  for (const [name, x, w, attrs] of cases)
    it(`Conv, ${name}: first and second`, async () => {
      // A square makes the second derivative by each operand differ from zero too.
      const f = ([a, b, c]: readonly Value[]) => {
        const y = conv(a, b, c, attrs);
        return mul(y, y);
      };
      await checkDifferences(f, [{ shape: x }, { shape: w }, { shape: [w[0]] }], { second: true, tolerance: 1e-2 });
    });

  it('ConvTranspose: first and second', async () => {
    const f = ([a, b]: readonly Value[]) => {
      const y = convTranspose(a, b, { strides: [2], pads: [1, 1], output_padding: [1] });
      return mul(y, y);
    };
    await checkDifferences(f, [{ shape: [1, 2, 3] }, { shape: [2, 1, 3] }], { second: true, tolerance: 1e-2 });
  });
});

describe('errors', () => {
  const x = noise([1, 4, 5, 5], 0);
  it('names channels, groups, windows, bias and dtypes that do not fit', () => {
    expect(() => conv(x, noise([2, 3, 3, 3], 0))).toThrow(ShapeError);
    expect(() => conv(x, noise([2, 3, 3, 3], 0))).toThrow(/the input has 4 channels.*take 3/);
    expect(() => conv(x, noise([3, 2, 3, 3], 0), { group: 2 })).toThrow(ArgumentError);
    expect(() => conv(x, noise([2, 4, 7, 3], 0))).toThrow(/a window of 7 elements.*does not fit into spatial axis 0/);
    expect(() => conv(x, noise([2, 4, 3, 3], 0), { strides: [1] })).toThrow(/strides must hold 2 whole numbers/);
    expect(() => conv(x, noise([2, 4, 3, 3], 0), noise([3], 0))).toThrow(/bias must have shape \[2\]/);
    expect(() => conv(x, constant(1, 'float64', [2, 4, 3, 3]))).toThrow(DTypeError);
    expect(() => conv(x, noise([2, 4, 3, 3], 0), { kernel_shape: [2, 3] })).toThrow(/kernel_shape is \[2, 3\]/);
    expect(() => convTranspose(x, noise([2, 4, 3, 3], 0))).toThrow(/take 2 \(their first dimension\)/);
    expect(() => convTranspose(x, noise([4, 2, 3, 3], 0), { output_padding: [1, 1] })).toThrow(/output_padding 1/);
  });
});
