/** @file Rearrangements of images: pixel shuffle, unfold and fold. */
import { ShapeError } from '../../ir/errors.ts';
import { constant } from '../../ir/graph.ts';
import { formatShape } from '../../ir/shape.ts';
import * as ops from '../../ops/index.ts';
import { memoConstant } from '../../ops/memo.ts';
import { stack, Tensor } from '../../tensor/index.ts';
import { batched, type Sizes, sizes } from './sizes.ts';

function checkFactor(size: number, factor: number, x: Tensor, name: string): void {
  if (!Number.isInteger(factor) || factor < 1 || size % factor)
    throw new ShapeError(`${name}: ${size} of the input ${formatShape(x.shape)} is not divisible by ${factor}`);
}

/** [..., channels r^2, height, width] to [..., channels, height r, width r] (Shi et al., 2016). @throws ShapeError if not divisible. */
export function pixelShuffle(x: Tensor, upscaleFactor: number): Tensor {
  const r = upscaleFactor;
  const [channels, height, width] = x.shape.slice(-3);
  const lead = x.shape.slice(0, -3);
  checkFactor(channels, r * r, x, 'pixelShuffle');
  const n = lead.length;
  const parts = x.reshape([...lead, channels / (r * r), r, r, height, width]);
  const dims = [...lead.keys(), n, n + 3, n + 1, n + 4, n + 2];
  return parts.permute(dims).reshape([...lead, channels / (r * r), height * r, width * r]);
}

/** The inverse of pixelShuffle. @throws ShapeError if height or width are not divisible. */
export function pixelUnshuffle(x: Tensor, downscaleFactor: number): Tensor {
  const r = downscaleFactor;
  const [channels, height, width] = x.shape.slice(-3);
  const lead = x.shape.slice(0, -3);
  checkFactor(height, r, x, 'pixelUnshuffle');
  checkFactor(width, r, x, 'pixelUnshuffle');
  const n = lead.length;
  const parts = x.reshape([...lead, channels, height / r, r, width / r, r]);
  const dims = [...lead.keys(), n, n + 2, n + 4, n + 1, n + 3];
  return parts.permute(dims).reshape([...lead, channels * r * r, height / r, width / r]);
}

/** Channels of x [batch, channels, ...] dealt out over `groups` (Zhang et al., 2018). @throws ShapeError if not divisible. */
export function channelShuffle(x: Tensor, groups: number): Tensor {
  checkFactor(x.shape[1], groups, x, 'channelShuffle');
  const [batch, channels, ...rest] = x.shape;
  return x
    .reshape([batch, groups, channels / groups, ...rest])
    .transpose(1, 2)
    .reshape(x.shape);
}

export interface UnfoldOptions {
  dilation?: Sizes;
  padding?: Sizes;
  stride?: Sizes;
}

/** The windows of images: [batch, channels, height, width] to [batch, channels * kh * kw, windows] (im2col). */
export function unfold(x: Tensor, kernelSize: Sizes, options: UnfoldOptions = {}): Tensor {
  const { kernel, dilation, padding, stride } = geometry(kernelSize, options, 'unfold');
  return batched(x, 2, 'unfold', (b) => {
    const padded = b.pad([padding[1], padding[1], padding[0], padding[0]]);
    const [batch, channels, ...image] = padded.shape;
    const counts = image.map((n, i) => Math.floor((n - dilation[i] * (kernel[i] - 1) - 1) / stride[i]) + 1);
    if (counts.some((n) => n < 1))
      throw new ShapeError(
        `unfold: the input ${formatShape(x.shape)} is smaller than the window [${kernel.join(', ')}]`,
      );
    const taps: Tensor[] = [];
    for (let i = 0; i < kernel[0]; i++)
      for (let j = 0; j < kernel[1]; j++) {
        const [top, left] = [i * dilation[0], j * dilation[1]];
        const rows = [top, top + (counts[0] - 1) * stride[0] + 1, stride[0]] as const;
        const columns = [left, left + (counts[1] - 1) * stride[1] + 1, stride[1]] as const;
        taps.push(padded.at(null, null, rows, columns));
      }
    return stack(taps, 2).reshape([batch, channels * kernel[0] * kernel[1], counts[0] * counts[1]]);
  });
}

function geometry(kernelSize: Sizes, options: UnfoldOptions, name: string) {
  return {
    kernel: sizes(kernelSize, 2, `${name}: kernelSize`, 1),
    dilation: sizes(options.dilation ?? 1, 2, `${name}: dilation`, 1),
    padding: sizes(options.padding ?? 0, 2, `${name}: padding`),
    stride: sizes(options.stride ?? 1, 2, `${name}: stride`, 1),
  };
}

/** Windows summed back to images: [batch, channels * kh * kw, windows] to [batch, channels, ...outputSize] (col2im). */
export function fold(x: Tensor, outputSize: Sizes, kernelSize: Sizes, options: UnfoldOptions = {}): Tensor {
  const { kernel, dilation, padding, stride } = geometry(kernelSize, options, 'fold');
  const image = sizes(outputSize, 2, 'fold: outputSize', 1);
  const counts = image.map(
    (n, i) => Math.floor((n + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i]) + 1,
  );
  const lead = x.ndim === 3 ? x : x.unsqueeze(0);
  const [batch, columns, windows] = lead.shape;
  if (x.ndim < 2 || x.ndim > 3 || columns % (kernel[0] * kernel[1]) || windows !== counts[0] * counts[1])
    throw new ShapeError(
      `fold: the input ${formatShape(x.shape)} must be [batch, channels * ${kernel[0] * kernel[1]}, ${counts[0] * counts[1]}] for an image of [${image.join(', ')}]`,
    );
  // The sum over windows is a transposed convolution whose filters each write one tap.
  const taps = kernel[0] * kernel[1];
  const channels = columns / taps;
  const filters = memoConstant(`fold taps ${x.dtype} ${kernel}`, () => {
    const data = new Array<number>(taps * taps).fill(0);
    for (let k = 0; k < taps; k++) data[k * taps + k] = 1;
    return constant(data, x.dtype, [taps, 1, ...kernel]);
  });
  const maps = lead.reshape([batch * channels, taps, ...counts]).value;
  const y = ops.convTranspose(maps, filters, {
    strides: stride,
    dilations: dilation,
    pads: [...padding, ...padding],
    output_padding: image.map(
      (n, i) => n - ((counts[i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (kernel[i] - 1) + 1),
    ),
  });
  const images = new Tensor(y).reshape([batch, channels, ...image]);
  return x.ndim === 3 ? images : images.reshape([channels, ...image]);
}
