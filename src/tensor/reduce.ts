/** @file Reductions: over all elements, or over `dim`, one dimension or several. */
import { type DType, isFloat } from '../ir/dtype.ts';
import { ArgumentError, DTypeError } from '../ir/errors.ts';
import { constant, type Value } from '../ir/graph.ts';
import { formatShape, sizeOf } from '../ir/shape.ts';
import * as ops from '../ops/index.ts';
import { axesOf, castTo, type Dims, dimOf, dimsOf, like, toFloat, viaInt32 } from './lift.ts';
import { abs, div, exp, log, pow } from './math.ts';
import { Tensor } from './tensor.ts';

export interface ReduceOptions {
  /** Keep the reduced dimensions with size 1. */
  keepdim?: boolean;
}

export interface SumOptions extends ReduceOptions {
  /** Dtype to convert to before reducing; integers and booleans become int64 by default. */
  dtype?: DType;
}

/** Elements along a dimension, and where in it they were found (int64). */
export interface ValuesAndIndices {
  values: Tensor;
  indices: Tensor;
}

const keep = ({ keepdim = false }: ReduceOptions) => ({ keepdims: keepdim ? 1 : 0 });

/** Integers and booleans as int64, in which sums and products cannot overflow early. */
const widened = (x: Tensor, dtype?: DType) => castTo(x.value, dtype ?? (isFloat(x.dtype) ? x.dtype : 'int64'));

function requireElements(x: Tensor, dim: Dims | undefined, name: string): void {
  if (dimsOf(x.value, dim).some((d) => x.shape[d] === 0))
    throw new ArgumentError(
      `${name}: shape ${formatShape(x.shape)} has no elements to choose from along ${dim ?? 'any dimension'}`,
    );
}

function requireFloats(x: Tensor, name: string): void {
  if (!isFloat(x.dtype))
    throw new DTypeError(`${name}: expected floating point numbers, found ${x.dtype}; cast with .float()`);
}

/** Sum. */
export function sum(x: Tensor, dim?: Dims, options: SumOptions = {}): Tensor {
  const v = widened(x, options.dtype);
  return new Tensor(ops.reduceSum(v, axesOf(v, dim), keep(options)));
}

/** Arithmetic mean. @throws DTypeError for integers. */
export function mean(x: Tensor, dim?: Dims, options: SumOptions = {}): Tensor {
  const v = options.dtype ? castTo(x.value, options.dtype) : x.value;
  requireFloats(new Tensor(v), 'mean');
  return new Tensor(ops.reduceMean(v, axesOf(v, dim), keep(options)));
}

/** Product; its gradient is right also where elements are 0. */
export function prod(x: Tensor, dim?: Dims, options: SumOptions = {}): Tensor {
  const v = widened(x, options.dtype);
  return new Tensor(ops.reduceProd(v, axesOf(v, dim), keep(options)));
}

/** Largest element; ties share the gradient evenly. */
export function amax(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  requireElements(x, dim, 'amax');
  return new Tensor(viaInt32([x.value], (v) => ops.reduceMax(v, axesOf(v, dim), keep(options))));
}

/** Smallest element; ties share the gradient evenly. */
export function amin(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  requireElements(x, dim, 'amin');
  return new Tensor(viaInt32([x.value], (v) => ops.reduceMin(v, axesOf(v, dim), keep(options))));
}

function arg(
  op: (...args: [Value, { axis: number; keepdims: number }]) => Value,
  x: Tensor,
  dim: number | undefined,
  options: ReduceOptions,
) {
  requireElements(x, dim, 'argmax and argmin');
  const v = isFloat(x.dtype) || x.dtype === 'int64' ? x.value : castTo(x.value, 'int32');
  if (dim !== undefined && x.ndim > 0) return new Tensor(op(v, { axis: dimOf(v, dim), ...keep(options) }));
  const index = op(ops.reshape(v, [-1]), { axis: 0, keepdims: 0 });
  return new Tensor(
    options.keepdim
      ? ops.reshape(
          index,
          x.shape.map(() => 1),
        )
      : index,
  );
}

