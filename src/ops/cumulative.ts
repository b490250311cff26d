/** @file Running sums and products along an axis. */
import { ShapeError } from '../ir/errors.ts';
import type { Attrs, Value } from '../ir/graph.ts';
import { normalizeAxis } from '../ir/shape.ts';
import { div, mul } from './arithmetic.ts';
import { cast } from './cast.ts';
import { and, equal, where } from './compare.ts';
import { constantInts, defineOp, type } from './define.ts';
import { ints } from './movement.ts';
import { inferNumber, scalar } from './unary.ts';

const infer = ([x, axis]: readonly Value[]) => {
  const list = constantInts(axis, 'the axis');
  if (list.length !== 1) throw new ShapeError(`the axis is one number, found ${list.length}`);
  normalizeAxis(list[0], x.rank);
  return type(inferNumber([x]).dtype, x.shape);
};

const backwards = (attrs: Attrs): Attrs => ({ ...attrs, reverse: attrs.reverse ? 0 : 1 });

/** Sums of all elements up to each along an axis (the second operand); `exclusive` leaves the element itself out. */
export const cumSum = defineOp('CumSum', {
  infer,
  gradient: ({ inputs: [, axis], attrs }, [dy]) => [dy && cumSum(dy, axis, backwards(attrs))],
});

/** Products of all elements up to each along an axis. */
export const cumProd = defineOp('CumProd', {
  infer,
  gradient: ({ inputs: [x, axis], outputs: [y], attrs }, [dy]) => {
    if (!dy) return [];
    // Before the first zero, d y_j / d x_i = y_j / x_i. At it, the products as they were without it. After it, nothing.
    const zero = scalar(x, 0);
    const one = scalar(x, 1);
    const isZero = equal(x, zero);
    const order = attrs.reverse ? { reverse: attrs.reverse } : {};
    const zerosSoFar = cumSum(cast(isZero, { to: x.dtype }), axis, order);
    const first = and(isZero, equal(zerosSoFar, one));
    const through = (products: Value) => cumSum(mul(dy, products), axis, backwards(attrs));
    const before = div(through(y), where(isZero, one, x));
    const at = through(cumProd(where(first, one, x), axis, attrs));
    return [where(equal(zerosSoFar, zero), before, where(first, at, zero))];
  },
});

/** For each element the product of all others along `axis`: exact where some are 0, and differentiable there too. */
export function productOfOthers(x: Value, axis: number): Value {
  const before = cumProd(x, ints([axis]), { exclusive: 1 });
  return mul(before, cumProd(x, ints([axis]), { exclusive: 1, reverse: 1 }));
}
