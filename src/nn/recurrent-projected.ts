/** @file An LSTM whose hidden state is projected to fewer features; ONNX has no operator for it, so it is written step by step. */
import { carryOver } from '../tensor/autograd.ts';
import { stack, type Tensor, where, zeros } from '../tensor/index.ts';
import * as F from './functional/index.ts';

/** One direction of one layer: PyTorch's weights, initial states [batch, ...] or null for zeros. */
export interface ProjectedLstm {
  /** [steps, batch, inputs]. */
  readonly x: Tensor;
  readonly weightIh: Tensor;
  readonly weightHh: Tensor;
  /** Both biases together, or null. */
  readonly bias: Tensor | null;
  /** [projected, hidden]. */
  readonly weightHr: Tensor;
  readonly h0: Tensor | null;
  readonly c0: Tensor | null;
  /** Length of each sequence, or null for all steps. */
  readonly lengths: Tensor | null;
  readonly reverse: boolean;
}

/** All projected states [steps, batch, projected], the last one, and the last cell state (Sak et al. 2014). */
export function projectedLstm(options: ProjectedLstm): { y: Tensor; h: Tensor; c: Tensor } {
  const { x, weightIh, weightHh, bias, weightHr, lengths, reverse } = options;
  const [steps, batch] = x.shape;
  const [projected, hidden] = weightHr.shape;
  const gates = F.linear(x, weightIh, bias);
  let h = options.h0 ?? zeros([batch, projected], { dtype: x.dtype });
  let c = options.c0 ?? zeros([batch, hidden], { dtype: x.dtype });
  const outputs: Tensor[] = [];
  for (let k = 0; k < steps; k++) {
    const t = reverse ? steps - 1 - k : k;
    const [i, f, g, o] = gates.select(0, t).add(F.linear(h, weightHh)).chunk(4, -1);
    const cell = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
    const state = F.linear(o.sigmoid().mul(cell.tanh()), weightHr);
    // Beyond its end a sequence gives 0 and keeps its state.
    const lasts = lengths?.gt(t).unsqueeze(1);
    outputs[t] = lasts ? where(lasts, state, 0) : state;
    h = lasts ? where(lasts, state, h) : state;
    c = lasts ? where(lasts, cell, c) : cell;
  }
  const y = stack(outputs);
  // With lengths the last states are chosen from several steps, which y is not made of.
  return { y, h: carryOver(h, y), c: carryOver(c, y) };
}
