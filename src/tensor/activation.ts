/** @file Softmax and activation functions. */
import { isFloat } from '../ir/dtype.ts';
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import type { Value } from '../ir/graph.ts';
import { formatShape } from '../ir/shape.ts';
import * as ops from '../ops/index.ts';
import { dimOf, like, requireOneOf, requireTensor, toFloat, viaInt32 } from './lift.ts';
import { chunk, unsqueeze } from './shape.ts';
import { Tensor } from './tensor.ts';

const alongDim = (op: (x: Value, attrs: { axis: number }) => Value, x: Tensor, dim: number): Tensor => {
  requireTensor(x, 'softmax');
  if (x.ndim === 0) return new Tensor(ops.reshape(alongDim(op, unsqueeze(x, 0), 0).value, []));
  return new Tensor(op(toFloat(x.value), { axis: dimOf(x.value, dim) }));
};

/** exp(x) / sum(exp(x)) along `dim`. */
export function softmax(x: Tensor, dim: number): Tensor {
  return alongDim(ops.softmax, x, dim);
}

/** Logarithm of the softmax along `dim`. */
export function logSoftmax(x: Tensor, dim: number): Tensor {
  return alongDim(ops.logSoftmax, x, dim);
}

/** Softmax of -x along `dim`. */
export function softmin(x: Tensor, dim: number): Tensor {
  return softmax(new Tensor(ops.neg(toFloat(x.value))), dim);
}

/** max(x, 0). */
export function relu(x: Tensor): Tensor {
  requireTensor(x, 'relu');
  return new Tensor(isFloat(x.dtype) ? ops.relu(x.value) : viaInt32([x.value], (v) => ops.max(v, like(v, 0))));
}

/** min(max(x, 0), 6). */
export function relu6(x: Tensor): Tensor {
  const v = toFloat(x.value);
  // Its gradient follows from the result, in fewer passes than Clip's.
  return new Tensor(ops.mul(ops.hardSigmoid(v, { alpha: 1 / 6, beta: 0 }), like(v, 6)));
}

/** x where positive, else negativeSlope * x. */
export function leakyRelu(x: Tensor, { negativeSlope = 0.01 }: { negativeSlope?: number } = {}): Tensor {
  return new Tensor(ops.leakyRelu(x.value, { alpha: negativeSlope }));
}

/** x where positive, else weight * x; the weight has one element, or one per channel (dimension 1). @throws ShapeError for other sizes. */
export function prelu(x: Tensor, weight: Tensor): Tensor {
  const count = weight.numel();
  if (count !== 1 && (x.ndim < 2 || count !== x.shape[1]))
    throw new ShapeError(
      `prelu: weight of shape ${formatShape(weight.shape)} must have 1 element or one per channel of the input ${formatShape(x.shape)}`,
    );
  const shape = count === 1 ? [] : [count, ...x.shape.slice(2).map(() => 1)];
  return new Tensor(ops.pRelu(x.value, ops.reshape(weight.value, shape)));
}

/** x where positive, else alpha * (exp(x) - 1). */
export function elu(x: Tensor, { alpha = 1 }: { alpha?: number } = {}): Tensor {
  return new Tensor(ops.elu(x.value, { alpha }));
}

/** Scaled ELU with the constants of self-normalising networks (Klambauer et al., 2017). */
export function selu(x: Tensor): Tensor {
  return new Tensor(ops.selu(x.value));
}

/** max(x, 0) + min(0, alpha * (exp(x / alpha) - 1)). */
export function celu(x: Tensor, { alpha = 1 }: { alpha?: number } = {}): Tensor {
  // ONNX Runtime has the kernel for float32 only.
  if (x.dtype === 'float32') return new Tensor(ops.celu(x.value, { alpha }));
  const v = toFloat(x.value);
  return new Tensor(ops.mul(ops.elu(ops.mul(v, like(v, 1 / alpha)), { alpha: 1 }), like(v, alpha)));
}

/** x times the standard normal distribution function of x; 'tanh' takes the usual approximation. */
export function gelu(x: Tensor, { approximate = 'none' }: { approximate?: 'none' | 'tanh' } = {}): Tensor {
  requireOneOf(approximate, ['none', 'tanh'], 'gelu', 'approximate');
  return new Tensor(ops.gelu(x.value, approximate === 'none' ? {} : { approximate }));
}