/** Index (int64) of the largest element along `dim`, the first at a tie; of the flattened tensor without `dim`. */
export function argmax(x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor {
  return arg(ops.argMax, x, dim, options);
}

/** Index (int64) of the smallest element along `dim`, the first at a tie; of the flattened tensor without `dim`. */
export function argmin(x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor {
  return arg(ops.argMin, x, dim, options);
}

function extremum(x: Tensor, dim: number, options: ReduceOptions, find: typeof argmax): ValuesAndIndices {
  const axis = dimOf(x.value, dim);
  if (x.ndim === 0) return { values: x, indices: find(x) };
  const indices = find(x, axis, { keepdim: true }).value;
  const values = ops.gatherElements(x.value, indices, { axis });
  if (options.keepdim) return { values: new Tensor(values), indices: new Tensor(indices) };
  const shape = x.shape.toSpliced(axis, 1);
  return { values: new Tensor(ops.reshape(values, shape)), indices: new Tensor(ops.reshape(indices, shape)) };
}

/** Largest element of all; or, along `dim`, the largest elements and their indices, the first at a tie (torch.max). */
export function max(x: Tensor): Tensor;
export function max(x: Tensor, dim: number, options?: ReduceOptions): ValuesAndIndices;
export function max(x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor | ValuesAndIndices {
  return dim === undefined ? amax(x) : extremum(x, dim, options, argmax);
}

/** Smallest element of all; or, along `dim`, the smallest elements and their indices, the first at a tie (torch.min). */
export function min(x: Tensor): Tensor;
export function min(x: Tensor, dim: number, options?: ReduceOptions): ValuesAndIndices;
export function min(x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor | ValuesAndIndices {
  return dim === undefined ? amin(x) : extremum(x, dim, options, argmin);
}

export interface VarOptions extends ReduceOptions {
  /** The divisor is the number of elements minus this: 1 for the unbiased estimate, 0 for the population's. */
  correction?: number;
}

/** Variance. @throws DTypeError for integers. */
export function variance(x: Tensor, dim?: Dims, options: VarOptions = {}): Tensor {
  requireFloats(x, 'var');
  const { correction = 1 } = options;
  const v = x.value;
  const axes = axesOf(v, dim);
  const gap = ops.sub(v, ops.reduceMean(v, axes, { keepdims: 1 }));
  const count = sizeOf(dimsOf(v, dim).map((d) => v.shape[d]));
  const total = ops.reduceSum(ops.mul(gap, gap), axes, keep(options));
  return new Tensor(ops.mul(total, like(v, 1 / Math.max(0, count - correction))));
}

/** Standard deviation; where it is 0 so is its gradient. @throws DTypeError for integers. */
export function std(x: Tensor, dim?: Dims, options: VarOptions = {}): Tensor {
  return new Tensor(rootOf(variance(x, dim, options).value));
}

/** The square root, with gradient 0 at 0. */
function rootOf(v: Value): Value {
  const isZero = ops.equal(v, like(v, 0));
  return ops.where(isZero, like(v, 0), ops.sqrt(ops.where(isZero, like(v, 1), v)));
}

export interface NormOptions extends ReduceOptions {
  /** Order of the norm; Infinity and -Infinity give the largest and smallest modulus, 0 counts the non-zero. */
  p?: number;
}

/** (sum |x|^p)^(1/p) (torch.linalg.vector_norm). */
export function norm(x: Tensor, dim?: Dims, options: NormOptions = {}): Tensor {
  const { p = 2 } = options;
  const v = toFloat(x.value);
  if (p === 2) return new Tensor(ops.reduceL2(v, axesOf(v, dim), keep(options)));
  if (p === 1) return new Tensor(ops.reduceL1(v, axesOf(v, dim), keep(options)));
  const size = abs(new Tensor(v));
  if (p === Number.POSITIVE_INFINITY) return amax(size, dim, options);
  if (p === Number.NEGATIVE_INFINITY) return amin(size, dim, options);
  if (p === 0) return new Tensor(ops.reduceSum(castTo(castTo(v, 'bool'), v.dtype), axesOf(v, dim), keep(options)));
  return pow(sum(pow(size, p), dim, options), 1 / p);
}

const overTruth = (op: typeof ops.reduceMax, x: Tensor, dim: Dims | undefined, options: ReduceOptions) => {
  const v = castTo(castTo(x.value, 'bool'), 'int32');
  return new Tensor(castTo(op(v, axesOf(v, dim), keep(options)), 'bool'));
};

/** Whether any element is true. */
export function any(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  // The largest of no elements would be the lowest integer, which counts as true.
  if (x.numel() === 0) return overTruth(ops.reduceSum, x, dim, options);
  return overTruth(ops.reduceMax, x, dim, options);
}

/** Whether all elements are true. */
export function all(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  return overTruth(ops.reduceMin, x, dim, options);
}

/** How many elements are not 0 (int64). */
export function countNonzero(x: Tensor, dim?: Dims): Tensor {
  const v = castTo(castTo(x.value, 'bool'), 'int64');
  return new Tensor(ops.reduceSum(v, axesOf(v, dim), { keepdims: 0 }));
}

/** log(sum(exp(x))), without overflow; -Infinity where all elements are. */
export function logsumexp(x: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  const v = toFloat(x.value);
  const axes = axesOf(v, dim);
  const top = ops.stopGradient(ops.reduceMax(v, axes, { keepdims: 1 }));
  const infinity = like(v, Number.POSITIVE_INFINITY);
  const shift = ops.where(ops.less(ops.abs(top), infinity), top, like(v, 0));
  const total = ops.log(ops.reduceSum(ops.exp(ops.sub(v, shift)), axes, keep(options)));
  return new Tensor(ops.add(total, ops.reshape(shift, total.shape)));
}

/** Running sum along `dim`. */
export function cumsum(x: Tensor, dim: number): Tensor {
  const v = widened(x);
  if (v.rank === 0) return new Tensor(v);
  return new Tensor(ops.cumSum(v, ops.ints([dimOf(v, dim)])));
}

/** A running combination along `axis` in log2(n) passes: each joins what lies 1, 2, 4, ... before. */
function scan(v: Value, axis: number, neutral: number, join: (before: Value, x: Value) => Value): Value {
  let out = v;
  for (let shift = 1; shift < v.shape[axis]; shift *= 2) {
    const fill = ops.expand(like(v, neutral), v.shape.with(axis, shift));
    const [kept] = ops.split(out, ops.ints([v.shape[axis] - shift, shift]), { axis });
    out = join(ops.concat(fill, kept, { axis }), out);
  }
  return out;
}

/** Running product along `dim`; its gradient is right also where elements are 0. */
export function cumprod(x: Tensor, dim: number): Tensor {
  const v = widened(x);
  return new Tensor(v.rank === 0 ? v : scan(v, dimOf(v, dim), 1, ops.mul));
}

/** Running maximum along `dim`. */
export function cummax(x: Tensor, dim: number): Tensor {
  if (x.dtype === 'bool') return new Tensor(castTo(cummax(new Tensor(castTo(x.value, 'int32')), dim).value, 'bool'));
  const lowest = isFloat(x.dtype)
    ? Number.NEGATIVE_INFINITY
    : x.dtype === 'int64'
      ? Number.MIN_SAFE_INTEGER
      : -(2 ** 31);
  const axis = dimOf(x.value, dim);
  return new Tensor(x.ndim === 0 ? x.value : viaInt32([x.value], (v) => scan(v, axis, lowest, ops.max)));
}

/** log of the running sum of exp(x) along `dim`; x is first lowered by its maximum, so that nothing overflows. */
export function logcumsumexp(x: Tensor, dim: number): Tensor {
  const v = toFloat(x.value);
  const top = new Tensor(ops.stopGradient(ops.reduceMax(v, axesOf(v, dim), { keepdims: 1 })));
  const shifted = new Tensor(ops.sub(v, top.value));
  return new Tensor(ops.add(log(cumsum(exp(shifted), dim)).value, top.value));
}

/**
 * The lower median of all elements; or, along `dim`, the lower medians and their indices (torch.median).
 */
export function median(x: Tensor): Tensor;
export function median(x: Tensor, dim: number, options?: ReduceOptions): ValuesAndIndices;
export function median(x: Tensor, dim?: number, options: ReduceOptions = {}): Tensor | ValuesAndIndices {
  if (dim === undefined) return median(new Tensor(ops.reshape(x.value, [-1])), 0).values;
  if (x.ndim === 0) return { values: x, indices: new Tensor(constant(0, 'int64')) };
  requireElements(x, dim, 'median');
  const axis = dimOf(x.value, dim);
  const half = Math.floor((x.shape[axis] + 1) / 2);
  const [values, indices] = ops.topK(x.value, ops.ints([half]), { axis, largest: 0, sorted: 1 });
  const last = (v: Value) => {
    const picked = half === 1 ? v : ops.split(v, ops.ints([half - 1, 1]), { axis })[1];
    return new Tensor(options.keepdim ? picked : ops.reshape(picked, x.shape.toSpliced(axis, 1)));
  };
  return { values: last(values), indices: last(indices) };
}

/** Mean of the elements where `mask` is true, over `dim` (NaN where it is true nowhere). */
export function maskedMean(x: Tensor, mask: Tensor, dim?: Dims, options: ReduceOptions = {}): Tensor {
  const weight = new Tensor(castTo(mask.value, x.dtype));
  const total = new Tensor(ops.mul(x.value, weight.value));
  const expanded = new Tensor(ops.expand(weight.value, total.shape));
  return div(sum(total, dim, options), sum(expanded, dim, options));
}
