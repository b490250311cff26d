/** @file Conv, ConvTranspose and the two linear maps that are their gradients, closed under differentiation. */
import type { Attrs, Value } from '../../ir/graph.ts';
import type { Shape } from '../../ir/shape.ts';
import { add } from '../arithmetic.ts';
import { defineOp, type } from '../define.ts';
import { ints, reshape } from '../movement.ts';
import { padSpatial } from '../parts.ts';
import { reduceSum } from '../reduce.ts';
import { checkBias, convGeometry, geometryAttrs, type TransposeGeometry, transposeGeometry } from './geometry.ts';
import { inputGradient } from './input-gradient.ts';
import { weightGradient } from './weight-gradient.ts';

const isExplicit = (attrs: Attrs) =>
  attrs.auto_pad === undefined &&
  ['kernel_shape', 'strides', 'dilations', 'pads', 'group'].every((name) => attrs[name] !== undefined);

/** The attributes that describe the convolution itself, without the shape wanted of a gradient. */
function geometryOf({ kernel_shape, strides, dilations, pads, group }: Attrs): Attrs {
  return { kernel_shape, strides, dilations, pads, group };
}

/**
 * Convolution (cross-correlation, as in every framework) of x [batch, channels, ...spatial] by weights
 * [outputs, channels / group, ...kernel], plus bias [outputs]. Attributes: strides, dilations, pads (begins, then ends),
 * group, auto_pad. Source: ONNX Conv, torch.nn.functional.conv1d to conv3d.
 */
export const conv = defineOp('Conv', {
  infer: (operands, attrs) => {
    const [x, weight] = operands;
    const { output } = convGeometry(x.shape, weight.shape, attrs);
    checkBias(operands, weight.shape[0]);
    return type(x.dtype, [x.shape[0], weight.shape[0], ...output]);
  },
  // Every later reader finds the whole geometry in the attributes.
  simplify: ([x, weight, bias], attrs) =>
    isExplicit(attrs) ? undefined : conv(x, weight, bias, geometryAttrs(convGeometry(x.shape, weight.shape, attrs))),
  gradient: ({ inputs: [x, weight, bias], attrs, needs }, [dy]) =>
    dy
      ? [
          needs[0] ? convGradInput(dy, weight, { ...attrs, shape: x.shape }) : null,
          needs[1] ? convGradWeight(x, dy, { ...attrs, shape: weight.shape }) : null,
          bias && needs[2] ? channelSum(dy) : null,
        ]
      : [],
});

/**
 * The gradient of a convolution with respect to its input, of shape `shape`; operands are the outgoing gradient and the
 * weights, attributes those of the convolution. It is the transposed convolution.
 */
export const convGradInput = defineOp('ConvGradInput', {
  domain: 'gradus',
  infer: ([dy], attrs) => type(dy.dtype, attrs.shape as Shape),
  gradient: ({ inputs: [dy, weight], attrs, needs }, [g]) =>
    g
      ? [
          needs[0] ? conv(g, weight, geometryOf(attrs)) : null,
          needs[1] ? convGradWeight(g, dy, { ...attrs, shape: weight.shape }) : null,
        ]
      : [],
  decompose: ([dy, weight], attrs) => inputGradient(dy, weight, attrs.shape as Shape, attrs),
});

/**
 * The gradient of a convolution with respect to its weights, of shape `shape`; operands are the input and the outgoing
 * gradient, attributes those of the convolution.
 */
export const convGradWeight = defineOp('ConvGradWeight', {
  domain: 'gradus',
  infer: ([x], attrs) => type(x.dtype, attrs.shape as Shape),
  gradient: ({ inputs: [x, dy], attrs, needs }, [g]) =>
    g
      ? [
          needs[0] ? convGradInput(dy, g, { ...attrs, shape: x.shape }) : null,
          needs[1] ? conv(x, g, geometryOf(attrs)) : null,
        ]
      : [],
  decompose: ([x, dy], attrs) => weightGradient(x, dy, attrs.shape as Shape, attrs),
});

/**
 * Transposed convolution of x [batch, channels, ...spatial] by weights [channels, outputs / group, ...kernel], plus bias
 * [outputs]. Attributes: those of Conv, output_padding, output_shape. Source: ONNX ConvTranspose.
 */
export const convTranspose = defineOp('ConvTranspose', {
  infer: (operands, attrs) => {
    const [x, weight] = operands;
    const { output, group } = transposeGeometry(x.shape, weight.shape, attrs);
    checkBias(operands, weight.shape[1] * group);
    return type(x.dtype, [x.shape[0], weight.shape[1] * group, ...output]);
  },
  simplify: ([x, weight, bias], attrs) => {
    const geometry = transposeGeometry(x.shape, weight.shape, attrs);
    const isWide = geometry.outputPadding.some((p, i) => p >= geometry.strides[i]);
    if (isWide) return widePadding(x, weight, bias, geometry);
    if (isExplicit(attrs) && attrs.output_padding !== undefined && attrs.output_shape === undefined) return undefined;
    return convTranspose(x, weight, bias, { ...geometryAttrs(geometry), output_padding: geometry.outputPadding });
  },
  gradient: ({ inputs: [x, weight, bias], attrs, needs }, [dy]) =>
    dy
      ? [
          needs[0] ? conv(dy, weight, geometryOf(attrs)) : null,
          needs[1] ? convGradWeight(dy, x, { ...geometryOf(attrs), shape: weight.shape }) : null,
          bias && needs[2] ? channelSum(dy) : null,
        ]
      : [],
});

/**
 * An output padding of a stride or more, which a wide dilation allows in PyTorch but ONNX Runtime refuses: as much as there
 * is comes off the padding at the end, the rest is nothing but bias.
 */
function widePadding(x: Value, weight: Value, bias: Value | null | undefined, geometry: TransposeGeometry): Value {
  const uncut = geometry.outputPadding.map((p, i) => Math.min(p, geometry.end[i]));
  const rest = geometry.outputPadding.map((p, i) => p - uncut[i]);
  const end = geometry.end.map((p, i) => p - uncut[i]);
  const attrs = { ...geometryAttrs({ ...geometry, end }), output_padding: rest.map(() => 0) };
  if (rest.every((n) => n === 0)) return convTranspose(x, weight, bias, attrs);
  const y = padSpatial(
    convTranspose(x, weight, attrs),
    rest.map(() => 0),
    rest,
  );
  return bias ? add(y, reshape(bias, [bias.size, ...rest.map(() => 1)])) : y;
}

/**
 * Sum over batch and spatial axes, the gradient of a bias per channel. One reduction: measured faster on CPU than averages
 * per image (GlobalAveragePool) and a small product.
 */
export function channelSum(dy: Value): Value {
  return reduceSum(dy, ints([0, ...dy.shape.slice(2).map((_, i) => i + 2)]), { keepdims: 0 });
}
