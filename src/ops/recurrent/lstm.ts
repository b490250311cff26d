/** @file LSTM. */

import type { Value } from '../../ir/graph.ts';
import { sigmoid, tanh } from '../activations.ts';
import { add, mul, sub } from '../arithmetic.ts';
import { apply, defineMultiOp } from '../define.ts';
import { zerosOf } from '../gather.ts';
import { gemm } from '../matmul.ts';
import { concat, reshape, swapLast } from '../movement.ts';
import { scalar } from '../unary.ts';
import { recurrentGradient } from './gradient.ts';
import {
  affine,
  allSteps,
  inputGradient,
  outputGradients,
  type Pass,
  type PassGradients,
  perGate,
  perStep,
  plus,
  whileActive,
} from './pass.ts';
import { inferRecurrent, refuse, stepsFirst } from './signature.ts';

/**
 * LSTM over whole sequences. Operands: x [steps, batch, inputs], w [directions, 4 hidden, inputs],
 * r [directions, 4 hidden, hidden], and optionally b [directions, 8 hidden], sequence_lens [batch],
 * initial_h and initial_c [directions, batch, hidden], peepholes. Gates are in the order i, o, f, c. Outputs: all hidden
 * states [steps, directions, batch, hidden], the last hidden and the last cell state. Source: ONNX LSTM; Hochreiter and
 * Schmidhuber 1997.
 */
export const lstm = defineMultiOp('LSTM', {
  optionalOutputs: 0,
  infer: (operands, attrs) => inferRecurrent(operands, attrs, 4, 2),
  simplify: (operands, attrs) => stepsFirst(operands, attrs, (o, a) => apply(lstm.definition, o, a)),
  gradient: (node, dys) => gradient(node, dys),
});

const gradient = recurrentGradient(
  4,
  ({ attrs, inputs }) =>
    refuse(attrs, 'LSTM', ['Sigmoid', 'Tanh', 'Tanh'], inputs[7] ? 'peepholes (operand P)' : undefined),
  backward,
);

function backward(pass: Pass): PassGradients {
  const { x, w, r, wb, rb, before, steps } = pass;
  const inputs = affine([before, x], [r, w], plus(wb, rb));
  const gates = perGate(inputs.y, 4);
  const [i, o, f] = gates.slice(0, 3).map((v) => sigmoid(v));
  const g = tanh(gates[3]);
  const forgetAt = perStep(whileActive(pass, f, 1));
  const entering = mul(i, g);
  const { cells, kept } = cellStates(pass, perStep(whileActive(pass, entering)), forgetAt);
  const t = tanh(cells);
  const y = mul(o, t);
  // What a step's gradients are multiplied by: hidden to cell state, then cell (or hidden, for o) to the gates' inputs.
  // Slopes s (1 - s) and 1 - t^2 are multiplied out with products that exist (i g, o t, f c): these passes over all steps
  // cost as much time as the steps.
  const toCell = perStep(whileActive(pass, sub(o, mul(y, t))));
  const slopes = concat(
    sub(entering, mul(entering, i)),
    sub(y, mul(y, o)),
    sub(kept, mul(kept, f)),
    sub(i, mul(entering, g)),
    { axis: 1 },
  );
  const toGates = perStep(whileActive(pass, slopes));
  const dyAt = outputGradients(pass);
  const rest = pass.active ? perStep(sub(scalar(pass.active, 1), pass.active)) : null;

  const zero = zerosOf(r, [pass.hidden, pass.batch]);
  const back = swapLast(r);
  // The gradient of a step's own output enters as the bias of the product that brings the later steps' gradient.
  let dh: Value = plus(pass.dh, dyAt[steps - 1]) ?? zero;
  let dc: Value | null = pass.dc;
  const dGates: Value[] = [];
  for (let s = steps - 1; s >= 0; s--) {
    const cell: Value = plus(dc, mul(dh, toCell[s])) ?? zero;
    const d = mul(concat(cell, dh, cell, cell, { axis: 0 }), toGates[s]);
    dGates.push(d);
    const earlier = gemm(back, d, s > 0 ? dyAt[s - 1] : null);
    dh = rest ? add(earlier, mul(dh, rest[s])) : earlier;
    dc = mul(cell, forgetAt[s]);
  }
  const all = allSteps(dGates);
  const { weights, bias } = inputs.gradients(all);
  return {
    dx: inputGradient(all, w),
    dw: weights[1],
    dr: weights[0],
    dwb: bias,
    drb: bias,
    dh0: dh,
    dc0: dc ?? zero,
  };
}

/** c = f * c + i * g, step by step, and its first term; [steps, hidden, batch] both. */
function cellStates({ c0, steps, hidden, batch }: Pass, entering: readonly Value[], forget: readonly Value[]) {
  const cells: Value[] = [];
  const kept: Value[] = [];
  for (const [s, added] of entering.entries()) {
    const before: Value | null = s ? cells[s - 1] : c0;
    kept.push(before ? mul(forget[s], before) : zerosOf(added, added.shape));
    cells.push(before ? add(kept[s], added) : added);
  }
  const all = (v: readonly Value[]) => reshape(concat(...v, { axis: 0 }), [steps, hidden, batch]);
  return { cells: all(cells), kept: all(kept) };
}
