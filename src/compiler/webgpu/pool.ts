/** @file MaxPool with indices from comparisons: window position by window position. */
import { type Attrs, constant, type Value } from '../../ir/graph.ts';
import { add } from '../../ops/arithmetic.ts';
import { equal, where } from '../../ops/compare.ts';
import { expand } from '../../ops/movement.ts';
import { poolWindows, reachedEnd } from '../../ops/pool/geometry.ts';
import { maxPool } from '../../ops/pool.ts';
import { pad, slice } from '../../ops/slice.ts';

/** Below every number that a network computes with, and finite: WebGPU may assume that infinities do not occur. */
const least = -3.4e38;

/** Row-major strides of a shape. */
function strideOf(shape: readonly number[]): number[] {
  const result = shape.map(() => 1);
  for (let i = shape.length - 2; i >= 0; i--) result[i] = result[i + 1] * shape[i + 1];
  return result;
}

/** Calls `visit` with every index of a shape, the last one first. */
function* backwards(shape: readonly number[]): Generator<readonly number[]> {
  const strides = strideOf(shape);
  const total = shape.reduce((a, b) => a * b, 1);
  for (let n = total - 1; n >= 0; n--) yield shape.map((dim, i) => Math.floor(n / strides[i]) % dim);
}

/** The maximum of every window and where in the flattened x [batch, channels, ...spatial] it lies (int64), the first at a tie. */
export function poolWithIndices(x: Value, attrs: Attrs): [Value, Value] {
  const [batch, channels, ...spatial] = x.shape;
  const windows = poolWindows(x.shape, attrs);
  const { kernel, strides, dilations, begin, output } = windows;
  const { storage_order: order, ...rest } = attrs;
  const y = maxPool(x, rest);
  const end = reachedEnd(spatial, windows);
  const padded = [...begin, ...end].some((p) => p > 0)
    ? pad(x, [0, 0, ...begin], [0, 0, ...end], constant(least, x.dtype))
    : x;
  // Column-major positions count the first spatial axis fastest.
  const steps = order === 1 ? strideOf([...spatial].reverse()).reverse() : strideOf(spatial);
  const along = (position: readonly number[]) => position.reduce((sum, p, i) => sum + p * steps[i], 0);

  let found: Value | null = null;
  for (const offset of backwards(kernel)) {
    const starts = offset.map((k, i) => k * dilations[i]);
    const ends = starts.map((s, i) => s + (output[i] - 1) * strides[i] + 1);
    const axes = starts.map((_, i) => i + 2);
    const delta = constant(along(starts), 'int64');
    const seen = slice(padded, starts, ends, axes, strides);
    found = where(equal(seen, y), delta, found ?? expand(delta, y.shape));
  }
  const corner = new Float64Array(output.reduce((a, b) => a * b, 1));
  let at = corner.length;
  for (const position of backwards(output)) corner[--at] = along(position.map((p, i) => p * strides[i] - begin[i]));
  const plane = spatial.reduce((a, b) => a * b, 1);
  const planes = Float64Array.from({ length: batch * channels }, (_, i) => i * plane);
  const corners = add(
    constant(planes, 'int64', [batch, channels, ...spatial.map(() => 1)]),
    constant(corner, 'int64', [1, 1, ...output]),
  );
  return [y, add(found as Value, corners)];
}
