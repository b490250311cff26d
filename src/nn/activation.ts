/** @file Activations as modules. */
import { full, type Tensor } from '../tensor/index.ts';
import * as F from './functional/index.ts';
import { Module, Parameter } from './module.ts';

/** An activation with options. */
abstract class WithOptions<O extends object> extends Module {
  readonly options: O;

  constructor(options: O) {
    super();
    this.options = options;
  }

  override extraRepr(): string {
    return Object.entries(this.options)
      .map(([name, value]) => `${name}=${value}`)
      .join(', ');
  }
}

/** An activation along one dimension. */
abstract class AlongDim extends Module {
  readonly dim: number;

  constructor(dim: number) {
    super();
    this.dim = dim;
  }

  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

/** max(x, 0) (torch.nn.ReLU). */
export class ReLU extends Module {
  override forward(x: Tensor): Tensor {
    return F.relu(x);
  }
}

/** min(max(x, 0), 6) (torch.nn.ReLU6). */
export class ReLU6 extends Module {
  override forward(x: Tensor): Tensor {
    return F.relu6(x);
  }
}

/** The self-normalising ELU (torch.nn.SELU). */
export class SELU extends Module {
  override forward(x: Tensor): Tensor {
    return F.selu(x);
  }
}

/** x * sigmoid(x), also known as swish (torch.nn.SiLU). */
export class SiLU extends Module {
  override forward(x: Tensor): Tensor {
    return F.silu(x);
  }
}

/** x * tanh(softplus(x)) (torch.nn.Mish). */
export class Mish extends Module {
  override forward(x: Tensor): Tensor {
    return F.mish(x);
  }
}

/** x / (1 + |x|) (torch.nn.Softsign). */
export class Softsign extends Module {
  override forward(x: Tensor): Tensor {
    return F.softsign(x);
  }
}

/** x * hardsigmoid(x) (torch.nn.Hardswish). */
export class Hardswish extends Module {
  override forward(x: Tensor): Tensor {
    return F.hardswish(x);
  }
}

/** min(max(x / 6 + 1 / 2, 0), 1) (torch.nn.Hardsigmoid). */
export class Hardsigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return F.hardsigmoid(x);
  }
}

/** x - tanh(x) (torch.nn.Tanhshrink). */
export class Tanhshrink extends Module {
  override forward(x: Tensor): Tensor {
    return F.tanhshrink(x);
  }
}

/** log(sigmoid(x)) (torch.nn.LogSigmoid). */
export class LogSigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return F.logsigmoid(x);
  }
}

/** 1 / (1 + exp(-x)) (torch.nn.Sigmoid). */
export class Sigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return F.sigmoid(x);
  }
}

/** Hyperbolic tangent (torch.nn.Tanh). */
export class Tanh extends Module {
  override forward(x: Tensor): Tensor {
    return F.tanh(x);
  }
}

/** x, or negativeSlope * x below 0 (torch.nn.LeakyReLU). */
export class LeakyReLU extends WithOptions<{ negativeSlope?: number }> {
  constructor(options: { negativeSlope?: number } = {}) {
    super(options);
  }

  override forward(x: Tensor): Tensor {
    return F.leakyRelu(x, this.options);
  }
}

/** x, or alpha * (exp(x) - 1) below 0 (torch.nn.ELU). */
export class ELU extends WithOptions<{ alpha?: number }> {
  constructor(options: { alpha?: number } = {}) {
    super(options);
  }

  override forward(x: Tensor): Tensor {
    return F.elu(x, this.options);
  }
}

/** x, or alpha * (exp(x / alpha) - 1) below 0 (torch.nn.CELU). */
export class CELU extends WithOptions<{ alpha?: number }> {
  constructor(options: { alpha?: number } = {}) {
    super(options);
  }

  override forward(x: Tensor): Tensor {
    return F.celu(x, this.options);
  }
}

/** x times the normal distribution function at x; or its approximation with tanh (torch.nn.GELU). */
export class GELU extends WithOptions<{ approximate?: 'none' | 'tanh' }> {
  constructor(options: { approximate?: 'none' | 'tanh' } = {}) {
    super(options);
  }

  override forward(x: Tensor): Tensor {
    return F.gelu(x, this.options);
  }
}

/** log(1 + exp(beta * x)) / beta, linear beyond the threshold (torch.nn.Softplus). */
export class Softplus extends WithOptions<{ beta?: number; threshold?: number }> {
  constructor(options: { beta?: number; threshold?: number } = {}) {
    super(options);
  }

  override forward(x: Tensor): Tensor {
    return F.softplus(x, this.options);
  }
}

/** x limited to [minVal, maxVal] (torch.nn.Hardtanh). */
export class Hardtanh extends WithOptions<{ minVal?: number; maxVal?: number }> {
  constructor(options: { minVal?: number; maxVal?: number } = {}) {
    super(options);
  }

  override forward(x: Tensor): Tensor {
    return F.hardtanh(x, this.options);
  }
}

/** x moved towards 0 by lambd (torch.nn.Softshrink). */
export class Softshrink extends WithOptions<{ lambd?: number }> {
  constructor(options: { lambd?: number } = {}) {
    super(options);
  }

  override forward(x: Tensor): Tensor {
    return F.softshrink(x, this.options);
  }
}

/** x, or 0 within lambd of 0 (torch.nn.Hardshrink). */
export class Hardshrink extends WithOptions<{ lambd?: number }> {
  constructor(options: { lambd?: number } = {}) {
    super(options);
  }

  override forward(x: Tensor): Tensor {
    return F.hardshrink(x, this.options);
  }
}

/** exp(x) divided by its sum along a dimension (torch.nn.Softmax). */
export class Softmax extends AlongDim {
  override forward(x: Tensor): Tensor {
    return F.softmax(x, this.dim);
  }
}

/** Logarithm of the softmax along a dimension (torch.nn.LogSoftmax). */
export class LogSoftmax extends AlongDim {
  override forward(x: Tensor): Tensor {
    return F.logSoftmax(x, this.dim);
  }
}

/** Softmax of -x along a dimension (torch.nn.Softmin). */
export class Softmin extends AlongDim {
  override forward(x: Tensor): Tensor {
    return F.softmin(x, this.dim);
  }
}

/** One half of x along a dimension times the sigmoid of the other (torch.nn.GLU). */
export class GLU extends AlongDim {
  constructor(dim = -1) {
    super(dim);
  }

  override forward(x: Tensor): Tensor {
    return F.glu(x, this.dim);
  }
}

/** x where it is above the threshold, else a value (torch.nn.Threshold). */
export class Threshold extends Module {
  readonly threshold: number;
  readonly value: number;

  constructor(threshold: number, value: number) {
    super();
    this.threshold = threshold;
    this.value = value;
  }

  override forward(x: Tensor): Tensor {
    return F.threshold(x, this.threshold, this.value);
  }

  override extraRepr(): string {
    return `threshold=${this.threshold}, value=${this.value}`;
  }
}

/** x, or a trained slope times x below 0; one slope, or one per channel (torch.nn.PReLU). */
export class PReLU extends Module {
  weight: Parameter;

  constructor({ numParameters = 1, init = 0.25 }: { numParameters?: number; init?: number } = {}) {
    super();
    this.weight = new Parameter(full([numParameters], init));
  }

  override forward(x: Tensor): Tensor {
    return F.prelu(x, this.weight);
  }

  override extraRepr(): string {
    return `numParameters=${this.weight.numel()}`;
  }
}
