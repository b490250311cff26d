/** @file LRN, MeanVarianceNormalization, LpNormalization. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import type { Attrs, Value } from '../../ir/graph.ts';
import { formatShape, normalizeAxes, normalizeAxis } from '../../ir/shape.ts';
import { add, div, mul, pow, sub } from '../arithmetic.ts';
import { equal, where } from '../compare.ts';
import { defineOp } from '../define.ts';
import { sign, sqrt } from '../elementwise.ts';
import { ints, reshape } from '../movement.ts';
import { averagePool } from '../pool/average.ts';
import { reduceL1, reduceL2, reduceMean, reduceSum } from '../reduce.ts';
import { inferFloat, numberAttr, scalar } from '../unary.ts';

function lrnParts([x]: readonly Value[], attrs: Attrs): Value {
  const size = numberAttr(attrs, 'size', 1);
  const before = Math.floor((size - 1) / 2);
  const [batch, channels] = x.shape;
  const planes = reshape(mul(x, x), [batch, 1, channels, x.size / (batch * channels)]);
  const pads = [before, 0, size - 1 - before, 0];
  const means = averagePool(planes, { kernel_shape: [size, 1], pads, count_include_pad: 1 });
  const scaled = mul(reshape(means, x.shape), scalar(x, numberAttr(attrs, 'alpha', 1e-4)));
  const base = add(scaled, scalar(x, numberAttr(attrs, 'bias', 1)));
  return mul(x, pow(base, scalar(x, -numberAttr(attrs, 'beta', 0.75))));
}

/**
 * x / (bias + alpha / size * sum of x^2 over `size` neighbouring channels)^beta. Defaults: alpha 1e-4, beta 0.75, bias 1.
 * Source: ONNX LRN, torch.nn.functional.local_response_norm; Krizhevsky et al. 2012.
 */
export const lrn = defineOp('LRN', {
  infer: (operands, attrs) => {
    const [x] = operands;
    const size = numberAttr(attrs, 'size', 0);
    if (!Number.isInteger(size) || size < 1)
      throw new ArgumentError(`size must be a positive whole number of channels, found ${size}`);
    if (x.rank < 3) throw new ShapeError(`expected [batch, channels, ...spatial], found shape ${formatShape(x.shape)}`);
    return inferFloat(operands);
  },
  // ONNX Runtime's kernel takes exactly four dimensions and odd sizes.
  simplify: ([x], attrs) => {
    const isOdd = numberAttr(attrs, 'size', 1) % 2 === 1;
    if ((x.rank === 4 && isOdd) || x.rank < 3) return undefined;
    if (!isOdd) return lrnParts([x], attrs);
    const [batch, channels] = x.shape;
    return reshape(lrn(reshape(x, [batch, channels, x.size / (batch * channels), 1]), attrs), x.shape);
  },
  gradient: 'decompose',
  decompose: lrnParts,
});

/** (x - mean) / standard deviation over `axes` ([0, 2, 3] by default); 1e-9 is added to the deviation. Source: ONNX. */
export const meanVarianceNormalization = defineOp('MeanVarianceNormalization', {
  infer: (operands, attrs) => {
    normalizeAxes((attrs.axes as readonly number[] | undefined) ?? [0, 2, 3], operands[0].rank);
    return inferFloat(operands);
  },
  gradient: 'decompose',
  decompose: ([x], attrs) => {
    const axes = ints(normalizeAxes((attrs.axes as readonly number[] | undefined) ?? [0, 2, 3], x.rank));
    const centred = sub(x, reduceMean(x, axes));
    const deviation = sqrt(reduceMean(mul(centred, centred), axes));
    return div(centred, add(deviation, scalar(x, 1e-9)));
  },
});

function normOf(x: Value, attrs: Attrs): { norm: Value; axes: Value; p: number } {
  const axes = ints([normalizeAxis(numberAttr(attrs, 'axis', -1), x.rank)]);
  const p = numberAttr(attrs, 'p', 2);
  if (p !== 1 && p !== 2) throw new ArgumentError(`p must be 1 or 2, found ${p}`);
  const norm = p === 1 ? reduceL1(x, axes) : reduceL2(x, axes);
  // The zero vector stays the zero vector.
  return { norm: where(equal(norm, scalar(x, 0)), scalar(x, 1), norm), axes, p };
}

/** x divided by its 1- or 2-norm (`p`) along `axis`; zero vectors stay zero. Source: ONNX LpNormalization. */
export const lpNormalization = defineOp('LpNormalization', {
  infer: (operands, attrs) => {
    normOf(operands[0], attrs);
    return inferFloat(operands);
  },
  gradient: ({ inputs: [x], outputs: [y], attrs }, [dy]) => {
    if (!dy) return [];
    const { norm, axes, p } = normOf(x, attrs);
    const slope = reduceSum(mul(dy, y), axes);
    return [div(sub(dy, mul(p === 1 ? sign(x) : y, slope)), norm)];
  },
  decompose: ([x], attrs) => div(x, normOf(x, attrs).norm),
});
