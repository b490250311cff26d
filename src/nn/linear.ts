/** @file Linear and Bilinear: the affine layers. */
import type { Tensor } from '../tensor/index.ts';
import { uniform } from '../tensor/index.ts';
import * as F from './functional/index.ts';
import { checkFeatures } from './functional/sizes.ts';
import { Module, Parameter } from './module.ts';

/** y = x W^T + b (torch.nn.Linear). Input [..., inFeatures], output [..., outFeatures]; weight [outFeatures, inFeatures]. */
export class Linear extends Module {
  readonly inFeatures: number;
  readonly outFeatures: number;
  weight: Parameter;
  bias: Parameter | null;

  constructor(inFeatures: number, outFeatures: number, options: { bias?: boolean } = {}) {
    super();
    checkFeatures('Linear', { inFeatures, outFeatures });
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    // PyTorch: kaiming_uniform_(a = sqrt(5)), which is U(-1/sqrt(in), 1/sqrt(in)) for weight and bias alike.
    const bound = inFeatures > 0 ? 1 / Math.sqrt(inFeatures) : 0;
    this.weight = new Parameter(uniform([outFeatures, inFeatures], -bound, bound));
    this.bias = (options.bias ?? true) ? new Parameter(uniform([outFeatures], -bound, bound)) : null;
  }

  override forward(x: Tensor): Tensor {
    return F.linear(x, this.weight, this.bias);
  }

  override extraRepr(): string {
    return `inFeatures=${this.inFeatures}, outFeatures=${this.outFeatures}, bias=${this.bias !== null}`;
  }
}

/** y_k = x1^T W_k x2 + b_k (torch.nn.Bilinear). Inputs [..., in1Features] and [..., in2Features], output [..., outFeatures]. */
export class Bilinear extends Module {
  readonly in1Features: number;
  readonly in2Features: number;
  readonly outFeatures: number;
  weight: Parameter;
  bias: Parameter | null;

  constructor(in1Features: number, in2Features: number, outFeatures: number, options: { bias?: boolean } = {}) {
    super();
    checkFeatures('Bilinear', { in1Features }, 1);
    checkFeatures('Bilinear', { in2Features, outFeatures });
    this.in1Features = in1Features;
    this.in2Features = in2Features;
    this.outFeatures = outFeatures;
    const bound = 1 / Math.sqrt(in1Features);
    this.weight = new Parameter(uniform([outFeatures, in1Features, in2Features], -bound, bound));
    this.bias = (options.bias ?? true) ? new Parameter(uniform([outFeatures], -bound, bound)) : null;
  }

  override forward(x1: Tensor, x2: Tensor): Tensor {
    return F.bilinear(x1, x2, this.weight, this.bias);
  }

  override extraRepr(): string {
    return `in1Features=${this.in1Features}, in2Features=${this.in2Features}, outFeatures=${this.outFeatures}, bias=${this.bias !== null}`;
  }
}
