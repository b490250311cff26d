/** @file The signature that LSTM, GRU and RNN share in ONNX: operands, sizes, directions. */
import { ArgumentError, GradientError, ShapeError } from '../../ir/errors.ts';
import type { Attrs, Value } from '../../ir/graph.ts';
import { formatShape, type Shape, sameShape } from '../../ir/shape.ts';
import { requireFloat, requireSameDType, type } from '../define.ts';
import { transpose } from '../movement.ts';
import { numberAttr } from '../unary.ts';

/** Operands by position: x, w, r, b, sequence_lens, initial_h, initial_c. */
export type Operands = readonly (Value | null | undefined)[];

/** What the shapes of the operands say. */
export interface Sizes {
  readonly steps: number;
  readonly batch: number;
  readonly inputs: number;
  readonly hidden: number;
  readonly directions: number;
}

/** @throws ShapeError where the operands do not fit together. */
export function sizesOf(operands: Operands, gates: number): Sizes {
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

/** The directions in time that the attribute `direction` names, in the order of their weights. */
export function directionsOf(attrs: Attrs): readonly ('forward' | 'reverse')[] {
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
