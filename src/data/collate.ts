/** @file Collation: turns the samples of a batch into one structure with stacked arrays at its leaves. */
import type { DType, NumericArray } from '../ir/dtype.ts';
import { dtypes } from '../ir/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../ir/errors.ts';
import {
  dtypeOfArray,
  fromNested,
  isNDArray,
  isNumericArray,
  type NDArray,
  type NestedNumbers,
} from '../ir/ndarray.ts';
import { formatShape, sameShape, sizeOf } from '../ir/shape.ts';

/** What the default collation makes of a sample type: arrays and numbers stack, strings list, structures recurse. */
export type Batched<T> = unknown extends T
  ? unknown
  : T extends NDArray | number | boolean | bigint | NumericArray | Uint8ClampedArray
    ? NDArray
    : T extends string
      ? string[]
      : T extends readonly NestedNumbers[]
        ? NDArray
        : T extends object
          ? { -readonly [K in keyof T]: Batched<T[K]> }
          : never;

/** Options of the default collation. */
export interface CollateOptions {
  /**
   * Dtype of fields that are plain numbers, by dotted path (`y`, `meta.price`; `''` when samples are plain numbers).
   * Without an entry, whole numbers become int64 and others float32.
   */
  readonly dtypes?: Readonly<Record<string, DType>>;
}

/** Makes a batch of samples. */
export type Collate<T, C> = (samples: readonly T[]) => C;

/** Field name for messages. */
export function fieldName(path: string): string {
  return path === '' ? 'the sample' : `field '${path}'`;
}

/** @throws ShapeError naming the field and both shapes. */
function refuseRagged(path: string, first: readonly number[], other: readonly number[], index: number): never {
  throw new ShapeError(
    `${fieldName(path)} is ragged: sample 0 of the batch has shape ${formatShape(first)}, sample ${index} ${formatShape(other)}; make shapes equal in the data set, or pad with collate: padCollate({ key: '${path}' })`,
  );
}

/**
 * Stacks arrays of equal shape and dtype along a new first axis.
 * @throws ShapeError or DTypeError naming `path` and what differs.
 */
export function stackND(arrays: readonly NDArray[], path = ''): NDArray {
  if (arrays.length === 0) throw new ArgumentError('stack: expected at least one array');
  const { shape, dtype } = arrays[0];
  const size = sizeOf(shape);
  const data = new dtypes[dtype].array(size * arrays.length);
  for (const [i, array] of arrays.entries()) {
    if (!sameShape(array.shape, shape)) refuseRagged(path, shape, array.shape, i);
    if (array.dtype !== dtype)
      throw new DTypeError(
        `${fieldName(path)}: sample 0 of the batch is ${dtype}, sample ${i} is ${array.dtype}; convert them to one dtype in the data set`,
      );
    data.set(array.data, i * size);
  }
  return { data, shape: [arrays.length, ...shape], dtype };
}

/** A typed array or NDArray as NDArray. */
export function asND(value: NDArray | NumericArray | Uint8ClampedArray): NDArray {
  if (isNDArray(value)) return value;
  const data =
    value instanceof Uint8ClampedArray ? new Uint8Array(value.buffer, value.byteOffset, value.length) : value;
  return { data, shape: [data.length], dtype: dtypeOfArray(data) };
}

function isNested(value: unknown): value is NestedNumbers {
  return typeof value === 'number' || (Array.isArray(value) && value.every(isNested));
}

function allWhole(value: NestedNumbers): boolean {
  return typeof value === 'number' ? Number.isSafeInteger(value) : value.every(allWhole);
}

function nestedShapeOf(value: NestedNumbers): number[] {
  const shape: number[] = [];
  for (let v = value; typeof v !== 'number'; v = v[0]) {
    shape.push(v.length);
    if (v.length === 0) break;
  }
  return shape;
}

/** The kind of a value, for messages. */
function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'object' ? (value.constructor?.name ?? 'object') : typeof value;
}

/**
 * Collates with a memory: a field of plain numbers that was float32 in one batch stays float32 when a later batch
 * happens to hold whole numbers only, and one that was int64 does not silently become float32.
 */
export class Collator<T> {
  readonly #dtypes: Readonly<Record<string, DType>>;
  /** Dtype inferred for each field of plain numbers so far; part of a loader's state. */
  readonly inferred: Record<string, DType> = {};

  constructor({ dtypes: fixed = {} }: CollateOptions = {}) {
    this.#dtypes = fixed;
  }

  collate(samples: readonly T[]): Batched<T> {
    if (samples.length === 0) throw new ArgumentError('collate: expected at least one sample');
    return this.#merge(samples, '') as Batched<T>;
  }

