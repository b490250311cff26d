/** @file RNN: the plain recurrence of Elman. */
import type { Attrs, Value } from '../../ir/graph.ts';
import { step } from '../activations.ts';
import { add, mul, sub } from '../arithmetic.ts';
import { apply, defineMultiOp } from '../define.ts';
import { zerosOf } from '../gather.ts';
import { gemm } from '../matmul.ts';
import { swapLast } from '../movement.ts';
import { scalar } from '../unary.ts';
import { recurrentGradient } from './gradient.ts';
import {
  affine,
  allSteps,
  inputGradient,
  outputGradients,
  type Pass,
  type PassGradients,
  perStep,
  plus,
  tanhSlope,
  whileActive,
} from './pass.ts';
import { inferRecurrent, refuse, stepsFirst } from './signature.ts';

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
  const { x, w, r, wb, rb } = pass;
  const y = swapLast(pass.y);
  const slope = activationOf(attrs) === 'relu' ? step(y) : tanhSlope(y);
  const slopes = perStep(whileActive(pass, slope));
  const dyAt = outputGradients(pass);
  const rest = pass.active ? perStep(sub(scalar(pass.active, 1), pass.active)) : null;
  const zero = zerosOf(y, [pass.hidden, pass.batch]);
  const back = swapLast(r);
  let carried: Value | null = pass.dh;
  const gates: Value[] = [];
  for (let s = pass.steps - 1; s >= 0; s--) {
    const dh: Value = plus(carried, dyAt[s]) ?? zero;
    const d = mul(dh, slopes[s]);
    gates.push(d);
    const earlier = gemm(back, d);
    carried = rest ? add(earlier, mul(dh, rest[s])) : earlier;
  }
  const all = allSteps(gates);
  const { weights, bias } = affine([pass.before, x], [r, w], plus(wb, rb)).gradients(all);
  return {
    dx: inputGradient(all, w),
    dw: weights[1],
    dr: weights[0],
    dwb: bias,
    drb: bias,
    dh0: carried ?? zero,
  };
}
