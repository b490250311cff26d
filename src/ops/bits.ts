/** @file Bits and tests of numbers: BitShift, Bitwise*, BitCast, IsNaN, IsInf. */
import { type DType, dtypes, isInteger } from '../ir/dtype.ts';
import { ArgumentError, DTypeError } from '../ir/errors.ts';
import { constant, type Value } from '../ir/graph.ts';
import { broadcastShapes } from '../ir/shape.ts';
import { equal, not, or } from './compare.ts';
import { defineOp, requireFloat, requireSameDType, type } from './define.ts';
import { foldElementwise } from './fold.ts';

const inferBits = (inputs: readonly Value[]) => {
  const dtype = requireSameDType(...inputs);
  if (!isInteger(dtype)) throw new DTypeError(`expected integers, found ${dtype}; cast with .to('int32')`);
  return type(dtype, broadcastShapes(...inputs.map((v) => v.shape)));
};

const bitwise = (name: string, f: (a: number, b: number) => number) =>
  defineOp(name, {
    infer: inferBits,
    // JavaScript's bit operators work on 32 bits; wider integers are left to the engine.
    fold: (inputs, attrs, output) =>
      dtypes[output.dtype].bytes === 8 ? undefined : foldElementwise(f)(inputs, attrs, output),
    gradient: 'zero',
  });

export const bitwiseAnd = bitwise('BitwiseAnd', (a, b) => a & b);
export const bitwiseOr = bitwise('BitwiseOr', (a, b) => a | b);
export const bitwiseXor = bitwise('BitwiseXor', (a, b) => a ^ b);
export const bitwiseNot = bitwise('BitwiseNot', (a) => ~a);

/** Bits moved by the second operand, `direction: 'LEFT'` or `'RIGHT'`; unsigned integers. */
export const bitShift = defineOp('BitShift', {
  infer: (inputs, attrs) => {
    if (attrs.direction !== 'LEFT' && attrs.direction !== 'RIGHT')
      throw new ArgumentError(`direction is 'LEFT' or 'RIGHT', found '${attrs.direction}'`);
    return inferBits(inputs);
  },
  gradient: 'zero',
});

/** The same bits read as another dtype of the same width (attribute `to`). */
export const bitCast = defineOp('BitCast', {
  infer: ([x], attrs) => {
    const to = attrs.to as DType;
    if (!(to in dtypes) || dtypes[to].bytes !== dtypes[x.dtype].bytes)
      throw new DTypeError(`the bits of ${x.dtype} cannot be read as ${to}: the widths differ`);
    return type(to, x.shape);
  },
  simplify: ([x], attrs) => (attrs.to === x.dtype ? x : undefined),
  gradient: 'zero',
});

export const isNan = defineOp('IsNaN', {
  infer: ([x]) => {
    requireFloat(x);
    return type('bool', x.shape);
  },
  fold: foldElementwise((x) => (Number.isNaN(x) ? 1 : 0)),
  gradient: 'zero',
  decompose: ([x]) => not(equal(x, x)),
});

/** Whether elements are infinite; `detect_positive: 0` or `detect_negative: 0` look for one sign only. */
export const isInf = defineOp('IsInf', {
  infer: ([x]) => {
    requireFloat(x);
    return type('bool', x.shape);
  },
  fold: (inputs, attrs, output) => {
    const infinite = (x: number) =>
      (x === Number.POSITIVE_INFINITY && attrs.detect_positive !== 0) ||
      (x === Number.NEGATIVE_INFINITY && attrs.detect_negative !== 0);
    return foldElementwise((x) => (infinite(x) ? 1 : 0))(inputs, attrs, output);
  },
  gradient: 'zero',
  decompose: ([x], attrs) => {
    const is = (value: number) => equal(x, constant(value, x.dtype));
    if (attrs.detect_positive === 0) return is(Number.NEGATIVE_INFINITY);
    if (attrs.detect_negative === 0) return is(Number.POSITIVE_INFINITY);
    return or(is(Number.NEGATIVE_INFINITY), is(Number.POSITIVE_INFINITY));
  },
});
