/** @file Softmax, LogSoftmax, Hardmax along one axis. */
import { type Attrs, constant, type Value } from '../ir/graph.ts';
import { normalizeAxis } from '../ir/shape.ts';
import { mul, sub } from './arithmetic.ts';
import { cast } from './cast.ts';
import { equal } from './compare.ts';
import { defineOp, requireFloat, type } from './define.ts';
import { exp, log } from './elementwise.ts';
import { ints } from './movement.ts';
import { argMax, reduceMax, reduceSum } from './reduce.ts';
import { composedInDouble, numberAttr } from './unary.ts';

const axisOf = (x: Value, attrs: Attrs) => normalizeAxis(numberAttr(attrs, 'axis', -1), x.rank);

const infer = ([x]: readonly Value[], attrs: Attrs) => {
  axisOf(x, attrs);
  return type(requireFloat(x), x.shape);
};

const sumAlong = (x: Value, axis: number) => reduceSum(x, ints([axis]));

/** exp(x) / sum(exp(x)) along `axis` (the last by default). */
export const softmax = defineOp('Softmax', {
  infer,
  gradient: ({ outputs: [y], attrs }, [dy]) => [dy && mul(y, sub(dy, sumAlong(mul(dy, y), axisOf(y, attrs))))],
});

/** x - log(sum(exp(x))) along `axis` (the last by default). */
export const logSoftmax = defineOp('LogSoftmax', {
  infer,
  gradient: ({ outputs: [y], attrs }, [dy]) => [dy && sub(dy, mul(exp(y), sumAlong(dy, axisOf(y, attrs))))],
  decompose: ([x], attrs) => {
    const axis = axisOf(x, attrs);
    const shifted = sub(x, reduceMax(x, ints([axis])));
    return sub(shifted, log(sumAlong(exp(shifted), axis)));
  },
});

/** 1 at the first largest element along `axis`, else 0; piecewise constant. */
export const hardmax = defineOp('Hardmax', {
  infer,
  gradient: 'zero',
  ...composedInDouble(([x], attrs) => {
    const axis = axisOf(x, attrs);
    const count = x.shape[axis];
    const places = constant(
      Array.from({ length: count }, (_, i) => i),
      'int64',
      x.shape.map((dim, i) => (i === axis ? dim : 1)),
    );
    return cast(equal(argMax(x, { axis }), places), { to: x.dtype });
  }),
});
