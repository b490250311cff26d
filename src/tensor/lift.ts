/** @file Small helpers of the tensor operations: constants, casts, axes, indices. */
import { type DType, dtypes, isFloat, type NumericArray } from '../ir/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../ir/errors.ts';
import { constant, type Value } from '../ir/graph.ts';
import { formatShape, normalizeAxes, normalizeAxis, type Shape } from '../ir/shape.ts';
import { cast } from '../ops/cast.ts';
import { ints } from '../ops/movement.ts';
import { slice } from '../ops/slice.ts';
import { tensor } from './creation.ts';
import { type NestedNumbers, Tensor } from './tensor.ts';
import { onReplayArgument } from './tracing.ts';

/** One dimension or several; negative ones count from the end. */
export type Dims = number | readonly number[];

/** Integer positions: an int32 or int64 tensor, or plain numbers. */
export type Indices = Tensor | NestedNumbers;

/** A scalar constant of the dtype of `x`. */
export function like(x: Value, value: number): Value {
  return constant(value, x.dtype);
}

/** The value in another dtype. */
export function castTo(x: Value, to: DType): Value {
  return x.dtype === to ? x : cast(x, { to });
}

/** The value, brought to float32 if it holds integers or booleans. */
export function toFloat(x: Value): Value {
  return isFloat(x.dtype) ? x : cast(x, { to: 'float32' });
}

/**
 * Applies `f` to values of one dtype; those of 8 and 16 bits go through int32, for which ONNX Runtime has the kernels.
 */
export function viaInt32(values: readonly Value[], f: (...values: Value[]) => Value): Value {
  const { dtype } = values[0];
  if (isFloat(dtype) || dtype === 'bool' || dtypes[dtype].bytes > 2) return f(...values);
  return castTo(f(...values.map((v) => castTo(v, 'int32'))), dtype);
}

/** Elements `start` to `end` (not included) of an axis, every `step`-th; ONNX's rules for negative ones. */
export function cut(x: Value, axis: number, start: number, end: number, step = 1): Value {
  return slice(x, [start], [end], [axis], [step]);
}

/** Dimensions counted from the front; none given means all. */
export function dimsOf(x: Value, dim: Dims | undefined): number[] {
  if (dim !== undefined && typeof dim !== 'number' && !Array.isArray(dim))
    throw new ArgumentError(`a dimension must be a number or a list of numbers, found ${String(dim)}`);
  const list = typeof dim === 'number' ? [dim] : dim?.length ? dim : undefined;
  // PyTorch lets a scalar pretend to have one dimension.
  if (x.rank === 0 && list) return normalizeAxes(list, 1).slice(1);
  return normalizeAxes(list, x.rank);
}

/** The axes operand of an ONNX reduction, absent for all. */
export function axesOf(x: Value, dim: Dims | undefined): Value | null {
  return dim === undefined || x.rank === 0 ? null : ints(dimsOf(x, dim));
}

/** One dimension counted from the front; a scalar is taken to have one (PyTorch). */
export function dimOf(x: Value, dim: number): number {
  return normalizeAxis(dim, Math.max(1, x.rank));
}

/**
 * An integer index operand. Elements that are at hand are checked against `size`, and negative ones count from its end;
 * computed ones are left to the engine.
 * @throws DTypeError unless the tensor is int32 or int64; ArgumentError for numbers that are out of range.
 */
export function indexValue(index: Indices, name: string, size?: number): Value {
  if (index instanceof Tensor) {
    if (size !== undefined)
      checkElements(index, (i, at) => {
        if (i < -size || i >= size)
          throw new ArgumentError(
            `${name}: index ${i} at position ${at} is out of range for a dimension of size ${size}; expected ${-size} to ${size - 1}`,
          );
      });
    if (index.dtype === 'int64' || index.dtype === 'int32') return index.value;
    if (dtypes[index.dtype].kind === 'float' || index.dtype === 'bool')
      throw new DTypeError(`${name}: indices must be integers, found ${index.dtype}; cast with .long()`);
    return castTo(index.value, 'int64');
  }
  return tensor(wrapIndices(index, name, size), { dtype: 'int64' }).value;
}

function wrapIndices(index: NestedNumbers, name: string, size: number | undefined): NestedNumbers {
  if (typeof index === 'object') return index.map((i) => wrapIndices(i, name, size));
  const i = Number(index);
  if (!Number.isInteger(i)) throw new ArgumentError(`${name}: indices must be whole numbers, found ${i}`);
  if (size === undefined) return i;
  if (i < -size || i >= size)
    throw new ArgumentError(
      `${name}: index ${i} is out of range for a dimension of size ${size}; expected ${-size} to ${size - 1}`,
    );
  return i < 0 ? i + size : i;
}

/**
 * Checks indices whose elements are at hand (a batch of labels, token ids), also in later runs of a compiled function;
 * computed ones are left to the engine, which refuses those beyond `size` but lets negative ones count from the end.
 * @throws ArgumentError for an index outside of [0, size) other than `allowed`.
 */
export function checkIndices(index: Tensor, size: number, name: string, what: string, allowed?: number): void {
  checkElements(index, (i, at) => {
    if ((i < 0 || i >= size) && i !== allowed)
      throw new ArgumentError(
        `${name}: ${what} ${i} at position ${at} is out of range; expected 0 to ${size - 1}${allowed === undefined ? '' : `, or ${allowed} to be ignored (ignoreIndex)`}`,
      );
  });
}

/** Shows the elements, where they are at hand, to `check`; also those of later runs of a compiled function. */
export function checkElements(x: Tensor, check: (element: number, at: number) => void): void {
  const checkAll = (data: NumericArray) => {
    for (let i = 0; i < data.length; i++) check(data[i], i);
  };
  const data = x.value.constant ?? x.storage?.host;
  if (data) checkAll(data);
  onReplayArgument(x, checkAll);
}

/** @throws ShapeError unless the tensor has `rank` dimensions. */
export function requireDims(x: Tensor, rank: number, name: string, what = 'the input'): void {
  requireTensor(x, name, what);
  if (x.ndim !== rank)
    throw new ShapeError(`${name}: ${what} must have ${rank} dimensions, found shape ${formatShape(x.shape)}`);
}

/** @throws ArgumentError for what plain JavaScript may pass instead of a tensor. */
export function requireTensor(x: Tensor, name: string, what = 'the input'): void {
  if (x instanceof Tensor) return;
  const found = Array.isArray(x) ? 'an array; make it a tensor with tensor([...])' : String(x);
  throw new ArgumentError(`${name}: ${what} must be a tensor, found ${found}`);
}

/** @throws ArgumentError unless it is a list, as in `x.reshape([2, 3])`: sizes are not passed one by one. */
export function requireList(sizes: Shape, name: string): void {
  if (!Array.isArray(sizes)) throw new ArgumentError(`${name}: expected a list such as [2, 3], found ${String(sizes)}`);
}

/** @throws ArgumentError unless `value` is one of `allowed`. */
export function requireOneOf(value: string, allowed: readonly string[], name: string, what: string): void {
  if (!allowed.includes(value))
    throw new ArgumentError(`${name}: ${what} must be one of ${allowed.join(', ')}, found '${value}'`);
}
