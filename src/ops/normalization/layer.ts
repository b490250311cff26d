/** @file LayerNormalization and RMSNormalization, over the trailing axes. */
import { ShapeError } from '../../ir/errors.ts';
import type { Attrs, Value } from '../../ir/graph.ts';
import { formatShape, normalizeAxis, type Shape, sizeOf } from '../../ir/shape.ts';
import { add, mul, sub } from '../arithmetic.ts';
import { cast } from '../cast.ts';
import { defineOp, requireFloat, requireSameDType, type } from '../define.ts';
import { reciprocal, sqrt } from '../elementwise.ts';
import { ints } from '../movement.ts';
import { reduceMean, reduceSumSquare } from '../reduce.ts';
import { numberAttr, scalar } from '../unary.ts';

const epsilonOf = (attrs: Attrs) => numberAttr(attrs, 'epsilon', 1e-5);

function axesFrom(x: Value, attrs: Attrs): number[] {
  const first = normalizeAxis(numberAttr(attrs, 'axis', -1), x.rank);
  return x.shape.flatMap((_, i) => (i >= first ? [i] : []));
}

function broadcastsTo(shape: Shape, target: Shape): boolean {
  const lead = target.length - shape.length;
  return lead >= 0 && shape.every((dim, i) => dim === 1 || dim === target[lead + i]);
}

function checkParameters(x: Value, parameters: readonly (Value | undefined)[], attrs: Attrs): void {
  const normalized = x.shape.slice(axesFrom(x, attrs)[0]);
  for (const p of parameters)
    if (p && !broadcastsTo(p.shape, normalized))
      throw new ShapeError(
        `scale and bias must have the shape of the normalised axes, ${formatShape(normalized)}, found ${formatShape(p.shape)}`,
      );
}

const meanOver = (v: Value, axes: readonly number[]) => reduceMean(v, ints(axes));
const isOnes = (v: Value) => v.constant?.every((c) => c === 1) ?? false;
const timesScale = (v: Value, scale: Value) => (isOnes(scale) ? v : mul(v, scale));

function statisticsType(x: Value, axes: readonly number[]) {
  const shape: Shape = x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  return type('float32', shape);
}

/**
 * (x - mean) / sqrt(variance + epsilon) * scale + bias over the axes from `axis` on (-1 by default; biased variance).
 * Outputs: y, and on demand mean and 1 / sqrt(variance + epsilon), with the normalised axes kept as 1.
 * Source: ONNX LayerNormalization, torch.nn.functional.layer_norm; Ba et al. 2016.
 */
export const layerNormalization = defineOp('LayerNormalization', {
  optionalOutputs: 1,
  infer: ([x, scale, bias], attrs) => {
    requireFloat(x);
    requireSameDType(...(bias ? [x, scale, bias] : [x, scale]));
    checkParameters(x, [scale, bias], attrs);
    const statistics = statisticsType(x, axesFrom(x, attrs));
    return [type(x.dtype, x.shape), statistics, statistics];
  },
  gradient: ({ inputs: [x, scale, bias], outputs, attrs, needs }, [dy, dMean, dInverse]) => {
    const axes = axesFrom(x, attrs);
    const own = (v: Value) => cast(v, { to: x.dtype });
    const inverse = own(outputs[2]);
    const plain = isOnes(scale) && !bias;
    const normal = plain ? outputs[0] : mul(sub(x, own(outputs[1])), inverse);
    const parts: Value[] = [];
    if (dy && needs[0]) {
      const g = timesScale(dy, scale);
      const mean = meanOver(g, axes);
      const slope = meanOver(mul(g, normal), axes);
      parts.push(mul(sub(sub(g, mean), mul(normal, slope)), inverse));
    }
    const count = sizeOf(axes.map((a) => x.shape[a]));
    if (dMean) parts.push(mul(own(dMean), scalar(x, 1 / count)));
    // d(inverse) / dx = -inverse^2 * normal / count
    if (dInverse) parts.push(mul(normal, mul(mul(own(dInverse), mul(inverse, inverse)), scalar(x, -1 / count))));
    return [
      parts.length ? parts.reduce((a, b) => add(a, b)) : null,
      dy && needs[1] ? mul(dy, normal) : null,
      bias && dy && needs[2] ? dy : null,
    ];
  },
  decompose: ([x, scale, bias], attrs) => {
    const axes = axesFrom(x, attrs);
    const mean = meanOver(x, axes);
    const centred = sub(x, mean);
    const variance = meanOver(mul(centred, centred), axes);
    const inverse = reciprocal(sqrt(add(variance, scalar(x, epsilonOf(attrs)))));
    const y = mul(mul(centred, inverse), scale);
    return [bias ? add(y, bias) : y, cast(mean, { to: 'float32' }), cast(inverse, { to: 'float32' })];
  },
});

/** 1 / sqrt(mean(x^2) + epsilon). */
function inverseRoot(x: Value, attrs: Attrs): Value {
  const axes = axesFrom(x, attrs);
  const count = sizeOf(axes.map((a) => x.shape[a]));
  const mean = mul(reduceSumSquare(x, ints(axes)), scalar(x, 1 / count));
  return reciprocal(sqrt(add(mean, scalar(x, epsilonOf(attrs)))));
}

/**
 * x / sqrt(mean(x^2) + epsilon) * scale over the axes from `axis` on. Source: ONNX RMSNormalization,
 * torch.nn.functional.rms_norm; Zhang and Sennrich 2019.
 */
export const rmsNormalization = defineOp('RMSNormalization', {
  infer: ([x, scale], attrs) => {
    requireFloat(x);
    checkParameters(x, [scale], attrs);
    return type(scale.dtype, x.shape);
  },
  gradient: ({ inputs: [x, scale], attrs, needs }, [dy]) => {
    if (!dy) return [];
    const inverse = inverseRoot(x, attrs);
    const normal = mul(x, inverse);
    const dx = () => {
      const g = timesScale(dy, scale);
      return mul(sub(g, mul(normal, meanOver(mul(g, normal), axesFrom(x, attrs)))), inverse);
    };
    return [needs[0] ? dx() : null, needs[1] ? mul(dy, normal) : null];
  },
  decompose: ([x, scale], attrs) => mul(mul(x, inverseRoot(x, attrs)), scale),
});
