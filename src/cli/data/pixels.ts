/** @file From decoded images to the pixels a model takes: colours, size, and normalised floats. */
import { transforms } from '../../data/index.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import type { ImageCode } from './prepared.ts';

type Size = Pick<ImageCode, 'channels' | 'height' | 'width'>;

/**
 * An image as uint8 [channels, height, width]: greyed or spread to three channels, scaled to cover the size and cropped
 * in the centre.
 * @param image uint8 [H, W], [H, W, C], or [C, H, W] where `layout` is 'chw'
 */
export function toPixels(image: NDArray, layout: 'hwc' | 'chw', { channels, height, width }: Size): Uint8Array {
  const option = image.shape.length === 3 ? { layout } : {};
  const planes = layout === 'chw' && image.shape.length === 3;
  const [h, w] = planes ? image.shape.slice(1) : image.shape;
  const depth = image.shape.length === 2 ? 1 : planes ? image.shape[0] : image.shape[2];
  let fitted = channels === 1 && depth > 1 ? transforms.grayscale(1, option)(image) : image;
  if (h !== height || w !== width) {
    const scale = Math.max(height / h, width / w);
    // Of a very long picture only the middle is seen: the whole, scaled, could be larger than any memory.
    const [rows, columns] = [Math.min(h, Math.ceil((8 * height) / scale)), Math.min(w, Math.ceil((8 * width) / scale))];
    if (rows < h || columns < w) fitted = transforms.centerCrop([rows, columns], option)(fitted);
    const size: [number, number] = [
      Math.max(height, Math.round(rows * scale)),
      Math.max(width, Math.round(columns * scale)),
    ];
    fitted = transforms.centerCrop([height, width], option)(transforms.resize(size, option)(fitted));
  }
  return spread(fitted, planes, Math.min(depth, channels), channels, height * width);
}

/** Planes of pixels; one channel becomes three equal ones where a model takes colour. */
function spread({ data }: NDArray, planes: boolean, have: number, want: number, area: number): Uint8Array {
  const out = new Uint8Array(want * area);
  for (let c = 0; c < want; c++) {
    const from = Math.min(c, have - 1);
    if (planes) out.set(data.subarray(from * area, (from + 1) * area), c * area);
    else for (let i = 0; i < area; i++) out[c * area + i] = data[i * have + from];
  }
  return out;
}

/** (pixel / 255 - mean) / std per channel. */
export function normalized(pixels: ArrayLike<number>, { channels, height, width, mean, std }: ImageCode): NDArray {
  const area = height * width;
  const data = new Float32Array(channels * area);
  for (let c = 0; c < channels; c++) {
    const scale = 1 / (255 * std[c]);
    const offset = mean[c] / std[c];
    for (let i = c * area; i < (c + 1) * area; i++) data[i] = pixels[i] * scale - offset;
  }
  return { data, shape: [channels, height, width], dtype: 'float32' };
}

/** Mean and standard deviation of each channel, of pixels from 0 to 1. */
export function channelMoments(
  images: Iterable<Uint8Array>,
  { channels, height, width }: Size,
): { mean: number[]; std: number[] } {
  const area = height * width;
  const sum = new Array<number>(channels).fill(0);
  const squares = new Array<number>(channels).fill(0);
  let n = 0;
  for (const pixels of images) {
    for (let c = 0; c < channels; c++)
      for (let i = c * area; i < (c + 1) * area; i++) {
        sum[c] += pixels[i];
        squares[c] += pixels[i] ** 2;
      }
    n += area;
  }
  const mean = sum.map((s) => s / n / 255);
  // Images of one colour have no spread: dividing by 1 leaves them as they are.
  const std = squares
    .map((s, c) => Math.sqrt(Math.max(0, s / n / 255 ** 2 - mean[c] ** 2)))
    .map((s) => (s > 1e-4 ? s : 1));
  return { mean: mean.map(round), std: std.map(round) };
}

const round = (x: number): number => Number(x.toPrecision(6));
