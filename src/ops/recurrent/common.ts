/**
 * @file What LSTM, GRU and RNN share: ONNX's signature, directions, sequence lengths, and the frame of the gradient.
 *
 * The forward pass is one operator over the whole sequence. The backward pass computes all gates again in a large
 * product over all steps, prepares the factors of every step's derivative at once, and leaves only the recurrence itself
 * to be unrolled; the gradients of the weights are again a large product over all steps.
 *
 * Here a step's values stand as columns, one per sequence of the batch: [features, batch]. ONNX Runtime packs the right
 * operand of a product before it computes; so the weights, which no step changes, are the left one.
 */
import { ArgumentError, GradientError, ShapeError } from '../../ir/errors.ts';
import { type Attrs, constant, type GradientContext, type GradientRule, type Value } from '../../ir/graph.ts';
import { formatShape, type Shape, sameShape } from '../../ir/shape.ts';
import { add, mul, sub } from '../arithmetic.ts';
import { cast } from '../cast.ts';
import { less } from '../compare.ts';
import { requireFloat, requireSameDType, type } from '../define.ts';
import { zerosOf } from '../gather.ts';
import { gemm, matMul } from '../matmul.ts';
import { concat, expand, ints, reshape, split, swapLast, transpose } from '../movement.ts';
import { reverseSequence } from '../rearrange.ts';
import { flip } from '../slice.ts';
import { numberAttr, scalar } from '../unary.ts';

/** Operands by position: x, w, r, b, sequence_lens, initial_h, initial_c. */
export type Operands = readonly (Value | null | undefined)[];

interface Sizes {
  readonly steps: number;
  readonly batch: number;
  readonly inputs: number;
  readonly hidden: number;
  readonly directions: number;
}

function sizesOf(operands: Operands, gates: number): Sizes {
  const [x, w, r] = operands as readonly Value[];
  if (x.rank !== 3) throw new ShapeError(`the input must be [steps, batch, features], found ${formatShape(x.shape)}`);
  const hidden = r.shape[2];
  const sizes = { steps: x.shape[0], batch: x.shape[1], inputs: x.shape[2], hidden, directions: w.shape[0] };
  return { ...sizes, directions: checkWeights(w, r, sizes, gates) };
}

function checkWeights(w: Value, r: Value, { inputs, hidden, directions }: Sizes, gates: number): number {
  const expected: [string, Value, Shape][] = [
    ['w', w, [directions, gates * hidden, inputs]],
    ['r', r, [directions, gates * hidden, hidden]],
  ];
  for (const [name, v, shape] of expected)
    if (!sameShape(v.shape, shape))
      throw new ShapeError(
        `${name} must have shape ${formatShape(shape)} (directions, gates times hidden size, ...), found ${formatShape(v.shape)}`,
      );
  return directions;
}

/** Output types: all steps [steps, directions, batch, hidden], then `states` last states [directions, batch, hidden]. */
export function inferRecurrent(operands: Operands, attrs: Attrs, gates: number, states: number) {
  const [x, w, r] = operands as readonly Value[];
  requireFloat(x);
  requireSameDType(x, w, r);
  const { steps, batch, hidden, directions } = sizesOf(operands, gates);
  const wanted = directionsOf(attrs);
  if (directions !== wanted.length)
    throw new ShapeError(
      `direction '${attrs.direction ?? 'forward'}' needs ${wanted.length} set(s) of weights, found ${directions}`,
    );
  const hiddenSize = numberAttr(attrs, 'hidden_size', hidden);
  if (hiddenSize !== hidden)
    throw new ArgumentError(`hidden_size is ${hiddenSize}, but the weights have a hidden size of ${hidden}`);
  const expected: [number, string, Shape][] = [
    [3, 'the bias', [directions, 2 * gates * hidden]],
    [4, 'sequence_lens', [batch]],
    [5, 'initial_h', [directions, batch, hidden]],
    [6, 'initial_c', [directions, batch, hidden]],
  ];
  for (const [at, name, shape] of expected) {
    const v = operands[at];
    if (v && !sameShape(v.shape, shape))
      throw new ShapeError(`${name} must have shape ${formatShape(shape)}, found ${formatShape(v.shape)}`);
  }
  const state = type(x.dtype, [directions, batch, hidden]);
  return [type(x.dtype, [steps, directions, batch, hidden]), ...Array.from({ length: states }, () => state)];
}

function directionsOf(attrs: Attrs): readonly ('forward' | 'reverse')[] {
  const direction = attrs.direction ?? 'forward';
  if (direction === 'forward' || direction === 'reverse') return [direction];
  if (direction === 'bidirectional') return ['forward', 'reverse'];
  throw new ArgumentError(`direction must be 'forward', 'reverse' or 'bidirectional', found '${direction}'`);
}

/**
 * Applies the operator with steps first where the attribute `layout` says that the batch comes first (ONNX Runtime has
 * only the former); undefined for layout 0.
 */
export function stepsFirst(
  operands: Operands,
  attrs: Attrs,
  apply: (operands: Operands, attrs: Attrs) => readonly Value[],
): readonly Value[] | undefined {
  const { layout, ...rest } = attrs;
  if (layout !== 1) return undefined;
  const swapped = (v: Value | null | undefined) => v && transpose(v, { perm: [1, 0, 2] });
  const arranged = operands.map((v, i) => (i === 0 || i === 5 || i === 6 ? swapped(v) : v));
  const [y, ...states] = apply(arranged, rest);
  return [transpose(y, { perm: [2, 0, 1, 3] }), ...states.map((s) => transpose(s, { perm: [1, 0, 2] }))];
}

