/** @file Unary arithmetic: powers, exponentials, rounding. */
import { DTypeError } from '../ir/errors.ts';
import { constant, type GradientSpec, type Value } from '../ir/graph.ts';
import { div, mul } from './arithmetic.ts';
import { defineOp, requireFloat, type } from './define.ts';
import { foldElementwise } from './fold.ts';

/** A gradient rule `dx = dy * slope`, the slope written in terms of x and y. */
const slope =
  (f: (x: Value, y: Value) => Value): GradientSpec =>
  ({ inputs: [x], outputs: [y] }, [dy]) => [mul(dy, f(x, y))];

const c = (like: Value, value: number) => constant(value, like.dtype);

const inferFloat = ([x]: readonly Value[]) => type(requireFloat(x), x.shape);
const inferNumber = ([x]: readonly Value[]) => {
  if (x.dtype === 'bool' || x.dtype === 'string') throw new DTypeError(`expected numbers, found ${x.dtype}`);
  return type(x.dtype, x.shape);
};

export const neg = defineOp('Neg', {
  infer: inferNumber,
  fold: foldElementwise((x) => -x),
  simplify: ([x]) => (x.node?.op.type === 'Neg' ? (x.node.inputs[0] ?? undefined) : undefined),
  gradient: (_, [dy]) => [dy && neg(dy)],
});

export const abs = defineOp('Abs', {
  infer: inferNumber,
  fold: foldElementwise(Math.abs),
  gradient: slope((x) => sign(x)),
});

/** -1, 0 or 1. */
export const sign = defineOp('Sign', { infer: inferNumber, fold: foldElementwise(Math.sign), gradient: 'zero' });

export const floor = defineOp('Floor', { infer: inferFloat, fold: foldElementwise(Math.floor), gradient: 'zero' });
export const ceil = defineOp('Ceil', { infer: inferFloat, fold: foldElementwise(Math.ceil), gradient: 'zero' });

/** To the nearest integer, halves to even. */
export const round = defineOp('Round', { infer: inferFloat, gradient: 'zero' });

export const sqrt = defineOp('Sqrt', {
  infer: inferFloat,
  fold: foldElementwise(Math.sqrt),
  gradient: ({ outputs: [y] }, [dy]) => [div(mul(dy, c(y, 0.5)), y)],
});

export const reciprocal = defineOp('Reciprocal', {
  infer: inferFloat,
  fold: foldElementwise((x) => 1 / x),
  gradient: slope((_, y) => neg(mul(y, y))),
});

export const exp = defineOp('Exp', {
  infer: inferFloat,
  fold: foldElementwise(Math.exp),
  gradient: slope((_, y) => y),
});

export const log = defineOp('Log', {
  infer: inferFloat,
  fold: foldElementwise(Math.log),
  gradient: ({ inputs: [x] }, [dy]) => [div(dy, x)],
});

/** Gauss error function; d/dx = 2 / sqrt(pi) * exp(-x^2). */
export const erf = defineOp('Erf', {
  infer: inferFloat,
  gradient: slope((x) => mul(c(x, 2 / Math.sqrt(Math.PI)), exp(neg(mul(x, x))))),
});
