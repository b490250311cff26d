/** @file Cropping and padding. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import {
  checkWord,
  crop,
  type ImageTransform,
  type LayoutOption,
  newImage,
  sizePair,
  streamOr,
  viewOf,
} from './image.ts';
import { type ResizeOptions, resizeImage } from './resize.ts';

/** One number for all sides, [horizontal, vertical], or [left, top, right, bottom]. */
export type Padding = number | readonly [number, number] | readonly [number, number, number, number];

const padModes = ['constant', 'edge', 'reflect', 'symmetric'] as const;
type PadMode = (typeof padModes)[number];

/** Options of padding. */
export interface PadImageOptions extends LayoutOption {
  /** Value of new pixels for mode 'constant'. Default 0. */
  readonly fill?: number;
  /** 'reflect' mirrors without repeating the border pixel, 'symmetric' with it. Default 'constant'. */
  readonly mode?: PadMode;
}

function sides(padding: Padding): readonly [number, number, number, number] {
  if (typeof padding === 'number') return [padding, padding, padding, padding];
  return padding.length === 2 ? [padding[0], padding[1], padding[0], padding[1]] : padding;
}

/** Source position of a padded position, or -1 for a constant. */
function reach(position: number, size: number, mode: PadMode): number {
  if (position >= 0 && position < size) return position;
  if (mode === 'constant') return -1;
  if (mode === 'edge') return position < 0 ? 0 : size - 1;
  const border = mode === 'symmetric' ? 1 : 0;
  return position < 0 ? -position - border : 2 * (size - 1) - position + border;
}

/**
 * Adds pixels around an image (torchvision.transforms.functional.pad).
 * @throws ArgumentError for negative padding; ShapeError when a mirror image needs more pixels than there are.
 */
export function padImage(
  image: NDArray,
  padding: Padding,
  { fill = 0, mode = 'constant', layout }: PadImageOptions = {},
): NDArray {
  checkWord('pad: mode', mode, padModes);
  const [left, top, right, bottom] = sides(padding);
  if ([left, top, right, bottom].some((p) => !Number.isInteger(p) || p < 0))
    throw new ArgumentError(`pad: padding must be whole numbers of at least 0, found ${JSON.stringify(padding)}`);
  const source = viewOf(image, { layout });
  const spare = mode === 'reflect' ? 1 : 0;
  if (
    (mode === 'reflect' || mode === 'symmetric') &&
    (Math.max(left, right) > source.width - spare || Math.max(top, bottom) > source.height - spare)
  )
    throw new ShapeError(
      `pad: reflection needs padding ${spare ? 'below' : 'up to'} the image size ${source.height} x ${source.width}, found ${JSON.stringify(padding)}`,
    );
  const { image: out, view: target } = newImage(source, source.height + top + bottom, source.width + left + right);
  for (let y = 0; y < target.height; y++) {
    const sy = reach(y - top, source.height, mode);
    for (let x = 0; x < target.width; x++) {
      const sx = reach(x - left, source.width, mode);
      for (let c = 0; c < source.channels; c++)
        target.data[y * target.strideY + x * target.strideX + c * target.strideC] =
          sy < 0 || sx < 0 ? fill : source.data[sy * source.strideY + sx * source.strideX + c * source.strideC];
    }
  }
  return out;
}

