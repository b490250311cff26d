/** @file Unary arithmetic: powers, exponentials, rounding. */
import { add, div, mul, sub } from './arithmetic.ts';
import { cast } from './cast.ts';
import { and, equal, greater, less, not, where } from './compare.ts';
import { defineOp } from './define.ts';
import { erfInDouble } from './double.ts';
import { foldElementwise } from './fold.ts';
import { inferFloat, inferNumber, scalar, slope } from './unary.ts';

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
export const sign = defineOp('Sign', {
  infer: inferNumber,
  fold: foldElementwise(Math.sign),
  gradient: 'zero',
  flat: true,
  decompose: ([x]) => {
    const zero = scalar(x, 0);
    return sub(cast(greater(x, zero), { to: x.dtype }), cast(less(x, zero), { to: x.dtype }));
  },
});

export const floor = defineOp('Floor', {
  infer: inferFloat,
  fold: foldElementwise(Math.floor),
  gradient: 'zero',
  flat: true,
});
export const ceil = defineOp('Ceil', {
  infer: inferFloat,
  fold: foldElementwise(Math.ceil),
  gradient: 'zero',
  flat: true,
});

/** To the nearest integer, halves to even. */
export const round = defineOp('Round', {
  infer: inferFloat,
  fold: foldElementwise(roundHalfEven),
  gradient: 'zero',
  flat: true,
  decompose: ([x]) => {
    // A half goes up with floor(x + 1/2); it must go down again where that is odd.
    const up = floor(add(x, scalar(x, 0.5)));
    const half = mul(up, scalar(x, 0.5));
    const isHalf = equal(sub(up, x), scalar(x, 0.5));
    const isOdd = not(equal(half, floor(half)));
    return where(and(isHalf, isOdd), sub(up, scalar(x, 1)), up);
  },
});

function roundHalfEven(x: number): number {
  const nearest = Math.round(x);
  return nearest - x === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}

export const sqrt = defineOp('Sqrt', {
  infer: inferFloat,
  fold: foldElementwise(Math.sqrt),
  gradient: ({ outputs: [y] }, [dy]) => [div(mul(dy, scalar(y, 0.5)), y)],
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
  simplify: ([x]) => (x.dtype === 'float64' ? erfInDouble(x) : undefined),
  gradient: slope((x) => mul(scalar(x, 2 / Math.sqrt(Math.PI)), exp(neg(mul(x, x))))),
});
