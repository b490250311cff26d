/** @file Reductions over axes. */
import { dtypes, type NumericArray } from '../ir/dtype.ts';
import { ArgumentError } from '../ir/errors.ts';
import { type Attrs, constant, type GradientRule, type TensorType, type Value } from '../ir/graph.ts';
import { normalizeAxes, type Shape, sizeOf } from '../ir/shape.ts';
import { add, div, mul, sub } from './arithmetic.ts';
import { cast } from './cast.ts';
import { equal } from './compare.ts';
import { productOfOthers } from './cumulative.ts';
import { constantInts, defineOp, requireFloat, type } from './define.ts';
import { abs, exp, log, sign } from './elementwise.ts';
import { broadcastOffsets } from './fold.ts';
import { expand, ints, reshape, transpose } from './movement.ts';

/** The axes a reduction runs over, counted from the front. */
export function reducedAxes(inputs: readonly Value[], attrs: Attrs): number[] {
  const [x, axes] = inputs;
  const list = axes ? constantInts(axes, 'axes') : undefined;
  if (!list?.length) return attrs.noop_with_empty_axes ? [] : normalizeAxes(undefined, x.rank);
  return normalizeAxes(list, x.rank);
}

function reducedShape(inputs: readonly Value[], attrs: Attrs): Shape {
  const axes = reducedAxes(inputs, attrs);
  const keep = attrs.keepdims !== 0;
  return inputs[0].shape.flatMap((dim, i) => (axes.includes(i) ? (keep ? [1] : []) : [dim]));
}

const inferReduce = (inputs: readonly Value[], attrs: Attrs) => type(inputs[0].dtype, reducedShape(inputs, attrs));
const inferFloatReduce = (inputs: readonly Value[], attrs: Attrs) =>
  type(requireFloat(inputs[0]), reducedShape(inputs, attrs));

/** The shape of the result with the reduced axes kept as 1, so that it broadcasts against the input. */
export function keptShape(inputs: readonly Value[], attrs: Attrs): Shape {
  const axes = reducedAxes(inputs, attrs);
  return inputs[0].shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
}

/** A rule for reductions: `f` gets x, y and dy, the last two broadcastable to x. */
const reduceGradient =
  (f: (x: Value, y: Value, dy: Value, count: number) => Value): GradientRule =>
  ({ inputs, outputs: [y], attrs }, [dy]) => {
    if (!dy) return [];
    const kept = keptShape(inputs, attrs);
    const count = inputs[0].size / sizeOf(kept);
    const dx = f(inputs[0], reshape(y, kept), reshape(dy, kept), count);
    return [expand(dx, inputs[0].shape)];
  };

/** Folding: every element of a constant goes into the cell of the result that it belongs to. */
function foldReduce(start: number, f: (a: number, b: number) => number) {
  return ([x, axes]: readonly Value[], attrs: Attrs, output: TensorType): NumericArray | undefined => {
    if (!x.constant || output.dtype === 'float16' || output.dtype === 'bfloat16') return undefined;
    const kept = keptShape([x, axes], attrs);
    const cells = broadcastOffsets(kept, x.shape);
    // Not in the dtype itself: integers cannot start from infinity.
    const totals = new Float64Array(sizeOf(kept)).fill(start);
    for (let i = 0; i < cells.length; i++) totals[cells[i]] = f(totals[cells[i]], x.constant[i]);
    const out = new dtypes[output.dtype].array(totals.length);
    out.set(totals);
    return out;
  };
}

/** With no axis to reduce (or only axes of size 1), a reduction that leaves single elements alone is a reshape. */
const simplifyReduce = (inputs: readonly Value[], attrs: Attrs): Value | undefined => {
  const axes = reducedAxes(inputs, attrs);
  return axes.every((a) => inputs[0].shape[a] === 1) ? reshape(inputs[0], reducedShape(inputs, attrs)) : undefined;
};

export const reduceSum = defineOp('ReduceSum', {
  infer: inferReduce,
  simplify: simplifyReduce,
  fold: foldReduce(0, (a, b) => a + b),
  gradient: reduceGradient((_x, _y, dy) => dy),
});

