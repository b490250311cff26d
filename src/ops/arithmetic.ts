/** @file Binary arithmetic with broadcasting, and the n-ary Sum, Mean, Min, Max. */
import { isInteger } from '../ir/dtype.ts';
import { DTypeError } from '../ir/errors.ts';
import { constant, type GradientRule, scalarConstant, type Value } from '../ir/graph.ts';
import { broadcastShapes } from '../ir/shape.ts';
import { cast } from './cast.ts';
import { and, equal, greater, less, not, where } from './compare.ts';
import { defineOp, requireSameDType, type } from './define.ts';
import { ceil, floor, log, neg } from './elementwise.ts';
import { foldElementwise } from './fold.ts';
import { composedInDouble } from './unary.ts';

/** A scalar constant of the same dtype as `like`. */
export function scalarLike(like: Value, value: number): Value {
  return constant(value, like.dtype);
}

const inferBinary = (inputs: readonly Value[]) => {
  const dtype = requireSameDType(...inputs);
  if (dtype === 'bool' || dtype === 'string')
    throw new DTypeError(`arithmetic needs numbers, found ${dtype}; cast with .to('float32')`);
  return type(dtype, broadcastShapes(...inputs.map((v) => v.shape)));
};

/** Whether `v` is a constant whose elements all equal `n` and adding it cannot widen `other`. */
const isNeutral = (v: Value, n: number, other: Value) =>
  scalarConstant(v) === n && v.rank <= other.rank && v.dtype === other.dtype;

export const add = defineOp('Add', {
  infer: inferBinary,
  fold: foldElementwise((a, b) => a + b),
  simplify: ([a, b]) => (isNeutral(b, 0, a) ? a : isNeutral(a, 0, b) ? b : undefined),
  gradient: (_, [dy]) => [dy, dy],
});

export const sub = defineOp('Sub', {
  infer: inferBinary,
  fold: foldElementwise((a, b) => a - b),
  simplify: ([a, b]) => (isNeutral(b, 0, a) ? a : undefined),
  gradient: ({ needs }, [dy]) => [dy, needs[1] ? neg(dy) : null],
});

export const mul = defineOp('Mul', {
  infer: inferBinary,
  // 32-bit integers wrap around; as float64 their product would lose its low bits.
  fold: (inputs, attrs, out) =>
    foldElementwise(out.dtype === 'uint32' || out.dtype === 'int32' ? Math.imul : (a, b) => a * b)(inputs, attrs, out),
  simplify: ([a, b]) => (isNeutral(b, 1, a) ? a : isNeutral(a, 1, b) ? b : undefined),
  gradient: ({ inputs: [a, b], needs }, [dy]) => [needs[0] ? mul(dy, b) : null, needs[1] ? mul(dy, a) : null],
});

export const div = defineOp('Div', {
  infer: inferBinary,
  // ONNX divides integers toward zero.
  fold: (inputs, attrs, out) =>
    foldElementwise(isInteger(out.dtype) ? (a, b) => Math.trunc(a / b) : (a, b) => a / b)(inputs, attrs, out),
  simplify: ([a, b]) => (isNeutral(b, 1, a) ? a : undefined),
  gradient: ({ inputs: [, b], outputs: [y], needs }, [dy]) => {
    const da = div(dy, b);
    return [da, needs[1] ? neg(mul(da, y)) : null];
  },
});

