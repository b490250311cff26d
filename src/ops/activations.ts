/** @file Activations that act on one element at a time. At kinks the derivative is the one PyTorch takes. */

import { ShapeError } from '../ir/errors.ts';
import type { Value } from '../ir/graph.ts';
import { broadcastShapes, formatShape, sameShape } from '../ir/shape.ts';
import { add, div, mul, sub } from './arithmetic.ts';
import { cast } from './cast.ts';
import { and, greater, less, where } from './compare.ts';
import { defineOp, requireSameDType, type } from './define.ts';
import { abs, exp, log, neg } from './elementwise.ts';
import { foldElementwise } from './fold.ts';
import { composedInDouble, inferFloat, inferNumber, numberAttr, scalar, slope } from './unary.ts';

/**
 * 1 where x > 0, else 0, in the dtype of x: the derivative of Relu. One pass over memory in float32, where a slope of 3e38
 * makes HardSigmoid a step (a subnormal x below 4e-39 gets a fraction).
 */
export const step = defineOp('Step', {
  domain: 'gradus',
  infer: inferFloat,
  fold: foldElementwise((x) => (x > 0 ? 1 : 0)),
  gradient: 'zero',
  decompose: ([x]) =>
    x.dtype === 'float32' ? hardSigmoid(x, { alpha: 3e38, beta: 0 }) : cast(greater(x, scalar(x, 0)), { to: x.dtype }),
});

/** x / 2 + 1 / 2: from [-1, 1] to [0, 1] in one pass. Exact only for x in [-1, 1]. */
export const toUnit = defineOp('ToUnit', {
  domain: 'gradus',
  infer: inferFloat,
  fold: foldElementwise((x) => 0.5 * x + 0.5),
  gradient: slope((x) => scalar(x, 0.5)),
  decompose: ([x]) =>
    x.dtype === 'float32' ? hardSigmoid(x, { alpha: 0.5, beta: 0.5 }) : add(mul(x, scalar(x, 0.5)), scalar(x, 0.5)),
});

/** max(0, x); the derivative at 0 is 0. It is taken from y, so that x need not be kept. */
export const relu = defineOp('Relu', {
  infer: inferNumber,
  fold: foldElementwise((x) => Math.max(x, 0)),
  simplify: ([x]) => (x.node?.op.type === 'Relu' ? x : undefined),
  gradient: slope((_, y) => step(y)),
});

/** x where x > 0, else alpha x. */
export const leakyRelu = defineOp('LeakyRelu', {
  infer: inferFloat,
  gradient: ({ inputs: [x], attrs }, [dy]) => [
    dy && where(greater(x, scalar(x, 0)), dy, mul(dy, scalar(x, numberAttr(attrs, 'alpha', 0.01)))),
  ],
  ...composedInDouble(([x], attrs) =>
    where(greater(x, scalar(x, 0)), x, mul(x, scalar(x, numberAttr(attrs, 'alpha', 0.01)))),
  ),
});

/** x where x > 0, else slope x; the slope broadcasts to x. */
export const pRelu = defineOp('PRelu', {
  infer: ([x, alpha]) => {
    const shape = broadcastShapes(x.shape, alpha.shape);
    if (!sameShape(shape, x.shape))
      throw new ShapeError(
        `the slope of shape ${formatShape(alpha.shape)} does not broadcast to ${formatShape(x.shape)}`,
      );
    return type(requireSameDType(x, alpha), x.shape);
  },
  gradient: ({ inputs: [x, alpha], needs }, [dy]) => {
    if (!dy) return [];
    const positive = greater(x, scalar(x, 0));
    return [
      needs[0] ? where(positive, dy, mul(dy, alpha)) : null,
      needs[1] ? where(positive, scalar(x, 0), mul(dy, x)) : null,
    ];
  },
  ...composedInDouble(([x, alpha]) => where(greater(x, scalar(x, 0)), x, mul(x, alpha))),
});

/** x where x > alpha, else 0. */
export const thresholdedRelu = defineOp('ThresholdedRelu', {
  infer: inferFloat,
  gradient: ({ inputs: [x], attrs }, [dy]) => [
    dy && where(greater(x, scalar(x, numberAttr(attrs, 'alpha', 1))), dy, scalar(x, 0)),
  ],
  ...composedInDouble(([x], attrs) => where(greater(x, scalar(x, numberAttr(attrs, 'alpha', 1))), x, scalar(x, 0))),
});

/** x where x > 0, else alpha (exp(x) - 1). */
export const elu = defineOp('Elu', {
  infer: inferFloat,
  gradient: ({ inputs: [x], outputs: [y], attrs }, [dy]) => [
    dy && where(greater(x, scalar(x, 0)), dy, mul(dy, add(y, scalar(x, numberAttr(attrs, 'alpha', 1))))),
  ],
  ...composedInDouble(([x], attrs) => {
    const isPositive = greater(x, scalar(x, 0));
    // exp only of numbers below 0: a large one would give infinity times the 0 of the branch not taken.
    const below = mul(
      sub(exp(where(isPositive, scalar(x, 0), x)), scalar(x, 1)),
      scalar(x, numberAttr(attrs, 'alpha', 1)),
    );
    return where(isPositive, x, below);
  }),
});

/** gamma (x where x > 0, else alpha (exp(x) - 1)); the defaults keep mean 0 and variance 1. */
export const selu = defineOp('Selu', {
  infer: inferFloat,
  gradient: slope((x, y, attrs) => {
    const alpha = numberAttr(attrs, 'alpha', 1.6732632423543772);
    const gamma = numberAttr(attrs, 'gamma', 1.0507009873554805);
    return where(greater(x, scalar(x, 0)), scalar(x, gamma), add(y, scalar(x, alpha * gamma)));
  }),
  ...composedInDouble(([x], attrs) =>
    mul(
      elu(x, { alpha: numberAttr(attrs, 'alpha', 1.6732632423543772) }),
      scalar(x, numberAttr(attrs, 'gamma', 1.0507009873554805)),
    ),
  ),
});

