/** @file Properties over random shapes, axes, paddings and indices: definitions element by element, and adjoints. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grad } from '../../src/autograd/grad.ts';
import type { NumericArray } from '../../src/ir/dtype.ts';
import { constant, type Value } from '../../src/ir/graph.ts';
import { broadcastShapes, type Shape, sizeOf, stridesOf } from '../../src/ir/shape.ts';
import * as ops from '../../src/ops/index.ts';
import { fromData } from '../../src/tensor/creation.ts';
import { realizeValues } from '../../src/tensor/realize.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { expectClose } from './harness.ts';

/** Values to compute, and what must hold of their elements. */
interface Check {
  readonly wants: readonly Value[];
  verify(data: readonly NumericArray[]): void;
}

/** Checks random cases, sixteen per program: a session each would take longer to build than to run. */
async function property<Case>(
  cases: fc.Arbitrary<Case>,
  make: (c: Case) => Check | readonly Check[],
  numRuns = 3,
): Promise<void> {
  const lists = fc.array(cases, { minLength: 16, maxLength: 16 });
  await fc.assert(
    fc.asyncProperty(lists, async (list) => {
      const checks = list.flatMap(make);
      const tensors = checks.map((check) => check.wants.map((v) => new Tensor(v)));
      await realizeValues(tensors.flat().filter((t) => !t.value.constant));
      for (const [i, check] of checks.entries()) check.verify(await Promise.all(tensors[i].map((t) => t.data())));
    }),
    { numRuns, seed: 20261123 },
  );
}

/** A float32 input of whole numbers in -8..8 over 4: sums and products of a few are exact. */
function input(shape: Shape, seed: number, requiresGrad = true): Value {
  let state = (seed + 1) * 0x9e3779b1;
  const data = Float32Array.from({ length: sizeOf(shape) }, () => {
    state = (Math.imul(state ^ (state >>> 15), 0x85ebca6b) + 0xc2b2ae35) >>> 0;
    return ((state >>> 8) % 17) / 4 - 2;
  });
  return fromData(data, shape, { requiresGrad }).value;
}

function dot(a: NumericArray, b: NumericArray): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
}

/** Every index of a shape, in order. */
function indicesOf(shape: Shape): number[][] {
  const strides = stridesOf(shape);
  return Array.from({ length: sizeOf(shape) }, (_, i) => shape.map((dim, axis) => Math.floor(i / strides[axis]) % dim));
}

const offsetOf = (index: readonly number[], shape: Shape) => {
  const strides = stridesOf(shape);
  return index.reduce((n, i, axis) => n + i * strides[axis], 0);
};

/**
 * The gradients of a function that is linear in each operand are its adjoints: all <operand, gradient> are <y, dy>.
 * @param also gets the result and the operands.
 */
function adjoint(
  f: (...xs: Value[]) => Value,
  shapes: readonly Shape[],
  also?: (y: NumericArray, xs: readonly NumericArray[]) => void,
): Check {
  const xs = shapes.map((s, i) => input(s, i));
  const y = f(...xs);
  const dy = input(y.shape, 99, false);
  const dxs = grad([y], xs, { gradOutputs: [dy] }).map((d) => d as Value);
  return {
    wants: [y, dy, ...xs, ...dxs],
    verify([ys, dys, ...rest]) {
      expect(dxs.map((d) => [...d.shape])).toEqual(shapes.map((shape) => [...shape]));
      expect(ys.length).toBe(sizeOf(y.shape));
      const expected = dot(ys, dys);
      xs.forEach((_, i) => {
        expectClose([dot(rest[i], rest[xs.length + i])], [expected], `<operand ${i}, gradient>`, 1e-4);
      });
      also?.(ys, rest.slice(0, xs.length));
    },
  };
}

const dims = (min: number, max: number) => fc.array(fc.integer({ min: 1, max: 4 }), { minLength: min, maxLength: max });

