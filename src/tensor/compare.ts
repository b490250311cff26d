/** @file Comparison, logic, and selection by a condition. */
import { isFloat } from '../ir/dtype.ts';
import { DTypeError } from '../ir/errors.ts';
import type { Value } from '../ir/graph.ts';
import { broadcastShapes, sameShape } from '../ir/shape.ts';
import * as ops from '../ops/index.ts';
import { castTo, like, viaInt32 } from './lift.ts';
import { type Operand, operandValue, pair } from './operand.ts';
import { Tensor } from './tensor.ts';

/** a == b, elementwise, as booleans. */
export function eq(a: Operand, b: Operand): Tensor {
  return new Tensor(ops.equal(...pair(a, b)));
}

/** a != b, elementwise, as booleans. */
export function ne(a: Operand, b: Operand): Tensor {
  return new Tensor(ops.not(ops.equal(...pair(a, b))));
}

// Booleans are ordered as 0 < 1.
const ordered = (op: (a: Value, b: Value) => Value, a: Operand, b: Operand) => {
  const [x, y] = pair(a, b);
  return new Tensor(x.dtype === 'bool' ? op(castTo(x, 'int32'), castTo(y, 'int32')) : op(x, y));
};

/** a > b, elementwise, as booleans. */
export function gt(a: Operand, b: Operand): Tensor {
  return ordered(ops.greater, a, b);
}

/** a >= b, elementwise, as booleans. */
export function ge(a: Operand, b: Operand): Tensor {
  return ordered(ops.greaterOrEqual, a, b);
}

/** a < b, elementwise, as booleans. */
export function lt(a: Operand, b: Operand): Tensor {
  return ordered(ops.less, a, b);
}

/** a <= b, elementwise, as booleans. */
export function le(a: Operand, b: Operand): Tensor {
  return ordered(ops.lessOrEqual, a, b);
}

const truth = (x: Operand) => castTo(operandValue(x, 'bool'), 'bool');

/** a and b, elementwise; numbers other than 0 count as true. */
export function logicalAnd(a: Operand, b: Operand): Tensor {
  return new Tensor(ops.and(truth(a), truth(b)));
}

/** a or b, elementwise; numbers other than 0 count as true. */
export function logicalOr(a: Operand, b: Operand): Tensor {
  return new Tensor(ops.or(truth(a), truth(b)));
}

/** Whether exactly one of a and b is true, elementwise. */
export function logicalXor(a: Operand, b: Operand): Tensor {
  return new Tensor(ops.xor(truth(a), truth(b)));
}

/** Not x, elementwise. */
export function logicalNot(x: Tensor): Tensor {
  return new Tensor(ops.not(truth(x)));
}

/** Whether each element is NaN. */
export function isnan(x: Tensor): Tensor {
  return ne(x, x);
}

/** Whether each element is Infinity or -Infinity. */
export function isinf(x: Tensor): Tensor {
  const v = castTo(x.value, isFloat(x.dtype) ? x.dtype : 'float32');
  return new Tensor(ops.equal(ops.abs(v), like(v, Number.POSITIVE_INFINITY)));
}

/** Whether each element is neither NaN nor infinite. */
export function isfinite(x: Tensor): Tensor {
  const v = castTo(x.value, isFloat(x.dtype) ? x.dtype : 'float32');
  return new Tensor(ops.less(ops.abs(v), like(v, Number.POSITIVE_INFINITY)));
}

export interface CloseOptions {
  /** Tolerance relative to |b|. */
  rtol?: number;
  /** Absolute tolerance. */
  atol?: number;
  /** Whether NaN counts as close to NaN. */
  equalNan?: boolean;
}

/** |a - b| <= atol + rtol * |b|, elementwise (torch.isclose). */
export function isclose(a: Tensor, b: Operand, options: CloseOptions = {}): Tensor {
  const { rtol = 1e-5, atol = 1e-8, equalNan = false } = options;
  const [x, y] = pair(a, b).map((v) => castTo(v, isFloat(v.dtype) ? v.dtype : 'float32'));
  const bound = ops.add(ops.mul(ops.abs(y), like(y, rtol)), like(y, atol));
  const gap = ops.abs(ops.sub(x, y));
  // An infinite b would allow any finite a.
  const isNear = ops.and(ops.lessOrEqual(gap, bound), ops.less(gap, like(y, Number.POSITIVE_INFINITY)));
  const close = ops.or(isNear, ops.equal(x, y));
  if (!equalNan) return new Tensor(close);
  return new Tensor(ops.or(close, ops.and(ops.not(ops.equal(x, x)), ops.not(ops.equal(y, y)))));
}

async function allTrue(x: Tensor): Promise<boolean> {
  return (await x.data()).every((v) => v !== 0);
}

/** Whether all elements are close (torch.allclose); computes at once. @throws ShapeError if the shapes do not broadcast. */
export async function allclose(a: Tensor, b: Operand, options: CloseOptions = {}): Promise<boolean> {
  return await allTrue(isclose(a, b, options));
}

/** Whether shapes and all elements are equal (torch.equal); computes at once. */
export async function equal(a: Tensor, b: Tensor): Promise<boolean> {
  return sameShape(a.shape, b.shape) && (await allTrue(eq(a, b)));
}

/**
 * Elements of `a` where `condition` is true, else of `b`; all three broadcast (torch.where).
 * @throws DTypeError unless the condition is bool.
 */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  if (condition.dtype !== 'bool')
    throw new DTypeError(`where: the condition must be bool, found ${condition.dtype}; compare first, as in x.gt(0)`);
  broadcastShapes(condition.shape, ...[a, b].flatMap((x) => (x instanceof Tensor ? [x.shape] : [])));
  return new Tensor(viaInt32(pair(a, b), (x, y) => ops.where(condition.value, x, y)));
}

/**
 * x with `value` where the mask is true; the mask broadcasts to x (torch.masked_fill).
 * @throws DTypeError unless the mask is bool.
 */
export function maskedFill(x: Tensor, mask: Tensor, value: Operand): Tensor {
  if (mask.dtype !== 'bool')
    throw new DTypeError(`maskedFill: the mask must be bool, found ${mask.dtype}; compare first, as in m.ne(0)`);
  const fill = value instanceof Tensor ? castTo(value.value, x.dtype) : like(x.value, Number(value));
  return new Tensor(viaInt32([fill, x.value], (f, v) => ops.where(mask.value, f, v)));
}