/** x * sigmoid(x). */
export function silu(x: Tensor): Tensor {
  return new Tensor(ops.swish(x.value));
}

/** x * tanh(softplus(x)). */
export function mish(x: Tensor): Tensor {
  return new Tensor(ops.mish(x.value));
}

/** log(1 + exp(beta * x)) / beta; x itself where beta * x exceeds the threshold. */
export function softplus(x: Tensor, options: { beta?: number; threshold?: number } = {}): Tensor {
  const { beta = 1, threshold = 20 } = options;
  const v = toFloat(x.value);
  const scaled = beta === 1 ? v : ops.mul(v, like(v, beta));
  const soft = ops.softplus(scaled);
  // Beyond 20 both branches are the same float32 number.
  if (threshold >= 20) return new Tensor(beta === 1 ? soft : ops.mul(soft, like(v, 1 / beta)));
  return new Tensor(ops.where(ops.greater(scaled, like(v, threshold)), v, ops.mul(soft, like(v, 1 / beta))));
}

/** x / (1 + |x|). */
export function softsign(x: Tensor): Tensor {
  return new Tensor(ops.softsign(toFloat(x.value)));
}

/** log(sigmoid(x)). */
export function logsigmoid(x: Tensor): Tensor {
  return new Tensor(ops.neg(ops.softplus(ops.neg(x.value))));
}

/** x * relu6(x + 3) / 6. */
export function hardswish(x: Tensor): Tensor {
  return new Tensor(ops.hardSwish(x.value));
}

/** relu6(x + 3) / 6. */
export function hardsigmoid(x: Tensor): Tensor {
  return new Tensor(ops.hardSigmoid(x.value, { alpha: 1 / 6, beta: 0.5 }));
}

/** x limited to [minVal, maxVal]; no gradient at the limits. @throws ArgumentError for an empty interval. */
export function hardtanh(x: Tensor, { minVal = -1, maxVal = 1 }: { minVal?: number; maxVal?: number } = {}): Tensor {
  if (minVal >= maxVal) throw new ArgumentError(`hardtanh: minVal ${minVal} must lie below maxVal ${maxVal}`);
  const v = toFloat(x.value);
  return new Tensor(ops.clip(v, like(v, minVal), like(v, maxVal)));
}

/** x - tanh(x). */
export function tanhshrink(x: Tensor): Tensor {
  const v = toFloat(x.value);
  return new Tensor(ops.sub(v, ops.tanh(v)));
}

/** x moved toward 0 by lambd, 0 within it. */
export function softshrink(x: Tensor, { lambd = 0.5 }: { lambd?: number } = {}): Tensor {
  const v = x.value;
  // Not ONNX's Shrink, which makes NaN 0.
  const rest = ops.sub(v, ops.mul(ops.sign(v), like(v, lambd)));
  return new Tensor(ops.where(ops.lessOrEqual(ops.abs(v), like(v, lambd)), like(v, 0), rest));
}

/** x, but 0 within lambd of 0. */
export function hardshrink(x: Tensor, { lambd = 0.5 }: { lambd?: number } = {}): Tensor {
  const v = x.value;
  return new Tensor(ops.where(ops.lessOrEqual(ops.abs(v), like(v, lambd)), like(v, 0), v));
}

/** x where it exceeds the threshold, else `value`. */
export function threshold(x: Tensor, threshold: number, value: number): Tensor {
  const v = x.value;
  return new Tensor(ops.where(ops.lessOrEqual(v, like(v, threshold)), like(v, value), v));
}

/** The first half along `dim` times the sigmoid of the second. @throws ShapeError for an odd size. */
export function glu(x: Tensor, dim = -1): Tensor {
  if (x.size(dim) % 2)
    throw new ShapeError(`glu: dimension ${dim} of shape ${formatShape(x.shape)} must have an even size to be halved`);
  const [a, b] = chunk(x, 2, dim);
  return new Tensor(ops.mul(a.value, ops.sigmoid(b.value)));
}
