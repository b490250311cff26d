/** @file LSTM. */

import type { Value } from '../../ir/graph.ts';
import { sigmoid, tanh } from '../activations.ts';
import { add, mul, sub } from '../arithmetic.ts';
import { apply, defineMultiOp } from '../define.ts';
import { zerosOf } from '../gather.ts';
import { gemm } from '../matmul.ts';
import { concat } from '../movement.ts';
import {
  columnSums,
  inferRecurrent,
  type Pass,
  type PassGradients,
  perGate,
  perStep,
  plus,
  project,
  recurrentGradient,
  refuse,
  shifted,
  sigmoidSlope,
  stepsFirst,
  whileActive,
} from './common.ts';

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
  const { x, w, r, wb, rb, h0, c0, y, steps } = pass;
  const before = shifted(pass, y, h0);
  const gates = gemm(before, r, project(x, w, plus(wb, rb)), { transB: 1 });
  const [i, o, f] = perGate(gates, 4)
    .slice(0, 3)
    .map((v) => sigmoid(v));
  const g = tanh(perGate(gates, 4)[3]);
  const forget = whileActive(pass, f, 1);
  const forgetAt = perStep(pass, forget);
  const entering = mul(i, g);
  const cells = cellStates(pass, perStep(pass, whileActive(pass, entering)), forgetAt);
  const t = tanh(cells);
  // What a step's gradients are multiplied by: hidden to cell state, then cell (or hidden, for o) to the gates' inputs.
  // Slopes s (1 - s) and 1 - t^2 are multiplied out with products that exist (y = o t): these passes over all steps cost
  // as much time as the steps.
  const toCell = perStep(pass, whileActive(pass, sub(o, mul(y, t))));
  const slopes = concat(
    sub(entering, mul(entering, i)),
    sub(y, mul(y, o)),
    mul(shifted(pass, cells, c0), sigmoidSlope(f)),
    sub(i, mul(entering, g)),
    { axis: 1 },
  );
  const toGates = perStep(pass, whileActive(pass, slopes));
  const dyAt = pass.dy ? perStep(pass, whileActive(pass, pass.dy)) : null;
  const rest = pass.active ? perStep(pass, whileActive(pass, zerosOf(pass.active, pass.active.shape), 1)) : null;

  const zero = zerosOf(y, [pass.batch, pass.hidden]);
  // The gradient of a step's own output enters as the bias of the product that brings the later steps' gradient.
  let dh: Value = plus(pass.dh, dyAt?.[steps - 1] ?? null) ?? zero;
  let dc: Value | null = pass.dc;
  const dGates: Value[] = [];
  for (let s = steps - 1; s >= 0; s--) {
    const cell: Value = plus(dc, mul(dh, toCell[s])) ?? zero;
    const d = mul(concat(cell, dh, cell, cell, { axis: 1 }), toGates[s]);
    dGates.unshift(d);
    const back = gemm(d, r, s > 0 ? dyAt?.[s - 1] : undefined);
    dh = rest ? add(back, mul(dh, rest[s])) : back;
    dc = mul(cell, forgetAt[s]);
  }
  const all = concat(...dGates, { axis: 0 });
  const bias = columnSums(all);
  return {
    dx: gemm(all, w),
    dw: gemm(all, x, { transA: 1 }),
    dr: gemm(all, before, { transA: 1 }),
    dwb: bias,
    drb: bias,
    dh0: dh,
    dc0: dc ?? zero,
  };
}

/** c = f * c + i * g, step by step. */
function cellStates(pass: Pass, fresh: readonly Value[], forget: readonly Value[]): Value {
  const states: Value[] = [];
  for (const [s, added] of fresh.entries()) {
    const before: Value | null = s ? states[s - 1] : pass.c0;
    states.push(before ? add(mul(forget[s], before), added) : added);
  }
  return concat(...states, { axis: 0 });
}