describe('broadcasting', () => {
  /** Two shapes that broadcast; some dimensions are 0. */
  const pairs = fc
    .array(fc.record({ size: fc.constantFrom(0, 1, 2, 3, 4, 5), one: fc.constantFrom('a', 'b', 'none') }), {
      maxLength: 4,
    })
    .chain((axes) =>
      fc.record({ axes: fc.constant(axes), cutA: fc.nat(axes.length), cutB: fc.constantFrom(0, 0, axes.length) }),
    )
    .map(({ axes, cutA, cutB }) => ({
      a: axes.map((x) => (x.one === 'a' ? 1 : x.size)).slice(cutA),
      b: axes.map((x) => (x.one === 'b' ? 1 : x.size)).slice(cutB),
    }));

  it('multiplies and sums gradients back over broadcast axes', () =>
    property(pairs, ({ a, b }) => {
      const [x, y] = [input(a, 1), input(b, 2)];
      const z = ops.mul(x, y);
      const shape = broadcastShapes(a, b);
      const dz = input(shape, 3, false);
      const [dx, dy] = grad([z], [x, y], { gradOutputs: [dz] }) as [Value, Value];
      return {
        wants: [x, y, z, dz, dx, dy],
        verify([xs, ys, zs, dzs, dxs, dys]) {
          expect([...z.shape]).toEqual(shape);
          const [ex, ey] = [new Float64Array(xs.length), new Float64Array(ys.length)];
          for (const [k, index] of indicesOf(shape).entries()) {
            const i = offsetOf(
              index.slice(shape.length - a.length).map((v, d) => (a[d] === 1 ? 0 : v)),
              a,
            );
            const j = offsetOf(
              index.slice(shape.length - b.length).map((v, d) => (b[d] === 1 ? 0 : v)),
              b,
            );
            expect(zs[k]).toBe(xs[i] * ys[j]);
            ex[i] += dzs[k] * ys[j];
            ey[j] += dzs[k] * xs[i];
          }
          expectClose(dxs, ex, 'dx');
          expectClose(dys, ey, 'dy');
        },
      };
    }));

  const binary = fc.constantFrom(ops.add, ops.sub, ops.mul, ops.max, ops.less, ops.equal);
  it('folds constants to what the engine computes', () =>
    property(fc.record({ pair: pairs, op: binary }), ({ pair: { a, b }, op }) => {
      const [x, y] = [input(a, 1, false), input(b, 2, false)];
      return {
        wants: [x, y, op(x, y)],
        verify([xs, ys, expected]) {
          const folded = op(constant(xs, 'float32', a), constant(ys, 'float32', b));
          expect(Array.from(folded.constant ?? [])).toEqual(Array.from(expected));
        },
      };
    }));
});

describe('reductions', () => {
  const cases = dims(1, 4).chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      axes: fc.subarray([...shape.keys()], { minLength: 1 }),
      keep: fc.boolean(),
    }),
  );

  it('sums over any axes; folding agrees', () =>
    property(cases, ({ shape, axes, keep }) => {
      const f = (x: Value) => ops.reduceSum(x, ops.ints(axes), { keepdims: keep ? 1 : 0 });
      return adjoint(f, [shape], (ys, [xs]) => {
        expectClose(ys, f(constant(xs, 'float32', shape)).constant ?? [], 'sum');
      });
    }));

  it('shares the gradient of an extremum among ties', () =>
    property(fc.record({ reduced: cases, isMax: fc.boolean() }), ({ reduced: { shape, axes, keep }, isMax }) => {
      const x = input(shape, 5);
      const op = isMax ? ops.reduceMax : ops.reduceMin;
      const y = op(x, ops.ints(axes.map((a) => a - shape.length)), { keepdims: keep ? 1 : 0 });
      const dy = input(y.shape, 6, false);
      const [dx] = grad([y], [x], { gradOutputs: [dy] }) as [Value];
      return {
        wants: [x, y, dy, dx],
        verify([xs, ys, dys, dxs]) {
          const kept = shape.map((d, i) => (axes.includes(i) ? 1 : d));
          const cell = indicesOf(shape).map((index) =>
            offsetOf(
              index.map((v, i) => (axes.includes(i) ? 0 : v)),
              kept,
            ),
          );
          const ties = new Float64Array(ys.length);
          cell.forEach((c, i) => {
            if (xs[i] === ys[c]) ties[c]++;
          });
          expectClose(
            dxs,
            cell.map((c, i) => (xs[i] === ys[c] ? dys[c] / ties[c] : 0)),
            'dx',
          );
        },
      };
    }));
});

