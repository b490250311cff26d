/** @file Elements between JavaScript memory and the little-endian bytes of files and of the engine. */
import { type DType, dtypes, type NumericArray } from '../dtype.ts';

const maxInt64 = 2n ** 63n - 1n;
const minInt64 = -(2n ** 63n);
const maxUint64 = 2n ** 64n - 1n;

function toBigInt(dtype: 'int64' | 'uint64', value: number): bigint {
  // Infinities and NaN have no counterpart: the lowest number, as processors convert them.
  const big = Number.isFinite(value) ? BigInt(Math.trunc(value)) : minInt64;
  // Float64 rounds ONNX's "to the end" sentinels (2^63 - 1) up by one: clamp them back.
  if (dtype === 'uint64') return big > maxUint64 ? maxUint64 : big < 0n ? 0n : big;
  return big > maxInt64 ? maxInt64 : big < minInt64 ? minInt64 : big;
}

/** int64 or uint64 elements (held as float64) as the BigInt array the engine wants. */
export function toBigArray(dtype: 'int64' | 'uint64', data: NumericArray): BigInt64Array | BigUint64Array {
  const out = dtype === 'int64' ? new BigInt64Array(data.length) : new BigUint64Array(data.length);
  for (let i = 0; i < data.length; i++) out[i] = toBigInt(dtype, data[i]);
  return out;
}

/** The engine's 64-bit integers as float64; values beyond 2^53 lose their low bits. */
export function fromBigArray(data: BigInt64Array | BigUint64Array): Float64Array {
  const out = new Float64Array(data.length);
  for (let i = 0; i < data.length; i++) out[i] = Number(data[i]);
  return out;
}

/** Little-endian bytes of the elements; a view where the layouts agree. */
export function toRaw(dtype: DType, data: NumericArray): Uint8Array {
  const array = dtype === 'int64' || dtype === 'uint64' ? toBigArray(dtype, data) : data;
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Elements from little-endian bytes (always a copy, so that the source can be released). */
export function fromRaw(dtype: DType, bytes: Uint8Array): NumericArray {
  const copy = bytes.slice();
  if (dtype === 'int64') return fromBigArray(new BigInt64Array(copy.buffer));
  if (dtype === 'uint64') return fromBigArray(new BigUint64Array(copy.buffer));
  return new dtypes[dtype].array(copy.buffer);
}
