/** @file One step of each recurrence, and a layer run step by step where ONNX Runtime has no operator for it. */
import { carryOver } from '../tensor/autograd.ts';
import { stack, type Tensor, where } from '../tensor/index.ts';
import * as F from './functional/index.ts';

/** What the input and the last hidden state give to the gates, and the states before: the states after, the hidden one first. */
export type Step = (fromInput: Tensor, fromHidden: Tensor, states: readonly Tensor[]) => Tensor[];

export const elmanSteps: Readonly<Record<'tanh' | 'relu', Step>> = {
  tanh: (x, h) => [x.add(h).tanh()],
  relu: (x, h) => [x.add(h).relu()],
};

export const gruStep: Step = (fromInput, fromHidden, [before]) => {
  const [ri, zi, ni] = fromInput.chunk(3, -1);
  const [rh, zh, nh] = fromHidden.chunk(3, -1);
  const n = ni.add(ri.add(rh).sigmoid().mul(nh)).tanh();
  return [n.add(zi.add(zh).sigmoid().mul(before.sub(n)))];
};

export const lstmStep: Step = (fromInput, fromHidden, [, before]) => {
  const [i, f, g, o] = fromInput.add(fromHidden).chunk(4, -1);
  const c = f.sigmoid().mul(before).add(i.sigmoid().mul(g.tanh()));
  return [o.sigmoid().mul(c.tanh()), c];
};

/** One direction of one layer, with PyTorch's weights. */
export interface Recurrence {
  readonly step: Step;
  /** [steps, batch, inputs]. */
  readonly x: Tensor;
  readonly weightIh: Tensor;
  readonly weightHh: Tensor;
  readonly biasIh: Tensor | null;
  readonly biasHh: Tensor | null;
  /** [projected, hidden], of a hidden state with fewer features (Sak et al. 2014); or null. */
  readonly weightHr: Tensor | null;
  /** The states before the first step, [batch, ...]. */
  readonly initial: readonly Tensor[];
  /** Length of each sequence, or null for all steps. */
  readonly lengths: Tensor | null;
  readonly reverse: boolean;
}

/** All hidden states [steps, batch, hidden], and the last states. */
export function stepByStep(options: Recurrence): { y: Tensor; last: Tensor[] } {
  const { step, x, weightIh, weightHh, biasIh, biasHh, weightHr, lengths, reverse } = options;
  const [steps] = x.shape;
  const inputs = F.linear(x, weightIh, biasIh);
  let states = options.initial;
  const outputs: Tensor[] = [];
  for (let k = 0; k < steps; k++) {
    const t = reverse ? steps - 1 - k : k;
    const [hidden, ...others] = step(inputs.select(0, t), F.linear(states[0], weightHh, biasHh), states);
    const after = [weightHr ? F.linear(hidden, weightHr) : hidden, ...others];
    // Beyond its end a sequence gives 0 and keeps its states.
    const lasts = lengths?.gt(t).unsqueeze(1);
    const before = states;
    outputs[t] = lasts ? where(lasts, after[0], 0) : after[0];
    states = lasts ? after.map((state, i) => where(lasts, state, before[i])) : after;
  }
  const y = stack(outputs);
  // With lengths the last states are chosen from several steps, which y is not made of.
  return { y, last: states.map((state) => carryOver(state, y)) };
}
