/** @file The geometry of pools. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import type { Attrs, Value } from '../../ir/graph.ts';
import { formatShape, type Shape } from '../../ir/shape.ts';
import { extent, slidingWindows, type Windows } from '../window.ts';

/** Windows of a pool over x [batch, channels, ...spatial]. @throws ShapeError, ArgumentError where they do not fit. */
export function poolWindows(x: Shape, attrs: Attrs): Windows {
  if (x.length < 3)
    throw new ShapeError(`a pool needs an input [batch, channels, ...spatial], found shape ${formatShape(x)}`);
  const kernel = attrs.kernel_shape as readonly number[] | undefined;
  if (kernel?.length !== x.length - 2 || kernel.some((k) => !Number.isInteger(k) || k < 1))
    throw new ArgumentError(
      `kernel_shape must hold ${x.length - 2} positive whole numbers, one per spatial axis of ${formatShape(x)}, found ${kernel ? `[${kernel.join(', ')}]` : 'none'}`,
    );
  const windows = slidingWindows(x.slice(2), kernel, attrs);
  kernel.forEach((k, i) => {
    const span = extent(k, windows.dilations[i]);
    if (windows.begin[i] >= span || windows.end[i] >= span)
      throw new ArgumentError(
        `padding ${windows.begin[i]} + ${windows.end[i]} of spatial axis ${i} must be smaller than the window (${span}): a window of nothing but padding has no value`,
      );
  });
  return windows;
}

/** Whether nothing is left to defaults or to auto_pad. */
export function isExplicitPool(attrs: Attrs): boolean {
  return attrs.auto_pad === undefined && ['strides', 'dilations', 'pads'].every((name) => attrs[name] !== undefined);
}

/** The attributes with strides, dilations and pads written out. */
export function explicitPool(x: Value, attrs: Attrs): Attrs {
  const { strides, dilations, begin, end } = poolWindows(x.shape, attrs);
  const { auto_pad: _, ...rest } = attrs;
  return { ...rest, strides, dilations, pads: [...begin, ...end] };
}

/** Padding at the end that gives every window room (`ceil_mode` lets the last one hang over). */
export function reachedEnd(spatial: Shape, { kernel, strides, dilations, begin, end, output }: Windows): number[] {
  return kernel.map((k, i) => {
    const needed = (output[i] - 1) * strides[i] + extent(k, dilations[i]) - spatial[i] - begin[i];
    return Math.max(end[i], needed);
  });
}

/** Whether every element lies in exactly one window and there is no padding: the pool is a reshape and a reduction. */
export function isTiling(spatial: Shape, w: Windows): boolean {
  return w.kernel.every(
    (k, i) =>
      w.dilations[i] === 1 &&
      w.strides[i] === k &&
      w.begin[i] === 0 &&
      w.end[i] === 0 &&
      w.output[i] * k === spatial[i],
  );
}
