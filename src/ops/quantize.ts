/** @file Quantisation: QuantizeLinear, DequantizeLinear with a straight-through gradient, and integer products. */
import { type DType, dtypes } from '../ir/dtype.ts';
import { DTypeError, ShapeError } from '../ir/errors.ts';
import { type Attrs, constant, type Value } from '../ir/graph.ts';
import { formatShape, normalizeAxis } from '../ir/shape.ts';
import { clip } from './activations.ts';
import { add, div, mul, sub } from './arithmetic.ts';
import { cast } from './cast.ts';
import { and, greaterOrEqual, lessOrEqual, where } from './compare.ts';
import { convGeometry } from './conv/geometry.ts';
import { defineMultiOp, defineOp, isGradEnabled, requireFloat, type } from './define.ts';
import { round } from './elementwise.ts';
import { dtypeAttr } from './generate.ts';
import { matMulShape } from './matmul.ts';
import { expand, reshape, sumTo } from './movement.ts';
import { numberAttr } from './unary.ts';

/** Scale or zero point, shaped so that it broadcasts against `x`: one number, one per entry of an axis, or one per block. */
function broadcastScale(scale: Value, x: Value, attrs: Attrs): Value {
  if (scale.size === 1) return reshape(scale, []);
  const axis = normalizeAxis(numberAttr(attrs, 'axis', 1), x.rank);
  const block = numberAttr(attrs, 'block_size', 0);
  if (!block)
    return reshape(
      scale,
      x.shape.map((dim, i) => (i === axis ? dim : 1)),
    );
  const cells = [...scale.shape.slice(0, axis + 1), 1, ...scale.shape.slice(axis + 1)];
  return reshape(expand(reshape(scale, cells), cells.with(axis + 1, block)), x.shape);
}

function checkScale(x: Value, scale: Value, zeroPoint: Value | undefined, attrs: Attrs): void {
  const block = numberAttr(attrs, 'block_size', 0);
  const axis = scale.size === 1 ? 0 : normalizeAxis(numberAttr(attrs, 'axis', 1), x.rank);
  const fits = block
    ? scale.rank === x.rank && scale.shape.every((dim, i) => dim * (i === axis ? block : 1) === x.shape[i])
    : scale.size === 1 || (scale.rank === 1 && scale.shape[0] === x.shape[axis]);
  if (!fits)
    throw new ShapeError(
      `a scale of shape ${formatShape(scale.shape)} fits neither ${formatShape(x.shape)} as a whole nor its axis ${axis}${block ? ` in blocks of ${block}` : ''}`,
    );
  if (zeroPoint && zeroPoint.size !== scale.size)
    throw new ShapeError(
      `scale and zero point must have one shape, found ${formatShape(scale.shape)} and ${formatShape(zeroPoint.shape)}`,
    );
}

/** x / scale rounded (halves to even) plus the zero point, limited to the integer dtype of the zero point (uint8 by default). */
export const quantizeLinear = defineOp('QuantizeLinear', {
  infer: ([x, scale, zeroPoint], attrs) => {
    requireFloat(x);
    checkScale(x, scale, zeroPoint, attrs);
    return type(zeroPoint?.dtype ?? dtypeAttr(attrs, 'output_dtype', 'uint8'), x.shape);
  },
  gradient: 'zero',
  decompose: ([x, scale, zeroPoint], attrs) => {
    const to = zeroPoint?.dtype ?? dtypeAttr(attrs, 'output_dtype', 'uint8');
    const { low, high } = limits(to);
    const steps = round(div(x, broadcastScale(scale, x, attrs)));
    const level = zeroPoint ? add(steps, broadcastScale(cast(zeroPoint, { to: x.dtype }), x, attrs)) : steps;
    return cast(clip(level, constant(low, x.dtype), constant(high, x.dtype)), { to });
  },
});

/**
 * (x - zero point) * scale. Of a quantised float that requires grad it becomes a FakeQuantize, through which the gradient
 * flows; alone it has a gradient by the scale only, as integers carry none.
 */
export const dequantizeLinear = defineOp('DequantizeLinear', {
  infer: ([x, scale, zeroPoint], attrs) => {
    checkScale(x, scale, zeroPoint, attrs);
    return type(dtypeAttr(attrs, 'output_dtype', scale.dtype), x.shape);
  },
  simplify: ([q, scale, zeroPoint], attrs) => {
    const source = q.node;
    if (!isGradEnabled() || source?.op.type !== 'QuantizeLinear') return undefined;
    const [x, sourceScale, sourceZero] = source.inputs;
    const same = sourceScale === scale && (sourceZero ?? undefined) === (zeroPoint ?? undefined);
    const differentiated = x?.requiresGrad || scale.requiresGrad;
    return same && x && differentiated && scale.dtype === x.dtype
      ? fakeQuantize(x, scale, zeroPoint, { axis: attrs.axis, block_size: attrs.block_size, dtype: q.dtype })
      : undefined;
  },
  gradient: 'decompose',
  decompose: ([q, scale, zeroPoint], attrs) => {
    const { dtype } = scale;
    const whole = cast(q, { to: dtype });
    const shifted = zeroPoint ? sub(whole, broadcastScale(cast(zeroPoint, { to: dtype }), q, attrs)) : whole;
    return cast(mul(shifted, broadcastScale(scale, q, attrs)), { to: dtypeAttr(attrs, 'output_dtype', dtype) });
  },
});

