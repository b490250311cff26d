/** @file The input gradient of a convolution, from standard operators. */
import type { Attrs, Value } from '../../ir/graph.ts';
import { type Shape, sizeOf } from '../../ir/shape.ts';
import { zerosOf } from '../gather.ts';
import { reshape, transpose } from '../movement.ts';
import { reversed } from '../parts.ts';
import { extent } from '../window.ts';
import { conv, convTranspose } from './conv.ts';
import { type ConvGeometry, convGeometry, geometryAttrs } from './geometry.ts';

/** With this many channels on so few positions, ConvTranspose beats a convolution by the rotated kernel. */
const wideChannels = 256;
const smallArea = 64;

/** d(sum(conv(x, weight) * dy)) / dx for an x of shape `shape`. */
export function inputGradient(dy: Value, weight: Value, shape: Shape, attrs: Attrs): Value {
  if (dy.size === 0) return zerosOf(dy, shape);
  const geometry = convGeometry(shape, weight.shape, attrs);
  const isWide = Math.max(shape[1], dy.shape[1]) >= wideChannels && sizeOf(geometry.output) <= smallArea;
  return !isWide && hasRotatedForm(geometry)
    ? rotatedConv(dy, weight, geometry)
    : transposedConv(dy, weight, shape, geometry);
}

/** With stride 1 and padding no larger than the window, the gradient is a plain convolution. */
function hasRotatedForm({ strides, dilations, kernel, begin, end }: ConvGeometry): boolean {
  return kernel.every((k, i) => {
    const reach = extent(k, dilations[i]) - 1;
    return strides[i] === 1 && begin[i] <= reach && end[i] <= reach;
  });
}

function rotatedConv(dy: Value, weight: Value, geometry: ConvGeometry): Value {
  const { kernel, dilations, begin, end, group } = geometry;
  const [outputs, inputs] = weight.shape;
  const taps = sizeOf(kernel);
  const flipped = taps === 1 ? weight : reversed(reshape(weight, [outputs, inputs, taps]), 2);
  const grouped = reshape(flipped, [group, outputs / group, inputs, taps]);
  const rotated = reshape(transpose(grouped, { perm: [0, 2, 1, 3] }), [group * inputs, outputs / group, ...kernel]);
  const reach = kernel.map((k, i) => extent(k, dilations[i]) - 1);
  const mirrored = { ...geometry, begin: reach.map((r, i) => r - begin[i]), end: reach.map((r, i) => r - end[i]) };
  return conv(dy, rotated, geometryAttrs(mirrored));
}

function transposedConv(dy: Value, weight: Value, shape: Shape, geometry: ConvGeometry): Value {
  const { kernel, strides, dilations, begin, end, output } = geometry;
  // Elements at the end that no window reached: they exist in the input, with a gradient of zero.
  const outputPadding = kernel.map((k, i) => {
    const reached = strides[i] * (output[i] - 1) + extent(k, dilations[i]);
    return shape[i + 2] + begin[i] + end[i] - reached;
  });
  return convTranspose(dy, weight, { ...geometryAttrs(geometry), output_padding: outputPadding });
}
