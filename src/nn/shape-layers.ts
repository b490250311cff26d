/** @file Layers that only rearrange: Identity, Flatten, Unflatten, pixel shuffles, Upsample, padding. */
import type { Shape } from '../ir/shape.ts';
import type { Tensor } from '../tensor/index.ts';
import * as F from './functional/index.ts';
import type { UnfoldOptions } from './functional/rearrange.ts';
import type { InterpolateOptions } from './functional/resize.ts';
import type { Sizes } from './functional/sizes.ts';
import { Module } from './module.ts';

/** Gives its input back (torch.nn.Identity). */
export class Identity extends Module {
  override forward(x: Tensor): Tensor {
    return x;
  }
}

/** Joins the dimensions from startDim to endDim into one (torch.nn.Flatten). */
export class Flatten extends Module {
  readonly startDim: number;
  readonly endDim: number;

  constructor({ startDim = 1, endDim = -1 }: { startDim?: number; endDim?: number } = {}) {
    super();
    this.startDim = startDim;
    this.endDim = endDim;
  }

  override forward(x: Tensor): Tensor {
    return x.flatten(this.startDim, this.endDim);
  }

  override extraRepr(): string {
    return `startDim=${this.startDim}, endDim=${this.endDim}`;
  }
}

/** Splits one dimension into several (torch.nn.Unflatten). */
export class Unflatten extends Module {
  readonly dim: number;
  readonly sizes: Shape;

  constructor(dim: number, sizes: Shape) {
    super();
    this.dim = dim;
    this.sizes = sizes;
  }

  override forward(x: Tensor): Tensor {
    return x.unflatten(this.dim, this.sizes);
  }

  override extraRepr(): string {
    return `dim=${this.dim}, sizes=[${this.sizes}]`;
  }
}

/** [batch, channels * r^2, h, w] to [batch, channels, h * r, w * r] (torch.nn.PixelShuffle). */
export class PixelShuffle extends Module {
  readonly upscaleFactor: number;

  constructor(upscaleFactor: number) {
    super();
    this.upscaleFactor = upscaleFactor;
  }

  override forward(x: Tensor): Tensor {
    return F.pixelShuffle(x, this.upscaleFactor);
  }

  override extraRepr(): string {
    return `upscaleFactor=${this.upscaleFactor}`;
  }
}

/** [batch, channels, h * r, w * r] to [batch, channels * r^2, h, w] (torch.nn.PixelUnshuffle). */
export class PixelUnshuffle extends Module {
  readonly downscaleFactor: number;

  constructor(downscaleFactor: number) {
    super();
    this.downscaleFactor = downscaleFactor;
  }

  override forward(x: Tensor): Tensor {
    return F.pixelUnshuffle(x, this.downscaleFactor);
  }

  override extraRepr(): string {
    return `downscaleFactor=${this.downscaleFactor}`;
  }
}

/** Resizes the spatial dimensions (torch.nn.Upsample); options as F.interpolate's. */
export class Upsample extends Module {
  readonly options: InterpolateOptions;

  constructor(options: InterpolateOptions) {
    super();
    this.options = options;
  }

  override forward(x: Tensor): Tensor {
    return F.interpolate(x, this.options);
  }

  override extraRepr(): string {
    return Object.entries(this.options)
      .map(([name, value]) => `${name}=${value}`)
      .join(', ');
  }
}

/** Exchanges channels among groups (Zhang et al. 2017; torch.nn.ChannelShuffle). */
export class ChannelShuffle extends Module {
  readonly groups: number;

  constructor(groups: number) {
    super();
    this.groups = groups;
  }

  override forward(x: Tensor): Tensor {
    return F.channelShuffle(x, this.groups);
  }

  override extraRepr(): string {
    return `groups=${this.groups}`;
  }
}

/** Windows of [batch, channels, height, width] as columns [batch, channels * kernel, windows] (torch.nn.Unfold). */
export class Unfold extends Module {
  readonly kernelSize: Sizes;
  readonly options: UnfoldOptions;

  constructor(kernelSize: Sizes, options: UnfoldOptions = {}) {
    super();
    this.kernelSize = kernelSize;
    this.options = options;
  }

  override forward(x: Tensor): Tensor {
    return F.unfold(x, this.kernelSize, this.options);
  }
}

/** Sums columns [batch, channels * kernel, windows] back into [batch, channels, height, width] (torch.nn.Fold). */
export class Fold extends Module {
  readonly outputSize: Sizes;
  readonly kernelSize: Sizes;
  readonly options: UnfoldOptions;

  constructor(outputSize: Sizes, kernelSize: Sizes, options: UnfoldOptions = {}) {
    super();
    this.outputSize = outputSize;
    this.kernelSize = kernelSize;
    this.options = options;
  }

  override forward(x: Tensor): Tensor {
    return F.fold(x, this.outputSize, this.kernelSize, this.options);
  }
}
