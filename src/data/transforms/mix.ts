/** @file Mixing the samples of a batch: mixup and cutmix, with soft labels. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import { isNDArray, type NDArray, zerosND } from '../../ir/ndarray.ts';
import type { Random } from '../../ir/random.ts';
import { formatShape, sizeOf } from '../../ir/shape.ts';

/** Options of `mixup` and `cutmix`. */
export interface MixOptions {
  /** Number of classes; labels become soft labels [N, numClasses]. */
  readonly numClasses: number;
  /** Parameter of Beta(alpha, alpha), from which the mixing share is drawn. Default 1: uniform. */
  readonly alpha?: number;
  /** Name of the images or features, [N, ...] float. Default 'x'. */
  readonly x?: string;
  /** Name of the labels, whole numbers [N] or soft labels [N, numClasses]. Default 'y'. */
  readonly y?: string;
}

/** A function of a batch for the loader option `batchTransform`. */
export type BatchTransform = <B extends Record<string, unknown>>(batch: B, random: Random) => B;

/**
 * Labels [N] as rows [N, numClasses] with a single 1; soft labels stay.
 * @throws ArgumentError for a label outside of 0 to numClasses - 1; ShapeError for another shape.
 */
export function oneHot(labels: NDArray, numClasses: number): NDArray {
  if (labels.shape.length === 2 && labels.shape[1] === numClasses && labels.dtype === 'float32') return labels;
  if (labels.shape.length !== 1)
    throw new ShapeError(
      `one-hot: expected labels [N] or soft labels [N, ${numClasses}], found ${labels.dtype} ${formatShape(labels.shape)}`,
    );
  const out = zerosND([labels.shape[0], numClasses]);
  labels.data.forEach((label, i) => {
    if (!Number.isInteger(label) || label < 0 || label >= numClasses)
      throw new ArgumentError(`one-hot: label ${label} of sample ${i} is outside of 0 to ${numClasses - 1}`);
    out.data[i * numClasses + label] = 1;
  });
  return out;
}

/** value * share + previous sample's value * (1 - share); the previous sample of the first is the last. */
function mixRows(array: NDArray, share: number): NDArray {
  const [count, ...rest] = array.shape;
  const size = sizeOf(rest);
  const data = array.data.slice();
  for (let i = 0; i < count; i++) {
    const other = ((i + count - 1) % count) * size;
    for (let k = 0; k < size; k++)
      data[i * size + k] = share * array.data[i * size + k] + (1 - share) * array.data[other + k];
  }
  return { data, shape: array.shape, dtype: array.dtype };
}

function fields(
  batch: Record<string, unknown>,
  options: MixOptions,
): { x: NDArray; y: NDArray; names: [string, string] } {
  const { x = 'x', y = 'y' } = options;
  const [images, labels] = [batch[x], batch[y]];
  if (!isNDArray(images) || !isNDArray(labels))
    throw new ArgumentError(
      `mixup/cutmix: the batch needs arrays '${x}' and '${y}'; it has ${Object.keys(batch).join(', ')}`,
    );
  if (images.dtype !== 'float32' && images.dtype !== 'float64')
    throw new ArgumentError(`mixup/cutmix: '${x}' must be float, found ${images.dtype}; put toFloat() before it`);
  return { x: images, y: oneHot(labels, options.numClasses), names: [x, y] };
}

function checked(options: MixOptions): number {
  const { alpha = 1, numClasses } = options;
  if (!(alpha > 0) || !Number.isInteger(numClasses) || numClasses < 1)
    throw new ArgumentError(
      `mixup/cutmix: expected alpha above 0 and numClasses of at least 1, found ${alpha}, ${numClasses}`,
    );
  return alpha;
}

/** Mixes each sample with its neighbour in the batch (Zhang et al. 2018; torchvision.transforms.v2.MixUp). */
export function mixup(options: MixOptions): BatchTransform {
  const alpha = checked(options);
  return (batch, random) => {
    const { x, y, names } = fields(batch, options);
    const share = random.beta(alpha, alpha);
    return { ...batch, [names[0]]: mixRows(x, share), [names[1]]: mixRows(y, share) };
  };
}

/**
 * Pastes a rectangle of the neighbour's image, labels mixed by area (Yun et al. 2019; torchvision.transforms.v2.CutMix).
 * Images are [N, C, H, W].
 */
export function cutmix(options: MixOptions): BatchTransform {
  const alpha = checked(options);
  return (batch, random) => {
    const { x, y, names } = fields(batch, options);
    if (x.shape.length !== 4)
      throw new ShapeError(`cutmix: expected images [N, C, H, W], found ${formatShape(x.shape)}`);
    const [count, channels, height, width] = x.shape;
    const share = random.beta(alpha, alpha);
    const [cx, cy] = [random.int(0, width), random.int(0, height)];
    const half = 0.5 * Math.sqrt(1 - share);
    const [rw, rh] = [Math.trunc(half * width), Math.trunc(half * height)];
    const [x1, x2] = [Math.max(0, cx - rw), Math.min(width, cx + rw)];
    const [y1, y2] = [Math.max(0, cy - rh), Math.min(height, cy + rh)];
    const data = x.data.slice();
    for (let i = 0; i < count; i++)
      for (let c = 0; c < channels; c++)
        for (let row = y1; row < y2; row++) {
          const to = ((i * channels + c) * height + row) * width;
          const from = ((((i + count - 1) % count) * channels + c) * height + row) * width;
          data.set(x.data.subarray(from + x1, from + x2), to + x1);
        }
    const kept = 1 - ((x2 - x1) * (y2 - y1)) / (width * height);
    return {
      ...batch,
      [names[0]]: { data, shape: x.shape, dtype: x.dtype } satisfies NDArray,
      [names[1]]: mixRows(y, kept),
    };
  };
}