/** Python's round: halves go to the even neighbour. */
function roundEven(x: number): number {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/** The central part; a smaller image is padded with zeros (torchvision.transforms.CenterCrop). */
export function centerCrop(size: number | readonly [number, number], options: LayoutOption = {}): ImageTransform {
  const [height, width] = sizePair(size, 'centerCrop');
  return (image) => {
    const view = viewOf(image, options);
    const dh = Math.max(0, height - view.height);
    const dw = Math.max(0, width - view.width);
    const padded =
      dh + dw > 0
        ? padImage(
            image,
            [Math.floor(dw / 2), Math.floor(dh / 2), Math.floor((dw + 1) / 2), Math.floor((dh + 1) / 2)],
            options,
          )
        : image;
    const top = roundEven((view.height + dh - height) / 2);
    const left = roundEven((view.width + dw - width) / 2);
    return crop(padded, top, left, height, width, options);
  };
}

/** Options of `randomCrop`. */
export interface RandomCropOptions extends PadImageOptions {
  /** Padding before cropping. Default 0. */
  readonly padding?: Padding;
  /** Pad a smaller image instead of refusing it. Default false. */
  readonly padIfNeeded?: boolean;
}

/**
 * A part at a random place (torchvision.transforms.RandomCrop), e.g. `randomCrop(32, { padding: 4 })`.
 * @throws ShapeError when the (padded) image is smaller than the crop, unless `padIfNeeded`.
 */
export function randomCrop(
  size: number | readonly [number, number],
  { padding = 0, padIfNeeded = false, ...options }: RandomCropOptions = {},
): ImageTransform {
  const [height, width] = sizePair(size, 'randomCrop');
  return (image, random) => {
    const stream = streamOr(random);
    let padded = padding === 0 ? image : padImage(image, padding, options);
    let view = viewOf(padded, options);
    if (view.height < height || view.width < width) {
      if (!padIfNeeded)
        throw new ShapeError(
          `randomCrop: crop ${height} x ${width} is larger than the image ${view.height} x ${view.width}; set padIfNeeded: true`,
        );
      padded = padImage(padded, [Math.max(0, width - view.width), Math.max(0, height - view.height)], options);
      view = viewOf(padded, options);
    }
    const top = stream.int(0, view.height - height + 1);
    const left = stream.int(0, view.width - width + 1);
    return crop(padded, top, left, height, width, options);
  };
}

/** Options of `randomResizedCrop`. */
export interface RandomResizedCropOptions extends ResizeOptions {
  /** Range of the share of the area. Default [0.08, 1]. */
  readonly scale?: readonly [number, number];
  /** Range of width / height, drawn log-uniformly. Default [3/4, 4/3]. */
  readonly ratio?: readonly [number, number];
}

/** A random part of random shape, resized (torchvision.transforms.RandomResizedCrop; ten tries, then the centre). */
export function randomResizedCrop(
  size: number | readonly [number, number],
  { scale = [0.08, 1], ratio = [3 / 4, 4 / 3], ...options }: RandomResizedCropOptions = {},
): ImageTransform {
  const target = sizePair(size, 'randomResizedCrop');
  if (!(scale[0] > 0 && scale[0] <= scale[1]) || !(ratio[0] > 0 && ratio[0] <= ratio[1]))
    throw new ArgumentError(
      `randomResizedCrop: expected 0 < low <= high, found scale ${scale.join(' to ')}, ratio ${ratio.join(' to ')}`,
    );
  return (image, random) => {
    const stream = streamOr(random);
    const { height, width } = viewOf(image, options);
    for (let attempt = 0; attempt < 10; attempt++) {
      const area = height * width * stream.uniform(scale[0], scale[1]);
      const aspect = Math.exp(stream.uniform(Math.log(ratio[0]), Math.log(ratio[1])));
      const w = roundEven(Math.sqrt(area * aspect));
      const h = roundEven(Math.sqrt(area / aspect));
      if (w < 1 || h < 1 || w > width || h > height) continue;
      const top = stream.int(0, height - h + 1);
      const left = stream.int(0, width - w + 1);
      return resizeImage(crop(image, top, left, h, w, options), target, options);
    }
    const aspect = width / height;
    const w =
      aspect < ratio[0]
        ? width
        : aspect > ratio[1]
          ? Math.min(width, Math.max(1, roundEven(height * ratio[1])))
          : width;
    const h = aspect < ratio[0] ? Math.min(height, Math.max(1, roundEven(width / ratio[0]))) : height;
    const centre = crop(image, Math.floor((height - h) / 2), Math.floor((width - w) / 2), h, w, options);
    return resizeImage(centre, target, options);
  };
}
