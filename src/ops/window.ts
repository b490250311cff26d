/** @file Sliding windows: the geometry that convolutions and pools share. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import type { Attrs } from '../ir/graph.ts';
import { formatShape, type Shape } from '../ir/shape.ts';

/** Windows over the spatial axes of a tensor, every list one entry per spatial axis. */
export interface Windows {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding before and after. */
  readonly begin: readonly number[];
  readonly end: readonly number[];
  /** Number of windows. */
  readonly output: readonly number[];
}

/** Elements that a window spans: `dilation * (kernel - 1) + 1`. */
export function extent(kernel: number, dilation: number): number {
  return dilation * (kernel - 1) + 1;
}

/** A list attribute with one whole number (at least `least`) per spatial axis, or `fallback` for each. */
export function spatialAttribute(attrs: Attrs, name: string, rank: number, fallback: number, least = 1): number[] {
  const list = attrs[name] as readonly number[] | undefined;
  if (!list?.length) return new Array<number>(rank).fill(fallback);
  if (list.length !== rank || list.some((v) => !Number.isInteger(v) || v < least))
    throw new ArgumentError(
      `${name} must hold ${rank} whole numbers of at least ${least}, one per spatial axis, found [${list.join(', ')}]`,
    );
  return [...list];
}

/** Explicit paddings, begins first; the whole of `pads` holds two entries per spatial axis. */
export function explicitPads(attrs: Attrs, rank: number): { begin: number[]; end: number[] } {
  const pads = spatialAttribute(attrs, 'pads', 2 * rank, 0, 0);
  return { begin: pads.slice(0, rank), end: pads.slice(rank) };
}

/** Splits a total padding: the odd element goes to the end for SAME_UPPER, to the beginning otherwise. */
export function distributePadding(total: number, mode: unknown): [number, number] {
  const small = Math.floor(total / 2);
  return mode === 'SAME_UPPER' ? [small, total - small] : [total - small, small];
}

/**
 * Resolves the attributes kernel_shape, strides, dilations, pads, auto_pad and ceil_mode over the spatial sizes.
 * @throws ShapeError where a window is larger than the padded input, ArgumentError for attributes out of range.
 */
export function slidingWindows(spatial: Shape, kernel: readonly number[], attrs: Attrs): Windows {
  const rank = spatial.length;
  const strides = spatialAttribute(attrs, 'strides', rank, 1);
  const dilations = spatialAttribute(attrs, 'dilations', rank, 1);
  const { begin, end } = explicitPads(attrs, rank);
  const mode = attrs.auto_pad ?? 'NOTSET';
  const output = spatial.map((size, i) => {
    const span = extent(kernel[i], dilations[i]);
    if (mode === 'SAME_UPPER' || mode === 'SAME_LOWER') {
      const windows = Math.ceil(size / strides[i]);
      [begin[i], end[i]] = distributePadding(Math.max(0, (windows - 1) * strides[i] + span - size), mode);
      return windows;
    }
    if (mode === 'VALID') begin[i] = end[i] = 0;
    const room = size + begin[i] + end[i] - span;
    // With ceil_mode a window may hang over the end by less than a stride, also the only one (PyTorch).
    if (room < 0 && !(attrs.ceil_mode && mode === 'NOTSET' && room > -strides[i]))
      throw new ShapeError(
        `a window of ${span} elements (kernel ${kernel[i]}, dilation ${dilations[i]}) does not fit into spatial axis ${i}, which has ${size} and a padding of ${begin[i]} + ${end[i]}; spatial shape ${formatShape(spatial)}`,
      );
    if (!attrs.ceil_mode) return Math.floor(room / strides[i]) + 1;
    // A window that would start beyond input and leading padding is dropped, as PyTorch does.
    const windows = Math.ceil(room / strides[i]) + 1;
    return (windows - 1) * strides[i] >= size + begin[i] ? windows - 1 : windows;
  });
  return { kernel, strides, dilations, begin, end, output };
}
