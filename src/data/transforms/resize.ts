/** @file Resizing with PyTorch's sampling rules: nearest, bilinear, bicubic, the latter two with antialiasing. */
import { ArgumentError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import {
  checkWord,
  type ImageTransform,
  type LayoutOption,
  newImage,
  refuseLabels,
  sizePair,
  viewOf,
} from './image.ts';

const interpolations = ['nearest', 'bilinear', 'bicubic'] as const;

/** How pixels between pixels are computed. */
export type Interpolation = (typeof interpolations)[number];

/** Options of `resize`. */
export interface ResizeOptions extends LayoutOption {
  /** Default 'bilinear'. */
  readonly interpolation?: Interpolation;
  /** Average over all source pixels when shrinking (as Pillow). Default true; nearest never does. */
  readonly antialias?: boolean;
}

const linear = (x: number): number => Math.max(0, 1 - Math.abs(x));

/** Keys' cubic convolution kernel; a = -0.5 with antialiasing (as Pillow), -0.75 without (as OpenCV). */
function cubic(a: number): (x: number) => number {
  return (signed) => {
    const x = Math.abs(signed);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
  };
}

/** For each target position: first source position and weights. */
interface Taps {
  readonly starts: Int32Array;
  readonly weights: Float64Array[];
}

function tapsFor(source: number, target: number, interpolation: Interpolation, antialias: boolean): Taps {
  const starts = new Int32Array(target);
  const weights: Float64Array[] = [];
  const scale = source / target;
  for (let i = 0; i < target; i++) {
    if (interpolation === 'nearest') {
      starts[i] = Math.min(Math.floor(Math.fround(i * Math.fround(scale))), source - 1);
      weights.push(Float64Array.of(1));
      continue;
    }
    const center = scale * (i + 0.5);
    if (antialias) {
      const stretch = Math.max(scale, 1);
      const support = (interpolation === 'bilinear' ? 1 : 2) * stretch;
      const kernel = interpolation === 'bilinear' ? linear : cubic(-0.5);
      const start = Math.max(Math.trunc(center - support + 0.5), 0);
      const end = Math.min(Math.trunc(center + support + 0.5), source);
      const w = Float64Array.from({ length: end - start }, (_, j) => kernel((j + start - center + 0.5) / stretch));
      const sum = w.reduce((a, b) => a + b, 0);
      starts[i] = start;
      weights.push(w.map((v) => v / sum));
      continue;
    }
    const position = interpolation === 'bilinear' ? Math.max(0, center - 0.5) : center - 0.5;
    const base = Math.floor(position);
    const reach = interpolation === 'bilinear' ? [0, 1] : [-1, 0, 1, 2];
    const kernel = interpolation === 'bilinear' ? linear : cubic(-0.75);
    // Source positions beyond the border repeat the border pixel: add their weights up.
    const first = Math.min(Math.max(base + reach[0], 0), source - 1);
    const last = Math.min(Math.max(base + reach[reach.length - 1], 0), source - 1);
    const w = new Float64Array(last - first + 1);
    for (const k of reach) w[Math.min(Math.max(base + k, 0), source - 1) - first] += kernel(position - (base + k));
    starts[i] = first;
    weights.push(w);
  }
  return { starts, weights };
}

/**
 * Weights of bytes as whole numbers of at most 15 bits, in place; returns the bits behind the point. So do PyTorch's
 * kernels of uint8 (aten/src/ATen/native/cpu/UpSampleKernel.cpp), to whose rounding the result is then equal.
 */
function quantize(weights: readonly Float64Array[]): number {
  const most = weights.reduce((max, row) => row.reduce((a, b) => Math.max(a, b), max), 0);
  let bits = 0;
  while (bits < 22 && Math.trunc(0.5 + most * 2 ** (bits + 1)) < 2 ** 15) bits++;
  for (const row of weights)
    row.forEach((w, k) => {
      row[k] = Math.trunc(w * 2 ** bits + (w < 0 ? -0.5 : 0.5));
    });
  return bits;
}

/** [height, width] after resizing: a number sets the shorter side and keeps the aspect ratio. */
function targetSize(size: number | readonly [number, number], height: number, width: number): [number, number] {
  if (typeof size !== 'number') return sizePair(size, 'resize');
  const [short] = sizePair(size, 'resize');
  const long = Math.max(1, Math.trunc((short * Math.max(height, width)) / Math.min(height, width)));
  return height <= width ? [short, long] : [long, short];
}

/**
 * Resizes an image now; see `resize`.
 * @throws ArgumentError for an empty image or a size below 1; DTypeError for a mask that is not uint8, unless 'nearest'.
 */
export function resizeImage(
  image: NDArray,
  size: number | readonly [number, number],
  { interpolation = 'bilinear', antialias = true, layout }: ResizeOptions = {},
): NDArray {
  checkWord('resize: interpolation', interpolation, interpolations);
  const source = viewOf(image, { layout });
  if (interpolation !== 'nearest') refuseLabels(source.dtype, "; masks take interpolation: 'nearest'");
  if (source.height === 0 || source.width === 0) throw new ArgumentError('resize: the image is empty');
  const [height, width] = targetSize(size, source.height, source.width);
  if (height === source.height && width === source.width) return image;
  const byte = source.dtype === 'uint8';
  const { channels } = source;
  const across = tapsFor(source.width, width, interpolation, antialias);
  const down = tapsFor(source.height, height, interpolation, antialias);
  const [unitX, unitY] = byte ? [across, down].map(({ weights }) => 2 ** quantize(weights)) : [1, 1];
  // As in PyTorch and Pillow, the horizontal pass of a uint8 image is rounded before the vertical pass.
  const middle = new (byte ? Uint8ClampedArray : Float64Array)(source.height * width * channels);
  for (let y = 0; y < source.height; y++)
    for (let x = 0; x < width; x++) {
      const w = across.weights[x];
      for (let c = 0; c < channels; c++) {
        let at = y * source.strideY + across.starts[x] * source.strideX + c * source.strideC;
        let sum = 0;
        for (let k = 0; k < w.length; k++, at += source.strideX) sum += w[k] * source.data[at];
        middle[(y * width + x) * channels + c] = byte ? Math.floor(sum / unitX + 0.5) : sum;
      }
    }
  const { image: out, view: target } = newImage(source, height, width);
  const row = width * channels;
  for (let y = 0; y < height; y++) {
    const w = down.weights[y];
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++) {
        let at = (down.starts[y] * width + x) * channels + c;
        let sum = 0;
        for (let k = 0; k < w.length; k++, at += row) sum += w[k] * middle[at];
        target.data[y * target.strideY + x * target.strideX + c * target.strideC] = byte
          ? Math.min(255, Math.max(0, Math.floor(sum / unitY + 0.5)))
          : sum;
      }
  }
  return out;
}

/**
 * Resizes to [height, width], or the shorter side to a number (torchvision.transforms.Resize).
 * Values agree with torchvision on tensors to 1e-5 (float); uint8 are equal.
 */
export function resize(size: number | readonly [number, number], options: ResizeOptions = {}): ImageTransform {
  if (typeof size === 'number') sizePair(size, 'resize');
  return (image) => resizeImage(image, size, options);
}
