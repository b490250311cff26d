/** @file Normalisations fused with a residual connection, and RMS normalisation under its older name (ONNX Runtime). */
import { ShapeError } from '../ir/errors.ts';
import type { Attrs, TensorType, Value } from '../ir/graph.ts';
import { formatShape, normalizeAxis, type Shape } from '../ir/shape.ts';
import { add, mul } from './arithmetic.ts';
import { defineMultiOp, defineOp, outputsOf, requireFloat, requireSameDType, type } from './define.ts';
import { reciprocal, sqrt } from './elementwise.ts';
import { ints } from './movement.ts';
import { layerNormalization, rmsNormalization } from './normalization.ts';
import { reduceMean } from './reduce.ts';
import { numberAttr, scalar } from './unary.ts';

/** y, mean, 1 / deviation, and the sum that was normalised; the statistics are never made on the CPU. */
function inferSkip([x, skip, scale, ...vectors]: readonly Value[], needsRank: number): TensorType[] {
  const width = x.shape[x.rank - 1];
  const lead = x.rank - skip.rank;
  if (x.rank < needsRank || lead < 0 || skip.shape.some((dim, i) => dim !== x.shape[lead + i] && dim !== 1))
    throw new ShapeError(
      `the skipped input of shape ${formatShape(skip.shape)} does not fit ${formatShape(x.shape)}; both are [batch, sequence, hidden]`,
    );
  for (const v of [scale, ...vectors])
    if (v && (v.rank !== 1 || v.shape[0] !== width))
      throw new ShapeError(`scale and biases must have shape [${width}], found ${formatShape(v.shape)}`);
  requireFloat(x);
  const y = type(requireSameDType(x, skip), x.shape);
  const statistics = type('float32', x.shape.with(-1, 1));
  return [y, statistics, statistics, y];
}

const residual = (x: Value, skip: Value, bias: Value | undefined) => (bias ? add(add(x, skip), bias) : add(x, skip));

/** LayerNormalization over the last axis of input + skip (+ bias); operands input, skip, gamma, beta, bias. */
export const skipLayerNormalization = defineMultiOp('SkipLayerNormalization', {
  domain: 'com.microsoft',
  infer: (inputs) => inferSkip(inputs, 2),
  gradient: 'decompose',
  decompose: ([x, skip, gamma, beta, bias], attrs) => {
    const sum = residual(x, skip, bias);
    const [y, mean, inverse] = outputsOf(
      layerNormalization(sum, gamma, beta, { axis: -1, epsilon: numberAttr(attrs, 'epsilon', 1e-12) }),
    );
    return [y, mean, inverse, sum];
  },
  optionalOutputs: 1,
});

/** RMSNormalization over the last axis of input + skip (+ bias); operands input, skip, gamma, bias. */
export const skipSimplifiedLayerNormalization = defineMultiOp('SkipSimplifiedLayerNormalization', {
  domain: 'com.microsoft',
  infer: (inputs) => inferSkip(inputs, 2),
  gradient: 'decompose',
  decompose: ([x, skip, gamma, bias], attrs) => {
    const sum = residual(x, skip, bias);
    const epsilon = numberAttr(attrs, 'epsilon', 1e-12);
    const last = ints([-1]);
    const inverse = reciprocal(sqrt(add(reduceMean(mul(sum, sum), last), scalar(sum, epsilon))));
    return [rmsNormalization(sum, gamma, { axis: -1, epsilon }), reduceMean(sum, last), inverse, sum];
  },
  optionalOutputs: 1,
});

const simplifiedAttrs = (attrs: Attrs) => ({
  axis: numberAttr(attrs, 'axis', -1),
  epsilon: numberAttr(attrs, 'epsilon', 1e-5),
});

/** RMSNormalization as ONNX Runtime called it before opset 23; not of the standard, though in its domain. */
export const simplifiedLayerNormalization = defineOp('SimplifiedLayerNormalization', {
  infer: ([x, scale], attrs) => {
    requireFloat(x);
    const axis = normalizeAxis(numberAttr(attrs, 'axis', -1), x.rank);
    const normalized: Shape = x.shape.slice(axis);
    if (formatShape(scale.shape) !== formatShape(normalized))
      throw new ShapeError(`the scale must have shape ${formatShape(normalized)}, found ${formatShape(scale.shape)}`);
    return type(scale.dtype, x.shape);
  },
  simplify: ([x, scale], attrs) => rmsNormalization(x, scale, simplifiedAttrs(attrs)),
  gradient: 'decompose',
  decompose: ([x, scale], attrs) => rmsNormalization(x, scale, simplifiedAttrs(attrs)),
});
