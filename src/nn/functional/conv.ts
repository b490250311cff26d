/** @file Convolutions and transposed convolutions in 1, 2 and 3 dimensions. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import { formatShape } from '../../ir/shape.ts';
import * as ops from '../../ops/index.ts';
import { Tensor } from '../../tensor/index.ts';
import { requireTensor } from '../../tensor/lift.ts';
import { batched, type Sizes, sizes } from './sizes.ts';

export interface ConvOptions {
  stride?: Sizes;
  /** Zeros on both sides; 'same' keeps the spatial sizes (stride 1 only), 'valid' adds none. */
  padding?: Sizes | 'same' | 'valid';
  dilation?: Sizes;
  /** Channels are cut into this many groups, each with filters of its own. */
  groups?: number;
}

function checkWeight(x: Tensor, weight: Tensor, n: number, name: string): void {
  requireTensor(x, name);
  requireTensor(weight, name, 'the weight');
  if (weight.ndim !== n + 2)
    throw new ShapeError(
      `${name}: the weight must have ${n + 2} dimensions for an input of shape ${formatShape(x.shape)}, found ${formatShape(weight.shape)}`,
    );
}

function conv(n: number, x: Tensor, weight: Tensor, bias: Tensor | null | undefined, options: ConvOptions): Tensor {
  const name = `conv${n}d`;
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  checkWeight(x, weight, n, name);
  const strides = sizes(stride, n, `${name}: stride`, 1);
  const dilations = sizes(dilation, n, `${name}: dilation`, 1);
  const pads = () => {
    if (padding === 'valid') return Array<number>(2 * n).fill(0);
    if (padding !== 'same') {
      const around = sizes(padding, n, `${name}: padding`);
      return [...around, ...around];
    }
    if (strides.some((s) => s !== 1))
      throw new ArgumentError(`${name}: padding 'same' needs a stride of 1, found ${JSON.stringify(stride)}`);
    const total = weight.shape.slice(2).map((k, i) => dilations[i] * (k - 1));
    // The odd one goes to the end, as in PyTorch.
    return [...total.map((t) => Math.floor(t / 2)), ...total.map((t) => Math.ceil(t / 2))];
  };
  const attrs = { strides, dilations, group: groups, pads: pads() };
  return batched(x, n, name, (b) => new Tensor(ops.conv(b.value, weight.value, bias?.value, attrs)));
}

/**
 * Cross-correlation of x [batch, channels, length] with weight [outputs, channels / groups, kernel], plus bias [outputs].
 * @throws ShapeError, ArgumentError where shapes and options do not fit.
 */
export function conv1d(x: Tensor, weight: Tensor, bias?: Tensor | null, options: ConvOptions = {}): Tensor {
  return conv(1, x, weight, bias, options);
}

/** Cross-correlation of x [batch, channels, height, width] with weight [outputs, channels / groups, kh, kw], plus bias. */
export function conv2d(x: Tensor, weight: Tensor, bias?: Tensor | null, options: ConvOptions = {}): Tensor {
  return conv(2, x, weight, bias, options);
}

/** Cross-correlation of x [batch, channels, depth, height, width] with weight [outputs, channels / groups, kd, kh, kw]. */
export function conv3d(x: Tensor, weight: Tensor, bias?: Tensor | null, options: ConvOptions = {}): Tensor {
  return conv(3, x, weight, bias, options);
}

export interface ConvTransposeOptions {
  stride?: Sizes;
  /** Elements cut off both sides of the output. */
  padding?: Sizes;
  /** Elements added to one side of the output, to choose among sizes that a strided convolution maps to the same. */
  outputPadding?: Sizes;
  groups?: number;
  dilation?: Sizes;
}

function convTranspose(
  n: number,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null | undefined,
  options: ConvTransposeOptions,
): Tensor {
  const name = `convTranspose${n}d`;
  const { stride = 1, padding = 0, outputPadding = 0, groups = 1, dilation = 1 } = options;
  checkWeight(x, weight, n, name);
  const around = sizes(padding, n, `${name}: padding`);
  const attrs = {
    strides: sizes(stride, n, `${name}: stride`, 1),
    dilations: sizes(dilation, n, `${name}: dilation`, 1),
    group: groups,
    pads: [...around, ...around],
    output_padding: sizes(outputPadding, n, `${name}: outputPadding`),
  };
  return batched(x, n, name, (b) => new Tensor(ops.convTranspose(b.value, weight.value, bias?.value, attrs)));
}

/** Transposed convolution of x [batch, channels, length] with weight [channels, outputs / groups, kernel], plus bias. */
export function convTranspose1d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor | null,
  options: ConvTransposeOptions = {},
): Tensor {
  return convTranspose(1, x, weight, bias, options);
}

/** Transposed convolution of x [batch, channels, height, width] with weight [channels, outputs / groups, kh, kw]. */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor | null,
  options: ConvTransposeOptions = {},
): Tensor {
  return convTranspose(2, x, weight, bias, options);
}

/** Transposed convolution of x [batch, channels, depth, height, width] with weight [channels, outputs / groups, ...kernel]. */
export function convTranspose3d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor | null,
  options: ConvTransposeOptions = {},
): Tensor {
  return convTranspose(3, x, weight, bias, options);
}