/** x where x > 0, else alpha (exp(x / alpha) - 1). */
export const celu = defineOp('Celu', {
  infer: inferFloat,
  gradient: ({ inputs: [x], outputs: [y], attrs }, [dy]) => [
    dy &&
      where(
        greater(x, scalar(x, 0)),
        dy,
        mul(dy, add(mul(y, scalar(y, 1 / numberAttr(attrs, 'alpha', 1))), scalar(x, 1))),
      ),
  ],
  ...composedInDouble(([x], attrs) => {
    const alpha = numberAttr(attrs, 'alpha', 1);
    return where(greater(x, scalar(x, 0)), x, elu(mul(x, scalar(x, 1 / alpha)), { alpha }));
  }),
});

/** alpha x + beta, limited to [0, 1]; the derivative at the limits is 0. */
export const hardSigmoid = defineOp('HardSigmoid', {
  infer: inferFloat,
  gradient: ({ outputs: [y], attrs }, [dy]) => {
    if (!dy) return [];
    const inside = and(greater(y, scalar(y, 0)), less(y, scalar(y, 1)));
    return [where(inside, mul(dy, scalar(y, numberAttr(attrs, 'alpha', 0.2))), scalar(y, 0))];
  },
  ...composedInDouble(([x], attrs) => {
    const line = add(mul(x, scalar(x, numberAttr(attrs, 'alpha', 0.2))), scalar(x, numberAttr(attrs, 'beta', 0.5)));
    return clip(line, scalar(x, 0), scalar(x, 1));
  }),
});

/** x times HardSigmoid(x) with slope 1/6. */
export const hardSwish = defineOp('HardSwish', {
  infer: inferFloat,
  gradient: slope((x) => {
    const middle = add(mul(x, scalar(x, 1 / 3)), scalar(x, 0.5));
    return where(less(abs(x), scalar(x, 3)), middle, step(x));
  }),
  ...composedInDouble(([x]) => mul(x, hardSigmoid(x, { alpha: 1 / 6, beta: 0.5 }))),
});

export const sigmoid = defineOp('Sigmoid', {
  infer: inferFloat,
  fold: foldElementwise((x) => 1 / (1 + Math.exp(-x))),
  gradient: slope((_, y) => mul(y, sub(scalar(y, 1), y))),
});

export const tanh = defineOp('Tanh', {
  infer: inferFloat,
  fold: foldElementwise(Math.tanh),
  gradient: slope((_, y) => sub(scalar(y, 1), mul(y, y))),
});

/** log(1 + exp(x)). */
export const softplus = defineOp('Softplus', {
  infer: inferFloat,
  gradient: slope((x) => sigmoid(x)),
  ...composedInDouble(([x]) => add(relu(x), log(add(exp(neg(abs(x))), scalar(x, 1))))),
});

/** x / (1 + |x|). */
export const softsign = defineOp('Softsign', {
  infer: inferFloat,
  gradient: ({ inputs: [x] }, [dy]) => {
    const width = add(abs(x), scalar(x, 1));
    return [div(dy, mul(width, width))];
  },
  ...composedInDouble(([x]) => div(x, add(abs(x), scalar(x, 1)))),
});

/** x - bias where x > lambd, x + bias where x < -lambd, else 0. */
export const shrink = defineOp('Shrink', {
  infer: inferNumber,
  gradient: ({ inputs: [x], attrs }, [dy]) => [
    dy && where(greater(abs(x), scalar(x, numberAttr(attrs, 'lambd', 0.5))), dy, scalar(x, 0)),
  ],
});

const absent = (v: Value | undefined | null): v is undefined | null => v === undefined || v === null;

/** x limited to [min, max] (scalars, either may be absent). Between the bounds the gradient goes to x, outside to the bound, and at a bound nowhere (PyTorch 2.15). */
export const clip = defineOp('Clip', {
  infer: ([x, min, max]) => {
    for (const bound of [min, max])
      if (!absent(bound) && bound.size !== 1)
        throw new ShapeError(`the bounds of Clip are scalars, found shape ${formatShape(bound.shape)}`);
    requireSameDType(x, ...[min, max].filter((v) => !absent(v)));
    return inferNumber([x]);
  },
  fold: (inputs, attrs, output) => {
    const [x, min, max] = inputs;
    const low = min?.constant?.[0] ?? Number.NEGATIVE_INFINITY;
    const high = max?.constant?.[0] ?? Number.POSITIVE_INFINITY;
    return foldElementwise((v) => Math.min(high, Math.max(low, v)))([x], attrs, output);
  },
  simplify: ([x, min, max]) => (absent(min) && absent(max) ? x : undefined),
  gradient: ({ inputs: [x, min, max], needs }, [dy]) => {
    if (!dy) return [];
    const zero = scalar(x, 0);
    const below = () => where(less(x, min), dy, zero);
    const above = () => where(greater(x, max), dy, zero);
    const inside = () => {
      const over = absent(min) ? null : greater(x, min);
      const under = absent(max) ? null : less(x, max);
      return over && under ? and(over, under) : (over ?? under);
    };
    const mask = needs[0] ? inside() : null;
    return [mask ? where(mask, dy, zero) : null, needs[1] ? below() : null, needs[2] ? above() : null];
  },
});
