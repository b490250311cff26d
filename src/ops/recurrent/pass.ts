/**
 * @file What the gradients of LSTM, GRU and RNN are built of: one direction's values, products over all steps, single
 * steps.
 *
 * A step's values stand as columns, one per sequence of the batch: [features, batch]. ONNX Runtime packs the right
 * operand of a product before it computes; so the weights, which no step changes, are the left one.
 */
import type { Value } from '../../ir/graph.ts';
import { add, mul, sub } from '../arithmetic.ts';
import { zerosOf } from '../gather.ts';
import { gemm, matMul } from '../matmul.ts';
import { concat, expand, ints, reshape, split, swapLast } from '../movement.ts';
import { zeroPadded } from '../slice.ts';
import { scalar } from '../unary.ts';

/** One direction of the network in its own order of time. */
export interface Pass {
  readonly steps: number;
  readonly batch: number;
  readonly hidden: number;
  /** [steps, batch, inputs]. */
  readonly x: Value;
  readonly w: Value;
  readonly r: Value;
  /** Biases of input and recurrence, [gates * hidden] each. */
  readonly wb: Value | null;
  readonly rb: Value | null;
  /** All outputs, and the states before each step, [steps, batch, hidden]. */
  readonly y: Value;
  readonly before: Value;
  /** The initial cell state, [hidden, batch]. */
  readonly c0: Value | null;
  /** Gradients of all outputs [steps, batch, hidden] and of the last states [hidden, batch]. */
  readonly dy: Value | null;
  readonly dh: Value | null;
  readonly dc: Value | null;
  /** 1 while the sequence lasts, 0 after, [steps, 1, batch]; null without sequence lengths. */
  readonly active: Value | null;
}

export interface PassGradients {
  /** [steps * batch, inputs]. */
  readonly dx: Value;
  readonly dw: Value;
  readonly dr: Value;
  readonly dwb: Value;
  readonly drb: Value;
  /** [hidden, batch]. */
  readonly dh0: Value;
  readonly dc0?: Value;
}

/** A linear map of all steps at once, and the gradients of its weights. */
export interface Affine {
  /** [steps, outputs, batch]. */
  readonly y: Value;
  /** Of `dy` [outputs, steps * batch] the gradients of the weights [outputs, inputs], then of the bias [outputs]. */
  readonly gradients: (dy: Value) => { readonly weights: readonly Value[]; readonly bias: Value };
}

/**
 * The sum of the products of several inputs [steps, batch, features] with their weights [outputs, features], and a bias
 * [outputs]: one product of all side by side, the bias being the weight of a column of ones.
 */
export function affine(inputs: readonly Value[], weights: readonly Value[], bias: Value | null): Affine {
  const [steps, batch] = inputs[0].shape;
  const [outputs] = weights[0].shape;
  const ones = expand(scalar(inputs[0], 1), [steps, batch, 1]);
  const column = reshape(bias ?? zerosOf(weights[0], [outputs]), [outputs, 1]);
  const rows = concat(...inputs, ones, { axis: 2 });
  const matrix = concat(...weights, column, { axis: 1 });
  return {
    y: matMul(matrix, swapLast(rows)),
    gradients: (dy) => {
      const product = gemm(dy, reshape(rows, [steps * batch, matrix.shape[1]]));
      const parts = split(product, ints([...weights.map((w) => w.shape[1]), 1]), { axis: 1 });
      return { weights: parts.slice(0, -1), bias: reshape(parts[weights.length], [outputs]) };
    },
  };
}

/** The gradient of the input of a linear map, [steps * batch, inputs], of `dy` [outputs, steps * batch]. */
export function inputGradient(dy: Value, weights: Value): Value {
  return gemm(dy, weights, { transA: 1 });
}

/** The states before each step: the initial one, then all but the last of `states`. */
export function shifted(states: Value, initial: Value | null): Value {
  const [steps, ...state] = states.shape;
  const first = initial ?? zerosOf(states, [1, ...state]);
  if (steps === 1) return first;
  const [before] = split(states, ints([steps - 1, 1]), { axis: 0 });
  return concat(first, before, { axis: 0 });
}

/** Of [steps, features, batch] one matrix [features, batch] per step. */
export function perStep(v: Value): readonly Value[] {
  const [steps, features, batch] = v.shape;
  const rows = reshape(v, [steps * features, batch]);
  return steps === 1 ? [rows] : split(rows, ints(new Array(steps).fill(features)), { axis: 0 });
}

/** The gradient of each step's output, [hidden, batch]; null where it is known to be none, as below a slice of the steps. */
export function outputGradients(pass: Pass): readonly (Value | null)[] {
  const { dy, steps, active } = pass;
  const none: null[] = new Array(steps).fill(null);
  if (!dy) return none;
  const padded = active ? undefined : zeroPadded(dy);
  const [first, ...others] = padded?.before ?? [0];
  if (!padded || first < 0 || padded.after[0] < 0 || [...others, ...padded.after.slice(1)].some((n) => n !== 0))
    return perStep(whileActive(pass, swapLast(dy)));
  const given = perStep(swapLast(padded.inner));
  return [...none.slice(0, first), ...given, ...none.slice(first + given.length)];
}

/** Matrices [features, batch] of all steps, the last one first, as one [features, steps * batch]. */
export function allSteps(lastFirst: readonly Value[]): Value {
  return concat(...[...lastFirst].reverse(), { axis: 1 });
}

/** Equal parts for the gates of [steps, gates * hidden, batch]. */
export function perGate(v: Value, gates: number): readonly Value[] {
  return split(v, ints(new Array(gates).fill(v.shape[1] / gates)), { axis: 1 });
}

/** `v` while the sequence lasts, `after` beyond its end. */
export function whileActive({ active }: Pass, v: Value, after: 0 | 1 = 0): Value {
  if (!active) return v;
  const kept = mul(v, active);
  return after ? add(kept, sub(scalar(v, 1), active)) : kept;
}

export function plus(a: Value | null, b: Value | null): Value | null {
  return a && b ? add(a, b) : (a ?? b);
}

/** y - y^2, the slope of a sigmoid. */
export function sigmoidSlope(y: Value): Value {
  return sub(y, mul(y, y));
}

/** 1 - y^2, the slope of tanh. */
export function tanhSlope(y: Value): Value {
  return sub(scalar(y, 1), mul(y, y));
}
