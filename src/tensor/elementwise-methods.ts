/** @file Methods of Tensor that act on each element, one line each. Only tensor.ts may import this file at run time: it extends a class of it. */

import type { DType } from '../ir/dtype.ts';
import * as activation from './activation.ts';
import type { CloseOptions } from './compare.ts';
import * as compare from './compare.ts';
import * as convert from './convert.ts';
import type { DivOptions } from './math.ts';
import * as math from './math.ts';
import type { Operand } from './operand.ts';
import type { Tensor } from './tensor.ts';

/** Base class of Tensor: arithmetic, comparison, activations, conversion. Each method is the function of that name. */
export class ElementwiseMethods {
  /** this + alpha * other, broadcast; of booleans, their disjunction. */
  add(this: Tensor, other: Operand, options?: { alpha?: number }): Tensor {
    return math.add(this, other, options);
  }

  /** this - alpha * other, broadcast. */
  sub(this: Tensor, other: Operand, options?: { alpha?: number }): Tensor {
    return math.sub(this, other, options);
  }

  /** this * other, broadcast; of booleans, their conjunction. */
  mul(this: Tensor, other: Operand): Tensor {
    return math.mul(this, other);
  }

  /** this / other, broadcast. Integers give a float32 quotient unless `roundingMode` is set. */
  div(this: Tensor, other: Operand, options?: DivOptions): Tensor {
    return math.div(this, other, options);
  }

  /** The quotient rounded down (torch.floor_divide). */
  floorDivide(this: Tensor, other: Operand): Tensor {
    return math.floorDivide(this, other);
  }

  /** What is left by the quotient rounded down; has the sign of the divisor (Python's %). */
  remainder(this: Tensor, other: Operand): Tensor {
    return math.remainder(this, other);
  }

  /** What is left by the quotient rounded toward zero; has the sign of the dividend (C's %). */
  fmod(this: Tensor, other: Operand): Tensor {
    return math.fmod(this, other);
  }

  /** This to the power of `other`, broadcast. */
  pow(this: Tensor, other: Operand): Tensor {
    return math.pow(this, other);
  }

  /** The larger of this and `other`, broadcast; at a tie each gets half of the gradient. */
  maximum(this: Tensor, other: Operand): Tensor {
    return math.maximum(this, other);
  }

  /** The smaller of this and `other`, broadcast; at a tie each gets half of the gradient. */
  minimum(this: Tensor, other: Operand): Tensor {
    return math.minimum(this, other);
  }

  /** The same elements, cut off from differentiation. */
  detach(this: Tensor): Tensor {
    return math.detach(this);
  }

  /** -x. */
  neg(this: Tensor): Tensor {
    return math.neg(this);
  }

  /** |x|; the gradient at 0 is 0. */
  abs(this: Tensor): Tensor {
    return math.abs(this);
  }

  /** -1, 0 or 1. */
  sign(this: Tensor): Tensor {
    return math.sign(this);
  }

  /** x * x. */
  square(this: Tensor): Tensor {
    return math.square(this);
  }

  /** The largest integer that is not above x. */
  floor(this: Tensor): Tensor {
    return math.floor(this);
  }

  /** The smallest integer that is not below x. */
  ceil(this: Tensor): Tensor {
    return math.ceil(this);
  }

  /** The nearest integer, halves to the even one. */
  round(this: Tensor): Tensor {
    return math.round(this);
  }

  /** The integer part. */
  trunc(this: Tensor): Tensor {
    return math.trunc(this);
  }

  /** The fractional part, with the sign of x. */
  frac(this: Tensor): Tensor {
    return math.frac(this);
  }

  /** Square root. */
  sqrt(this: Tensor): Tensor {
    return math.sqrt(this);
  }

  /** 1 / sqrt(x). */
  rsqrt(this: Tensor): Tensor {
    return math.rsqrt(this);
  }

  /** 1 / x. */
  reciprocal(this: Tensor): Tensor {
    return math.reciprocal(this);
  }

  /** e to the power of x. */
  exp(this: Tensor): Tensor {
    return math.exp(this);
  }

  /** 2 to the power of x. */
  exp2(this: Tensor): Tensor {
    return math.exp2(this);
  }

