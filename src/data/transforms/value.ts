/** @file From bytes to network input: scaling, normalisation, random erasing. */
import { dtypes } from '../../ir/dtype.ts';
import { ArgumentError, DTypeError } from '../../ir/errors.ts';
import {
  type ImageTransform,
  type LayoutOption,
  newImage,
  probability,
  refuseLabels,
  streamOr,
  viewOf,
} from './image.ts';

/**
 * [H, W], [H, W, C] or [C, H, W] to float32 [C, H, W]; uint8 is divided by 255, floats are kept
 * (torchvision.transforms.ToTensor).
 */
export function toFloat(options: LayoutOption = {}): ImageTransform {
  return (image) => {
    const view = viewOf(image, options);
    refuseLabels(view.dtype);
    const { channels, height, width } = view;
    const data = new Float32Array(channels * height * width);
    const scale = view.dtype === 'uint8' ? 255 : 1;
    let to = 0;
    for (let c = 0; c < channels; c++)
      for (let y = 0; y < height; y++)
        for (let x = 0, at = y * view.strideY + c * view.strideC; x < width; x++, at += view.strideX)
          data[to++] = view.data[at] / scale;
    return { data, shape: [channels, height, width], dtype: 'float32' };
  };
}

/**
 * (x - mean) / std per channel (torchvision.transforms.Normalize); for float images.
 * @throws ArgumentError when a std is 0 or the number of values fits no channel count; DTypeError for uint8.
 */
export function normalize(mean: readonly number[], std: readonly number[], options: LayoutOption = {}): ImageTransform {
  if (mean.length !== std.length || mean.length === 0 || std.some((s) => !(s > 0)))
    throw new ArgumentError(
      `normalize: expected as many means as stds, and stds above 0; found mean [${mean.join(', ')}], std [${std.join(', ')}]`,
    );
  return (image) => {
    const view = viewOf(image, options);
    refuseLabels(view.dtype);
    if (view.dtype === 'uint8')
      throw new DTypeError('normalize: expected a float image, found uint8; put toFloat() before it');
    if (mean.length !== view.channels && mean.length !== 1)
      throw new ArgumentError(`normalize: ${mean.length} means for ${view.channels} channels`);
    const { image: out, view: target } = newImage(view, view.height, view.width);
    for (let c = 0; c < view.channels; c++) {
      const m = mean[mean.length === 1 ? 0 : c];
      const s = std[std.length === 1 ? 0 : c];
      for (let y = 0; y < view.height; y++)
        for (let x = 0; x < view.width; x++) {
          const at = y * view.strideY + x * view.strideX + c * view.strideC;
          target.data[at] = (view.data[at] - m) / s;
        }
    }
    return out;
  };
}

/** Options of `randomErasing`. */
export interface RandomErasingOptions extends LayoutOption {
  /** Probability. Default 0.5. */
  readonly p?: number;
  /** Range of the erased share of the area. Default [0.02, 0.33]. */
  readonly scale?: readonly [number, number];
  /** Range of the aspect ratio (height / width). Default [0.3, 3.3]. */
  readonly ratio?: readonly [number, number];
  /** What to write: one value, one per channel, or normal noise. Default 0. */
  readonly value?: number | readonly number[] | 'random';
}

/** Overwrites a random rectangle (Zhong et al. 2017; torchvision.transforms.RandomErasing). */
export function randomErasing({
  p = 0.5,
  scale = [0.02, 0.33],
  ratio = [0.3, 3.3],
  value = 0,
  ...options
}: RandomErasingOptions = {}): ImageTransform {
  probability(p, 'randomErasing');
  if (!(scale[0] >= 0 && scale[0] <= scale[1] && scale[1] <= 1 && ratio[0] > 0 && ratio[0] <= ratio[1]))
    throw new ArgumentError(
      `randomErasing: scale must lie in 0 to 1 and ratio above 0, found ${scale.join(' to ')}, ${ratio.join(' to ')}`,
    );
  return (image, random) => {
    const stream = streamOr(random);
    if (!stream.bernoulli(p)) return image;
    const view = viewOf(image, options);
    if (typeof value === 'object' && value.length !== view.channels)
      throw new ArgumentError(`randomErasing: ${value.length} values for ${view.channels} channels`);
    for (let attempt = 0; attempt < 10; attempt++) {
      const area = view.height * view.width * stream.uniform(scale[0], scale[1]);
      const aspect = Math.exp(stream.uniform(Math.log(ratio[0]), Math.log(ratio[1])));
      const h = Math.round(Math.sqrt(area * aspect));
      const w = Math.round(Math.sqrt(area / aspect));
      if (h < 1 || w < 1 || h >= view.height || w >= view.width) continue;
      const top = stream.int(0, view.height - h + 1);
      const left = stream.int(0, view.width - w + 1);
      const data = new dtypes[view.dtype].array(view.data.length);
      data.set(view.data);
      for (let y = top; y < top + h; y++)
        for (let x = left; x < left + w; x++)
          for (let c = 0; c < view.channels; c++)
            data[y * view.strideY + x * view.strideX + c * view.strideC] =
              value === 'random' ? stream.normal() : typeof value === 'number' ? value : value[c];
      return { data, shape: image.shape, dtype: image.dtype };
    }
    return image;
  };
}
