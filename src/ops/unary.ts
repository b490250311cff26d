/** @file Building blocks of one-operand rules. Functions, not constants: operator files import each other in cycles. */
import { DTypeError } from '../ir/errors.ts';
import { type Attrs, constant, type GradientSpec, type TensorType, type Value } from '../ir/graph.ts';
import { mul } from './arithmetic.ts';
import { requireFloat, type } from './define.ts';

/** A gradient rule `dx = dy * slope`, the slope written in terms of x and y. */
export function slope(f: (x: Value, y: Value, attrs: Attrs) => Value): GradientSpec {
  return ({ inputs: [x], outputs: [y], attrs }, [dy]) => [dy && mul(dy, f(x, y, attrs))];
}

/** A scalar constant of the dtype of `like`. */
export function scalar(like: Value, value: number): Value {
  return constant(value, like.dtype);
}

/** A numeric attribute, or the default that ONNX gives it. */
export function numberAttr(attrs: Attrs, name: string, fallback: number): number {
  const value = attrs[name];
  return typeof value === 'number' ? value : fallback;
}

/**
 * The parts of an operator that ONNX Runtime's CPU provider runs in float32 only: in float64 it is composed at once.
 * Spread into a definition.
 */
export function composedInDouble(decompose: (inputs: readonly Value[], attrs: Attrs) => Value) {
  return {
    decompose,
    simplify: (inputs: readonly Value[], attrs: Attrs) =>
      inputs[0]?.dtype === 'float64' ? decompose(inputs, attrs) : undefined,
  };
}

/** The input's type; floating point only. */
export function inferFloat([x]: readonly Value[]): TensorType {
  return type(requireFloat(x), x.shape);
}

/** The input's type; any number, no bool. */
export function inferNumber([x]: readonly Value[]): TensorType {
  if (x.dtype === 'bool' || x.dtype === 'string') throw new DTypeError(`expected numbers, found ${x.dtype}`);
  return type(x.dtype, x.shape);
}
