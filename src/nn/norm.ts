/** @file Normalisation layers that keep no statistics: LayerNorm, RMSNorm, GroupNorm, LocalResponseNorm. */
import { ArgumentError } from '../ir/errors.ts';
import type { Shape } from '../ir/shape.ts';
import { ones, type Tensor, zeros } from '../tensor/index.ts';
import * as F from './functional/index.ts';
import type { LrnOptions } from './functional/norm.ts';
import { Module, Parameter } from './module.ts';

const shapeOf = (shape: number | Shape): Shape => (typeof shape === 'number' ? [shape] : [...shape]);

export interface LayerNormOptions {
  /** Added to the variance. */
  eps?: number;
  /** Whether there are a weight and a bias. */
  elementwiseAffine?: boolean;
  bias?: boolean;
}

/** Mean 0 and variance 1 over the last dimensions, of shape `normalizedShape`, then weight and bias (torch.nn.LayerNorm). */
export class LayerNorm extends Module {
  readonly normalizedShape: Shape;
  readonly eps: number;
  weight: Parameter | null;
  bias: Parameter | null;

  constructor(
    normalizedShape: number | Shape,
    { eps = 1e-5, elementwiseAffine = true, bias = true }: LayerNormOptions = {},
  ) {
    super();
    this.normalizedShape = shapeOf(normalizedShape);
    this.eps = eps;
    this.weight = elementwiseAffine ? new Parameter(ones(this.normalizedShape)) : null;
    this.bias = elementwiseAffine && bias ? new Parameter(zeros(this.normalizedShape)) : null;
  }

  override forward(x: Tensor): Tensor {
    return F.layerNorm(x, this.normalizedShape, this.weight, this.bias, { eps: this.eps });
  }

  override extraRepr(): string {
    return `[${this.normalizedShape}], eps=${this.eps}, elementwiseAffine=${this.weight !== null}`;
  }
}

export interface RMSNormOptions {
  /** Added to the mean of squares; the epsilon of the dtype by default. */
  eps?: number | null;
  elementwiseAffine?: boolean;
}

/** x / sqrt(mean(x^2) + eps) over the last dimensions, times a weight (torch.nn.RMSNorm). */
export class RMSNorm extends Module {
  readonly normalizedShape: Shape;
  readonly eps: number;
  weight: Parameter | null;

  constructor(normalizedShape: number | Shape, { eps = null, elementwiseAffine = true }: RMSNormOptions = {}) {
    super();
    this.normalizedShape = shapeOf(normalizedShape);
    this.eps = eps ?? 2 ** -23;
    this.weight = elementwiseAffine ? new Parameter(ones(this.normalizedShape)) : null;
  }

  override forward(x: Tensor): Tensor {
    return F.rmsNorm(x, this.normalizedShape, this.weight, { eps: this.eps });
  }

  override extraRepr(): string {
    return `[${this.normalizedShape}], eps=${this.eps}, elementwiseAffine=${this.weight !== null}`;
  }
}

export interface GroupNormOptions {
  eps?: number;
  /** Whether each channel has a weight and a bias. */
  affine?: boolean;
}

/** Mean 0 and variance 1 over groups of channels of [batch, channels, ...] (torch.nn.GroupNorm). */
export class GroupNorm extends Module {
  readonly numGroups: number;
  readonly numChannels: number;
  readonly eps: number;
  weight: Parameter | null;
  bias: Parameter | null;

  /** @throws ArgumentError unless the channels can be divided by the groups. */
  constructor(numGroups: number, numChannels: number, { eps = 1e-5, affine = true }: GroupNormOptions = {}) {
    super();
    if (numChannels % numGroups !== 0)
      throw new ArgumentError(`GroupNorm: ${numChannels} channels cannot be divided into ${numGroups} groups`);
    this.numGroups = numGroups;
    this.numChannels = numChannels;
    this.eps = eps;
    this.weight = affine ? new Parameter(ones([numChannels])) : null;
    this.bias = affine ? new Parameter(zeros([numChannels])) : null;
  }

  override forward(x: Tensor): Tensor {
    return F.groupNorm(x, this.numGroups, this.weight, this.bias, { eps: this.eps });
  }

  override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${this.eps}, affine=${this.weight !== null}`;
  }
}

/** x divided by a power of the squares in neighbouring channels (Krizhevsky et al. 2012; torch.nn.LocalResponseNorm). */
export class LocalResponseNorm extends Module {
  readonly size: number;
  readonly options: LrnOptions;

  constructor(size: number, options: LrnOptions = {}) {
    super();
    this.size = size;
    this.options = options;
  }

  override forward(x: Tensor): Tensor {
    return F.localResponseNorm(x, this.size, this.options);
  }

  override extraRepr(): string {
    return `${this.size}`;
  }
}
