/** @file Convolution layers of one to three dimensions. */
import { ArgumentError } from '../ir/errors.ts';
import { pad, type Tensor, uniform } from '../tensor/index.ts';
import type { ConvOptions } from './functional/conv.ts';
import * as F from './functional/index.ts';
import { checkFeatures, type Sizes, sizes } from './functional/sizes.ts';
import { Module, Parameter } from './module.ts';

export interface ConvLayerOptions extends ConvOptions {
  bias?: boolean;
  /** What lies around the input: zeros, its mirror image, its edge, or its other end. */
  paddingMode?: 'zeros' | 'reflect' | 'replicate' | 'circular';
}

export interface ConvTransposeLayerOptions {
  stride?: Sizes;
  /** Elements cut off both sides of the output. */
  padding?: Sizes;
  /** Elements added to one side of the output. */
  outputPadding?: Sizes;
  groups?: number;
  bias?: boolean;
  dilation?: Sizes;
}

/** What convolutions have in common: parameters, their first values, and the printed form. */
abstract class ConvBase extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly number[];
  readonly groups: number;
  weight: Parameter;
  bias: Parameter | null;

  constructor(
    transposed: boolean,
    inChannels: number,
    outChannels: number,
    kernelSize: readonly number[],
    { groups = 1, bias = true }: { groups?: number; bias?: boolean },
  ) {
    super();
    checkFeatures(new.target.name, { groups }, 1);
    for (const channels of [inChannels, outChannels])
      if (!Number.isInteger(channels) || channels < 1 || channels % groups !== 0)
        throw new ArgumentError(
          `${new.target.name}: channels must be whole numbers divisible by groups (${groups}), found ${inChannels} and ${outChannels}`,
        );
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = kernelSize;
    this.groups = groups;
    const [rows, columns] = transposed ? [inChannels, outChannels / groups] : [outChannels, inChannels / groups];
    // PyTorch: kaiming_uniform_(a = sqrt(5)), which is U(-1/sqrt(fan), 1/sqrt(fan)) for weight and bias alike.
    const fan = kernelSize.reduce((a, b) => a * b, columns);
    const bound = 1 / Math.sqrt(fan);
    this.weight = new Parameter(uniform([rows, columns, ...kernelSize], -bound, bound));
    this.bias = bias ? new Parameter(uniform([outChannels], -bound, bound)) : null;
  }

  override extraRepr(): string {
    return `${this.inChannels}, ${this.outChannels}, kernelSize=[${this.kernelSize}], groups=${this.groups}, bias=${this.bias !== null}`;
  }
}

/** A convolution; its subclasses say over how many dimensions. */
abstract class Conv extends ConvBase {
  readonly options: ConvOptions;
  readonly paddingMode: NonNullable<ConvLayerOptions['paddingMode']>;
  /** Elements added before and after each dimension, last dimension first, if the engine's zeros will not do. */
  readonly #around: readonly number[] | null;

  constructor(n: number, inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvLayerOptions = {}) {
    const { bias = true, paddingMode = 'zeros', ...rest } = options;
    super(false, inChannels, outChannels, sizes(kernelSize, n, `Conv${n}d: kernelSize`, 1), {
      groups: rest.groups ?? 1,
      bias,
    });
    sizes(rest.stride ?? 1, n, `Conv${n}d: stride`, 1);
    sizes(rest.dilation ?? 1, n, `Conv${n}d: dilation`, 1);
    if (rest.padding !== 'same' && rest.padding !== 'valid') sizes(rest.padding ?? 0, n, `Conv${n}d: padding`);
    this.paddingMode = paddingMode;
    this.#around = paddingMode === 'zeros' ? null : this.#paddingAround(n, rest);
    this.options = this.#around ? { ...rest, padding: 0 } : rest;
  }