  /** exp(x) - 1, exact near 0: tanh(x / 2) * (exp(x) + 1). */
  expm1(this: Tensor): Tensor {
    return math.expm1(this);
  }

  /** Natural logarithm. */
  log(this: Tensor): Tensor {
    return math.log(this);
  }

  /** Logarithm to the base 2. */
  log2(this: Tensor): Tensor {
    return math.log2(this);
  }

  /** Logarithm to the base 10. */
  log10(this: Tensor): Tensor {
    return math.log10(this);
  }

  /** log(1 + x), exact near 0: there 2 atanh(x / (x + 2)). */
  log1p(this: Tensor): Tensor {
    return math.log1p(this);
  }

  /** Sine of radians. */
  sin(this: Tensor): Tensor {
    return math.sin(this);
  }

  /** Cosine of radians. */
  cos(this: Tensor): Tensor {
    return math.cos(this);
  }

  /** Tangent of radians. */
  tan(this: Tensor): Tensor {
    return math.tan(this);
  }

  /** Arc sine, in radians. */
  asin(this: Tensor): Tensor {
    return math.asin(this);
  }

  /** Arc cosine, in radians. */
  acos(this: Tensor): Tensor {
    return math.acos(this);
  }

  /** Arc tangent, in radians. */
  atan(this: Tensor): Tensor {
    return math.atan(this);
  }

  /** Hyperbolic sine. */
  sinh(this: Tensor): Tensor {
    return math.sinh(this);
  }

  /** Hyperbolic cosine. */
  cosh(this: Tensor): Tensor {
    return math.cosh(this);
  }

  /** Hyperbolic tangent. */
  tanh(this: Tensor): Tensor {
    return math.tanh(this);
  }

  /** Inverse hyperbolic sine. */
  asinh(this: Tensor): Tensor {
    return math.asinh(this);
  }

  /** Inverse hyperbolic cosine. */
  acosh(this: Tensor): Tensor {
    return math.acosh(this);
  }

  /** Inverse hyperbolic tangent. */
  atanh(this: Tensor): Tensor {
    return math.atanh(this);
  }

  /** Gauss error function. */
  erf(this: Tensor): Tensor {
    return math.erf(this);
  }

  /** 1 - erf(x). */
  erfc(this: Tensor): Tensor {
    return math.erfc(this);
  }

  /** 1 / (1 + exp(-x)). */
  sigmoid(this: Tensor): Tensor {
    return math.sigmoid(this);
  }

  /** Inverse of the error function: Winitzki's estimate, then three Newton steps, through which derivatives are exact. */
  erfinv(this: Tensor): Tensor {
    return math.erfinv(this);
  }

  /** log(x / (1 - x)), with x first brought into [eps, 1 - eps] if `eps` is given. */
  logit(this: Tensor, options?: { eps?: number }): Tensor {
    return math.logit(this, options);
  }

  /** x limited to [min, max]; either may be absent, and either may be a tensor that broadcasts. */
  clamp(this: Tensor, options: { min?: Operand; max?: Operand }): Tensor {
    return math.clamp(this, options);
  }

  /** The angle of the point (x, y) in radians, in (-pi, pi] (torch.atan2(y, x)). */
  atan2(this: Tensor, x: Operand): Tensor {
    return math.atan2(this, x);
  }

  /** sqrt(this^2 + other^2). */
  hypot(this: Tensor, other: Operand): Tensor {
    return math.hypot(this, other);
  }

  /** this + weight * (b - this). */
  lerp(this: Tensor, b: Tensor, weight: Operand): Tensor {
    return math.lerp(this, b, weight);
  }

  /** this + value * a * b. */
  addcmul(this: Tensor, a: Operand, other: Operand, options?: { value?: number }): Tensor {
    return math.addcmul(this, a, other, options);
  }

  /** this + value * a / b. */
  addcdiv(this: Tensor, a: Operand, other: Operand, options?: { value?: number }): Tensor {
    return math.addcdiv(this, a, other, options);
  }

  /** log(exp(this) + exp(other)), without overflow. */
  logaddexp(this: Tensor, other: Operand): Tensor {
    return math.logaddexp(this, other);
  }

