/** @file Convolution weights in the blocked layout, built in the graph because they change with every step. */
import { constant, type Value } from '../../ir/graph.ts';
import { sizeOf } from '../../ir/shape.ts';
import { gather } from '../../ops/gather.ts';
import { ints, reshape, transpose } from '../../ops/movement.ts';
import { reorderInput } from './ops.ts';

/**
 * The rows of a matrix side by side, element by element: [..., B, n] as [..., n, B]. ONNX Runtime's own reorder does it
 * three to ten times faster than its Transpose.
 */
function interleaved(v: Value, batch: number, block: number, n: number): Value {
  return reorderInput(reshape(v, [batch, block, 1, n]));
}

/** Taps before the inner channels: [a, b, B, taps, B] as [a, b, taps, B, B]. */
function tapsFirst(v: Value, [a, b]: readonly [number, number], block: number, taps: number): Value {
  const split = reshape(v, [a, b, block, taps, block]);
  return taps === 1 ? split : transpose(split, { perm: [0, 1, 3, 2, 4] });
}

/** Weights [O, C, ...] as [O/B, C/B, ..., B of C, B of O], or [O/B, C, ..., B of O] for a plain input of few channels. */
export function blockWeights(weight: Value, block: number, plainInput: boolean): Value {
  const [outputs, channels, ...kernel] = weight.shape;
  const rows = interleaved(weight, outputs / block, block, channels * sizeOf(kernel));
  const blocked = plainInput ? rows : tapsFirst(rows, [outputs / block, channels / block], block, sizeOf(kernel));
  return reshape(blocked, weight.shape);
}

/** Weights of the input gradient: channels swapped, taps rotated, blocked; declared as [C, O, height, width]. */
export function blockRotatedWeights(weight: Value, block: number): Value {
  const [outputs, channels, ...kernel] = weight.shape;
  const taps = sizeOf(kernel);
  const shape = [channels, outputs, ...kernel];
  if (taps === 1) return reshape(reorderInput(reshape(weight, [1, 1, outputs, channels]), { channels_last: 1 }), shape);
  const rows = reshape(interleaved(weight, (outputs * channels) / block, block, taps), [
    outputs,
    channels / block,
    taps * block,
  ]);
  const swapped = transpose(rows, { perm: [1, 0, 2] });
  const ordered = tapsFirst(swapped, [channels / block, outputs / block], block, taps);
  const backwards = Array.from({ length: taps }, (_, i) => taps - 1 - i);
  return reshape(gather(ordered, ints(backwards), { axis: 2 }), shape);
}

/** Constant weights with zeros for further outputs, up to `outputs`. */
export function padOutputs(weight: Value, outputs: number): Value {
  const shape = [outputs, ...weight.shape.slice(1)];
  const data = new Float32Array(sizeOf(shape));
  if (weight.constant) data.set(weight.constant);
  return constant(data, 'float32', shape);
}
