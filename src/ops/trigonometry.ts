/** @file Trigonometric and hyperbolic functions and their inverses. */
import { add, div, mul, sub } from './arithmetic.ts';
import { defineOp } from './define.ts';
import { neg, reciprocal, sqrt } from './elementwise.ts';
import { foldElementwise } from './fold.ts';
import { inferFloat, scalar, slope } from './unary.ts';

export const sin = defineOp('Sin', {
  infer: inferFloat,
  fold: foldElementwise(Math.sin),
  gradient: slope((x) => cos(x)),
});

export const cos = defineOp('Cos', {
  infer: inferFloat,
  fold: foldElementwise(Math.cos),
  gradient: slope((x) => neg(sin(x))),
});

export const tan = defineOp('Tan', {
  infer: inferFloat,
  fold: foldElementwise(Math.tan),
  gradient: slope((_, y) => add(mul(y, y), scalar(y, 1))),
});

export const asin = defineOp('Asin', {
  infer: inferFloat,
  fold: foldElementwise(Math.asin),
  gradient: slope((x) => reciprocal(sqrt(sub(scalar(x, 1), mul(x, x))))),
});

export const acos = defineOp('Acos', {
  infer: inferFloat,
  fold: foldElementwise(Math.acos),
  gradient: slope((x) => neg(reciprocal(sqrt(sub(scalar(x, 1), mul(x, x)))))),
});

export const atan = defineOp('Atan', {
  infer: inferFloat,
  fold: foldElementwise(Math.atan),
  gradient: ({ inputs: [x] }, [dy]) => [div(dy, add(mul(x, x), scalar(x, 1)))],
});

export const sinh = defineOp('Sinh', {
  infer: inferFloat,
  fold: foldElementwise(Math.sinh),
  gradient: slope((x) => cosh(x)),
});

export const cosh = defineOp('Cosh', {
  infer: inferFloat,
  fold: foldElementwise(Math.cosh),
  gradient: slope((x) => sinh(x)),
});

export const asinh = defineOp('Asinh', {
  infer: inferFloat,
  fold: foldElementwise(Math.asinh),
  gradient: ({ inputs: [x] }, [dy]) => [div(dy, sqrt(add(mul(x, x), scalar(x, 1))))],
});

export const acosh = defineOp('Acosh', {
  infer: inferFloat,
  fold: foldElementwise(Math.acosh),
  gradient: ({ inputs: [x] }, [dy]) => [div(dy, sqrt(sub(mul(x, x), scalar(x, 1))))],
});

export const atanh = defineOp('Atanh', {
  infer: inferFloat,
  fold: foldElementwise(Math.atanh),
  gradient: ({ inputs: [x] }, [dy]) => [div(dy, sub(scalar(x, 1), mul(x, x)))],
});
