/** @file Arithmetic and elementary functions of tensors. */
import { isFloat, isInteger } from '../ir/dtype.ts';
import { ArgumentError, DTypeError } from '../ir/errors.ts';
import { Value } from '../ir/graph.ts';
import * as ops from '../ops/index.ts';
import { castTo, like, toFloat, viaInt32 } from './lift.ts';
import { type Operand, pair, scalarValue } from './operand.ts';
import { Tensor } from './tensor.ts';

/** Both operands in one dtype; integers and booleans become float32. */
function floatPair(a: Operand, b: Operand): [Value, Value] {
  const [x, y] = pair(a, b);
  return [toFloat(x), toFloat(y)];
}

const isBool = (x: Value) => x.dtype === 'bool';

/** a + alpha * b, broadcast; of booleans, their disjunction. */
export function add(a: Operand, b: Operand, { alpha = 1 }: { alpha?: number } = {}): Tensor {
  const [x, y] = pair(a, alpha === 1 ? b : mul(b, alpha));
  return new Tensor(isBool(x) ? ops.or(x, y) : ops.add(x, y));
}

/** a - alpha * b, broadcast. @throws DTypeError for booleans: use logicalXor or logicalNot. */
export function sub(a: Operand, b: Operand, { alpha = 1 }: { alpha?: number } = {}): Tensor {
  const [x, y] = pair(a, alpha === 1 ? b : mul(b, alpha));
  if (isBool(x)) throw new DTypeError('sub: booleans cannot be subtracted; use logicalXor() or logicalNot()');
  return new Tensor(ops.sub(x, y));
}

/** a * b, broadcast; of booleans, their conjunction. */
export function mul(a: Operand, b: Operand): Tensor {
  const [x, y] = pair(a, b);
  return new Tensor(isBool(x) ? ops.and(x, y) : ops.mul(x, y));
}

export interface DivOptions {
  /** Round the quotient: toward zero ('trunc') or down ('floor'); integers then stay integers. */
  roundingMode?: 'trunc' | 'floor' | null;
}

/** a / b, broadcast. Integers give a float32 quotient unless `roundingMode` is set. */
export function div(a: Operand, b: Operand, { roundingMode = null }: DivOptions = {}): Tensor {
  if (roundingMode === null) return new Tensor(ops.div(...floatPair(a, b)));
  if (roundingMode === 'floor') return floorDivide(a, b);
  const [x, y] = pair(a, b);
  return isFloat(x.dtype) ? trunc(new Tensor(ops.div(x, y))) : new Tensor(ops.div(x, y));
}

/** Whether remainder `r` has a sign other than the divisor's, so that flooring and truncating differ. */
function signsDiffer(r: Value, divisor: Value): Value {
  const zero = like(r, 0);
  return ops.and(ops.not(ops.equal(r, zero)), ops.xor(ops.less(r, zero), ops.less(divisor, zero)));
}

/** The quotient rounded down (torch.floor_divide). */
export function floorDivide(a: Operand, b: Operand): Tensor {
  const [x, y] = pair(a, b);
  if (isFloat(x.dtype)) return new Tensor(ops.floor(ops.div(x, y)));
  const q = ops.div(x, y);
  return new Tensor(ops.sub(q, castTo(signsDiffer(ops.sub(x, ops.mul(q, y)), y), q.dtype)));
}

/** What is left by the quotient rounded down; has the sign of the divisor (Python's %). */
export function remainder(a: Operand, b: Operand): Tensor {
  const [x, y] = pair(a, b);
  if (!isFloat(x.dtype)) return new Tensor(ops.mod(x, y, { fmod: 0 }));
  const r = ops.mod(x, y, { fmod: 1 });
  return new Tensor(ops.where(signsDiffer(r, y), ops.add(r, y), r));
}

/** What is left by the quotient rounded toward zero; has the sign of the dividend (C's %). */
export function fmod(a: Operand, b: Operand): Tensor {
  return new Tensor(ops.mod(...pair(a, b), { fmod: 1 }));
}

/** a to the power of b, broadcast. */
export function pow(a: Operand, b: Operand): Tensor {
  if (a instanceof Tensor && isFloat(a.dtype)) {
    if (b === 2) return square(a);
    if (b === 0.5) return sqrt(a);
    if (b === -1) return reciprocal(a);
  }
  return new Tensor(viaInt32(pair(a, b), ops.pow));
}

/** The larger of a and b, broadcast; at a tie each gets half of the gradient. */
export function maximum(a: Operand, b: Operand): Tensor {
  const [x, y] = pair(a, b);
  return new Tensor(isBool(x) ? ops.or(x, y) : viaInt32([x, y], ops.max));
}

/** The smaller of a and b, broadcast; at a tie each gets half of the gradient. */
export function minimum(a: Operand, b: Operand): Tensor {
  const [x, y] = pair(a, b);
  return new Tensor(isBool(x) ? ops.and(x, y) : viaInt32([x, y], ops.min));
}

/** The same elements, cut off from differentiation. */
export function detach(x: Tensor): Tensor {
  const { value } = x;
  if (!value.requiresGrad) return new Tensor(value);
  return new Tensor(value.node ? ops.stopGradient(value) : Value.input(value, value.leaf, false));
}

