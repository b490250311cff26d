/** @file Brightness, contrast, saturation, hue and greyscale with torchvision's formulas (v2, tensors). */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import {
  type ImageTransform,
  type ImageView,
  type LayoutOption,
  maxValue,
  newImage,
  probability,
  streamOr,
  viewOf,
} from './image.ts';

const f = Math.fround; // torchvision computes in float32; truncation to uint8 needs the same roundings

function colors(image: NDArray, options: LayoutOption, what: string): ImageView {
  const view = viewOf(image, options);
  if (view.channels !== 1 && view.channels !== 3)
    throw new ShapeError(`${what}: expected 1 or 3 channels, found ${view.channels}`);
  return view;
}

function checkFactor(factor: number, what: string): void {
  if (!(factor >= 0 && Number.isFinite(factor)))
    throw new ArgumentError(`${what}: factor must be at least 0, found ${factor}`);
}

/** clamp(a * ratio + b * (1 - ratio)), truncated for uint8. */
function blend(view: ImageView, a: number, b: number, ratio: number): number {
  const value = f(f(a * f(ratio)) + b * f(1 - ratio)); // the second product is fused, as torch's add with alpha
  const clamped = Math.min(maxValue(view.dtype), Math.max(0, value));
  return view.dtype === 'uint8' ? Math.trunc(clamped) : clamped;
}

/** Luma at an offset of the first channel (ITU-R BT.601 weights as in torchvision), floored for uint8. */
function luma(view: ImageView, at: number): number {
  if (view.channels === 1) return view.data[at];
  const { data, strideC } = view;
  const value = f(f(f(data[at] * f(0.2989)) + f(data[at + strideC] * f(0.587))) + f(data[at + 2 * strideC] * f(0.114)));
  return view.dtype === 'uint8' ? Math.floor(value) : value;
}

/** Calls `visit` with the offset of each pixel's first channel in source and target. */
function eachPixel(source: ImageView, target: ImageView, visit: (from: number, to: number) => void): void {
  for (let y = 0; y < source.height; y++)
    for (let x = 0; x < source.width; x++)
      visit(y * source.strideY + x * source.strideX, y * target.strideY + x * target.strideX);
}

/** Multiplies by a factor: 0 is black, 1 unchanged. */
export function adjustBrightness(image: NDArray, factor: number, options: LayoutOption = {}): NDArray {
  checkFactor(factor, 'adjustBrightness');
  const view = colors(image, options, 'adjustBrightness');
  const { image: out } = newImage(view, view.height, view.width);
  for (let i = 0; i < out.data.length; i++) out.data[i] = blend(view, view.data[i], 0, factor);
  return out;
}

/** Blends with the mean grey level: 0 is flat grey, 1 unchanged. */
export function adjustContrast(image: NDArray, factor: number, options: LayoutOption = {}): NDArray {
  checkFactor(factor, 'adjustContrast');
  const view = colors(image, options, 'adjustContrast');
  const { image: out } = newImage(view, view.height, view.width);
  let sum = 0;
  eachPixel(view, view, (at) => {
    sum += luma(view, at);
  });
  const mean = f(sum / (view.height * view.width));
  for (let i = 0; i < out.data.length; i++) out.data[i] = blend(view, view.data[i], mean, factor);
  return out;
}

/** Blends with the greyscale image: 0 is grey, 1 unchanged. One-channel images stay as they are. */
export function adjustSaturation(image: NDArray, factor: number, options: LayoutOption = {}): NDArray {
  checkFactor(factor, 'adjustSaturation');
  const view = colors(image, options, 'adjustSaturation');
  if (view.channels === 1) return image;
  const { image: out, view: target } = newImage(view, view.height, view.width);
  eachPixel(view, target, (from, to) => {
    const grey = luma(view, from);
    for (let c = 0; c < 3; c++)
      target.data[to + c * target.strideC] = blend(view, view.data[from + c * view.strideC], grey, factor);
  });
  return out;
}

/** Turns the hue by `factor` of a full circle, -0.5 to 0.5. One-channel images stay as they are. */
export function adjustHue(image: NDArray, factor: number, options: LayoutOption = {}): NDArray {
  if (!(factor >= -0.5 && factor <= 0.5))
    throw new ArgumentError(`adjustHue: factor must be between -0.5 and 0.5, found ${factor}`);
  const view = colors(image, options, 'adjustHue');
  if (view.channels === 1) return image;
  const { image: out, view: target } = newImage(view, view.height, view.width);
  const byte = view.dtype === 'uint8';
  eachPixel(view, target, (from, to) => {
    const [r, g, b] = [0, 1, 2].map((c) => f(view.data[from + c * view.strideC] / (byte ? 255 : 1)));
    const rgb = turnHue(r, g, b, factor);
    // uint8: the value is scaled by 256 - eps and truncated, as torchvision's to_dtype does.
    for (let c = 0; c < 3; c++)
      target.data[to + c * target.strideC] = byte ? Math.trunc(f(rgb[c] * f(255 + 1 - 1e-3))) : rgb[c];
  });
  return out;
}

