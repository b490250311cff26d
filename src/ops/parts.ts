/** @file Cutting, padding and reversing spatial axes, as convolutions and pools need them. */
import type { Value } from '../ir/graph.ts';
import type { Shape } from '../ir/shape.ts';
import { gather } from './gather.ts';
import { ints } from './movement.ts';
import { pad, slice } from './slice.ts';

/** Elements in reverse order along an axis. */
export function reversed(x: Value, axis: number): Value {
  const size = x.shape[axis];
  return gather(x, ints(Array.from({ length: size }, (_, i) => size - 1 - i)), { axis });
}

/** `counts[i]` elements fewer at the end of spatial axis i (axis i + 2). */
export function cropEnds(x: Value, counts: readonly number[]): Value {
  return strided(
    x,
    counts.map((count, i) => x.shape[i + 2] - count),
  );
}

/** Every `strides[i]`-th element from `starts[i]` on, `output[i]` of them, along axes `first + i`. */
export function strided(
  x: Value,
  output: Shape,
  strides: readonly number[] = output.map(() => 1),
  starts: readonly number[] = output.map(() => 0),
  first = 2,
): Value {
  const ends = output.map((count, i) => starts[i] + (count - 1) * strides[i] + 1);
  const axes = output.map((_, i) => first + i);
  return slice(x, starts, ends, axes, strides);
}

/** Zeros around the spatial axes. */
export function padSpatial(x: Value, begin: readonly number[], end: readonly number[]): Value {
  return [...begin, ...end].every((p) => p === 0) ? x : pad(x, [0, 0, ...begin], [0, 0, ...end]);
}