const unary = (op: (x: Value) => Value) => (x: Tensor) => new Tensor(op(x.value));
const floatUnary = (op: (x: Value) => Value) => (x: Tensor) => new Tensor(op(toFloat(x.value)));
// Rounding leaves integers as they are.
const rounding = (op: (x: Value) => Value) => (x: Tensor) => new Tensor(isFloat(x.dtype) ? op(x.value) : x.value);

/** -x. */
export const neg = unary(ops.neg);
/** |x|; the gradient at 0 is 0. */
export const abs = unary(ops.abs);
/** -1, 0 or 1. */
export const sign = unary(ops.sign);
/** x * x. */
export const square = unary((x) => ops.mul(x, x));
/** The largest integer that is not above x. */
export const floor = rounding(ops.floor);
/** The smallest integer that is not below x. */
export const ceil = rounding(ops.ceil);
/** The nearest integer, halves to the even one. */
export const round = rounding(ops.round);
/** The integer part. */
export const trunc = rounding((x) => ops.mul(ops.sign(x), ops.floor(ops.abs(x))));
/** The fractional part, with the sign of x. */
export const frac = floatUnary((x) => ops.sub(x, ops.mul(ops.sign(x), ops.floor(ops.abs(x)))));
/** Square root. */
export const sqrt = floatUnary(ops.sqrt);
/** 1 / sqrt(x). */
export const rsqrt = floatUnary((x) => ops.reciprocal(ops.sqrt(x)));
/** 1 / x. */
export const reciprocal = floatUnary(ops.reciprocal);
/** e to the power of x. */
export const exp = floatUnary(ops.exp);
/** 2 to the power of x. */
export const exp2 = floatUnary((x) => ops.exp(ops.mul(x, like(x, Math.LN2))));
/** exp(x) - 1, exact near 0: there tanh(x / 2) * (exp(x) + 1). */
export const expm1 = floatUnary((x) => {
  const isSmall = ops.less(ops.abs(x), like(x, 1));
  const small = ops.where(isSmall, x, like(x, 0));
  const near = ops.mul(ops.tanh(ops.mul(small, like(x, 0.5))), ops.add(ops.exp(small), like(x, 1)));
  return ops.where(isSmall, near, ops.sub(ops.exp(ops.where(isSmall, like(x, 1), x)), like(x, 1)));
});
/** Natural logarithm. */
export const log = floatUnary(ops.log);
/** Logarithm to the base 2. */
export const log2 = floatUnary((x) => ops.mul(ops.log(x), like(x, Math.LOG2E)));
/** Logarithm to the base 10. */
export const log10 = floatUnary((x) => ops.mul(ops.log(x), like(x, Math.LOG10E)));
/** log(1 + x), exact near 0: there 2 atanh(x / (x + 2)). */
export const log1p = floatUnary((x) => {
  const isSmall = ops.less(ops.abs(x), like(x, 0.5));
  const small = ops.where(isSmall, x, like(x, 0));
  const large = ops.where(isSmall, like(x, 1), x);
  const near = ops.mul(ops.atanh(ops.div(small, ops.add(small, like(x, 2)))), like(x, 2));
  return ops.where(isSmall, near, ops.log(ops.add(large, like(x, 1))));
});
/** Sine of radians. */
export const sin = floatUnary(ops.sin);
/** Cosine of radians. */
export const cos = floatUnary(ops.cos);
/** Tangent of radians. */
export const tan = floatUnary(ops.tan);
/** Arc sine, in radians. */
export const asin = floatUnary(ops.asin);
/** Arc cosine, in radians. */
export const acos = floatUnary(ops.acos);
/** Arc tangent, in radians. */
export const atan = floatUnary(ops.atan);
/** Hyperbolic sine. */
export const sinh = floatUnary(ops.sinh);
/** Hyperbolic cosine. */
export const cosh = floatUnary(ops.cosh);
/** Hyperbolic tangent. */
export const tanh = floatUnary(ops.tanh);
/** Inverse hyperbolic sine. */
export const asinh = floatUnary(ops.asinh);
/** Inverse hyperbolic cosine. */
export const acosh = floatUnary(ops.acosh);
/** Inverse hyperbolic tangent. */
export const atanh = floatUnary(ops.atanh);
/** Gauss error function. */
export const erf = floatUnary(ops.erf);
/** 1 - erf(x). */
export const erfc = floatUnary((x) => ops.sub(like(x, 1), ops.erf(x)));
/** 1 / (1 + exp(-x)). */
export const sigmoid = floatUnary(ops.sigmoid);