  /** NaN, Infinity and -Infinity replaced by numbers (by default 0 and the dtype's largest and smallest). */
  nanToNum(this: Tensor, options?: { nan?: number; posinf?: number; neginf?: number }): Tensor {
    return math.nanToNum(this, options);
  }

  /** this == other, elementwise, as booleans. */
  eq(this: Tensor, other: Operand): Tensor {
    return compare.eq(this, other);
  }

  /** this != other, elementwise, as booleans. */
  ne(this: Tensor, other: Operand): Tensor {
    return compare.ne(this, other);
  }

  /** this > other, elementwise, as booleans. */
  gt(this: Tensor, other: Operand): Tensor {
    return compare.gt(this, other);
  }

  /** this >= other, elementwise, as booleans. */
  ge(this: Tensor, other: Operand): Tensor {
    return compare.ge(this, other);
  }

  /** this < other, elementwise, as booleans. */
  lt(this: Tensor, other: Operand): Tensor {
    return compare.lt(this, other);
  }

  /** this <= other, elementwise, as booleans. */
  le(this: Tensor, other: Operand): Tensor {
    return compare.le(this, other);
  }

  /** This and `other`, elementwise; numbers other than 0 count as true. */
  logicalAnd(this: Tensor, other: Operand): Tensor {
    return compare.logicalAnd(this, other);
  }

  /** This or `other`, elementwise; numbers other than 0 count as true. */
  logicalOr(this: Tensor, other: Operand): Tensor {
    return compare.logicalOr(this, other);
  }

  /** Whether exactly one of this and `other` is true, elementwise. */
  logicalXor(this: Tensor, other: Operand): Tensor {
    return compare.logicalXor(this, other);
  }

  /** Not x, elementwise. */
  logicalNot(this: Tensor): Tensor {
    return compare.logicalNot(this);
  }

  /** Whether each element is NaN. */
  isnan(this: Tensor): Tensor {
    return compare.isnan(this);
  }

  /** Whether each element is Infinity or -Infinity. */
  isinf(this: Tensor): Tensor {
    return compare.isinf(this);
  }

  /** Whether each element is neither NaN nor infinite. */
  isfinite(this: Tensor): Tensor {
    return compare.isfinite(this);
  }

  /** |this - other| <= atol + rtol * |other|, elementwise (torch.isclose). */
  isclose(this: Tensor, other: Operand, options?: CloseOptions): Tensor {
    return compare.isclose(this, other, options);
  }

  /** Whether all elements are close (torch.allclose); computes at once. */
  allclose(this: Tensor, other: Operand, options?: CloseOptions): Promise<boolean> {
    return compare.allclose(this, other, options);
  }

  /** Whether shapes and all elements are equal (torch.equal); computes at once. */
  equal(this: Tensor, b: Tensor): Promise<boolean> {
    return compare.equal(this, b);
  }

  /** x with `value` where the mask is true; the mask broadcasts to x (torch.masked_fill). */
  maskedFill(this: Tensor, mask: Tensor, value: Operand): Tensor {
    return compare.maskedFill(this, mask, value);
  }

  /** exp(x) / sum(exp(x)) along `dim`. */
  softmax(this: Tensor, dim: number): Tensor {
    return activation.softmax(this, dim);
  }

  /** Logarithm of the softmax along `dim`. */
  logSoftmax(this: Tensor, dim: number): Tensor {
    return activation.logSoftmax(this, dim);
  }

  /** Softmax of -x along `dim`. */
  softmin(this: Tensor, dim: number): Tensor {
    return activation.softmin(this, dim);
  }

  /** max(x, 0). */
  relu(this: Tensor): Tensor {
    return activation.relu(this);
  }

  /** min(max(x, 0), 6). */
  relu6(this: Tensor): Tensor {
    return activation.relu6(this);
  }

  /** x where positive, else negativeSlope * x. */
  leakyRelu(this: Tensor, options?: { negativeSlope?: number }): Tensor {
    return activation.leakyRelu(this, options);
  }

  /** x where positive, else weight * x; the weight has one element, or one per channel (dimension 1). */
  prelu(this: Tensor, weight: Tensor): Tensor {
    return activation.prelu(this, weight);
  }

