/** @file Comparison, logic and selection. */
import { DTypeError } from '../ir/errors.ts';
import { constant, type Value } from '../ir/graph.ts';
import { broadcastShapes } from '../ir/shape.ts';
import { defineOp, requireSameDType, type } from './define.ts';
import { foldElementwise } from './fold.ts';

const comparison = (name: string, f: (a: number, b: number) => boolean) =>
  defineOp(name, {
    infer: (inputs) => {
      requireSameDType(...inputs);
      return type('bool', broadcastShapes(inputs[0].shape, inputs[1].shape));
    },
    fold: foldElementwise((a, b) => (f(a, b) ? 1 : 0)),
    gradient: 'zero',
  });

export const equal = comparison('Equal', (a, b) => a === b);
export const greater = comparison('Greater', (a, b) => a > b);
export const greaterOrEqual = comparison('GreaterOrEqual', (a, b) => a >= b);
export const less = comparison('Less', (a, b) => a < b);
export const lessOrEqual = comparison('LessOrEqual', (a, b) => a <= b);

const requireBool = (inputs: readonly Value[]) => {
  for (const v of inputs)
    if (v.dtype !== 'bool') throw new DTypeError(`expected bool operands, found ${v.dtype}; cast with .to('bool')`);
};

const logic = (name: string, f: (a: number, b: number) => number) =>
  defineOp(name, {
    infer: (inputs) => {
      requireBool(inputs);
      return type('bool', broadcastShapes(inputs[0].shape, inputs[1].shape));
    },
    fold: foldElementwise(f),
    gradient: 'zero',
  });

export const and = logic('And', (a, b) => a & b);
export const or = logic('Or', (a, b) => a | b);
export const xor = logic('Xor', (a, b) => a ^ b);

export const not = defineOp('Not', {
  infer: (inputs) => {
    requireBool(inputs);
    return type('bool', inputs[0].shape);
  },
  fold: foldElementwise((a) => 1 - a),
  gradient: 'zero',
});

/** Elements of the second operand where the first is true, else of the third. */
export const where = defineOp('Where', {
  infer: ([condition, a, b]) => {
    requireBool([condition]);
    return type(requireSameDType(a, b), broadcastShapes(condition.shape, a.shape, b.shape));
  },
  fold: foldElementwise((c, a, b) => (c ? a : b)),
  // ONNX Runtime has no kernel that selects bools.
  simplify: ([condition, a, b]) =>
    a.dtype === 'bool' && b.dtype === 'bool' ? or(and(condition, a), and(not(condition), b)) : undefined,
  gradient: ({ inputs: [condition], outputs: [y], needs }, [dy]) => {
    const zero = constant(0, y.dtype);
    return [null, needs[1] ? where(condition, dy, zero) : null, needs[2] ? where(condition, zero, dy) : null];
  },
});
