/** @file Tensors from data: tensor, zeros, ones, full, arange, linspace, eye. */
import { type DType, dtypes, isInteger, type NumericArray } from '../ir/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../ir/errors.ts';
import { encodeNumber } from '../ir/half.ts';
import { formatShape, type Shape, sizeOf } from '../ir/shape.ts';
import { ownValue } from './autograd.ts';
import { Storage } from './storage.ts';
import { type NestedNumbers, Tensor } from './tensor.ts';

export interface TensorOptions {
  dtype?: DType;
  requiresGrad?: boolean;
}

const dtypeOfArray = (data: NumericArray): DType => {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof Uint32Array) return 'uint32';
  if (data instanceof Int16Array) return 'int16';
  if (data instanceof Uint16Array) return 'uint16';
  return data instanceof Int8Array ? 'int8' : 'uint8';
};

/** Least and greatest number of an integer dtype; 64-bit integers are exact to 2^53 only, and round beyond. */
function rangeOf(dtype: DType): readonly [number, number] {
  const { bytes, kind } = dtypes[dtype];
  return kind === 'uint' ? [0, 2 ** (8 * bytes) - 1] : [-(2 ** (8 * bytes - 1)), 2 ** (8 * bytes - 1) - 1];
}

/** @throws ArgumentError for a number that the integer dtype cannot hold. */
function checkInteger(value: number, dtype: DType): void {
  const [least, greatest] = rangeOf(dtype);
  if (Number.isInteger(value) && value >= least && value <= greatest) return;
  throw new ArgumentError(
    `${value} cannot be held as ${dtype} (whole numbers from ${least} to ${greatest}); choose another dtype, or round or clamp the numbers first`,
  );
}

/**
 * A number as an array of the dtype holds it.
 * @throws ArgumentError for what is no number, and for numbers that an integer dtype cannot hold.
 */
function encodeChecked(value: unknown, dtype: DType): number {
  if (typeof value !== 'number' && typeof value !== 'boolean' && typeof value !== 'bigint')
    throw new ArgumentError(`tensor: expected numbers, nested arrays of them or a typed array, found ${typeof value}`);
  const number = Number(value);
  if (dtype === 'bool') return number === 0 ? 0 : 1;
  if (isInteger(dtype)) checkInteger(number, dtype);
  return encodeNumber(number, dtype);
}

const isHalf = (dtype: DType) => dtype === 'float16' || dtype === 'bfloat16';

/** What a typed array can hold. */
const maxElements = 2 ** 33;

function checkShape(shape: Shape): void {
  if (!Array.isArray(shape)) throw new ShapeError(`a shape is a list of sizes such as [2, 3], found ${shape}`);
  for (const dim of shape)
    if (!Number.isInteger(dim) || dim < 0)
      throw new ShapeError(`shape ${formatShape(shape)} is not valid: dimensions are whole numbers, 0 or more`);
  if (sizeOf(shape) > maxElements)
    throw new ShapeError(
      `shape ${formatShape(shape)} has ${sizeOf(shape)} elements; one tensor holds at most ${maxElements}`,
    );
}

function checkDType(dtype: DType | undefined): void {
  if (dtype !== undefined && !Object.hasOwn(dtypes, dtype))
    throw new DTypeError(`unknown dtype '${dtype}'; known: ${Object.keys(dtypes).join(', ')}`);
}

/** A realised tensor over `source`, which is taken over, not copied. A function is called when the elements are needed. */
export function fromData(
  source: NumericArray | (() => NumericArray),
  shape: Shape,
  { dtype, requiresGrad = false }: TensorOptions = {},
): Tensor {
  checkShape(shape);
  checkDType(dtype);
  const type = dtype ?? (typeof source === 'function' ? 'float32' : dtypeOfArray(source));
  if (typeof source !== 'function') {
    if (source.length !== sizeOf(shape))
      throw new ShapeError(
        `${source.length} elements do not fill shape ${formatShape(shape)} (${sizeOf(shape)} elements)`,
      );
    if (!(source instanceof dtypes[type].array))
      throw new DTypeError(`dtype ${type} is held as ${dtypes[type].array.name}, found ${source.constructor.name}`);
    if (source instanceof Float64Array && isInteger(type)) for (const value of source) checkInteger(value, type);
  }
  const tensor = new Tensor(new Storage(type, shape, source).value(false));
  ownValue(tensor);
  if (requiresGrad) tensor.requiresGrad = true;
  return tensor;
}

function isNested(data: NestedNumbers): data is readonly NestedNumbers[] {
  return Array.isArray(data);
}

function shapeOf(data: NestedNumbers): number[] {
  const shape: number[] = [];
  for (let level = data; isNested(level); level = level[0] ?? 0) {
    shape.push(level.length);
    if (!level.length) break;
  }
  return shape;
}

function fill(
  data: NestedNumbers,
  shape: Shape,
  axis: number,
  out: NumericArray,
  offset: number,
  dtype: DType,
): number {
  if (!isNested(data)) {
    if (axis !== shape.length) throw new ShapeError(`nested arrays are ragged: expected shape ${formatShape(shape)}`);
    out[offset] = encodeChecked(data, dtype);
    return offset + 1;
  }
  if (data.length !== shape[axis])
    throw new ShapeError(`nested arrays are ragged: axis ${axis} has ${data.length} and ${shape[axis]} entries`);
  for (const item of data) offset = fill(item, shape, axis + 1, out, offset, dtype);
  return offset;
}

