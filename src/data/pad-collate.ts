/** @file Collation of ragged fields (text, audio): pads to the longest of the batch and adds a mask. */
import { type DType, dtypes, type NumericArray } from '../ir/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../ir/errors.ts';
import { fromNested, isNDArray, isNumericArray, type NDArray, type NestedNumbers } from '../ir/ndarray.ts';
import { formatShape, sameShape, sizeOf } from '../ir/shape.ts';
import { asND, type Batched, type Collate, type CollateOptions, Collator, fieldName } from './collate.ts';

/** Options of `padArrays`. */
export interface PadOptions {
  /** Value of the padding. Default 0. */
  readonly value?: number;
  /** Round the common length up to a multiple of this, so that fewer distinct shapes are compiled. */
  readonly multipleOf?: number;
  /** Cut longer sequences; also the upper limit of the rounded length. */
  readonly maxLength?: number;
  /** Pad every batch to exactly `maxLength` (one shape for the whole run). Default false. */
  readonly toMaxLength?: boolean;
  /** Where padding goes. Default 'right'. */
  readonly side?: 'right' | 'left';
}

/** Options of `padCollate`. */
export interface PadCollateOptions<M extends string = string, L extends string = string>
  extends PadOptions,
    CollateOptions {
  /** The ragged field or fields, all padded along their first axis. */
  readonly key: string | readonly string[];
  /** Padding value by field, where they differ (for instance -100 for labels). */
  readonly values?: Readonly<Record<string, number>>;
  /** Name of the added mask [batch, length] of dtype bool, true at real elements of the first key. Default 'mask'. */
  readonly mask?: M | false;
  /** Name of an added int64 field [batch] with the (cut) lengths. Default: none. */
  readonly lengths?: L;
}

/**
 * Stacks arrays [length_i, ...rest] to [count, length, ...rest], padding the first axis.
 * @returns the stacked array and the length of each sequence after cutting
 * @throws ShapeError when the rest of the shapes differs, DTypeError when dtypes do, ArgumentError for bad options.
 */
export function padArrays(
  arrays: readonly NDArray[],
  {
    value = 0,
    multipleOf = 1,
    maxLength = Number.POSITIVE_INFINITY,
    toMaxLength = false,
    side = 'right',
  }: PadOptions = {},
  path = '',
): { array: NDArray; lengths: number[] } {
  if (!Number.isInteger(multipleOf) || multipleOf < 1)
    throw new ArgumentError(`padding: multipleOf must be a whole number of at least 1, found ${multipleOf}`);
  if (maxLength !== Number.POSITIVE_INFINITY && (!Number.isInteger(maxLength) || maxLength < 1))
    throw new ArgumentError(`padding: maxLength must be a whole number of at least 1, found ${maxLength}`);
  if (toMaxLength && maxLength === Number.POSITIVE_INFINITY)
    throw new ArgumentError('padding: toMaxLength needs maxLength');
  if (arrays.length === 0) throw new ArgumentError('padding: expected at least one array');
  const { dtype } = arrays[0];
  const rest = arrays[0].shape.slice(1);
  for (const [i, array] of arrays.entries()) {
    if (array.shape.length === 0)
      throw new ShapeError(`${fieldName(path)}: sample ${i} of the batch is a scalar; padding needs a first axis`);
    if (!sameShape(array.shape.slice(1), rest))
      throw new ShapeError(
        `${fieldName(path)}: sample 0 of the batch has shape ${formatShape(arrays[0].shape)}, sample ${i} ${formatShape(array.shape)}; only the first axis may differ`,
      );
    if (array.dtype !== dtype)
      throw new DTypeError(
        `${fieldName(path)}: sample 0 of the batch is ${dtype}, sample ${i} is ${array.dtype}; convert them to one dtype`,
      );
  }
  const lengths = arrays.map((a) => Math.min(a.shape[0], maxLength));
  const longest = toMaxLength ? maxLength : Math.max(...lengths);
  const length = Math.min(Math.ceil(longest / multipleOf) * multipleOf, maxLength);
  const step = sizeOf(rest);
  const data = new dtypes[dtype].array(arrays.length * length * step);
  if (value !== 0) data.fill(value);
  for (const [i, array] of arrays.entries()) {
    const start = side === 'right' ? 0 : length - lengths[i];
    data.set(array.data.subarray(0, lengths[i] * step), (i * length + start) * step);
  }
  return { array: { data, shape: [arrays.length, length, ...rest], dtype }, lengths };
}