describe('movement', () => {
  const clamp = (v: number, low: number, high: number) => Math.min(high, Math.max(low, v));
  const sliced = fc.record({
    size: fc.integer({ min: 1, max: 7 }),
    start: fc.integer({ min: -9, max: 9 }),
    end: fc.integer({ min: -9, max: 9 }),
    step: fc.constantFrom(1, 1, 2, 3, -1, -2, -3),
  });

  it('slices as ONNX says, and puts gradients back', () =>
    property(
      fc.array(sliced, { minLength: 1, maxLength: 3 }),
      (axes) => {
        const shape = axes.map((a) => a.size);
        const list = (key: 'start' | 'end' | 'step') => axes.map((a) => a[key]);
        const cut = (x: Value) => ops.slice(x, list('start'), list('end'), undefined, list('step'));
        const picked = axes.map(({ size, start, end, step }) => {
          const at = (v: number) => (v < 0 ? v + size : v);
          const first = clamp(at(start), 0, step > 0 ? size : size - 1);
          const last = step > 0 ? clamp(at(end), 0, size) : clamp(at(end), -1, size - 1);
          const out: number[] = [];
          for (let i = first; step > 0 ? i < last : i > last; i += step) out.push(i);
          return out;
        });
        return adjoint(cut, [shape], (ys, [xs]) => {
          const lengths = picked.map((p) => p.length);
          const expected = indicesOf(lengths).map(
            (index) =>
              xs[
                offsetOf(
                  index.map((v, i) => picked[i][v]),
                  shape,
                )
              ],
          );
          expect(Array.from(ys)).toEqual(expected);
          expect(Array.from(cut(constant(xs, 'float32', shape)).constant ?? [])).toEqual(expected);
        });
      },
      10,
    ));

  const padded = fc.record({
    size: fc.integer({ min: 3, max: 5 }),
    before: fc.integer({ min: -1, max: 2 }),
    after: fc.integer({ min: -1, max: 2 }),
  });
  const paddings = fc.record({
    axes: fc.array(padded, { minLength: 1, maxLength: 3 }),
    mode: fc.constantFrom('constant', 'reflect', 'edge', 'wrap'),
  });

  it('pads in every mode', () =>
    property(paddings, ({ axes, mode }) => {
      // Cropping together with padding is left to constant mode, where its meaning is not in doubt.
      const limit = (p: number) => (mode === 'constant' ? p : Math.max(0, p));
      const before = axes.map((a) => limit(a.before));
      const after = axes.map((a) => limit(a.after));
      return adjoint((x) => ops.pad(x, before, after, undefined, mode), [axes.map((a) => a.size)]);
    }));

  const repeated = fc.record({
    shape: dims(1, 3),
    repeats: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 3, maxLength: 3 }),
    k: fc.nat(2),
  });

  it('repeats, permutes, accumulates, joins and cuts', () =>
    property(repeated, ({ shape, repeats, k }) => {
      const axis = k % shape.length;
      const perm = [...shape.keys()].sort((a, b) => repeats[a] - repeats[b] || b - a);
      const widened = (x: Value) => ops.expand(x, [repeats[0], ...shape]);
      const order = { exclusive: repeats[0] > 1 ? 1 : 0, reverse: repeats[1] > 1 ? 1 : 0 };
      const joined = (x: Value) => ops.concat(ops.mul(x, constant(2, 'float32')), x, { axis });
      return [
        adjoint((x) => ops.tile(x, repeats.slice(0, shape.length)), [shape]),
        adjoint((x) => ops.transpose(widened(x), { perm: [0, ...perm.map((p) => p + 1)] }), [shape]),
        adjoint((x) => ops.cumSum(x, constant(axis, 'int64'), order), [shape]),
        adjoint((x) => ops.split(joined(x), ops.ints([1, 2 * shape[axis] - 1]), { axis })[1], [shape]),
      ];
    }));
});

describe('indexing', () => {
  const picks = dims(1, 3).chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      axis: fc.nat(shape.length - 1),
      raw: fc.array(fc.nat(99), { minLength: 1, maxLength: 6 }),
      isConstant: fc.boolean(),
    }),
  );
  const indexValue = (list: readonly number[], shape: Shape, isConstant: boolean) =>
    isConstant ? constant(list, 'int64', shape) : fromData(Float64Array.from(list), shape, { dtype: 'int64' }).value;
  const zeros = (shape: Shape) => ops.mul(input(shape, 7, false), constant(0, 'float32'));

  it('gathers slices at repeated and negative indices', () =>
    property(picks, ({ shape, axis, raw, isConstant }) => {
      const size = shape[axis];
      const list = raw.map((r) => (r % (2 * size)) - size);
      const index = indexValue(list, [list.length], isConstant);
      return adjoint(
        (x) => ops.gather(x, index, { axis }),
        [shape],
        (ys, [xs]) => {
          const from = (i: readonly number[]) => i.with(axis, (list[i[axis]] + size) % size);
          const out = shape.with(axis, list.length);
          expect(Array.from(ys)).toEqual(indicesOf(out).map((i) => xs[offsetOf(from(i), shape)]));
        },
      );
    }));

  it('gathers and scatters elements, repeated ones too', () =>
    property(picks, ({ shape, axis, raw, isConstant }) => {
      const rows = shape.with(axis, raw.length);
      const list = indicesOf(rows).map((_, i) => (raw[i % raw.length] + i) % shape[axis]);
      const index = indexValue(list, rows, isConstant);
      return [
        adjoint((x) => ops.gatherElements(x, index, { axis }), [shape]),
        adjoint((u) => ops.scatterElements(zeros(shape), index, u, { axis, reduction: 'add' }), [rows]),
      ];
    }));

  it('gathers and scatters at index tuples', () =>
    property(picks, ({ shape, axis, raw, isConstant }) => {
      const depth = axis + 1;
      const list = raw.flatMap((r) => shape.slice(0, depth).map((dim, i) => ((r >> i) % (2 * dim)) - dim));
      const index = indexValue(list, [raw.length, depth], isConstant);
      return [
        adjoint((x) => ops.gatherND(x, index), [shape]),
        adjoint(
          (u) => ops.scatterND(zeros(shape), index, u, { reduction: 'add' }),
          [[raw.length, ...shape.slice(depth)]],
        ),
      ];
    }));
});

