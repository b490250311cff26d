/** @file Operators that pick elements by their values: TopK, Compress, NonZero, Unique. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import type { Attrs, Value } from '../ir/graph.ts';
import { formatShape, normalizeAxis, sizeOf, stridesOf } from '../ir/shape.ts';
import { constantInts, defineMultiOp, defineOp, requireRank, type } from './define.ts';
import { gather, zerosOf } from './gather.ts';
import { ints, reshape } from './movement.ts';
import { scatterElements } from './scatter.ts';
import { numberAttr } from './unary.ts';

/**
 * The k largest (`largest: 0`: smallest) elements along `axis` (the last by default) and their int64 indices; k is the
 * constant second operand.
 */
export const topK = defineMultiOp('TopK', {
  infer: ([x, k], attrs) => {
    const axis = normalizeAxis(numberAttr(attrs, 'axis', -1), x.rank);
    const [count] = constantInts(k, 'k');
    if (count < 0 || count > x.shape[axis])
      throw new ArgumentError(
        `k is ${count}, but axis ${axis} of ${formatShape(x.shape)} has ${x.shape[axis]} entries`,
      );
    const shape = x.shape.with(axis, count);
    return [type(x.dtype, shape), type('int64', shape)];
  },
  gradient: ({ inputs: [x], outputs: [, indices], attrs }, [dy]) => {
    if (!dy) return [];
    const axis = normalizeAxis(numberAttr(attrs, 'axis', -1), x.rank);
    return [scatterElements(zerosOf(x, x.shape), indices, dy, { axis, reduction: 'add' })];
  },
});

/**
 * Entries along `axis` (or of the flattened tensor) where the condition is true. The condition decides the shape, so it must
 * be known while tracing; the result is then a Gather.
 */
export const compress = defineOp('Compress', {
  infer: ([x]) => type(x.dtype, x.shape),
  simplify: compressed,
  gradient: 'decompose',
  decompose: compressed,
});

function compressed([x, condition]: readonly Value[], attrs: Attrs): Value {
  requireRank(condition, 1, 'the condition');
  const kept = constantInts(condition, 'the condition').flatMap((on, i) => (on ? [i] : []));
  const flat = attrs.axis === undefined;
  const source = flat ? reshape(x, [-1]) : x;
  return gather(source, ints(kept), { axis: flat ? 0 : normalizeAxis(numberAttr(attrs, 'axis', 0), x.rank) });
}

/** Positions of the elements that are not 0, as int64 [rank, count]; of constants only, whose count is known while tracing. */
export const nonZero = defineOp('NonZero', {
  infer: ([x]) => type('int64', [x.rank, constantInts(x, 'the input').filter((v) => v !== 0).length]),
  fold: ([x], _attrs, output) => {
    const positions = Array.from(x.constant ?? []).flatMap((v, i) => (v !== 0 ? [i] : []));
    const strides = stridesOf(x.shape);
    const out = new Float64Array(sizeOf(output.shape));
    positions.forEach((p, k) => {
      strides.forEach((stride, axis) => {
        out[axis * positions.length + k] = Math.floor(p / stride) % x.shape[axis];
      });
    });
    return out;
  },
  gradient: 'zero',
});

/** Distinct rows along an axis, or distinct elements, counted by their text. */
function distinct(x: Value, axis: number | undefined): number {
  const data = constantInts(x, 'the input');
  if (axis === undefined) return new Set(data).size;
  const inner = sizeOf(x.shape.slice(axis + 1));
  const size = x.shape[axis];
  const rows = Array.from({ length: size }, () => [] as number[]);
  data.forEach((v, i) => {
    rows[Math.floor(i / inner) % size].push(v);
  });
  return new Set(rows.map((row) => row.join())).size;
}

/**
 * Distinct elements (or slices along `axis`) of a constant, with the positions of their first occurrence, the position of
 * each element among them, and counts.
 */
export const unique = defineMultiOp('Unique', {
  infer: ([x], attrs) => {
    const axis = attrs.axis === undefined ? undefined : normalizeAxis(numberAttr(attrs, 'axis', 0), x.rank);
    const count = distinct(x, axis);
    const all = axis === undefined ? x.size : x.shape[axis];
    return [
      type(x.dtype, axis === undefined ? [count] : x.shape.with(axis, count)),
      type('int64', [count]),
      type('int64', [all]),
      type('int64', [count]),
    ];
  },
  gradient: 'zero',
  optionalOutputs: 1,
});

/** Boxes kept by non-maximum suppression. How many depends on the scores, so it cannot be part of a traced program. */
export const nonMaxSuppression = defineOp('NonMaxSuppression', {
  infer: () => {
    throw new ShapeError(
      'the number of boxes kept depends on the scores, but shapes must be known when the graph is built; run it on the results, outside of the graph',
    );
  },
  gradient: 'zero',
});
