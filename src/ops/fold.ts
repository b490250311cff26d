/** @file Folding on constants: elementwise with broadcasting, gathers of elements. */
import { dtypes, type NumericArray } from '../ir/dtype.ts';
import type { TensorType, Value } from '../ir/graph.ts';
import { type Shape, sizeOf, stridesOf } from '../ir/shape.ts';

/** Element offsets into an array of shape `from`, in the order of the broadcast shape `to`. */
export function broadcastOffsets(from: Shape, to: Shape): Int32Array {
  const strides = stridesOf(from);
  const offset = to.length - from.length;
  const outer = to.map((_, i) => (i < offset || from[i - offset] === 1 ? 0 : strides[i - offset]));
  return stridedOffsets(to, outer);
}

/** Element offsets `start + sum(index * stride)` for every index of `shape`, in row-major order. */
export function stridedOffsets(shape: Shape, strides: readonly number[], start = 0): Int32Array {
  const out = new Int32Array(sizeOf(shape));
  if (out.length) out[0] = start;
  let filled = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const block = filled;
    for (let i = 1; i < shape[axis]; i++) for (let j = 0; j < block; j++) out[filled++] = out[j] + i * strides[axis];
  }
  return out;
}

/** Rounds a computed number to what the dtype can hold (float16 and bfloat16 are not folded). */
function canHold(output: TensorType): boolean {
  return output.dtype !== 'float16' && output.dtype !== 'bfloat16' && output.dtype !== 'string';
}

/** A fold rule for elementwise operators of any number of operands. */
export function foldElementwise(f: (...args: number[]) => number) {
  return (inputs: readonly Value[], _attrs: unknown, output: TensorType): NumericArray | undefined => {
    if (!canHold(output) || inputs.some((v) => !v || v.dtype === 'float16' || v.dtype === 'bfloat16')) return undefined;
    const offsets = inputs.map((v) => broadcastOffsets(v.shape, output.shape));
    const out = new dtypes[output.dtype].array(sizeOf(output.shape));
    const data = inputs.map((v) => v.constant as NumericArray);
    for (let i = 0; i < out.length; i++) out[i] = f(...data.map((d, k) => d[offsets[k][i]]));
    return out;
  };
}

/** A fold rule for operators that only move elements: `offsets` says where each output element comes from. */
export function foldMovement(offsets: (inputs: readonly Value[], output: TensorType) => Int32Array) {
  return (inputs: readonly Value[], _attrs: unknown, output: TensorType): NumericArray => {
    const from = inputs[0].constant as NumericArray;
    const index = offsets(inputs, output);
    const out = new dtypes[output.dtype].array(index.length);
    for (let i = 0; i < index.length; i++) out[i] = from[index[i]];
    return out;
  };
}