  #paddingAround(n: number, { padding = 0, dilation = 1 }: ConvOptions): number[] {
    const steps = sizes(dilation, n, `Conv${n}d: dilation`, 1);
    const total = this.kernelSize.map((k, i) => steps[i] * (k - 1));
    const sides =
      padding === 'same'
        ? total.map((t) => [Math.floor(t / 2), t - Math.floor(t / 2)])
        : sizes(padding === 'valid' ? 0 : padding, n, `Conv${n}d: padding`).map((p) => [p, p]);
    return sides.reverse().flat();
  }

  protected padded(x: Tensor): Tensor {
    return this.#around && this.paddingMode !== 'zeros' ? pad(x, this.#around, { mode: this.paddingMode }) : x;
  }
}

/** Convolution over [batch, channels, length] (torch.nn.Conv1d). */
export class Conv1d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options?: ConvLayerOptions) {
    super(1, inChannels, outChannels, kernelSize, options);
  }

  override forward(x: Tensor): Tensor {
    return F.conv1d(this.padded(x), this.weight, this.bias, this.options);
  }
}

/** Convolution over [batch, channels, height, width] (torch.nn.Conv2d). */
export class Conv2d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options?: ConvLayerOptions) {
    super(2, inChannels, outChannels, kernelSize, options);
  }

  override forward(x: Tensor): Tensor {
    return F.conv2d(this.padded(x), this.weight, this.bias, this.options);
  }
}

/** Convolution over [batch, channels, depth, height, width] (torch.nn.Conv3d). */
export class Conv3d extends Conv {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options?: ConvLayerOptions) {
    super(3, inChannels, outChannels, kernelSize, options);
  }

  override forward(x: Tensor): Tensor {
    return F.conv3d(this.padded(x), this.weight, this.bias, this.options);
  }
}

abstract class ConvTranspose extends ConvBase {
  readonly options: Omit<ConvTransposeLayerOptions, 'bias'>;

  constructor(
    n: number,
    inChannels: number,
    outChannels: number,
    kernelSize: Sizes,
    { bias = true, ...options }: ConvTransposeLayerOptions = {},
  ) {
    super(true, inChannels, outChannels, sizes(kernelSize, n, `ConvTranspose${n}d: kernelSize`, 1), {
      groups: options.groups ?? 1,
      bias,
    });
    const name = `ConvTranspose${n}d`;
    sizes(options.stride ?? 1, n, `${name}: stride`, 1);
    sizes(options.dilation ?? 1, n, `${name}: dilation`, 1);
    sizes(options.padding ?? 0, n, `${name}: padding`);
    sizes(options.outputPadding ?? 0, n, `${name}: outputPadding`);
    this.options = options;
  }
}

/** Transposed convolution over [batch, channels, length] (torch.nn.ConvTranspose1d). */
export class ConvTranspose1d extends ConvTranspose {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options?: ConvTransposeLayerOptions) {
    super(1, inChannels, outChannels, kernelSize, options);
  }

  override forward(x: Tensor): Tensor {
    return F.convTranspose1d(x, this.weight, this.bias, this.options);
  }
}

/** Transposed convolution over [batch, channels, height, width] (torch.nn.ConvTranspose2d). */
export class ConvTranspose2d extends ConvTranspose {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options?: ConvTransposeLayerOptions) {
    super(2, inChannels, outChannels, kernelSize, options);
  }

  override forward(x: Tensor): Tensor {
    return F.convTranspose2d(x, this.weight, this.bias, this.options);
  }
}

/** Transposed convolution over [batch, channels, depth, height, width] (torch.nn.ConvTranspose3d). */
export class ConvTranspose3d extends ConvTranspose {
  constructor(inChannels: number, outChannels: number, kernelSize: Sizes, options?: ConvTransposeLayerOptions) {
    super(3, inChannels, outChannels, kernelSize, options);
  }

  override forward(x: Tensor): Tensor {
    return F.convTranspose3d(x, this.weight, this.bias, this.options);
  }
}
