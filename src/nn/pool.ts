/** @file Pooling layers of one to three dimensions. */
import type { Tensor } from '../tensor/index.ts';
import * as F from './functional/index.ts';
import type { AvgPoolOptions, MaxPoolOptions, OutputSize } from './functional/pool.ts';
import type { Sizes } from './functional/sizes.ts';
import { Module } from './module.ts';

const show = (options: object) =>
  Object.entries(options)
    .map(([name, value]) => `, ${name}=${Array.isArray(value) ? `[${value}]` : value}`)
    .join('');

/** A pool with windows of a fixed size. */
abstract class WindowPool<O extends object> extends Module {
  readonly kernelSize: Sizes;
  readonly options: O;

  constructor(kernelSize: Sizes, options: O) {
    super();
    this.kernelSize = kernelSize;
    this.options = options;
  }

  override extraRepr(): string {
    return `kernelSize=${typeof this.kernelSize === 'number' ? this.kernelSize : `[${this.kernelSize}]`}${show(this.options)}`;
  }
}

/** A pool with an output of a fixed size. */
abstract class AdaptivePool extends Module {
  readonly outputSize: OutputSize;

  constructor(outputSize: OutputSize) {
    super();
    this.outputSize = outputSize;
  }

  override extraRepr(): string {
    return `outputSize=${typeof this.outputSize === 'number' ? this.outputSize : `[${this.outputSize}]`}`;
  }
}

/** A power-average pool. */
abstract class LpPool extends WindowPool<LpPoolOptions> {
  readonly normType: number;

  constructor(normType: number, kernelSize: Sizes, options: LpPoolOptions = {}) {
    super(kernelSize, options);
    this.normType = normType;
  }
}

export interface LpPoolOptions {
  /** Steps between windows; the size of the window by default. */
  stride?: Sizes;
  /** Whether a last window may hang over the end. */
  ceilMode?: boolean;
}

/** Largest element of each window of [batch, channels, length] (torch.nn.MaxPool1d). */
export class MaxPool1d extends WindowPool<MaxPoolOptions> {
  constructor(kernelSize: Sizes, options: MaxPoolOptions = {}) {
    super(kernelSize, options);
  }

  override forward(x: Tensor): Tensor {
    return F.maxPool1d(x, this.kernelSize, this.options);
  }
}

/** Mean of each window of [batch, channels, length] (torch.nn.AvgPool1d). */
export class AvgPool1d extends WindowPool<AvgPoolOptions> {
  constructor(kernelSize: Sizes, options: AvgPoolOptions = {}) {
    super(kernelSize, options);
  }

  override forward(x: Tensor): Tensor {
    return F.avgPool1d(x, this.kernelSize, this.options);
  }
}

/** Largest element of each window of [batch, channels, height, width] (torch.nn.MaxPool2d). */
export class MaxPool2d extends WindowPool<MaxPoolOptions> {
  constructor(kernelSize: Sizes, options: MaxPoolOptions = {}) {
    super(kernelSize, options);
  }

  override forward(x: Tensor): Tensor {
    return F.maxPool2d(x, this.kernelSize, this.options);
  }
}

/** Mean of each window of [batch, channels, height, width] (torch.nn.AvgPool2d). */
export class AvgPool2d extends WindowPool<AvgPoolOptions> {
  constructor(kernelSize: Sizes, options: AvgPoolOptions = {}) {
    super(kernelSize, options);
  }

  override forward(x: Tensor): Tensor {
    return F.avgPool2d(x, this.kernelSize, this.options);
  }
}

/** Largest element of each window of [batch, channels, depth, height, width] (torch.nn.MaxPool3d). */
export class MaxPool3d extends WindowPool<MaxPoolOptions> {
  constructor(kernelSize: Sizes, options: MaxPoolOptions = {}) {
    super(kernelSize, options);
  }

  override forward(x: Tensor): Tensor {
    return F.maxPool3d(x, this.kernelSize, this.options);
  }
}

/** Mean of each window of [batch, channels, depth, height, width] (torch.nn.AvgPool3d). */
export class AvgPool3d extends WindowPool<AvgPoolOptions> {
  constructor(kernelSize: Sizes, options: AvgPoolOptions = {}) {
    super(kernelSize, options);
  }

  override forward(x: Tensor): Tensor {
    return F.avgPool3d(x, this.kernelSize, this.options);
  }
}

/** Largest elements of as many windows of [batch, channels, length] as the output has elements (torch.nn.AdaptiveMaxPool1d). */
export class AdaptiveMaxPool1d extends AdaptivePool {
  override forward(x: Tensor): Tensor {
    return F.adaptiveMaxPool1d(x, this.outputSize);
  }
}

/** Means of as many windows of [batch, channels, length] as the output has elements (torch.nn.AdaptiveAvgPool1d). */
export class AdaptiveAvgPool1d extends AdaptivePool {
  override forward(x: Tensor): Tensor {
    return F.adaptiveAvgPool1d(x, this.outputSize);
  }
}

/** Largest elements of as many windows of [batch, channels, height, width] as the output has elements (torch.nn.AdaptiveMaxPool2d). */
export class AdaptiveMaxPool2d extends AdaptivePool {
  override forward(x: Tensor): Tensor {
    return F.adaptiveMaxPool2d(x, this.outputSize);
  }
}

/** Means of as many windows of [batch, channels, height, width] as the output has elements (torch.nn.AdaptiveAvgPool2d). */
export class AdaptiveAvgPool2d extends AdaptivePool {
  override forward(x: Tensor): Tensor {
    return F.adaptiveAvgPool2d(x, this.outputSize);
  }
}

/** Largest elements of as many windows of [batch, channels, depth, height, width] as the output has elements (torch.nn.AdaptiveMaxPool3d). */
export class AdaptiveMaxPool3d extends AdaptivePool {
  override forward(x: Tensor): Tensor {
    return F.adaptiveMaxPool3d(x, this.outputSize);
  }
}

/** Means of as many windows of [batch, channels, depth, height, width] as the output has elements (torch.nn.AdaptiveAvgPool3d). */
export class AdaptiveAvgPool3d extends AdaptivePool {
  override forward(x: Tensor): Tensor {
    return F.adaptiveAvgPool3d(x, this.outputSize);
  }
}

/** (sum of x^normType)^(1 / normType) over each window of [batch, channels, length] (torch.nn.LPPool1d). */
export class LPPool1d extends LpPool {
  override forward(x: Tensor): Tensor {
    return F.lpPool1d(x, this.normType, this.kernelSize, this.options);
  }
}

/** (sum of x^normType)^(1 / normType) over each window of [batch, channels, height, width] (torch.nn.LPPool2d). */
export class LPPool2d extends LpPool {
  override forward(x: Tensor): Tensor {
    return F.lpPool2d(x, this.normType, this.kernelSize, this.options);
  }
}
