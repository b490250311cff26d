/** @file What every location of a feature map should answer: the targets of an anchor-free detector. */
import { ArgumentError } from '../../../ir/errors.ts';
import type { NDArray } from '../../../ir/ndarray.ts';
import type { Objects } from '../../../train/metrics/index.ts';

/** Pixels between locations of the feature maps that FCOS answers on. */
export const fcosStrides = [8, 16, 32] as const;

/** Locations of one feature map. */
export interface LocationGrid {
  readonly stride: number;
  readonly rows: number;
  readonly columns: number;
}

/** The feature maps for pictures of a size: a stride that does not divide it leaves a last, partial location. */
export function locationGrids(height: number, width: number): LocationGrid[] {
  return fcosStrides.map((stride) => ({
    stride,
    rows: Math.ceil(height / stride),
    columns: Math.ceil(width / stride),
  }));
}

/** Middles of all locations, x and y in pixels, and their strides; map after map, row after row. */
export function locationsOf(height: number, width: number): { x: Float32Array; y: Float32Array; stride: Float32Array } {
  const grids = locationGrids(height, width);
  const count = grids.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
  const out = { x: new Float32Array(count), y: new Float32Array(count), stride: new Float32Array(count) };
  let at = 0;
  for (const { stride, rows, columns } of grids)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++, at++) {
        out.x[at] = (column + 0.5) * stride;
        out.y[at] = (row + 0.5) * stride;
        out.stride[at] = stride;
      }
  return out;
}

/** Targets of one picture with n locations. */
export interface DetectionTargets {
  /** int64 [n]: class of the object, -1 for none. */
  readonly labels: NDArray;
  /** float32 [n, 4]: box of the object; a unit box where there is none. */
  readonly boxes: NDArray;
  /** float32 [n]: how central the location lies in its object, 0 to 1; 0 where there is none. */
  readonly centerness: NDArray;
}

/** A location answers for objects whose middle lies within so many strides of it ... */
const centerRadius = 1.5;
/** ... and whose farthest side is up to so many strides away, and beyond the reach of the finer map. */
const reach = 8;

/**
 * Gives each location an object or none, by the rules of FCOS (Tian et al. 2019, with centre sampling; torchvision's FCOS):
 * it lies in the object's box and near its middle, and the farthest side of the box is in the range of its feature map; of
 * several objects the smallest counts. Pure numbers: call it where samples are made, so that workers share the work.
 * @param objects boxes in pixels, such as `cleanBoxes` gives.
 * @throws ArgumentError for labels that are no whole numbers from 0.
 */
export function assignTargets({ boxes, labels }: Objects, height: number, width: number): DetectionTargets {
  for (let i = 0; i < boxes.length; i++)
    if (!Number.isInteger(labels[i]) || labels[i] < 0)
      throw new ArgumentError(`assignTargets: label ${labels[i]} of box ${i}, expected a whole number of at least 0`);
  const { x, y, stride } = locationsOf(height, width);
  const n = x.length;
  const chosen = new Float64Array(n).fill(-1);
  const target = new Float32Array(4 * n);
  const centerness = new Float32Array(n);
  const areas = boxes.map(([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1));
  const [finest, coarsest] = [fcosStrides[0], fcosStrides[fcosStrides.length - 1]];
  for (let i = 0; i < n; i++) {
    const s = stride[i];
    let best = -1;
    for (const [k, [x1, y1, x2, y2]] of boxes.entries()) {
      const [left, top, right, bottom] = [x[i] - x1, y[i] - y1, x2 - x[i], y2 - y[i]];
      if (Math.min(left, top, right, bottom) <= 0) continue;
      if (Math.max(Math.abs(left - right), Math.abs(top - bottom)) / 2 >= centerRadius * s) continue;
      const farthest = Math.max(left, top, right, bottom);
      if ((s !== finest && farthest < (reach * s) / 2) || (s !== coarsest && farthest >= reach * s)) continue;
      if (best >= 0 && areas[k] >= areas[best]) continue;
      best = k;
      centerness[i] = Math.sqrt(
        (Math.min(left, right) / Math.max(left, right)) * (Math.min(top, bottom) / Math.max(top, bottom)),
      );
    }
    chosen[i] = best < 0 ? -1 : labels[best];
    target.set(best < 0 ? [0, 0, 1, 1] : boxes[best], 4 * i);
  }
  return {
    labels: { data: chosen, shape: [n], dtype: 'int64' },
    boxes: { data: target, shape: [n, 4], dtype: 'float32' },
    centerness: { data: centerness, shape: [n], dtype: 'float32' },
  };
}