  #merge(values: readonly unknown[], path: string): unknown {
    const first = values[0];
    if (isNDArray(first) || isNumericArray(first) || first instanceof Uint8ClampedArray)
      return stackND(
        values.map((v, i) => {
          if (isNDArray(v) || isNumericArray(v) || v instanceof Uint8ClampedArray) return asND(v);
          return this.#refuse(path, first, v, i);
        }),
        path,
      );
    if (typeof first === 'number' || (Array.isArray(first) && first.length > 0 && isNested(first)))
      return this.#numbers(
        values.map((v, i) => (isNested(v) ? v : this.#refuse(path, first, v, i))),
        path,
      );
    if (typeof first === 'bigint')
      return this.#numbers(
        values.map((v, i) => (typeof v === 'bigint' ? Number(v) : this.#refuse(path, first, v, i))),
        path,
      );
    if (typeof first === 'boolean') {
      const data = Uint8Array.from(values, (v, i) =>
        typeof v === 'boolean' ? Number(v) : this.#refuse(path, first, v, i),
      );
      return { data, shape: [values.length], dtype: 'bool' } satisfies NDArray;
    }
    if (typeof first === 'string')
      return values.map((v, i) => (typeof v === 'string' ? v : this.#refuse(path, first, v, i)));
    if (Array.isArray(first)) {
      const rows = values.map((v, i) => (Array.isArray(v) ? v : this.#refuse(path, first, v, i)));
      for (const [i, row] of rows.entries())
        if (row.length !== first.length) refuseRagged(path, [first.length], [row.length], i);
      return first.map((_, k) =>
        this.#merge(
          rows.map((row) => row[k]),
          path === '' ? String(k) : `${path}.${k}`,
        ),
      );
    }
    if (typeof first === 'object' && first !== null && isPlain(first)) {
      const keys = Object.keys(first);
      const rows = values.map((v, i) => {
        if (typeof v !== 'object' || v === null || !isPlain(v)) return this.#refuse(path, first, v, i);
        const other = Object.keys(v);
        const odd = keys.find((k) => !Object.hasOwn(v, k)) ?? other.find((k) => !Object.hasOwn(first, k));
        if (odd !== undefined)
          throw new ArgumentError(
            `${fieldName(path)}: key '${odd}' is not in all samples of the batch (sample 0 has ${keys.join(', ')}; sample ${i} has ${other.join(', ')})`,
          );
        return v;
      });
      return Object.fromEntries(
        keys.map((key) => [
          key,
          this.#merge(
            rows.map((row) => row[key]),
            path === '' ? key : `${path}.${key}`,
          ),
        ]),
      );
    }
    throw new DTypeError(
      `${fieldName(path)} is ${kindOf(first)}, which cannot be batched: expected numbers, booleans, strings, typed arrays, NDArrays, or arrays and plain objects of these; drop or convert it with dataset.map, or give your own collate`,
    );
  }

  #numbers(values: readonly NestedNumbers[], path: string): NDArray {
    const shape = nestedShapeOf(values[0]);
    for (const [i, v] of values.entries()) {
      const other = nestedShapeOf(v);
      if (!sameShape(shape, other)) refuseRagged(path, shape, other, i);
    }
    return fromNested(values, this.dtypeFor(values, path));
  }

  /** The dtype of a field of plain numbers: as told, else int64 if all are whole, else float32, remembered. */
  dtypeFor(values: readonly NestedNumbers[], path: string): DType {
    if (Object.hasOwn(this.#dtypes, path)) return this.#dtypes[path];
    const before = this.inferred[path];
    if (before === 'float32') return before;
    const dtype = values.every(allWhole) ? 'int64' : 'float32';
    if (before === 'int64' && dtype === 'float32')
      throw new DTypeError(
        `${fieldName(path)} held only whole numbers in earlier batches (int64) and now holds fractions; say which it is with the loader option dtypes: { '${path}': 'float32' }`,
      );
    this.inferred[path] = dtype;
    return dtype;
  }

  #refuse(path: string, first: unknown, other: unknown, index: number): never {
    throw new DTypeError(
      `${fieldName(path)}: sample 0 of the batch is ${kindOf(first)}, sample ${index} is ${kindOf(other)}; a field must have one type`,
    );
  }
}

function isPlain(value: object): value is Record<string, unknown> {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * The default collation, as torch's `default_collate`: NDArrays and typed arrays of equal shape stack along a new first
 * axis; numbers and nested number arrays become int64 when all whole, else float32; booleans become bool; strings a
 * list; plain objects and mixed arrays are collated field by field.
 * @throws ShapeError (ragged), DTypeError or ArgumentError, naming the field and what was found.
 */
export function defaultCollate<T>(samples: readonly T[], options: CollateOptions = {}): Batched<T> {
  return new Collator<T>(options).collate(samples);
}