describe('products', () => {
  const products = fc.record({
    m: fc.integer({ min: 1, max: 4 }),
    k: fc.integer({ min: 1, max: 4 }),
    n: fc.integer({ min: 1, max: 4 }),
    batch: fc.array(fc.record({ size: fc.integer({ min: 1, max: 3 }), one: fc.constantFrom('a', 'b', 'none') }), {
      maxLength: 2,
    }),
    form: fc.constantFrom('matrices', 'matrices', 'row', 'column'),
    shorter: fc.boolean(),
  });

  it('multiplies matrices, batches and vectors; einsum agrees', () =>
    property(products, ({ m, k, n, batch, form, shorter }) => {
      const left = batch.map((x) => (x.one === 'a' ? 1 : x.size));
      const right = batch.map((x) => (x.one === 'b' ? 1 : x.size)).slice(shorter ? batch.length : 0);
      const [isRow, isColumn] = [form === 'row', form === 'column'];
      const a = isRow ? [k] : [...left, m, k];
      const b = isColumn ? [k] : [...right, k, n];
      const letters = (rank: number) => 'uv'.slice(2 - rank);
      const [bl, br] = [isRow ? '' : letters(left.length), isColumn ? '' : letters(right.length)];
      const out = `${bl.length > br.length ? bl : br}${isRow ? '' : 'm'}${isColumn ? '' : 'n'}`;
      const equation = `${isRow ? 'k' : `${bl}mk`},${isColumn ? 'k' : `${br}kn`}->${out}`;
      let products: NumericArray;
      return [
        adjoint(ops.matMul, [a, b], (ys) => {
          products = ys;
        }),
        adjoint(
          (x, y) => ops.einsum(x, y, { equation }),
          [a, b],
          (ys) => expectClose(ys, products, equation),
        ),
      ];
    }));

  const sizes: Record<string, number> = { a: 2, b: 3, c: 1, d: 4 };
  const term = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 3 });
  const terms = fc.record({ s: term, t: term, order: fc.array(fc.nat(9), { minLength: 4, maxLength: 4 }) });

  it('sums products by any subscripts, repeated ones too', () =>
    property(terms, ({ s, t, order }) => {
      const known = [...new Set<string>([...s, ...t])];
      const rank = (l: string) => order[known.indexOf(l)];
      const out = known.filter((l) => rank(l) > 3).sort((p, q) => rank(p) - rank(q));
      const shapes = [s, t].map((letters) => letters.map((l) => sizes[l]));
      const equation = `${s.join('')},${t.join('')}->${out.join('')}`;
      return adjoint(
        (x, y) => ops.einsum(x, y, { equation }),
        shapes,
        (ys, [xs, zs]) => {
          const outShape = out.map((l) => sizes[l]);
          const expected = new Float64Array(sizeOf(outShape));
          for (const index of indicesOf(known.map((l) => sizes[l]))) {
            const at = (letters: readonly string[], shape: Shape) =>
              offsetOf(
                letters.map((l) => index[known.indexOf(l)]),
                shape,
              );
            expected[at(out, outShape)] += xs[at(s, shapes[0])] * zs[at(t, shapes[1])];
          }
          expectClose(ys, expected, equation);
        },
      );
    }));

  it('multiplies with Gemm in every arrangement', () =>
    property(
      fc.record({ sizes: products, transA: fc.boolean(), transB: fc.boolean() }),
      ({ sizes: { m, k, n }, transA, transB }) => {
        const attrs = { transA: transA ? 1 : 0, transB: transB ? 1 : 0, alpha: 0.5 };
        return adjoint((x, y) => ops.gemm(x, y, attrs), [transA ? [k, m] : [m, k], transB ? [n, k] : [k, n]]);
      },
    ));
});
