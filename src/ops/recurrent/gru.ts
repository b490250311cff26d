/** @file GRU. */
import type { Attrs, Value } from '../../ir/graph.ts';
import { sigmoid, tanh } from '../activations.ts';
import { add, mul, sub } from '../arithmetic.ts';
import { apply, defineMultiOp } from '../define.ts';
import { zerosOf } from '../gather.ts';
import { gemm } from '../matmul.ts';
import { concat, ints, split, swapLast } from '../movement.ts';
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
  sigmoidSlope,
  tanhSlope,
  whileActive,
} from './pass.ts';
import { inferRecurrent, refuse, stepsFirst } from './signature.ts';

/**
 * GRU over whole sequences. Operands as for LSTM without cell state; gates are in the order z (update), r (reset), h.
 * `linear_before_reset: 1` applies the reset gate after the product with the recurrent weights, as PyTorch and cuDNN do;
 * 0 (default) before it, as in the paper. Outputs: all hidden states, the last one. Source: ONNX GRU; Cho et al. 2014.
 */
export const gru = defineMultiOp('GRU', {
  optionalOutputs: 0,
  infer: (operands, attrs) => inferRecurrent(operands, attrs, 3, 1),
  simplify: (operands, attrs) => stepsFirst(operands, attrs, (o, a) => apply(gru.definition, o, a)),
  gradient: (node, dys) => gradient(node, dys),
});

const gradient = recurrentGradient(3, ({ attrs }) => refuse(attrs, 'GRU', ['Sigmoid', 'Tanh']), backward);

function backward(pass: Pass, attrs: Attrs): PassGradients {
  return attrs.linear_before_reset ? resetAfter(pass) : resetBefore(pass);
}

/** Outgoing gradients per step, and what passes a step by untouched. */
function seeds(pass: Pass, z: Value) {
  const dyAt = outputGradients(pass);
  const zero = zerosOf(pass.y, [pass.hidden, pass.batch]);
  const keep = perStep(whileActive(pass, z, 1));
  return { keep, dh: (s: number, carried: Value | null): Value => plus(carried, dyAt[s]) ?? zero, zero };
}

/** n = tanh(x W + wb + r * (h R + rb)): every gate's derivative is the outgoing one times a factor known beforehand. */
function resetAfter(pass: Pass): PassGradients {
  const { x, w, r: weights, wb, rb } = pass;
  const [input, state] = [affine([x], [w], wb), affine([pass.before], [weights], rb)];
  const [xz, xr, xn] = perGate(input.y, 3);
  const [hz, hr, hn] = perGate(state.y, 3);
  const [z, r] = [sigmoid(add(xz, hz)), sigmoid(add(xr, hr))];
  const n = tanh(add(xn, mul(r, hn)));
  const slopeZ = mul(sub(swapLast(pass.before), n), sigmoidSlope(z));
  const slopeN = mul(sub(scalar(z, 1), z), tanhSlope(n));
  const slopeR = mul(mul(slopeN, hn), sigmoidSlope(r));
  const byState = perStep(whileActive(pass, concat(slopeZ, slopeR, mul(slopeN, r), { axis: 1 })));
  const byInput = perStep(whileActive(pass, slopeN));
  const { keep, dh, zero } = seeds(pass, z);
  const back = swapLast(weights);
  let carried: Value | null = pass.dh;
  const [dStates, dInputs]: [Value[], Value[]] = [[], []];
  for (let s = pass.steps - 1; s >= 0; s--) {
    const d = dh(s, carried);
    dStates.push(mul(concat(d, d, d, { axis: 0 }), byState[s]));
    dInputs.push(mul(d, byInput[s]));
    carried = gemm(back, dStates[dStates.length - 1], mul(d, keep[s]));
  }
  const dState = allSteps(dStates);
  const [dzr] = split(dState, ints([2 * pass.hidden, pass.hidden]), { axis: 0 });
  const dInput = concat(dzr, allSteps(dInputs), { axis: 0 });
  const [byX, byH] = [input.gradients(dInput), state.gradients(dState)];
  return {
    dx: inputGradient(dInput, w),
    dw: byX.weights[0],
    dr: byH.weights[0],
    dwb: byX.bias,
    drb: byH.bias,
    dh0: carried ?? zero,
  };
}

/** n = tanh(x W + wb + (r * h) R + rb). */
function resetBefore(pass: Pass): PassGradients {
  const { x, w, r: weights, wb, rb, hidden, before } = pass;
  const [weightsZR, weightsN] = split(weights, ints([2 * hidden, hidden]), { axis: 0 });
  const [input, state] = [affine([x], [w], plus(wb, rb)), affine([before], [weightsZR], null)];
  const [xz, xr, xn] = perGate(input.y, 3);
  const [hz, hr] = perGate(state.y, 2);
  const [z, r] = [sigmoid(add(xz, hz)), sigmoid(add(xr, hr))];
  const h = swapLast(before);
  const candidate = affine([swapLast(mul(r, h))], [weightsN], null);
  const n = tanh(add(candidate.y, xn));
  const slopeZ = perStep(whileActive(pass, mul(sub(h, n), sigmoidSlope(z))));
  const slopeN = perStep(whileActive(pass, mul(sub(scalar(z, 1), z), tanhSlope(n))));
  const slopeR = perStep(mul(h, sigmoidSlope(r)));
  const rAt = perStep(r);
  const { keep, dh, zero } = seeds(pass, z);
  const [backZR, backN] = [swapLast(weightsZR), swapLast(weightsN)];
  let carried: Value | null = pass.dh;
  const [dzrs, dns]: [Value[], Value[]] = [[], []];
  for (let s = pass.steps - 1; s >= 0; s--) {
    const d = dh(s, carried);
    const dn = mul(d, slopeN[s]);
    const dReset = gemm(backN, dn);
    const dzr = concat(mul(d, slopeZ[s]), mul(dReset, slopeR[s]), { axis: 0 });
    dzrs.push(dzr);
    dns.push(dn);
    carried = gemm(backZR, dzr, add(mul(d, keep[s]), mul(dReset, rAt[s])));
  }
  const [dzr, dn] = [allSteps(dzrs), allSteps(dns)];
  const all = concat(dzr, dn, { axis: 0 });
  const byX = input.gradients(all);
  return {
    dx: inputGradient(all, w),
    dw: byX.weights[0],
    dr: concat(state.gradients(dzr).weights[0], candidate.gradients(dn).weights[0], { axis: 0 }),
    dwb: byX.bias,
    drb: byX.bias,
    dh0: carried ?? zero,
  };
}
