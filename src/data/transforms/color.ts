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
  refuseLabels,
  streamOr,
  viewOf,
} from './image.ts';

const f = Math.fround; // torchvision computes in float32; truncation to uint8 needs the same roundings

function colors(image: NDArray, options: LayoutOption, what: string): ImageView {
  const view = viewOf(image, options);
  refuseLabels(view.dtype);
  if (view.channels !== 1 && view.channels !== 3)
    throw new ShapeError(`${what}: expected 1 or 3 channels, found ${view.channels}`);
  return view;
}

function checkFactor(factor: number, what: string): void {
  if (!(factor >= 0 && Number.isFinite(factor)))
    throw new ArgumentError(`${what}: factor must be at least 0, found ${factor}`);
}

/** A function that computes clamp(a * ratio + b * (1 - ratio)), truncated for uint8. */
function blender(view: ImageView, ratio: number): (a: number, b: number) => number {
  const [own, other, top] = [f(ratio), f(1 - ratio), maxValue(view.dtype)];
  const byte = view.dtype === 'uint8';
  return (a, b) => {
    const value = f(f(a * own) + b * other); // the second product is fused, as torch's add with alpha
    const clamped = Math.min(top, Math.max(0, value));
    return byte ? Math.trunc(clamped) : clamped;
  };
}

const [RED, GREEN, BLUE] = [f(0.2989), f(0.587), f(0.114)];

/** Luma at an offset of the first channel (ITU-R BT.601 weights as in torchvision), floored for uint8. */
function luma(view: ImageView, at: number): number {
  if (view.channels === 1) return view.data[at];
  const { data, strideC } = view;
  const value = f(f(f(data[at] * RED) + f(data[at + strideC] * GREEN)) + f(data[at + 2 * strideC] * BLUE));
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
  const blend = blender(view, factor);
  for (let i = 0; i < out.data.length; i++) out.data[i] = blend(view.data[i], 0);
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
  const blend = blender(view, factor);
  for (let i = 0; i < out.data.length; i++) out.data[i] = blend(view.data[i], mean);
  return out;
}

/** Blends with the greyscale image: 0 is grey, 1 unchanged. One-channel images stay as they are. */
export function adjustSaturation(image: NDArray, factor: number, options: LayoutOption = {}): NDArray {
  checkFactor(factor, 'adjustSaturation');
  const view = colors(image, options, 'adjustSaturation');
  if (view.channels === 1) return image;
  const { image: out, view: target } = newImage(view, view.height, view.width);
  const blend = blender(view, factor);
  eachPixel(view, target, (from, to) => {
    const grey = luma(view, from);
    for (let c = 0; c < 3; c++) target.data[to + c * target.strideC] = blend(view.data[from + c * view.strideC], grey);
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
  const [byte, scale, shift] = [view.dtype === 'uint8', view.dtype === 'uint8' ? 255 : 1, f(factor)];
  // uint8: the value is scaled by 256 - 0.001 and truncated, as torchvision's to_dtype does.
  const put = (at: number, value: number): void => {
    target.data[at] = byte ? Math.trunc(f(value * BYTE_SCALE)) : value;
  };
  eachPixel(view, target, (from, to) => {
    const [step, data] = [view.strideC, view.data];
    const r = f(data[from] / scale);
    const g = f(data[from + step] / scale);
    const b = f(data[from + 2 * step] / scale);
    const max = Math.max(r, g, b);
    const range = f(max - Math.min(r, g, b));
    const s = range === 0 ? 0 : f(range / max);
    const h6 = f(f(turned(r, g, b, max, range === 0 ? 1 : range, shift)) * 6);
    const sector = Math.floor(h6);
    const sxf = f(s * f(h6 - sector));
    const p = unit(f(f(1 - s) * max));
    const q = unit(f(f(1 - sxf) * max));
    const t = unit(f(f(sxf + f(1 - s)) * max));
    const k = sector % 6;
    put(to, k === 0 || k === 5 ? max : k === 1 ? q : k === 4 ? t : p);
    put(to + target.strideC, k === 1 || k === 2 ? max : k === 0 ? t : k === 3 ? q : p);
    put(to + 2 * target.strideC, k === 3 || k === 4 ? max : k === 2 ? t : k === 5 ? q : p);
  });
  return out;
}

const BYTE_SCALE = f(256 - 1e-3);
const unit = (x: number): number => Math.min(1, Math.max(0, x));

/** Hue of a pixel in 0 to 1 (Pillow's rgb2hsv), turned by `shift`. */
function turned(r: number, g: number, b: number, max: number, divisor: number, shift: number): number {
  const rc = f((max - r) / divisor);
  const gc = f((max - g) / divisor);
  const bc = f((max - b) / divisor);
  const sector = max === r ? f(bc - gc) : max === g ? f(f(rc + 2) - bc) : f(f(gc + 4) - rc);
  const lifted = f(f(sector * SIXTH) + 1);
  const hue = f((lifted >= 1 ? lifted - 1 : lifted) + shift);
  return hue < 0 ? f(hue + 1) : hue >= 1 ? f(hue - 1) : hue;
}

const SIXTH = f(1 / 6);

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
