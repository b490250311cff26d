/** @file Fused operators of ONNX Runtime (domain com.microsoft) that hub files contain. */
import { ShapeError, UnsupportedError } from '../ir/errors.ts';
import type { Attr, Attrs, Value } from '../ir/graph.ts';
import { formatShape, sameShape } from '../ir/shape.ts';
import {
  elu,
  hardSigmoid,
  leakyRelu,
  relu,
  selu,
  sigmoid,
  softplus,
  softsign,
  tanh,
  thresholdedRelu,
} from './activations.ts';
import { add, mul } from './arithmetic.ts';
import { defineOp, requireSameDType, type } from './define.ts';
import { gelu, geluSlope, swish } from './gelu.ts';
import { gemm, matMul, matMulShape } from './matmul.ts';
import { swapLast, transpose } from './movement.ts';
import { composedInDouble, inferFloat, numberAttr, scalar, slope } from './unary.ts';

/** The operand of FusedMatMul as a plain matrix product takes it: batch axes rotated, then the last two swapped. */
function arranged(x: Value, swapped: boolean, batchSwapped: boolean): Value {
  if (x.rank < 2) return x;
  // transBatch moves the row axis in front of the batch axes: [m, batch..., k] stands for [batch..., m, k].
  const rows = batchSwapped ? transpose(x, { perm: [...x.shape.keys()].slice(1, -1).concat(0, x.rank - 1) }) : x;
  return swapped ? swapLast(rows) : rows;
}

function fusedOperands([a, b]: readonly Value[], attrs: Attrs): [Value, Value] {
  return [
    arranged(a, attrs.transA === 1, attrs.transBatchA === 1),
    arranged(b, attrs.transB === 1, attrs.transBatchB === 1),
  ];
}

function fusedMatMulParts(inputs: readonly Value[], attrs: Attrs): Value {
  const product = matMul(...fusedOperands(inputs, attrs));
  const alpha = numberAttr(attrs, 'alpha', 1);
  return alpha === 1 ? product : mul(product, scalar(product, alpha));
}

/** alpha times the matrix product, the operands transposed on request without a copy. CPU only. */
export const fusedMatMul = defineOp('FusedMatMul', {
  domain: 'com.microsoft',
  infer: (inputs, attrs) => {
    const [a, b] = fusedOperands(inputs, attrs);
    return type(requireSameDType(a, b), matMulShape(a.shape, b.shape));
  },
  gradient: 'decompose',
  decompose: fusedMatMulParts,
});

/** Activations that ONNX Runtime fuses into FusedGemm, by name; parameters as attributes `activation_alpha`, `activation_beta`, `activation_gamma`. */
const fusedActivations: Readonly<Record<string, (x: Value, attrs: Attrs) => Value>> = {
  Relu: (x) => relu(x),
  Sigmoid: (x) => sigmoid(x),
  Tanh: (x) => tanh(x),
  Softplus: (x) => softplus(x),
  Softsign: (x) => softsign(x),
  LeakyRelu: leakyRelu,
  Elu: elu,
  Selu: selu,
  HardSigmoid: hardSigmoid,
  ThresholdedRelu: thresholdedRelu,
};

/** Gemm followed by an activation. */
export const fusedGemm = defineOp('FusedGemm', {
  domain: 'com.microsoft',
  infer: ([a, b, c], attrs) => {
    const { activation = 'none' } = attrs;
    if (!Object.hasOwn(fusedActivations, String(activation)))
      throw new UnsupportedError(`activation '${activation}'; supported: ${Object.keys(fusedActivations).join(', ')}`);
    return gemm.definition.infer(c ? [a, b, c] : [a, b], gemmAttrs(attrs));
  },
  gradient: 'decompose',
  decompose: ([a, b, c], attrs) => {
    const product = c ? gemm(a, b, c, gemmAttrs(attrs)) : gemm(a, b, gemmAttrs(attrs));
    const parameters: Record<string, Attr> = {};
    for (const name of ['alpha', 'beta', 'gamma']) {
      const value = attrs[`activation_${name}`];
      if (value !== undefined) parameters[name] = value;
    }
    return fusedActivations[String(attrs.activation)](product, parameters);
  },
  lowered: true,
});

const gemmAttrs = ({ alpha, beta, transA, transB }: Attrs): Attrs =>
  Object.fromEntries(Object.entries({ alpha, beta, transA, transB }).filter(([, value]) => value !== undefined));

/** Gelu with the exact normal distribution function. */
export const contribGelu = defineOp('Gelu', {
  domain: 'com.microsoft',
  infer: inferFloat,
  gradient: slope((x) => geluSlope(x)),
  ...composedInDouble(([x]) => gelu(x)),
});

const inferBias = ([x, bias]: readonly Value[]) => {
  if (bias && !sameShape(bias.shape, x.shape.slice(-1)))
    throw new ShapeError(`the bias must have shape [${x.shape[x.rank - 1]}], found ${formatShape(bias.shape)}`);
  return inferFloat([x]);
};

/** Gelu by tanh of x plus an optional bias. */
export const fastGelu = defineOp('FastGelu', {
  domain: 'com.microsoft',
  infer: inferBias,
  gradient: 'decompose',
  decompose: ([x, bias]) => gelu(bias ? add(x, bias) : x, { approximate: 'tanh' }),
});

/** Exact Gelu of x plus a bias. */
export const biasGelu = defineOp('BiasGelu', {
  domain: 'com.microsoft',
  infer: inferBias,
  gradient: 'decompose',
  ...composedInDouble(([x, bias]) => gelu(add(x, bias))),
});

/** x sigmoid(alpha x), alpha 1.702 by default. */
export const quickGelu = defineOp('QuickGelu', {
  domain: 'com.microsoft',
  infer: inferFloat,
  gradient: 'decompose',
  ...composedInDouble(([x], attrs) => swish(x, { alpha: numberAttr(attrs, 'alpha', 1.702) })),
});
