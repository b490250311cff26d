/** @file Flips and rotation. */
import { ArgumentError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import {
  checkWord,
  type ImageTransform,
  type LayoutOption,
  newImage,
  probability,
  refuseLabels,
  store,
  streamOr,
  viewOf,
} from './image.ts';

function flip(image: NDArray, horizontal: boolean, options: LayoutOption): NDArray {
  const source = viewOf(image, options);
  const { image: out, view: target } = newImage(source, source.height, source.width);
  for (let y = 0; y < source.height; y++)
    for (let x = 0; x < source.width; x++) {
      const sy = horizontal ? y : source.height - 1 - y;
      const sx = horizontal ? source.width - 1 - x : x;
      for (let c = 0; c < source.channels; c++)
        target.data[y * target.strideY + x * target.strideX + c * target.strideC] =
          source.data[sy * source.strideY + sx * source.strideX + c * source.strideC];
    }
  return out;
}

/** Mirrors left and right. */
export function horizontalFlip(image: NDArray, options: LayoutOption = {}): NDArray {
  return flip(image, true, options);
}

/** Mirrors top and bottom. */
export function verticalFlip(image: NDArray, options: LayoutOption = {}): NDArray {
  return flip(image, false, options);
}

/** Mirrors left and right with probability p (torchvision.transforms.RandomHorizontalFlip). */
export function randomHorizontalFlip(p = 0.5, options: LayoutOption = {}): ImageTransform {
  probability(p, 'randomHorizontalFlip');
  return (image, random) => (streamOr(random).bernoulli(p) ? flip(image, true, options) : image);
}

/** Mirrors top and bottom with probability p (torchvision.transforms.RandomVerticalFlip). */
export function randomVerticalFlip(p = 0.5, options: LayoutOption = {}): ImageTransform {
  probability(p, 'randomVerticalFlip');
  return (image, random) => (streamOr(random).bernoulli(p) ? flip(image, false, options) : image);
}

const interpolations = ['nearest', 'bilinear'] as const;

/** Options of rotation. */
export interface RotateOptions extends LayoutOption {
  /** Default 'nearest', as torchvision. */
  readonly interpolation?: (typeof interpolations)[number];
  /**
   * Value of the corners that come into view. Default: zeros. Where it is given, 'bilinear' samples the seam with zeros
   * and then mixes it with the value, as torchvision: `fill: 0` gives a darker seam than no fill.
   */
  readonly fill?: number;
}

const f = Math.fround;

/** Half to even, as C's nearbyint in grid_sample. */
function nearest(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

/** Mixes four neighbours: a and b above, c and d below; fx is the share of b and d, fy that of c and d. */
function bilinear(a: number, b: number, c: number, d: number, fx: number, fy: number): number {
  return (1 - fy) * ((1 - fx) * a + fx * b) + fy * ((1 - fx) * c + fx * d);
}

/** Rotates counter-clockwise by `angle` degrees about the centre, same size (torchvision.transforms.functional.rotate). */
export function rotate(
  image: NDArray,
  angle: number,
  { interpolation = 'nearest', fill, layout }: RotateOptions = {},
): NDArray {
  checkWord('rotate: interpolation', interpolation, interpolations);
  if (!Number.isFinite(angle))
    throw new ArgumentError(`rotate: angle must be a finite number of degrees, found ${angle}`);
  const source = viewOf(image, { layout });
  if (interpolation !== 'nearest') refuseLabels(source.dtype, "; masks take interpolation: 'nearest'");
  const { image: out, view: target } = newImage(source, source.height, source.width);
  const turn = ((angle % 360) + 360) % 360;
  if (turn === 0) return image;
  const square = source.width === source.height;
  const exact = turn === 180 || (square && turn % 90 === 0);
  const radians = (turn * Math.PI) / 180;
  const cos = exact ? Math.round(Math.cos(radians)) : Math.cos(radians);
  const sin = exact ? Math.round(Math.sin(radians)) : Math.sin(radians);
  // In float32 and through normalised coordinates, as torchvision's grid: ties between pixels then fall the same way.
  const [xx, xy] = [f(f(cos) / f(source.width / 2)), f(f(-sin) / f(source.width / 2))];
  const [yx, yy] = [f(f(sin) / f(source.height / 2)), f(f(cos) / f(source.height / 2))];
  const unnormalize = (grid: number, size: number): number => f(f(f(f(grid + 1) * size) - 1) / 2);
  const inside = (y: number, x: number): boolean => y >= 0 && x >= 0 && y < source.height && x < source.width;
  const at = (y: number, x: number, c: number, outside = 0): number =>
    inside(y, x) ? source.data[y * source.strideY + x * source.strideX + c * source.strideC] : outside;
  // Functions and arrays made for each pixel would take most of the time.
  for (let y = 0; y < target.height; y++)
    for (let x = 0; x < target.width; x++) {
      const bx = x - (source.width - 1) / 2;
      const by = y - (source.height - 1) / 2;
      const sx = unnormalize(f(f(bx * xx) + f(by * xy)), source.width);
      const sy = unnormalize(f(f(bx * yx) + f(by * yy)), source.height);
      const to = y * target.strideY + x * target.strideX;
      if (interpolation === 'nearest') {
        const ny = nearest(sy);
        const nx = nearest(sx);
        for (let c = 0; c < source.channels; c++)
          target.data[to + c * target.strideC] = store(source.dtype, at(ny, nx, c, fill));
        continue;
      }
      const x0 = Math.floor(sx);
      const y0 = Math.floor(sy);
      const fx = sx - x0;
      const fy = sy - y0;
      const share =
        fill === undefined
          ? 1
          : bilinear(
              Number(inside(y0, x0)),
              Number(inside(y0, x0 + 1)),
              Number(inside(y0 + 1, x0)),
              Number(inside(y0 + 1, x0 + 1)),
              fx,
              fy,
            );
      for (let c = 0; c < source.channels; c++) {
        const seen = bilinear(at(y0, x0, c), at(y0, x0 + 1, c), at(y0 + 1, x0, c), at(y0 + 1, x0 + 1, c), fx, fy);
        const value = share * (seen - (fill ?? 0)) + (fill ?? 0);
        target.data[to + c * target.strideC] = store(source.dtype, value);
      }
    }
  return out;
}

/** Rotates by a random angle in [-degrees, degrees] or [low, high] (torchvision.transforms.RandomRotation). */
export function randomRotation(
  degrees: number | readonly [number, number],
  options: RotateOptions = {},
): ImageTransform {
  const [low, high] = typeof degrees === 'number' ? [-degrees, degrees] : degrees;
  if (!(low <= high)) throw new ArgumentError(`randomRotation: expected low <= high, found ${low} to ${high} degrees`);
  return (image, random) => rotate(image, streamOr(random).uniform(low, high), options);
}