/**
 * A tensor from numbers, nested arrays or a typed array (copied), as torch.tensor does. Plain numbers become float32,
 * booleans bool; a Float64Array stays float64 unless `dtype` says otherwise.
 * @param options.shape for typed arrays, the shape (one dimension by default).
 * @throws ShapeError for ragged arrays or a shape that does not fit; ArgumentError for numbers that the dtype cannot hold.
 */
export function tensor(data: NestedNumbers | NumericArray, options: TensorOptions & { shape?: Shape } = {}): Tensor {
  checkDType(options.dtype);
  if (ArrayBuffer.isView(data)) {
    const dtype = options.dtype ?? dtypeOfArray(data);
    const ArrayType = dtypes[dtype].array;
    const copy = new ArrayType(data.length);
    // 16-bit floats come as numbers to be rounded, or as their bits.
    if (isHalf(dtype) && !(data instanceof Uint16Array))
      for (let i = 0; i < data.length; i++) copy[i] = encodeNumber(data[i], dtype);
    else if (copy instanceof data.constructor && dtype !== 'bool') copy.set(data);
    else for (let i = 0; i < data.length; i++) copy[i] = encodeChecked(data[i], dtype);
    return fromData(copy, options.shape ?? [data.length], { ...options, dtype });
  }
  const inferred = shapeOf(data);
  let first: NestedNumbers = data;
  while (isNested(first)) first = first[0] ?? 0;
  const dtype = options.dtype ?? (typeof first === 'boolean' ? 'bool' : 'float32');
  const out = new dtypes[dtype].array(sizeOf(inferred));
  fill(data, inferred, 0, out, 0, dtype);
  return fromData(out, options.shape ?? inferred, { ...options, dtype });
}

/** A tensor filled with `value`. */
export function full(shape: Shape, value: number, options: TensorOptions = {}): Tensor {
  checkShape(shape);
  const dtype = options.dtype ?? 'float32';
  checkDType(dtype);
  const element = encodeChecked(value, dtype);
  const make = () => new dtypes[dtype].array(sizeOf(shape)).fill(element);
  return fromData(make, shape, { ...options, dtype });
}

/** A tensor of zeros. */
export function zeros(shape: Shape, options: TensorOptions = {}): Tensor {
  return full(shape, 0, options);
}

/** A tensor of ones. */
export function ones(shape: Shape, options: TensorOptions = {}): Tensor {
  return full(shape, 1, options);
}

/** Zeros of the shape and dtype of another tensor. */
export function zerosLike(like: Tensor, options: TensorOptions = {}): Tensor {
  return full(like.shape, 0, { dtype: like.dtype, ...options });
}

/** Ones of the shape and dtype of another tensor. */
export function onesLike(like: Tensor, options: TensorOptions = {}): Tensor {
  return full(like.shape, 1, { dtype: like.dtype, ...options });
}

/** A tensor of the shape and dtype of another, filled with `value`. */
export function fullLike(like: Tensor, value: number, options: TensorOptions = {}): Tensor {
  return full(like.shape, value, { dtype: like.dtype, ...options });
}

/** `start`, `start + step`, ... below `end` (torch.arange); one argument counts from 0. int64 for whole numbers, else float32. */
export function arange(start: number, end?: number, step = 1, options: TensorOptions = {}): Tensor {
  const [from, to] = end === undefined ? [0, start] : [start, end];
  if (step === 0 || (to - from) / step < 0)
    throw new ArgumentError(
      `arange from ${from} to ${to} by ${step} never ends; the step must be non-zero and point to the end`,
    );
  const count = Math.ceil((to - from) / step);
  const whole = Number.isInteger(from) && Number.isInteger(to) && Number.isInteger(step);
  const dtype = options.dtype ?? (whole ? 'int64' : 'float32');
  const data = new dtypes[dtype].array(count);
  for (let i = 0; i < count; i++) data[i] = encodeChecked(from + i * step, dtype);
  return fromData(data, [count], { ...options, dtype });
}

/** `steps` numbers from `start` to `end`, both included. */
export function linspace(start: number, end: number, steps: number, options: TensorOptions = {}): Tensor {
  const dtype = options.dtype ?? 'float32';
  checkShape([steps]);
  const data = new dtypes[dtype].array(steps);
  for (let i = 0; i < steps; i++) {
    const value = steps === 1 ? start : start + ((end - start) * i) / (steps - 1);
    // Integers are cut off, as in PyTorch.
    data[i] = encodeChecked(isInteger(dtype) ? Math.trunc(value) : value, dtype);
  }
  return fromData(data, [steps], { ...options, dtype });
}

/** The identity matrix of `rows` x `columns`. */
export function eye(rows: number, columns = rows, options: TensorOptions = {}): Tensor {
  checkShape([rows, columns]);
  const dtype = options.dtype ?? 'float32';
  const data = new dtypes[dtype].array(rows * columns);
  for (let i = 0; i < Math.min(rows, columns); i++) data[i * columns + i] = encodeNumber(1, dtype);
  return fromData(data, [rows, columns], { ...options, dtype });
}