  /** x where positive, else alpha * (exp(x) - 1). */
  elu(this: Tensor, options?: { alpha?: number }): Tensor {
    return activation.elu(this, options);
  }

  /** Scaled ELU with the constants of self-normalising networks (Klambauer et al., 2017). */
  selu(this: Tensor): Tensor {
    return activation.selu(this);
  }

  /** max(x, 0) + min(0, alpha * (exp(x / alpha) - 1)). */
  celu(this: Tensor, options?: { alpha?: number }): Tensor {
    return activation.celu(this, options);
  }

  /** x times the standard normal distribution function of x; 'tanh' takes the usual approximation. */
  gelu(this: Tensor, options?: { approximate?: 'none' | 'tanh' }): Tensor {
    return activation.gelu(this, options);
  }

  /** x * sigmoid(x). */
  silu(this: Tensor): Tensor {
    return activation.silu(this);
  }

  /** x * tanh(softplus(x)). */
  mish(this: Tensor): Tensor {
    return activation.mish(this);
  }

  /** log(1 + exp(beta * x)) / beta; x itself where beta * x exceeds the threshold. */
  softplus(this: Tensor, options?: { beta?: number; threshold?: number }): Tensor {
    return activation.softplus(this, options);
  }

  /** x / (1 + |x|). */
  softsign(this: Tensor): Tensor {
    return activation.softsign(this);
  }

  /** log(sigmoid(x)). */
  logsigmoid(this: Tensor): Tensor {
    return activation.logsigmoid(this);
  }

  /** x * relu6(x + 3) / 6. */
  hardswish(this: Tensor): Tensor {
    return activation.hardswish(this);
  }

  /** relu6(x + 3) / 6. */
  hardsigmoid(this: Tensor): Tensor {
    return activation.hardsigmoid(this);
  }

  /** x limited to [minVal, maxVal]; no gradient at the limits. */
  hardtanh(this: Tensor, options?: { minVal?: number; maxVal?: number }): Tensor {
    return activation.hardtanh(this, options);
  }

  /** x - tanh(x). */
  tanhshrink(this: Tensor): Tensor {
    return activation.tanhshrink(this);
  }

  /** x moved toward 0 by lambd, 0 within it. */
  softshrink(this: Tensor, options?: { lambd?: number }): Tensor {
    return activation.softshrink(this, options);
  }

  /** x, but 0 within lambd of 0. */
  hardshrink(this: Tensor, options?: { lambd?: number }): Tensor {
    return activation.hardshrink(this, options);
  }

  /** x where it exceeds the threshold, else `value`. */
  threshold(this: Tensor, threshold: number, value: number): Tensor {
    return activation.threshold(this, threshold, value);
  }

  /** The first half along `dim` times the sigmoid of the second. */
  glu(this: Tensor, dim?: number): Tensor {
    return activation.glu(this, dim);
  }

  /** The elements converted to another dtype (torch.Tensor.to): floats are cut to integers toward zero, numbers other than 0 become true. */
  to(this: Tensor, dtype: DType): Tensor {
    return convert.to(this, dtype);
  }

  /** As float32. */
  float(this: Tensor): Tensor {
    return convert.float(this);
  }

  /** As float64. */
  double(this: Tensor): Tensor {
    return convert.double(this);
  }

  /** As float16. */
  half(this: Tensor): Tensor {
    return convert.half(this);
  }

  /** As int32. */
  int(this: Tensor): Tensor {
    return convert.int(this);
  }

  /** As int64. */
  long(this: Tensor): Tensor {
    return convert.long(this);
  }

  /** As booleans: whether each element is not 0. */
  bool(this: Tensor): Tensor {
    return convert.bool(this);
  }

  /** A copy with memory of its own, made when it is realised; gradients flow through it. A copy of a parameter must be realised before the parameter is overwritten. */
  clone(this: Tensor): Tensor {
    return convert.clone(this);
  }

  /** The tensor itself: elements always lie in row-major order. */
  contiguous(this: Tensor): Tensor {
    return convert.contiguous(this);
  }

  /** These elements where `condition` is true, else those of `other`; all three broadcast. */
  where(this: Tensor, condition: Tensor, other: Operand): Tensor {
    return compare.where(condition, this, other);
  }
}
