/** @file Images as NDArrays: one view over both layouts (HWC and CHW), and the type of image transforms. */
import { type DType, dtypes, type NumericArray } from '../../ir/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { Random } from '../../ir/random.ts';
import { formatShape } from '../../ir/shape.ts';

/**
 * A function from image to image, uint8 (0 to 255) or float (0 to 1), in the layout it came in. All randomness comes
 * from `random`, the sample's own stream (`Dataset.map` and `DataLoader` pass it).
 *
 * For an image and its mask, give both the same stream: `augment(x, random.fork('geometry'))` and
 * `augment(mask, random.fork('geometry'))` draw the same numbers. Masks may be of any whole-number dtype; what would mix
 * their numbers (interpolation, colours) refuses them.
 */
export type ImageTransform = (image: NDArray, random?: Random) => NDArray;

/** Where channels are. */
export type Layout = 'hwc' | 'chw';

/** Option shared by all image transforms. */
export interface LayoutOption {
  /**
   * Default: by shape, [H, W, C] or [C, H, W] with 1 to 4 channels, or [H, W]; where both fit, whole numbers are taken
   * as HWC (as decoded) and floats as CHW (as networks take them).
   */
  readonly layout?: Layout;
}

/** Sizes and strides (in elements) of an image in either layout. */
export interface ImageView {
  readonly data: NumericArray;
  readonly dtype: DType;
  readonly layout: Layout | 'hw';
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly strideC: number;
  readonly strideY: number;
  readonly strideX: number;
}

const isChannels = (n: number): boolean => n >= 1 && n <= 4;

const isColor = (dtype: DType): boolean => dtype === 'uint8' || dtype === 'float32' || dtype === 'float64';

/** @throws DTypeError unless values are colours; numbers of classes, as masks have them, cannot be mixed. */
export function refuseLabels(dtype: DType, hint = ''): void {
  if (!isColor(dtype))
    throw new DTypeError(`image transform: expected uint8, float32 or float64, found ${dtype}${hint}`);
}

/**
 * @throws ShapeError when the shape is no image, or its layout cannot be told; DTypeError for texts and half floats.
 */
export function viewOf(image: NDArray, { layout }: LayoutOption = {}): ImageView {
  const { shape, data, dtype } = image;
  const { kind } = dtypes[dtype];
  if (kind === 'float' || kind === 'string') refuseLabels(dtype);
  if (shape.length === 2) {
    const [height, width] = shape;
    return { data, dtype, layout: 'hw', channels: 1, height, width, strideC: 0, strideY: width, strideX: 1 };
  }
  if (shape.length !== 3)
    throw new ShapeError(`image transform: expected [H, W], [H, W, C] or [C, H, W], found shape ${formatShape(shape)}`);
  const last = isChannels(shape[2]);
  const first = isChannels(shape[0]);
  if (layout === undefined && !last && !first)
    throw new ShapeError(
      `image transform: neither end of shape ${formatShape(shape)} is a channel count of 1 to 4; give layout: 'hwc' or 'chw'`,
    );
  const found = layout ?? (last && first ? (kind === 'float' ? 'chw' : 'hwc') : last ? 'hwc' : 'chw');
  if (found === 'hwc') {
    const [height, width, channels] = shape;
    return {
      data,
      dtype,
      layout: 'hwc',
      channels,
      height,
      width,
      strideC: 1,
      strideY: width * channels,
      strideX: channels,
    };
  }
  const [channels, height, width] = shape;
  return { data, dtype, layout: 'chw', channels, height, width, strideC: height * width, strideY: width, strideX: 1 };
}

/** A new image of the same layout and dtype with other sizes, as array and view. */
export function newImage(
  like: ImageView,
  height: number,
  width: number,
  channels: number = like.channels,
): { image: NDArray; view: ImageView } {
  const shape =
    like.layout === 'hw'
      ? [height, width]
      : like.layout === 'hwc'
        ? [height, width, channels]
        : [channels, height, width];
  const image: NDArray = { data: new dtypes[like.dtype].array(height * width * channels), shape, dtype: like.dtype };
  return { image, view: viewOf(image, { layout: like.layout === 'hw' ? undefined : like.layout }) };
}

/** Largest value of an image of this dtype: 255 or 1. */
export function maxValue(dtype: DType): number {
  return dtype === 'uint8' ? 255 : 1;
}

/** Half-to-even rounding and clamping to 0..255 for uint8 (torch.round), nothing for floats. */
export function store(dtype: DType, value: number): number {
  if (dtype !== 'uint8') return value;
  const floor = Math.floor(value);
  const rest = value - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
  return Math.min(255, Math.max(0, rounded));
}

/** Copies the rectangle at (top, left); what lies outside of the source stays 0. */
export function crop(
  image: NDArray,
  top: number,
  left: number,
  height: number,
  width: number,
  options: LayoutOption = {},
): NDArray {
  const source = viewOf(image, options);
  const { image: out, view: target } = newImage(source, height, width);
  for (let y = Math.max(0, -top); y < Math.min(height, source.height - top); y++)
    for (let x = Math.max(0, -left); x < Math.min(width, source.width - left); x++)
      for (let c = 0; c < source.channels; c++)
        target.data[y * target.strideY + x * target.strideX + c * target.strideC] =
          source.data[(y + top) * source.strideY + (x + left) * source.strideX + c * source.strideC];
  return out;
}

/** [height, width] from a number (both) or a pair. */
export function sizePair(size: number | readonly [number, number], what: string): [number, number] {
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  if (!Number.isInteger(height) || !Number.isInteger(width) || height < 1 || width < 1)
    throw new ArgumentError(`${what}: size must be whole numbers of at least 1, found ${JSON.stringify(size)}`);
  return [height, width];
}

/** The stream to draw from when a transform is called without one (then the same numbers each time). */
export function streamOr(random: Random | undefined): Random {
  return random ?? new Random(0);
}

/** @throws ArgumentError unless `value` is one of the words. */
export function checkWord(what: string, value: string, words: readonly string[]): void {
  if (!words.includes(value)) throw new ArgumentError(`${what} must be one of ${words.join(', ')}; found '${value}'`);
}

/** @throws ArgumentError unless 0 <= p <= 1. */
export function probability(p: number, what: string): number {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(`${what}: p must be between 0 and 1, found ${p}`);
  return p;
}

/** Applies transforms one after the other (torchvision.transforms.Compose). */
export function compose(transforms: readonly ImageTransform[]): ImageTransform {
  return (image, random) => {
    const stream = streamOr(random);
    return transforms.reduce((current, transform, i) => transform(current, stream.fork('compose', i)), image);
  };
}

/** Applies a transform with probability p (torchvision.transforms.RandomApply). */
export function randomApply(transform: ImageTransform, p = 0.5): ImageTransform {
  probability(p, 'randomApply');
  return (image, random) => {
    const stream = streamOr(random);
    return stream.bernoulli(p) ? transform(image, stream) : image;
  };
}
