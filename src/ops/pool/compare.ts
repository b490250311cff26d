/** @file The gradient of MaxPool without indices, for devices whose kernels have none. */
import { type Attrs, constant, type Value } from '../../ir/graph.ts';
import { sizeOf } from '../../ir/shape.ts';
import { mul } from '../arithmetic.ts';
import { cast } from '../cast.ts';
import { col2Im, im2col } from '../col2im.ts';
import { and, equal, where } from '../compare.ts';
import { ints, reshape } from '../movement.ts';
import { strided } from '../parts.ts';
import { reduceMax } from '../reduce.ts';
import { pad } from '../slice.ts';
import { scalar } from '../unary.ts';
import { isTiling, poolWindows, reachedEnd } from './geometry.ts';

/** Below every number that a network computes with, yet finite: one-hot kernels multiply it by 0. */
const lowest = -3e38;

/**
 * What MaxPoolGrad computes, by comparing every element of each window with the maximum: the first that equals it gets
 * the gradient. A few passes over the image where windows tile it, over all windows otherwise.
 */
export function maxPoolGradByComparison(x: Value, y: Value, dy: Value, attrs: Attrs): Value {
  const windows = poolWindows(x.shape, attrs);
  const { kernel, strides, dilations, begin, output } = windows;
  const spatial = x.shape.slice(2);
  const planes = x.shape[0] * x.shape[1];
  if (isTiling(spatial, windows)) {
    const blocks = reshape(x, [planes, ...output.flatMap((n, i) => [n, kernel[i]])]);
    const kept = [planes, ...output.flatMap((n) => [n, 1])];
    const order = kernel.flatMap((k) => [1, k]);
    const axes = kernel.map((_, i) => 2 * i + 2);
    return reshape(firstMaximum(blocks, reshape(y, kept), reshape(dy, kept), order, axes), x.shape);
  }
  const end = reachedEnd(spatial, windows);
  const framed = pad(reshape(x, [planes, 1, ...spatial]), [0, 0, ...begin], [0, 0, ...end], scalar(x, lowest));
  const geometry = { strides, dilations };
  const columns = im2col(framed, { ...geometry, kernel_shape: kernel });
  const kept = [planes, 1, sizeOf(output)];
  const shares = firstMaximum(columns, reshape(y, kept), reshape(dy, kept), [sizeOf(kernel), 1], [1]);
  const image = col2Im(shares, ints(framed.shape.slice(2)), ints(kernel), geometry);
  return reshape(strided(image, spatial, undefined, begin), x.shape);
}

/** dy where an element is the first along `axes` to equal y, else 0; `order` is the shape of the taps, to broadcast. */
function firstMaximum(x: Value, y: Value, dy: Value, order: readonly number[], axes: readonly number[]): Value {
  const count = sizeOf(order);
  const rank = constant(
    Array.from({ length: count }, (_, i) => count - i),
    x.dtype,
    order,
  );
  const hit = equal(x, y);
  const score = mul(cast(hit, { to: x.dtype }), rank);
  const isFirst = and(hit, equal(score, reduceMax(score, ints(axes))));
  return where(isFirst, dy, scalar(dy, 0));
}
