/**
 * @file The frame of the gradients of LSTM, GRU and RNN: directions, sequence lengths, biases.
 *
 * The forward pass is one operator over the whole sequence. The backward pass computes all gates again in a large
 * product over all steps, prepares the factors of every step's derivative at once, and leaves only the recurrence itself
 * to be unrolled; the gradients of the weights are again a large product over all steps.
 */
import { type Attrs, constant, type GradientContext, type GradientRule, type Value } from '../../ir/graph.ts';
import type { Shape } from '../../ir/shape.ts';
import { add } from '../arithmetic.ts';
import { cast } from '../cast.ts';
import { less } from '../compare.ts';
import { concat, ints, reshape, split, swapLast } from '../movement.ts';
import { reverseSequence } from '../rearrange.ts';
import { flip } from '../slice.ts';
import { type Pass, type PassGradients, shifted } from './pass.ts';
import { directionsOf, type Sizes, sizesOf } from './signature.ts';

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
    dy: dy && flipTime(dy),
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
