/** @file RNN: the plain recurrence of Elman. */
import type { Attrs, Value } from '../../ir/graph.ts';
import { step } from '../activations.ts';
import { add, mul } from '../arithmetic.ts';
import { apply, defineMultiOp } from '../define.ts';
import { zerosOf } from '../gather.ts';
import { gemm } from '../matmul.ts';
import { concat } from '../movement.ts';
import {
  columnSums,
  inferRecurrent,
  type Pass,
  type PassGradients,
  perStep,
  plus,
  recurrentGradient,
  refuse,
  shifted,
  stepsFirst,
  tanhSlope,
  whileActive,
} from './common.ts';

const activationOf = (attrs: Attrs) =>
  ((attrs.activations as readonly string[] | undefined)?.[0] ?? 'Tanh').toLowerCase();

/**
 * h = f(x W' + h R' + biases), f tanh (default) or, with `activations: ['Relu']`, relu. Operands and outputs as for LSTM
 * without cell state. Source: ONNX RNN; Elman 1990.
 */
export const rnn = defineMultiOp('RNN', {
  optionalOutputs: 0,
  infer: (operands, attrs) => inferRecurrent(operands, attrs, 1, 1),
  simplify: (operands, attrs) => stepsFirst(operands, attrs, (o, a) => apply(rnn.definition, o, a)),
  gradient: (node, dys) => gradient(node, dys),
});

const gradient = recurrentGradient(
  1,
  ({ attrs }) => refuse(attrs, 'RNN', [activationOf(attrs) === 'relu' ? 'Relu' : 'Tanh']),
  backward,
);

function backward(pass: Pass, attrs: Attrs): PassGradients {
  const { x, w, r, h0, y } = pass;
  const before = shifted(pass, y, h0);
  const slope = activationOf(attrs) === 'relu' ? step(y) : tanhSlope(y);
  const slopes = perStep(pass, whileActive(pass, slope));
  const dyAt = pass.dy ? perStep(pass, whileActive(pass, pass.dy)) : null;
  const rest = pass.active ? perStep(pass, whileActive(pass, zerosOf(pass.active, pass.active.shape), 1)) : null;
  const zero = zerosOf(y, [pass.batch, pass.hidden]);
  let carried: Value | null = pass.dh;
  const gates: Value[] = [];
  for (let s = pass.steps - 1; s >= 0; s--) {
    const dh: Value = plus(carried, dyAt?.[s] ?? null) ?? zero;
    const d = mul(dh, slopes[s]);
    gates.unshift(d);
    const back = gemm(d, r);
    carried = rest ? add(back, mul(dh, rest[s])) : back;
  }
  const all = concat(...gates, { axis: 0 });
  const bias = columnSums(all);
  return {
    dx: gemm(all, w),
    dw: gemm(all, x, { transA: 1 }),
    dr: gemm(all, before, { transA: 1 }),
    dwb: bias,
    drb: bias,
    dh0: carried ?? zero,
  };
}