function turnHue(r: number, g: number, b: number, factor: number): [number, number, number] {
  const max = Math.max(r, g, b);
  const min = Math.min(r, g, b);
  const range = f(max - min);
  const s = max === min ? 0 : f(range / max);
  const divisor = range === 0 ? 1 : range;
  const [rc, gc, bc] = [f((max - r) / divisor), f((max - g) / divisor), f((max - b) / divisor)];
  const sector = max === r ? f(bc - gc) : max === g ? f(f(rc + 2) - bc) : f(f(gc + 4) - rc);
  const hue = f(f(f(sector * f(1 / 6)) + 1) % 1);
  const turned = f(f(hue + f(factor)) % 1);
  const h = turned < 0 ? f(turned + 1) : turned;
  const h6 = f(h * 6);
  const i = Math.floor(h6);
  const fraction = f(h6 - i);
  const unit = (x: number): number => Math.min(1, Math.max(0, x));
  const sxf = f(s * fraction);
  const p = unit(f(f(1 - s) * max));
  const q = unit(f(f(1 - sxf) * max));
  const t = unit(f(f(sxf + f(1 - s)) * max));
  switch (i % 6) {
    case 0:
      return [max, t, p];
    case 1:
      return [q, max, p];
    case 2:
      return [p, max, t];
    case 3:
      return [p, q, max];
    case 4:
      return [t, p, max];
    default:
      return [max, p, q];
  }
}

/** Greyscale with 1 or 3 (equal) channels (torchvision.transforms.Grayscale). */
export function grayscale(channels: 1 | 3 = 1, options: LayoutOption = {}): ImageTransform {
  return (image) => {
    const view = colors(image, options, 'grayscale');
    if (view.channels === 1 && (channels === 1 || view.layout === 'hw')) return image;
    const { image: out, view: target } = newImage(view, view.height, view.width, channels);
    eachPixel(view, target, (from, to) => {
      const grey = luma(view, from);
      for (let c = 0; c < channels; c++) target.data[to + c * target.strideC] = grey;
    });
    return out;
  };
}

/** Options of `colorJitter`: a number b means [max(0, 1 - b), 1 + b] (hue: [-b, b]); a pair is the range itself. */
export interface ColorJitterOptions extends LayoutOption {
  readonly brightness?: number | readonly [number, number];
  readonly contrast?: number | readonly [number, number];
  readonly saturation?: number | readonly [number, number];
  readonly hue?: number | readonly [number, number];
}

function range(value: number | readonly [number, number], center: 0 | 1, what: string): readonly [number, number] {
  const pair =
    typeof value === 'number' ? ([center === 1 ? Math.max(0, 1 - value) : -value, center + value] as const) : value;
  const [low, high] = center === 0 ? [-0.5, 0.5] : [0, Number.POSITIVE_INFINITY];
  if (!(pair[0] <= pair[1] && pair[0] >= low && pair[1] <= high))
    throw new ArgumentError(`colorJitter: ${what} must lie in ${low} to ${high}, found ${pair.join(' to ')}`);
  return pair;
}

/** Random brightness, contrast, saturation and hue in random order (torchvision.transforms.ColorJitter). */
export function colorJitter({ brightness, contrast, saturation, hue, ...options }: ColorJitterOptions): ImageTransform {
  const steps: { low: number; high: number; apply: (image: NDArray, factor: number, o: LayoutOption) => NDArray }[] =
    [];
  const add = (
    value: number | readonly [number, number] | undefined,
    center: 0 | 1,
    what: string,
    apply: typeof adjustHue,
  ): void => {
    if (value === undefined || value === 0) return;
    const [low, high] = range(value, center, what);
    steps.push({ low, high, apply });
  };
  add(brightness, 1, 'brightness', adjustBrightness);
  add(contrast, 1, 'contrast', adjustContrast);
  add(saturation, 1, 'saturation', adjustSaturation);
  add(hue, 0, 'hue', adjustHue);
  return (image, random) => {
    const stream = streamOr(random);
    let out = image;
    for (const i of stream.permutation(steps.length)) {
      const { low, high, apply } = steps[i];
      out = apply(out, stream.uniform(low, high), options);
    }
    return out;
  };
}

/** Greyscale (same number of channels) with probability p (torchvision.transforms.RandomGrayscale). */
export function randomGrayscale(p = 0.1, options: LayoutOption = {}): ImageTransform {
  probability(p, 'randomGrayscale');
  return (image, random) => (streamOr(random).bernoulli(p) ? adjustSaturation(image, 0, options) : image);
}
