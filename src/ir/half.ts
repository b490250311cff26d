/** @file float16 and bfloat16 as the 16 raw bits in which they are held. */
import type { DType } from './dtype.ts';

/** A number as an array of the dtype holds it: itself, or the bits of a 16-bit float. */
export function encodeNumber(value: number, dtype: DType): number {
  if (dtype === 'float16') return toFloat16(value);
  return dtype === 'bfloat16' ? toBfloat16(value) : value;
}

/** The number that an array of the dtype holds: itself, or what the bits of a 16-bit float mean. */
export function decodeNumber(element: number, dtype: DType): number {
  if (dtype === 'float16') return fromFloat16(element);
  return dtype === 'bfloat16' ? fromBfloat16(element) : element;
}

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/** The bits of the float16 (IEEE 754 binary16) nearest to a number, ties to even; beyond 65,519.99 infinity. */
export function toFloat16(value: number): number {
  single[0] = value;
  const sign = (bits[0] >>> 16) & 0x8000;
  const magnitude = Math.abs(single[0]);
  if (Number.isNaN(magnitude)) return sign | 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  // Below 2^-14 the spacing is fixed; above it is 2^-10 of the leading power of two.
  const exponent = magnitude < 2 ** -14 ? -14 : Math.floor(Math.log2(magnitude));
  const steps = roundHalfEven(magnitude * 2 ** (10 - exponent));
  // A carry out of the 10 bits lands in the exponent by itself.
  return sign | (steps + (exponent + 14) * 1024);
}

/** The number whose float16 bits are given. */
export function fromFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

/** The bits of the bfloat16 nearest to a number, ties to even. */
export function toBfloat16(value: number): number {
  single[0] = value;
  if (Number.isNaN(value)) return 0x7fc0;
  return ((bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The number whose bfloat16 bits are given. */
export function fromBfloat16(half: number): number {
  bits[0] = half << 16;
  return single[0];
}

function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}
