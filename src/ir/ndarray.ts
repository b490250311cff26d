/** @file NDArray: a plain, realised array of numbers with shape and dtype; what data sets deliver and files hold. */
import type { DType, NumericArray } from './dtype.ts';
import { dtypes } from './dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from './errors.ts';
import { formatShape, sizeOf } from './shape.ts';

/** Row-major values. Plain data: it may be structured-cloned to a worker and built by an object literal. */
export interface NDArray {
  readonly data: NumericArray;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** Numbers nested to any depth, regular in shape. */
export type NestedNumbers = number | readonly NestedNumbers[];

/** The dtype whose natural storage this array is (`Float64Array` -> float64, `Uint8Array` -> uint8, ...). */
export function dtypeOfArray(data: NumericArray): DType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Uint8Array) return 'uint8';
  if (data instanceof Int8Array) return 'int8';
  if (data instanceof Int16Array) return 'int16';
  if (data instanceof Uint16Array) return 'uint16';
  if (data instanceof Int32Array) return 'int32';
  return 'uint32';
}

/**
 * An NDArray over `data` (not copied), one-dimensional unless a shape is given.
 * @throws ShapeError when the shape does not hold exactly `data.length` elements.
 * @throws DTypeError when the dtype is kept in another kind of typed array.
 */
export function ndarray(
  data: NumericArray,
  shape: readonly number[] = [data.length],
  dtype: DType = dtypeOfArray(data),
): NDArray {
  if (sizeOf(shape) !== data.length)
    throw new ShapeError(`shape ${formatShape(shape)} holds ${sizeOf(shape)} elements, the data has ${data.length}`);
  const expected = dtypes[dtype].array;
  if (dtype === 'string' || !(data instanceof expected))
    throw new DTypeError(
      `dtype ${dtype} is held in ${dtype === 'string' ? 'no NDArray' : expected.name}, found ${data.constructor.name}; see src/ir/dtype.ts`,
    );
  return { data, shape: [...shape], dtype };
}

/** An NDArray of zeros. */
export function zerosND(shape: readonly number[], dtype: DType = 'float32'): NDArray {
  return { data: new dtypes[dtype].array(sizeOf(shape)), shape: [...shape], dtype };
}

/** Whether a value is an NDArray (by its three fields, so that one from a worker or another copy of the package counts). */
export function isNDArray(value: unknown): value is NDArray {
  if (typeof value !== 'object' || value === null) return false;
  const { data, shape, dtype } = value as Partial<NDArray>;
  return (
    isNumericArray(data) && Array.isArray(shape) && typeof dtype === 'string' && Object.hasOwn(dtypes, dtype as string)
  );
}

/** Whether a value is one of the typed arrays Gradus computes with. */
export function isNumericArray(value: unknown): value is NumericArray {
  return (
    ArrayBuffer.isView(value) &&
    !(value instanceof DataView) &&
    !(value instanceof BigInt64Array) &&
    !(value instanceof BigUint64Array) &&
    !(value instanceof Uint8ClampedArray)
  );
}

/** The shape of nested numbers, or the reason why they have none. */
function nestedShape(values: NestedNumbers, path = ''): number[] {
  if (typeof values === 'number') return [];
  if (values.length === 0) return [0];
  const inner = nestedShape(values[0], `${path}[0]`);
  for (let i = 1; i < values.length; i++) {
    const other = nestedShape(values[i], `${path}[${i}]`);
    if (other.length !== inner.length || other.some((d, k) => d !== inner[k]))
      throw new ShapeError(
        `nested numbers are ragged: ${path}[0] has shape ${formatShape(inner)}, ${path}[${i}] has ${formatShape(other)}`,
      );
  }
  return [values.length, ...inner];
}

/**
 * An NDArray from nested numbers, e.g. `fromNested([[1, 2], [3, 4]])` with shape [2, 2].
 * @throws ShapeError when rows differ in length.
 */
export function fromNested(values: NestedNumbers, dtype: DType = 'float32'): NDArray {
  const shape = nestedShape(values);
  const out = zerosND(shape, dtype);
  let at = 0;
  const fill = (v: NestedNumbers): void => {
    if (typeof v === 'number') out.data[at++] = v;
    else for (const inner of v) fill(inner);
  };
  fill(values);
  return out;
}

/** Nested numbers from an NDArray; a plain number for shape []. */
export function toNested(array: NDArray): NestedNumbers {
  const build = (axis: number, offset: number, size: number): NestedNumbers => {
    if (axis === array.shape.length) return array.data[offset];
    const step = array.shape[axis] === 0 ? 0 : size / array.shape[axis];
    return Array.from({ length: array.shape[axis] }, (_, i) => build(axis + 1, offset + i * step, step));
  };
  return build(0, 0, sizeOf(array.shape));
}

/**
 * Element `index` of the first axis, as a view on the same memory (shape without its first dimension).
 * @throws ArgumentError when the index is out of range or the array is a scalar.
 */
export function sliceRow(array: NDArray, index: number): NDArray {
  const [rows, ...rest] = array.shape;
  if (rows === undefined || !Number.isInteger(index) || index < 0 || index >= rows)
    throw new ArgumentError(`row ${index} does not exist in an array of shape ${formatShape(array.shape)}`);
  const size = sizeOf(rest);
  return { data: array.data.subarray(index * size, (index + 1) * size), shape: rest, dtype: array.dtype };
}
