/** @file GRU. */
import type { Attrs, Value } from '../../ir/graph.ts';
import { sigmoid, tanh } from '../activations.ts';
import { add, mul, sub } from '../arithmetic.ts';
import { apply, defineMultiOp } from '../define.ts';
import { zerosOf } from '../gather.ts';
import { gemm } from '../matmul.ts';
import { concat, ints, split } from '../movement.ts';
import { scalar } from '../unary.ts';
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
  tanhSlope,
  whileActive,
} from './common.ts';

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
  const dyAt = pass.dy ? perStep(pass, whileActive(pass, pass.dy)) : null;
  const zero = zerosOf(pass.y, [pass.batch, pass.hidden]);
  const keep = perStep(pass, whileActive(pass, z, 1));
  return { keep, dh: (s: number, carried: Value | null): Value => plus(carried, dyAt?.[s] ?? null) ?? zero, zero };
}

/** n = tanh(x W + wb + r * (h R + rb)): every gate's derivative is the outgoing one times a factor known beforehand. */
function resetAfter(pass: Pass): PassGradients {
  const { x, w, r: weights, wb, rb, h0, y } = pass;
  const before = shifted(pass, y, h0);
  const [xz, xr, xn] = perGate(project(x, w, wb), 3);
  const [hz, hr, hn] = perGate(project(before, weights, rb), 3);
  const [z, r] = [sigmoid(add(xz, hz)), sigmoid(add(xr, hr))];
  const n = tanh(add(xn, mul(r, hn)));
  const slopeZ = mul(sub(before, n), sigmoidSlope(z));
  const slopeN = mul(sub(scalar(z, 1), z), tanhSlope(n));
  const slopeR = mul(mul(slopeN, hn), sigmoidSlope(r));
  const byState = whileActive(pass, concat(slopeZ, slopeR, mul(slopeN, r), { axis: 1 }));
  const byInput = whileActive(pass, concat(slopeZ, slopeR, slopeN, { axis: 1 }));
  const slopes = perStep(pass, byState);
  const { keep, dh, zero } = seeds(pass, z);
  let carried: Value | null = pass.dh;
  const steps: Value[] = [];
  const gates: Value[] = [];
  for (let s = pass.steps - 1; s >= 0; s--) {
    const d = dh(s, carried);
    const all = mul(concat(d, d, d, { axis: 1 }), slopes[s]);
    steps.unshift(d);
    gates.unshift(all);
    carried = gemm(all, weights, mul(d, keep[s]));
  }
  const dState = concat(...gates, { axis: 0 });
  const d = concat(...steps, { axis: 0 });
  const dInput = mul(concat(d, d, d, { axis: 1 }), byInput);
  return {
    dx: gemm(dInput, w),
    dw: gemm(dInput, x, { transA: 1 }),
    dr: gemm(dState, before, { transA: 1 }),
    dwb: columnSums(dInput),
    drb: columnSums(dState),
    dh0: carried ?? zero,
  };
}

/** n = tanh(x W + wb + (r * h) R + rb). */
function resetBefore(pass: Pass): PassGradients {
  const { x, w, r: weights, wb, rb, h0, y, hidden } = pass;
  const before = shifted(pass, y, h0);
  const [weightsZR, weightsN] = split(weights, ints([2 * hidden, hidden]), { axis: 0 });
  const [xz, xr, xn] = perGate(project(x, w, plus(wb, rb)), 3);
  const [hz, hr] = perGate(project(before, weightsZR, null), 2);
  const [z, r] = [sigmoid(add(xz, hz)), sigmoid(add(xr, hr))];
  const reset = mul(r, before);
  const n = tanh(gemm(reset, weightsN, xn, { transB: 1 }));
  const slopeZ = perStep(pass, whileActive(pass, mul(sub(before, n), sigmoidSlope(z))));
  const slopeN = perStep(pass, whileActive(pass, mul(sub(scalar(z, 1), z), tanhSlope(n))));
  const slopeR = perStep(pass, mul(before, sigmoidSlope(r)));
  const rAt = perStep(pass, r);
  const { keep, dh, zero } = seeds(pass, z);
  let carried: Value | null = pass.dh;
  const gates: Value[] = [];
  for (let s = pass.steps - 1; s >= 0; s--) {
    const d = dh(s, carried);
    const dn = mul(d, slopeN[s]);
    const dReset = gemm(dn, weightsN);
    const zr = concat(mul(d, slopeZ[s]), mul(dReset, slopeR[s]), { axis: 1 });
    gates.unshift(concat(zr, dn, { axis: 1 }));
    carried = gemm(zr, weightsZR, add(mul(d, keep[s]), mul(dReset, rAt[s])));
  }
  const all = concat(...gates, { axis: 0 });
  const [zr, dn] = split(all, ints([2 * hidden, hidden]), { axis: 1 });
  const bias = columnSums(all);
  return {
    dx: gemm(all, w),
    dw: gemm(all, x, { transA: 1 }),
    dr: concat(gemm(zr, before, { transA: 1 }), gemm(dn, reset, { transA: 1 }), { axis: 0 }),
    dwb: bias,
    drb: bias,
    dh0: carried ?? zero,
  };
}
