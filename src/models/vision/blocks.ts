/** @file What the image networks share: convolution with normalisation and activation, squeeze-and-excitation, stochastic depth, first values. */
import { ArgumentError } from '../../ir/errors.ts';
import * as F from '../../nn/functional/index.ts';
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Hardsigmoid,
  init,
  Linear,
  Module,
  ReLU,
  Sequential,
  Sigmoid,
  SiLU,
} from '../../nn/index.ts';
import { ones, type Tensor } from '../../tensor/index.ts';

/** Options that every image network takes. */
export interface VisionModelOptions {
  /** Outputs of the last layer. Default 1000, ImageNet's classes. */
  numClasses?: number;
  /** Channels of the input: 3 (default) for colour, 1 for grey. */
  inChannels?: number;
}

/** The common options with their defaults. @throws ArgumentError unless both are whole numbers of at least 1. */
export function visionDefaults(what: string, { numClasses = 1000, inChannels = 3 }: VisionModelOptions) {
  for (const [name, value] of Object.entries({ numClasses, inChannels }))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`${what}: ${name} must be a whole number of at least 1, found ${value}`);
  return { numClasses, inChannels };
}

export type Activation = (new () => Module) | null;

export interface ConvNormOptions {
  stride?: number;
  groups?: number;
  /** Options of the batch normalisation. */
  norm?: { eps?: number; momentum?: number };
  /** Default ReLU; null for none. */
  activation?: Activation;
}

/** Convolution without bias that keeps the size at stride 1, batch normalisation, activation (torchvision.ops.Conv2dNormActivation). */
export class ConvNormActivation extends Sequential {
  readonly outChannels: number;

  constructor(inChannels: number, outChannels: number, kernelSize: number, options: ConvNormOptions = {}) {
    const { stride = 1, groups = 1, norm = {}, activation = ReLU } = options;
    const padding = Math.floor((kernelSize - 1) / 2);
    super(
      new Conv2d(inChannels, outChannels, kernelSize, { stride, padding, groups, bias: false }),
      new BatchNorm2d(outChannels, norm),
      ...(activation ? [new activation()] : []),
    );
    this.outChannels = outChannels;
  }
}

/** Scales each channel by a gate computed from all channels' means (Hu et al. 2018; torchvision.ops.SqueezeExcitation). */
export class SqueezeExcitation extends Module {
  avgpool = new AdaptiveAvgPool2d(1);
  fc1: Conv2d;
  fc2: Conv2d;
  activation: Module & { forward(x: Tensor): Tensor };
  scaleActivation: Module & { forward(x: Tensor): Tensor };

  /** @param gate 'hard' is ReLU and Hardsigmoid as in MobileNetV3, 'smooth' SiLU and Sigmoid as in EfficientNet. */
  constructor(channels: number, squeezed: number, gate: 'hard' | 'smooth') {
    super();
    this.fc1 = new Conv2d(channels, squeezed, 1);
    this.fc2 = new Conv2d(squeezed, channels, 1);
    this.activation = gate === 'hard' ? new ReLU() : new SiLU();
    this.scaleActivation = gate === 'hard' ? new Hardsigmoid() : new Sigmoid();
  }

  override forward(x: Tensor): Tensor {
    const squeezed = this.activation.forward(this.fc1.forward(this.avgpool.forward(x)));
    return x.mul(this.scaleActivation.forward(this.fc2.forward(squeezed)));
  }
}

/** Drops the whole of a residual branch, sample by sample, while training (Huang et al. 2016; torchvision.ops.StochasticDepth, mode 'row'). */
export class StochasticDepth extends Module {
  readonly p: number;

  /** @throws ArgumentError unless p is in [0, 1]. */
  constructor(p: number) {
    super();
    if (!(p >= 0 && p <= 1)) throw new ArgumentError(`StochasticDepth: p must be in [0, 1], found ${p}`);
    this.p = p;
  }

  override forward(x: Tensor): Tensor {
    if (!this.training || this.p === 0) return x;
    return x.mul(F.dropout(ones([x.shape[0], 1, 1, 1], { dtype: x.dtype }), { p: this.p }));
  }

  override extraRepr(): string {
    return `p=${this.p}`;
  }
}

/** A multiple of `divisor` near `value`, never below 90% of it (torchvision's _make_divisible). */
export function makeDivisible(value: number, divisor = 8): number {
  const rounded = Math.max(divisor, Math.floor((value + divisor / 2) / divisor) * divisor);
  return rounded < 0.9 * value ? rounded + divisor : rounded;
}

/**
 * First values as torchvision draws them: convolutions by Kaiming's rule over the outputs, biases 0; dense layers normal
 * with deviation 0.01, or uniform by the number of outputs.
 */
export function initConvolutional(model: Module, dense: 'normal' | 'uniform' | 'default' = 'normal'): void {
  for (const module of model.modules()) {
    if (module instanceof Conv2d) {
      init.kaimingNormal(module.weight, { mode: 'fanOut', nonlinearity: 'relu' });
      if (module.bias) init.zeros(module.bias);
    } else if (module instanceof Linear && dense !== 'default') {
      const range = 1 / Math.sqrt(module.outFeatures);
      if (dense === 'normal') init.normal(module.weight, { std: 0.01 });
      else init.uniform(module.weight, { a: -range, b: range });
      if (module.bias) init.zeros(module.bias);
    }
  }
}
