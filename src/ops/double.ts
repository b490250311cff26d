/** @file Functions for which ONNX Runtime has float32 kernels only, composed for float64 to its last digits. */
import type { Value } from '../ir/graph.ts';
import { add, div, mul, sub } from './arithmetic.ts';
import { greater, less, where } from './compare.ts';
import { defineOp, type Op } from './define.ts';
import { abs, exp, neg, reciprocal, sqrt } from './elementwise.ts';
import { inferFloat, scalar, slope } from './unary.ts';

/** An operator that stands for `name` in float64, with the gradient of `name`, and is taken apart before it reaches the engine. */
function inDouble(name: string, decompose: (x: Value) => Value, derivative: (x: Value) => Value): Op {
  return defineOp(`${name}InDouble`, {
    domain: 'gradus',
    infer: inferFloat,
    gradient: slope(derivative),
    decompose: ([x]) => decompose(x),
  });
}

/** A polynomial by Horner's rule, the highest power first. */
function polynomial(x: Value, [first, ...rest]: readonly number[]): Value {
  return rest.reduce((sum, c) => add(mul(sum, x), scalar(x, c)), scalar(x, first));
}

/** Rational approximations of Cephes (Moshier): ndtr.c and atan.c. */
const erfNear = {
  p: [9.604973739870516, 90.02601972038427, 2232.005345946843, 7003.325141128051, 55592.30130103949],
  q: [1, 33.56171416475031, 521.3579497801527, 4594.323829709801, 22629.000061389095, 49267.39426086359],
};
const erfcFar = {
  p: [
    2.461969814735305e-10, 0.5641895648310689, 7.463210564422699, 48.63719709856814, 196.5208329560771,
    526.4451949954773, 934.5285271719576, 1027.5518868951572, 557.5353353693994,
  ],
  q: [
    1, 13.228195115474499, 86.70721408859897, 354.9377788878199, 975.7085017432055, 1823.9091668790975,
    2246.3376081871097, 1656.6630919416134, 557.5353408177277,
  ],
};
const atanNear = {
  p: [-0.8750608600031904, -16.157537187333652, -75.00855792314705, -122.88666844901361, -64.85021904942026],
  q: [1, 24.858464901423062, 165.02700983169885, 432.88106049129027, 485.3903996359137, 194.5506571482614],
};
/** What pi / 2 as a float64 lacks. */
const piRest = 6.123233995736766e-17;

/** The error function: a rational of x up to 1, 1 - exp(-x^2) times a rational beyond. */
function erfParts(x: Value): Value {
  const size = abs(x);
  const square = mul(x, x);
  const near = mul(x, div(polynomial(square, erfNear.p), polynomial(square, erfNear.q)));
  // From 6 on it is 1 to the last digit; a limit keeps the polynomials finite.
  const t = where(less(size, scalar(x, 6)), size, scalar(x, 6));
  const tail = mul(exp(neg(mul(t, t))), div(polynomial(t, erfcFar.p), polynomial(t, erfcFar.q)));
  const far = sub(scalar(x, 1), tail);
  return where(greater(size, scalar(x, 1)), where(less(x, scalar(x, 0)), neg(far), far), near);
}

/** The arc tangent: reduced to [-0.41, 0.66], where a rational serves. */
function atanParts(x: Value): Value {
  const size = abs(x);
  const one = scalar(x, 1);
  const [isFar, isMiddle] = [greater(size, scalar(x, 1 + Math.SQRT2)), greater(size, scalar(x, 0.66))];
  const reduced = where(
    isFar,
    neg(div(one, where(isFar, size, one))),
    where(isMiddle, div(sub(where(isFar, one, size), one), add(size, one)), size),
  );
  const square = mul(reduced, reduced);
  const series = mul(square, div(polynomial(square, atanNear.p), polynomial(square, atanNear.q)));
  const core = add(mul(reduced, series), reduced);
  const offset = (share: number) => add(add(core, scalar(x, share * piRest)), scalar(x, (share * Math.PI) / 2));
  const y = where(isFar, offset(1), where(isMiddle, offset(0.5), core));
  return where(less(x, scalar(x, 0)), neg(y), y);
}

export const erfInDouble = inDouble('Erf', erfParts, (x) =>
  mul(exp(neg(mul(x, x))), scalar(x, 2 / Math.sqrt(Math.PI))),
);

export const atanInDouble = inDouble('Atan', atanParts, (x) => reciprocal(add(mul(x, x), scalar(x, 1))));

/** atan(x / sqrt(1 - x^2)). */
export const asinInDouble = inDouble(
  'Asin',
  (x) => atanParts(div(x, sqrt(oneMinusSquare(x)))),
  (x) => reciprocal(sqrt(oneMinusSquare(x))),
);

/** 2 atan(sqrt((1 - x) / (1 + x))). */
export const acosInDouble = inDouble(
  'Acos',
  (x) => mul(atanParts(sqrt(div(sub(scalar(x, 1), x), add(scalar(x, 1), x)))), scalar(x, 2)),
  (x) => neg(reciprocal(sqrt(oneMinusSquare(x)))),
);

const oneMinusSquare = (x: Value) => mul(sub(scalar(x, 1), x), add(scalar(x, 1), x));