export const reduceMean = defineOp('ReduceMean', {
  infer: inferReduce,
  simplify: simplifyReduce,
  gradient: reduceGradient((x, _y, dy, count) => mul(dy, constant(1 / count, x.dtype))),
});

// Ties share the gradient equally (PyTorch: amax, amin).
const extremum = reduceGradient((x, y, dy) => {
  const hit = cast(equal(x, y), { to: x.dtype });
  const axes = x.shape.flatMap((dim, i) => (y.shape[i] === 1 && dim !== 1 ? [i] : []));
  return mul(hit, div(dy, reduceSum(hit, ints(axes), { noop_with_empty_axes: 1 })));
});

export const reduceMax = defineOp('ReduceMax', {
  infer: inferReduce,
  fold: foldReduce(Number.NEGATIVE_INFINITY, Math.max),
  simplify: simplifyReduce,
  gradient: extremum,
});

export const reduceMin = defineOp('ReduceMin', {
  infer: inferReduce,
  fold: foldReduce(Number.POSITIVE_INFINITY, Math.min),
  simplify: simplifyReduce,
  gradient: extremum,
});

/** Product. Its gradient, the product of all other elements, is exact where elements are 0. */
export const reduceProd = defineOp('ReduceProd', {
  infer: inferReduce,
  fold: foldReduce(1, (a, b) => a * b),
  simplify: simplifyReduce,
  gradient: ({ inputs, attrs }, [dy]) => {
    if (!dy) return [];
    const [x] = inputs;
    const axes = reducedAxes(inputs, attrs);
    const perm = [...x.shape.keys()].filter((i) => !axes.includes(i)).concat(axes);
    const moved = transpose(x, { perm });
    const rest = moved.shape.slice(0, x.rank - axes.length);
    const others = productOfOthers(reshape(moved, [...rest, x.size / sizeOf(rest) || 0]), rest.length);
    const placed = transpose(reshape(others, moved.shape), { perm: perm.map((_, i) => perm.indexOf(i)) });
    return [mul(placed, reshape(dy, keptShape(inputs, attrs)))];
  },
});

export const reduceL1 = defineOp('ReduceL1', {
  infer: inferReduce,
  gradient: reduceGradient((x, _y, dy) => mul(sign(x), dy)),
  decompose: ([x, axes], attrs) => reduceSum(abs(x), axes, attrs),
});

/** Euclidean norm. At the zero vector the gradient is taken as 0, as PyTorch does. */
export const reduceL2 = defineOp('ReduceL2', {
  infer: inferFloatReduce,
  gradient: reduceGradient((x, y, dy) => {
    const isZero = cast(equal(y, constant(0, y.dtype)), { to: y.dtype });
    return mul(x, div(dy, add(y, isZero)));
  }),
});

export const reduceSumSquare = defineOp('ReduceSumSquare', {
  infer: inferReduce,
  gradient: reduceGradient((x, _y, dy) => mul(x, mul(dy, constant(2, x.dtype)))),
});

export const reduceLogSum = defineOp('ReduceLogSum', {
  infer: inferFloatReduce,
  gradient: reduceGradient((_x, y, dy) => div(dy, exp(y))),
  decompose: ([x, axes], attrs) => log(reduceSum(x, axes, attrs)),
});

export const reduceLogSumExp = defineOp('ReduceLogSumExp', {
  infer: inferFloatReduce,
  gradient: reduceGradient((x, y, dy) => mul(dy, exp(sub(x, y)))),
});

/** Index (int64) of the largest or smallest element along `axis`. */
const argOp = (name: string) =>
  defineOp(name, {
    infer: ([x], attrs) => {
      const axis = (attrs.axis as number | undefined) ?? 0;
      if (x.shape.at(axis) === 0) throw new ArgumentError(`axis ${axis} is empty: there is no extremum to find`);
      return type('int64', reducedShape([x, ints([axis])], attrs));
    },
    gradient: 'zero',
  });

export const argMax = argOp('ArgMax');
export const argMin = argOp('ArgMin');