/** Throws GradientError where an attribute changes the formulas that the gradient knows. */
export function refuse(attrs: Attrs, operator: string, activations: readonly string[], extra?: string): void {
  const given = attrs.activations as readonly string[] | undefined;
  const custom = given?.some((name, i) => name.toLowerCase() !== activations[i % activations.length].toLowerCase());
  const reason =
    extra ??
    (custom ? `activations [${given?.join(', ')}]` : undefined) ??
    (attrs.clip !== undefined ? 'clip' : undefined) ??
    (attrs.input_forget ? 'coupled input and forget gates (input_forget)' : undefined);
  if (reason)
    throw new GradientError(
      `${operator} with ${reason} can be run but not differentiated; build it from single operators, or freeze it`,
    );
}

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
  /** Gradients of all outputs [steps, hidden, batch] and of the last states [hidden, batch]. */
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
function shifted(states: Value, initial: Value | null): Value {
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

/** The gradient rule made of one direction's backward pass. */
export function recurrentGradient(
  gates: number,
  check: (node: GradientContext) => void,
  backward: (pass: Pass, attrs: Attrs) => PassGradients,
): GradientRule {
  return (node, dys) => {
    check(node);
    const { inputs, attrs } = node;
    const sizes = sizesOf(inputs, gates);
    const results = directionsOf(attrs).map((direction, d) => {
      const flipTime = timeReversal(direction, inputs[4]);
      const g = backward(passOf(node, dys, sizes, d, gates, flipTime), attrs);
      return { ...g, dx: flipTime(reshape(g.dx, [sizes.steps, sizes.batch, sizes.inputs])) };
    });
    const stacked = (of: (g: PassGradients) => Value, shape: Shape) => {
      const parts = results.map((g) => reshape(of(g), [1, ...shape]));
      return parts.length === 1 ? parts[0] : concat(...parts, { axis: 0 });
    };
    const { batch, hidden, inputs: features } = sizes;
    const initial = (of: (g: PassGradients) => Value) => stacked((g) => swapLast(of(g)), [batch, hidden]);
    const rows = gates * hidden;
    const bias = () => stacked((g) => concat(g.dwb, g.drb, { axis: 0 }), [2 * rows]);
    return [
      results.map((g) => g.dx).reduce((a, b) => add(a, b)),
      stacked((g) => g.dw, [rows, features]),
      stacked((g) => g.dr, [rows, hidden]),
      inputs[3] && node.needs[3] ? bias() : null,
      null,
      inputs[5] && node.needs[5] ? initial((g) => g.dh0) : null,
      inputs[6] && node.needs[6] ? initial((g) => g.dc0 ?? g.dh0) : null,
    ];
  };
}

/** Turns the steps around (its own inverse): within the length of each sequence, where lengths are given. */
function timeReversal(direction: 'forward' | 'reverse', lengths: Value | null | undefined): (v: Value) => Value {
  if (direction === 'forward') return (v) => v;
  if (!lengths) return (v) => flip(v, [0]);
  const long = cast(lengths, { to: 'int64' });
  return (v) => reverseSequence(v, long, { time_axis: 0, batch_axis: 1 });
}

function passOf(
  { inputs, outputs }: GradientContext,
  dys: readonly (Value | undefined)[],
  { steps, batch, inputs: features, hidden, directions }: Sizes,
  d: number,
  gates: number,
  flipTime: (v: Value) => Value,
): Pass {
  const [x, w, r, b, lengths, h0, c0] = inputs;
  /** Direction d of a value whose axis `axis` counts directions, in the given shape. */
  const own = (v: Value | null | undefined, axis: number, shape: Shape) => {
    if (!v) return null;
    const part = directions === 1 ? v : split(v, ints(new Array(directions).fill(1)), { axis })[d];
    return reshape(part, shape);
  };
  const biases = own(b, 0, [2 * gates * hidden]);
  const [wb, rb] = biases ? split(biases, ints([gates * hidden, gates * hidden]), { axis: 0 }) : [null, null];
  const all = [steps, batch, hidden];
  const y = flipTime(own(outputs[0], 1, all) ?? outputs[0]);
  const dy = own(dys[0], 1, all);
  const state = (v: Value | null | undefined) => {
    const rows = own(v, 0, [batch, hidden]);
    return rows && swapLast(rows);
  };
  return {
    steps,
    batch,
    hidden,
    x: flipTime(x),
    w: own(w, 0, [gates * hidden, features]) ?? w,
    r: own(r, 0, [gates * hidden, hidden]) ?? r,
    wb,
    rb,
    y,
    before: shifted(y, own(h0, 0, [1, batch, hidden])),
    c0: state(c0),
    dy: dy && swapLast(flipTime(dy)),
    dh: state(dys[1]),
    dc: state(dys[2]),
    active: lengths ? activeSteps(lengths, x, steps) : null,
  };
}

function activeSteps(lengths: Value, x: Value, steps: number): Value {
  const times = constant(
    Array.from({ length: steps }, (_, t) => t),
    lengths.dtype,
    [steps, 1, 1],
  );
  return cast(less(times, lengths), { to: x.dtype });
}