/** Inverse of the error function: Winitzki's estimate, then three Newton steps, through which derivatives are exact. */
export const erfinv = floatUnary((x) => {
  const a = 0.147;
  const c = (n: number) => like(x, n);
  const w = ops.log(ops.mul(ops.sub(c(1), x), ops.add(c(1), x)));
  const t = ops.add(ops.mul(w, c(0.5)), c(2 / (Math.PI * a)));
  const inner = ops.sub(ops.sqrt(ops.sub(ops.mul(t, t), ops.mul(w, c(1 / a)))), t);
  let y = ops.stopGradient(ops.mul(ops.sign(x), ops.sqrt(inner)));
  for (let i = 0; i < 3; i++) {
    const slope = ops.mul(ops.exp(ops.mul(y, y)), c(Math.sqrt(Math.PI) / 2));
    y = ops.sub(y, ops.mul(ops.sub(ops.erf(y), x), slope));
  }
  return ops.where(ops.equal(ops.abs(x), c(1)), ops.stopGradient(ops.mul(x, c(Number.POSITIVE_INFINITY))), y);
});

/** log(x / (1 - x)), with x first brought into [eps, 1 - eps] if `eps` is given. */
export function logit(x: Tensor, { eps }: { eps?: number } = {}): Tensor {
  const p = eps === undefined ? toFloat(x.value) : clamp(x, { min: eps, max: 1 - eps }).value;
  return new Tensor(ops.log(ops.div(p, ops.sub(like(p, 1), p))));
}

/**
 * x limited to [min, max]; either may be absent, and either may be a tensor that broadcasts.
 * @throws ArgumentError if both are absent.
 */
export function clamp(x: Tensor, { min, max }: { min?: Operand; max?: Operand } = {}): Tensor {
  if (min === undefined && max === undefined)
    throw new ArgumentError('clamp: give min, max or both, as in x.clamp({ min: 0 })');
  if (!(min instanceof Tensor) && !(max instanceof Tensor) && isFloat(x.dtype)) {
    // Without a bound Clip stops at the largest finite number, which would replace infinities.
    const bound = (b: number | boolean | undefined, none: number) =>
      b === undefined ? like(x.value, none) : scalarValue(b, x.dtype);
    const limits = [bound(min, Number.NEGATIVE_INFINITY), bound(max, Number.POSITIVE_INFINITY)];
    return new Tensor(ops.clip(x.value, ...limits));
  }
  let out = x;
  if (min !== undefined) out = maximum(out, min);
  return max === undefined ? out : minimum(out, max);
}

/** The angle of the point (x, y) in radians, in (-pi, pi] (torch.atan2(y, x)). */
export function atan2(y: Operand, x: Operand): Tensor {
  const [b, a] = floatPair(y, x);
  const c = (n: number) => like(a, n);
  const zero = c(0);
  // The smaller is divided by the larger, so that neither the quotient nor its derivative overflows.
  const isWide = ops.greaterOrEqual(ops.abs(a), ops.abs(b));
  const below = ops.where(isWide, a, b);
  const safe = ops.where(ops.equal(below, zero), c(1), below);
  const t = ops.atan(ops.div(ops.where(isWide, b, a), safe));
  const signed = (n: number) => ops.where(ops.less(b, zero), c(-n), c(n));
  const wide = ops.add(t, ops.where(ops.less(a, zero), signed(Math.PI), zero));
  return new Tensor(ops.where(isWide, wide, ops.sub(signed(Math.PI / 2), t)));
}

/** sqrt(a^2 + b^2). */
export function hypot(a: Operand, b: Operand): Tensor {
  const [x, y] = floatPair(a, b);
  return new Tensor(ops.sqrt(ops.add(ops.mul(x, x), ops.mul(y, y))));
}

/** a + weight * (b - a). */
export function lerp(a: Tensor, b: Tensor, weight: Operand): Tensor {
  return add(a, mul(sub(b, a), weight));
}

/** x + value * a * b. */
export function addcmul(x: Tensor, a: Operand, b: Operand, { value = 1 }: { value?: number } = {}): Tensor {
  return add(x, mul(a, b), { alpha: value });
}

/** x + value * a / b. */
export function addcdiv(x: Tensor, a: Operand, b: Operand, { value = 1 }: { value?: number } = {}): Tensor {
  return add(x, div(a, b), { alpha: value });
}

/** log(exp(a) + exp(b)), without overflow. */
export function logaddexp(a: Operand, b: Operand): Tensor {
  const [x, y] = floatPair(a, b);
  const gap = new Tensor(ops.neg(ops.abs(ops.sub(x, y))));
  return add(new Tensor(ops.max(x, y)), log1p(exp(gap)));
}

/** NaN, Infinity and -Infinity replaced by numbers (by default 0 and the dtype's largest and smallest). */
export function nanToNum(
  x: Tensor,
  { nan = 0, posinf, neginf }: { nan?: number; posinf?: number; neginf?: number } = {},
): Tensor {
  if (isInteger(x.dtype) || x.dtype === 'bool') return x;
  const limit = x.dtype === 'float64' ? Number.MAX_VALUE : x.dtype === 'float16' ? 65504 : 3.4028234663852886e38;
  const c = (n: number) => like(x.value, n);
  let y = ops.where(ops.equal(x.value, x.value), x.value, c(nan));
  y = ops.where(ops.equal(y, c(Number.POSITIVE_INFINITY)), c(posinf ?? limit), y);
  return new Tensor(ops.where(ops.equal(y, c(Number.NEGATIVE_INFINITY)), c(neginf ?? -limit), y));
}
