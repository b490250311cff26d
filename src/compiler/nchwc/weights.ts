/** @file Convolution weights in the blocked layout, built in the graph because they change with every step. */
import { constant, type Value } from '../../ir/graph.ts';
import { sizeOf } from '../../ir/shape.ts';
import { gather } from '../../ops/gather.ts';
import { ints, reshape, transpose } from '../../ops/movement.ts';

/** Weights [O, C, ...] as [O/B, C/B, ..., B of C, B of O], or [O/B, C, ..., B of O] for a plain input of few channels. */
export function blockWeights(weight: Value, block: number, plainInput: boolean): Value {
  const [outputs, channels, height, width] = weight.shape;
  const blocked = plainInput
    ? transpose(reshape(weight, [outputs / block, block, channels, height, width]), { perm: [0, 2, 3, 4, 1] })
    : transpose(reshape(weight, [outputs / block, block, channels / block, block, height, width]), {
        perm: [0, 2, 4, 5, 3, 1],
      });
  return reshape(blocked, weight.shape);
}

/** Weights of the input gradient: channels swapped, taps rotated, blocked; declared as [C, O, height, width]. */
export function blockRotatedWeights(weight: Value, block: number): Value {
  const [outputs, channels, height, width] = weight.shape;
  const taps = height * width;
  const split = reshape(weight, [outputs / block, block, channels / block, block, taps]);
  const ordered = transpose(split, { perm: [2, 0, 4, 1, 3] });
  const backwards = Array.from({ length: taps }, (_, i) => taps - 1 - i);
  const rotated = taps === 1 ? ordered : gather(ordered, ints(backwards), { axis: 2 });
  return reshape(rotated, [channels, outputs, height, width]);
}

/** Constant weights with zeros for further outputs, up to `outputs`. */
export function padOutputs(weight: Value, outputs: number): Value {
  const shape = [outputs, ...weight.shape.slice(1)];
  const data = new Float32Array(sizeOf(shape));
  if (weight.constant) data.set(weight.constant);
  return constant(data, 'float32', shape);
}