/** x to the power of y; y may have another dtype. At x = 0 the derivative by y is taken as 0, as PyTorch does. */
export const pow = defineOp('Pow', {
  infer: ([a, b]) => type(a.dtype, broadcastShapes(a.shape, b.shape)),
  fold: foldElementwise((a, b) => a ** b),
  simplify: ([a, b]) => (scalarConstant(b) === 1 && b.rank <= a.rank ? a : undefined),
  gradient: ({ inputs: [a, b], outputs: [y], needs }, [dy]) => {
    const exponent = b.dtype === a.dtype ? b : cast(b, { to: a.dtype });
    const one = scalarLike(a, 1);
    const zero = scalarLike(a, 0);
    // d/da = b * a^(b-1); where b is 0 the result is 0 even at a = 0.
    const da = () => {
      const slope = mul(exponent, pow(a, sub(exponent, one)));
      return mul(dy, b.constant && !b.constant.includes(0) ? slope : where(equal(exponent, zero), zero, slope));
    };
    const db = () => mul(dy, where(equal(a, zero), zero, mul(y, log(where(equal(a, zero), one, a)))));
    return [needs[0] ? da() : null, needs[1] ? db() : null];
  },
});

/** Remainder; `fmod: 1` takes the sign of the dividend (C), otherwise of the divisor (Python). */
export const mod = defineOp('Mod', {
  infer: inferBinary,
  fold: (inputs, attrs, out) =>
    foldElementwise(attrs.fmod ? (a, b) => a % b : (a, b) => a - Math.floor(a / b) * b)(inputs, attrs, out),
  gradient: ({ inputs: [a, b], outputs: [y], needs }, [dy]) => [dy, needs[1] ? neg(mul(dy, div(sub(a, y), b))) : null],
  decompose: ([a, b], attrs) => remainderParts(a, b, attrs.fmod === 1),
});

/** The remainder from division: through floats by their floor, through integers by a correction of the sign. */
function remainderParts(a: Value, b: Value, ofDividend: boolean): Value {
  const quotient = div(a, b);
  if (isInteger(a.dtype)) {
    const rest = sub(a, mul(quotient, b));
    const zero = scalarLike(a, 0);
    if (ofDividend || a.dtype.startsWith('u')) return rest;
    const differs = not(equal(less(rest, zero), less(b, zero)));
    return where(and(differs, not(equal(rest, zero))), add(rest, b), rest);
  }
  const whole = ofDividend ? where(less(quotient, scalarLike(a, 0)), ceil(quotient), floor(quotient)) : floor(quotient);
  return sub(a, mul(whole, b));
}

// At a tie every operand that attains the extremum gets an equal share (PyTorch: torch.maximum halves the gradient).
const extremumGradient: GradientRule = ({ inputs, outputs: [y] }, [dy]) => {
  if (inputs.length === 2) {
    const [a, b] = inputs;
    const half = scalarLike(y, 0.5);
    const isMax = y.node?.op.type === 'Max';
    const wins = (p: Value, q: Value) => {
      const better = cast(isMax ? greater(p, q) : less(p, q), { to: y.dtype });
      return mul(dy, add(better, mul(half, cast(equal(p, q), { to: y.dtype }))));
    };
    return [wins(a, b), wins(b, a)];
  }
  const hits = inputs.map((x) => cast(equal(x, y), { to: y.dtype }));
  const share = div(
    dy,
    hits.reduce((a, b) => add(a, b)),
  );
  return hits.map((hit) => mul(hit, share));
};

export const max = defineOp('Max', {
  infer: inferBinary,
  fold: foldElementwise(Math.max),
  gradient: extremumGradient,
});

export const min = defineOp('Min', {
  infer: inferBinary,
  fold: foldElementwise(Math.min),
  gradient: extremumGradient,
});

/** Sum of any number of operands. */
export const sum = defineOp('Sum', {
  infer: inferBinary,
  gradient: ({ inputs }, [dy]) => inputs.map(() => dy),
  decompose: (inputs) => inputs.reduce((a, b) => add(a, b)),
});

/** Mean of any number of operands. */
export const mean = defineOp('Mean', {
  infer: inferBinary,
  gradient: ({ inputs }, [dy]) => {
    const share = dy && mul(dy, scalarLike(dy, 1 / inputs.length));
    return inputs.map(() => share);
  },
  ...composedInDouble((inputs) => mul(sum(...inputs), scalarLike(inputs[0], 1 / inputs.length))),
});
