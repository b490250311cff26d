/** @file Shapes: sizes, strides, broadcasting and axis arithmetic. */
import { ArgumentError, ShapeError } from './errors.ts';

export type Shape = readonly number[];

/** Number of elements of a tensor of this shape (1 for a scalar). */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** `[2, 3]` for messages. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/**
 * The common shape of operands under NumPy's broadcasting rule.
 * @throws ShapeError naming both shapes where a pair of dimensions differs and neither is 1.
 */
export function broadcastShapes(...shapes: Shape[]): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  const out = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    const offset = rank - shape.length;
    for (let i = 0; i < shape.length; i++) {
      const dim = shape[i];
      if (dim === 1 || dim === out[offset + i]) continue;
      if (out[offset + i] !== 1)
        throw new ShapeError(
          `shapes ${shapes.map(formatShape).join(' and ')} do not broadcast: dimension ${offset + i} is ${out[offset + i]} and ${dim}; sizes must be equal or 1`,
        );
      out[offset + i] = dim;
    }
  }
  return out;
}

/**
 * Axis counted from the front.
 * @throws ArgumentError outside of [-rank, rank - 1].
 */
export function normalizeAxis(axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank)
    throw new ArgumentError(
      `axis ${axis} is out of range for a tensor of rank ${rank}: expected ${-rank} to ${rank - 1}`,
    );
  return axis < 0 ? axis + rank : axis;
}

/** Axes counted from the front, each once, ascending. An absent list means all axes. */
export function normalizeAxes(axes: readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  const out = [...new Set(axes.map((a) => normalizeAxis(a, rank)))].sort((a, b) => a - b);
  if (out.length !== axes.length) throw new ArgumentError(`axes [${axes.join(', ')}] name an axis twice`);
  return out;
}