/** Mask [count, length] of dtype bool from lengths: true at real elements. */
export function lengthMask(lengths: readonly number[], length: number, side: 'right' | 'left' = 'right'): NDArray {
  const data = new Uint8Array(lengths.length * length);
  for (const [i, real] of lengths.entries()) {
    const start = i * length + (side === 'right' ? 0 : length - real);
    data.fill(1, start, start + real);
  }
  return { data, shape: [lengths.length, length], dtype: 'bool' };
}

function sequenceOf(value: unknown, path: string, index: number, dtype: DType): NDArray {
  if (isNDArray(value) || isNumericArray(value)) return asND(value);
  if (Array.isArray(value)) return fromNested(value as NestedNumbers[], dtype);
  throw new DTypeError(
    `${fieldName(path)}: sample ${index} of the batch is ${value === null ? 'null' : typeof value}; padding needs an NDArray, a typed array or an array of numbers`,
  );
}

const isNumbers = (value: unknown): value is NestedNumbers[] => Array.isArray(value);

/**
 * A collation that pads ragged fields and collates the others by default rules. Adds a mask and, if asked, lengths.
 * @example
 * new DataLoader(tokens, { batchSize: 32, collate: padCollate({ key: 'inputIds', multipleOf: 8, maxLength: 256 }) });
 * // { inputIds: [32, L], mask: [32, L] bool, y: [32] }
 */
export function padCollate<T extends object, const M extends string = 'mask', const L extends string = never>(
  options: PadCollateOptions<M, L>,
): Collate<T, Batched<T> & Record<M | L, NDArray>> {
  const { key, value = 0, values = {}, mask = 'mask', lengths: lengthsName, dtypes: fixed = {} } = options;
  const keys = typeof key === 'string' ? [key] : key;
  if (keys.length === 0) throw new ArgumentError('padCollate: key names no field');
  const collator = new Collator<Record<string, unknown>>({ dtypes: fixed });
  return (given) => {
    const samples = given as readonly Record<string, unknown>[];
    const out: Record<string, unknown> = {};
    for (const name of keys) {
      for (const [i, sample] of samples.entries())
        if (typeof sample !== 'object' || sample === null || !Object.hasOwn(sample, name))
          throw new ArgumentError(
            `padCollate: sample ${i} of the batch has no field '${name}'; it has ${Object.keys(sample ?? {}).join(', ')}`,
          );
      const fields = samples.map((sample): unknown => sample[name]);
      const dtype = fields.some(Array.isArray) ? collator.dtypeFor(fields.filter(isNumbers), name) : 'float32';
      const arrays = fields.map((f, i) => sequenceOf(f, name, i, dtype));
      const padded = padArrays(arrays, { ...options, value: Object.hasOwn(values, name) ? values[name] : value }, name);
      out[name] = padded.array;
      if (name !== keys[0]) continue;
      if (mask !== false) out[mask] = lengthMask(padded.lengths, padded.array.shape[1], options.side);
      if (lengthsName !== undefined)
        out[lengthsName] = {
          data: Float64Array.from(padded.lengths),
          shape: [samples.length],
          dtype: 'int64',
        } satisfies NDArray;
    }
    const others = samples.map((sample) =>
      Object.fromEntries(Object.entries(sample).filter(([name]) => !keys.includes(name))),
    );
    if (Object.keys(others[0]).length > 0) Object.assign(out, collator.collate(others));
    return out as Batched<T> & Record<M | L, NDArray>;
  };
}

/** Cuts or pads one sequence of numbers to `length`. */
export function fitLength<A extends NumericArray | number[]>(
  sequence: A,
  length: number,
  value = 0,
  side: 'right' | 'left' = 'right',
): A {
  const kept = sequence.slice(0, length) as A;
  if (kept.length === length) return kept;
  const out = Array.isArray(sequence)
    ? new Array<number>(length)
    : new (sequence.constructor as new (n: number) => NumericArray)(length);
  out.fill(value);
  const start = side === 'right' ? 0 : length - kept.length;
  for (let i = 0; i < kept.length; i++) out[start + i] = kept[i];
  return out as A;
}