/**
 * Quantised and at once dequantised (torch.fake_quantize). Straight-through: the gradient passes where x / scale is within
 * the range of the integers (attribute `dtype`), the scale gets that of learned step sizes (Esser et al. 2020).
 */
export const fakeQuantize = defineOp('FakeQuantize', {
  domain: 'gradus',
  infer: ([x, scale, zeroPoint], attrs) => {
    checkScale(x, scale, zeroPoint, attrs);
    return type(requireFloat(x), x.shape);
  },
  gradient: ({ inputs: [x, scale, zeroPoint], outputs: [y], attrs, needs }, [dy]) => {
    if (!dy) return [];
    const s = broadcastScale(scale, x, attrs);
    const steps = div(x, s);
    const zero = constant(0, x.dtype);
    const offset = zeroPoint ? broadcastScale(cast(zeroPoint, { to: x.dtype }), x, attrs) : zero;
    const { low, high } = limits(attrs.dtype as DType);
    const level = add(round(steps), offset);
    const inside = and(greaterOrEqual(level, constant(low, x.dtype)), lessOrEqual(level, constant(high, x.dtype)));
    const dScale = () => expandTo(mul(dy, sub(div(y, s), where(inside, steps, zero))), x, scale, attrs);
    return [needs[0] ? where(inside, dy, zero) : null, needs[1] ? dScale() : null];
  },
  decompose: ([x, scale, zeroPoint], attrs) => {
    const rest = { axis: attrs.axis, block_size: attrs.block_size };
    const output = zeroPoint ? {} : { output_dtype: attrs.dtype };
    return dequantizeLinear(quantizeLinear(x, scale, zeroPoint, { ...rest, ...output }), scale, zeroPoint, rest);
  },
});

/** The gradient of a scale from that of its broadcast form: through the same broadcast, transposed. */
function expandTo(d: Value, x: Value, scale: Value, attrs: Attrs): Value {
  const axis = scale.size === 1 ? 0 : normalizeAxis(numberAttr(attrs, 'axis', 1), x.rank);
  const block = numberAttr(attrs, 'block_size', 0);
  if (scale.size === 1) return reshape(sumTo(d, []), scale.shape);
  if (!block) {
    const kept = x.shape.map((dim, i) => (i === axis ? dim : 1));
    return reshape(sumTo(d, kept), scale.shape);
  }
  const cells = [...scale.shape.slice(0, axis + 1), block, ...scale.shape.slice(axis + 1)];
  return reshape(sumTo(reshape(d, cells), cells.with(axis + 1, 1)), scale.shape);
}

function limits(dtype: DType): { low: number; high: number } {
  const { bytes, kind } = dtypes[dtype];
  if (kind !== 'int' && kind !== 'uint') throw new DTypeError(`quantised numbers are integers, found ${dtype}`);
  const count = 2 ** (8 * bytes);
  return kind === 'int' ? { low: -count / 2, high: count / 2 - 1 } : { low: 0, high: count - 1 };
}

/** uint8 form of a float32 tensor, with the scale and zero point that cover its range. */
export const dynamicQuantizeLinear = defineMultiOp('DynamicQuantizeLinear', {
  infer: ([x]) => {
    if (x.dtype !== 'float32') throw new DTypeError(`expected float32, found ${x.dtype}`);
    return [type('uint8', x.shape), type('float32', []), type('uint8', [])];
  },
  gradient: 'zero',
});

/** The product of 8-bit integer matrices in int32, zero points taken off first. */
export const matMulInteger = defineOp('MatMulInteger', {
  infer: ([a, b]) => type('int32', matMulShape(a.shape, b.shape)),
  gradient: 'zero',
});

/** The product of quantised matrices, quantised again: each operand with its scale and zero point, then those of the result. */
export const qLinearMatMul = defineOp('QLinearMatMul', {
  infer: ([a, , , b, , , , zeroPoint]) => type(zeroPoint.dtype, matMulShape(a.shape, b.shape)),
  gradient: 'zero',
});

const convolved = (x: Value, weight: Value, attrs: Attrs) => [
  x.shape[0],
  weight.shape[0],
  ...convGeometry(x.shape, weight.shape, attrs).output,
];

/** The convolution of 8-bit integers in int32, zero points taken off first. */
export const convInteger = defineOp('ConvInteger', {
  infer: ([x, weight], attrs) => type('int32', convolved(x, weight, attrs)),
  gradient: 'zero',
});

/** The convolution of quantised tensors, quantised again; operands as of QLinearMatMul, then an int32 bias. */
export const qLinearConv = defineOp('QLinearConv', {
  infer: ([x, , , weight, , , , zeroPoint], attrs) => type(zeroPoint.dtype, convolved(x, weight, attrs)),
  gradient: 'zero',
});
