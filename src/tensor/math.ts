/** @file Arithmetic on tensors. */
import { Value } from '../ir/graph.ts';
import * as ops from '../ops/index.ts';
import { type Operand, pair } from './operand.ts';
import { Tensor } from './tensor.ts';

/** a + b, broadcast. */
export function add(a: Operand, b: Operand): Tensor {
  return new Tensor(ops.add(...pair(a, b)));
}

/** a - b, broadcast. */
export function sub(a: Operand, b: Operand): Tensor {
  return new Tensor(ops.sub(...pair(a, b)));
}

/** a * b, broadcast. */
export function mul(a: Operand, b: Operand): Tensor {
  return new Tensor(ops.mul(...pair(a, b)));
}

/** a / b, broadcast. */
export function div(a: Operand, b: Operand): Tensor {
  return new Tensor(ops.div(...pair(a, b)));
}

/** The same elements, cut off from differentiation. */
export function detach(x: Tensor): Tensor {
  const { value } = x;
  if (!value.requiresGrad) return new Tensor(value);
  return new Tensor(value.node ? ops.stopGradient(value) : Value.input(value, value.leaf, false));
}
