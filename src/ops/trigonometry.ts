/** @file Trigonometric and hyperbolic functions and their inverses. */
import { add, div, mul, sub } from './arithmetic.ts';
import { less, where } from './compare.ts';
import { defineOp } from './define.ts';
import { acosInDouble, asinInDouble, atanInDouble } from './double.ts';
import { exp, log, neg, reciprocal, sqrt } from './elementwise.ts';
import { foldElementwise } from './fold.ts';
import { composedInDouble, inferFloat, scalar, slope } from './unary.ts';

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
  ...composedInDouble(([x]) => div(sin(x), cos(x))),
});

export const asin = defineOp('Asin', {
  infer: inferFloat,
  fold: foldElementwise(Math.asin),
  simplify: ([x]) => (x.dtype === 'float64' && !x.constant ? asinInDouble(x) : undefined),
  gradient: slope((x) => reciprocal(sqrt(sub(scalar(x, 1), mul(x, x))))),
});

export const acos = defineOp('Acos', {
  infer: inferFloat,
  fold: foldElementwise(Math.acos),
  simplify: ([x]) => (x.dtype === 'float64' && !x.constant ? acosInDouble(x) : undefined),
  gradient: slope((x) => neg(reciprocal(sqrt(sub(scalar(x, 1), mul(x, x)))))),
});

export const atan = defineOp('Atan', {
  infer: inferFloat,
  fold: foldElementwise(Math.atan),
  simplify: ([x]) => (x.dtype === 'float64' && !x.constant ? atanInDouble(x) : undefined),
  gradient: ({ inputs: [x] }, [dy]) => [div(dy, add(mul(x, x), scalar(x, 1)))],
});

export const sinh = defineOp('Sinh', {
  infer: inferFloat,
  fold: foldElementwise(Math.sinh),
  gradient: slope((x) => cosh(x)),
  ...composedInDouble(([x]) => mul(sub(exp(x), exp(neg(x))), scalar(x, 0.5))),
});

export const cosh = defineOp('Cosh', {
  infer: inferFloat,
  fold: foldElementwise(Math.cosh),
  gradient: slope((x) => sinh(x)),
  ...composedInDouble(([x]) => mul(add(exp(x), exp(neg(x))), scalar(x, 0.5))),
});

export const asinh = defineOp('Asinh', {
  infer: inferFloat,
  fold: foldElementwise(Math.asinh),
  gradient: ({ inputs: [x] }, [dy]) => [div(dy, sqrt(add(mul(x, x), scalar(x, 1))))],
  ...composedInDouble(([x]) => {
    // abs and sign have the derivative 0 at 0, where that of the whole is 1.
    const isNegative = less(x, scalar(x, 0));
    const size = where(isNegative, neg(x), x);
    const y = log(add(size, sqrt(add(mul(x, x), scalar(x, 1)))));
    return where(isNegative, neg(y), y);
  }),
});

export const acosh = defineOp('Acosh', {
  infer: inferFloat,
  fold: foldElementwise(Math.acosh),
  gradient: ({ inputs: [x] }, [dy]) => [div(dy, sqrt(sub(mul(x, x), scalar(x, 1))))],
  ...composedInDouble(([x]) => log(add(x, sqrt(sub(mul(x, x), scalar(x, 1)))))),
});

export const atanh = defineOp('Atanh', {
  infer: inferFloat,
  fold: foldElementwise(Math.atanh),
  gradient: ({ inputs: [x] }, [dy]) => [div(dy, sub(scalar(x, 1), mul(x, x)))],
  ...composedInDouble(([x]) => mul(log(div(add(x, scalar(x, 1)), sub(scalar(x, 1), x))), scalar(x, 0.5))),
});
