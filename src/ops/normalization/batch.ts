/** @file BatchNormalization, by batch statistics or by given ones. */
import { ShapeError } from '../../ir/errors.ts';
import type { Attrs, GradientContext, Value } from '../../ir/graph.ts';
import { formatShape, sameShape } from '../../ir/shape.ts';
import { add, mul, sub } from '../arithmetic.ts';
import { channelSum } from '../conv/conv.ts';
import { defineOp, requireFloat, requireSameDType, type } from '../define.ts';
import { neg, reciprocal, sqrt } from '../elementwise.ts';
import { expand, reshape } from '../movement.ts';
import { numberAttr, scalar } from '../unary.ts';

const isTraining = (attrs: Attrs) => attrs.training_mode === 1;
const epsilonOf = (attrs: Attrs) => numberAttr(attrs, 'epsilon', 1e-5);
/** The part of the old running statistics that stays (PyTorch's momentum is 1 minus this). */
const momentumOf = (attrs: Attrs) => numberAttr(attrs, 'momentum', 0.9);

/** A vector with one element per channel, shaped to broadcast against x. */
function perChannel(v: Value, x: Value): Value {
  return reshape(v, [1, v.size, ...x.shape.slice(2).map(() => 1)]);
}

/** Number of elements per channel. */
const countOf = (x: Value) => x.size / x.shape[1];

/** Mean and (biased) variance of every channel. */
function statistics(x: Value): [Value, Value] {
  const share = scalar(x, 1 / countOf(x));
  const mean = mul(channelSum(x), share);
  const centred = sub(x, perChannel(mean, x));
  return [mean, mul(channelSum(mul(centred, centred)), share)];
}

const inverseDeviation = (variance: Value, attrs: Attrs) =>
  reciprocal(sqrt(add(variance, scalar(variance, epsilonOf(attrs)))));

/**
 * (x - mean) / sqrt(variance + epsilon) * scale + bias per channel of x [batch, channels, ...]. Operands: x, scale, bias,
 * mean, variance, all vectors but x. With `training_mode: 1` the statistics are those of the batch (biased variance), and
 * two more outputs give `momentum * old + (1 - momentum) * batch` for mean and variance: with `momentum: 0` they are the
 * batch's own, which is also what makes the gradient cheapest. Source: ONNX BatchNormalization.
 */
export const batchNormalization = defineOp('BatchNormalization', {
  infer: (operands, attrs) => {
    const [x, ...vectors] = operands;
    requireFloat(x);
    if (x.rank < 2) throw new ShapeError(`expected [batch, channels, ...], found shape ${formatShape(x.shape)}`);
    ['scale', 'bias', 'mean', 'variance'].forEach((name, i) => {
      if (!vectors[i] || !sameShape(vectors[i].shape, [x.shape[1]]))
        throw new ShapeError(
          `${name} must have shape [${x.shape[1]}], one element per channel, found ${vectors[i] ? formatShape(vectors[i].shape) : 'none'}`,
        );
    });
    const y = type(requireSameDType(x, vectors[0], vectors[1]), x.shape);
    if (!isTraining(attrs)) return y;
    return [y, type(vectors[2].dtype, [x.shape[1]]), type(vectors[3].dtype, [x.shape[1]])];
  },
  gradient: (node, dys) => (isTraining(node.attrs) ? trainingGradient(node, dys) : inferenceGradient(node, dys[0])),
  decompose: ([x, scale, bias, mean, variance], attrs) => {
    const apply = (m: Value, v: Value) => {
      const factor = mul(scale, inverseDeviation(v, attrs));
      return add(mul(sub(x, perChannel(m, x)), perChannel(factor, x)), perChannel(bias, x));
    };
    if (!isTraining(attrs)) return apply(mean, variance);
    const [m, v] = statistics(x);
    const momentum = momentumOf(attrs);
    const blend = (old: Value, batch: Value) =>
      momentum === 0 ? batch : add(mul(old, scalar(old, momentum)), mul(batch, scalar(batch, 1 - momentum)));
    return [apply(m, v), blend(mean, m), blend(variance, v)];
  },
});

function inferenceGradient({ inputs, attrs, needs }: GradientContext, dy: Value | undefined) {
  if (!dy) return [];
  const [x, scale, , mean, variance] = inputs;
  const inverse = inverseDeviation(variance, attrs);
  const factor = mul(scale, inverse);
  const db = channelSum(dy);
  const product = () => channelSum(mul(dy, sub(x, perChannel(mean, x))));
  const slope = needs[1] || needs[4] ? product() : null;
  // d(inverse) / d(variance) = -inverse^3 / 2
  const dVariance = (s: Value) => mul(mul(mul(factor, mul(inverse, inverse)), scalar(s, -0.5)), s);
  return [
    needs[0] ? mul(dy, perChannel(factor, x)) : null,
    needs[1] && slope ? mul(slope, inverse) : null,
    db,
    needs[3] ? neg(mul(factor, db)) : null,
    needs[4] && slope ? dVariance(slope) : null,
  ];
}

function trainingGradient({ inputs, outputs, attrs, needs }: GradientContext, dys: readonly (Value | undefined)[]) {
  const [x, scale] = inputs;
  const [dy, dRunningMean, dRunningVariance] = dys;
  const momentum = momentumOf(attrs);
  const [mean, variance] = momentum === 0 ? [outputs[1], outputs[2]] : statistics(x);
  const count = scalar(x, 1 / countOf(x));
  const centred = sub(x, perChannel(mean, x));
  const inverse = inverseDeviation(variance, attrs);
  const parts: Value[] = [];
  let dScale: Value | null = null;
  let db: Value | null = null;
  if (dy) {
    const slope = channelSum(mul(dy, centred));
    db = channelSum(dy);
    dScale = mul(slope, inverse);
    // dx = factor * (dy - mean(dy) - centred * inverse^2 * mean(dy * centred)), terms per channel gathered into vectors.
    const factor = mul(scale, inverse);
    const slant = mul(mul(factor, mul(inverse, inverse)), mul(slope, count));
    if (needs[0]) {
      const level = mul(factor, mul(db, count));
      const bent = add(mul(centred, perChannel(slant, x)), perChannel(level, x));
      parts.push(sub(mul(dy, perChannel(factor, x)), bent));
    }
  }
  const kept = scalar(x, 1 - momentum);
  const share = mul(count, kept);
  if (dRunningMean) parts.push(expand(perChannel(mul(dRunningMean, share), x), x.shape));
  if (dRunningVariance) parts.push(mul(centred, perChannel(mul(dRunningVariance, mul(share, scalar(x, 2))), x)));
  const old = (d: Value | undefined) => d && mul(d, scalar(d, momentum));
  return [
    parts.length ? parts.reduce((a, b) => add(a, b)) : null,
    dScale,
    db,
    old(dRunningMean),
    old(dRunningVariance),
  ];
}
