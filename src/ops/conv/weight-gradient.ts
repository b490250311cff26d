/**
 * @file The weight gradient of a convolution, from standard operators: four forms, chosen by shape.
 *
 * Channels lie last in the images and the outgoing gradient serves as the filter: a convolution whose dilation is the
 * stride of the forward one, and whose stride is its dilation, then yields all taps of all channels side by side.
 */
import { type Attrs, constant, type Value } from '../../ir/graph.ts';
import { type Shape, sizeOf } from '../../ir/shape.ts';
import { zerosOf } from '../gather.ts';
import { gemm, matMul } from '../matmul.ts';
import { concat, ints, reshape, swapLast, transpose } from '../movement.ts';
import { cropEnds, padSpatial, strided } from '../parts.ts';
import { reduceSum } from '../reduce.ts';
import { extent } from '../window.ts';
import { conv } from './conv.ts';
import { type ConvGeometry, convGeometry, geometryAttrs } from './geometry.ts';

/** Up to this many channels and taps, unfolding by constant one-hot kernels is cheaper (the first layer of a network). */
const firstLayerChannels = 4;
const firstLayerTaps = 80;
/** Up to this many positions per image, all images go into one filter instead of one group each. */
const tinyArea = 16;

/** d(sum(conv(x, weight) * dy)) / dweight for weights of shape `shape`. */
export function weightGradient(x: Value, dy: Value, shape: Shape, attrs: Attrs): Value {
  const geometry = convGeometry(x.shape, shape, attrs);
  if (x.size === 0 || dy.size === 0) return zerosOf(x, shape);
  const { kernel, dilations, group, begin, end } = geometry;
  const taps = sizeOf(kernel);
  if (taps === 1 && [...begin, ...end].every((p) => p === 0)) return pointwise(x, dy, shape, geometry);
  const channels = x.shape[1];
  if (group === 1 && channels <= firstLayerChannels && channels * taps <= firstLayerTaps)
    return unfoldedByKernels(x, dy, shape, geometry);
  // The last axis holds the channels too and cannot be strided: a wide dilation would compute mostly unused taps.
  const last = kernel.length - 1;
  const isWide = extent(kernel[last], dilations[last]) > 2 * kernel[last];
  return isWide ? unfoldedBySlices(x, dy, shape, geometry) : dilatedConv(x, dy, shape, geometry);
}

/** Kernels of one element: products over positions. */
function pointwise(x: Value, dy: Value, shape: Shape, { strides, group, output }: ConvGeometry): Value {
  const [batch, channels] = x.shape;
  const outputs = shape[0];
  const area = sizeOf(output);
  const picked = strided(x, output, strides);
  // One product over all images wants two transposes, a product per image wants its results added up.
  if (group === 1 && outputs * channels > 2 * (outputs + channels) * area) {
    const rows = (v: Value, n: number) =>
      reshape(transpose(reshape(v, [batch, n, area]), { perm: [1, 0, 2] }), [n, batch * area]);
    return reshape(gemm(rows(dy, outputs), rows(picked, channels), { transB: 1 }), shape);
  }
  const grouped = (v: Value, n: number) => reshape(v, [batch, group, n / group, area]);
  return reshape(sumBatch(matMul(grouped(dy, outputs), swapLast(grouped(picked, channels)))), shape);
}

function sumBatch(v: Value): Value {
  return reduceSum(v, ints([0]), { keepdims: 0 });
}

/** Every tap of every channel as a channel of its own, by a convolution with one-hot kernels; then one product per image. */
function unfoldedByKernels(x: Value, dy: Value, shape: Shape, geometry: ConvGeometry): Value {
  const columns = sizeOf(shape.slice(1));
  const identity = new Float32Array(columns * columns);
  for (let i = 0; i < columns; i++) identity[i * columns + i] = 1;
  const kernels = constant(identity, x.dtype, [columns, ...shape.slice(1)]);
  const area = sizeOf(geometry.output);
  const unfolded = reshape(conv(x, kernels, geometryAttrs(geometry)), [x.shape[0], columns, area]);
  const rows = reshape(dy, [x.shape[0], shape[0], area]);
  return reshape(sumBatch(matMul(rows, swapLast(unfolded))), shape);
}

/** Every tap as a strided slice of the padded input; then one product per image and group. */
function unfoldedBySlices(x: Value, dy: Value, shape: Shape, geometry: ConvGeometry): Value {
  const { kernel, strides, dilations, begin, end, output, group } = geometry;
  const [batch, channels] = x.shape;
  const area = sizeOf(output);
  const padded = padSpatial(x, begin, end);
  const taps = sizeOf(kernel);
  const slices = Array.from({ length: taps }, (_, tap) => {
    let rest = tap;
    const starts = kernel.map(() => 0);
    for (let i = kernel.length - 1; i >= 0; i--) {
      starts[i] = (rest % kernel[i]) * dilations[i];
      rest = Math.floor(rest / kernel[i]);
    }
    return reshape(strided(padded, output, strides, starts), [batch, group, channels / group, area]);
  });
  const unfolded = concat(...slices, { axis: 2 });
  const rows = reshape(dy, [batch, group, shape[0] / group, area]);
  const summed = sumBatch(matMul(rows, swapLast(unfolded)));
  const byTap = reshape(summed, [shape[0], taps, channels / group]);
  return reshape(transpose(byTap, { perm: [0, 2, 1] }), shape);
}

/** One convolution whose filter is the outgoing gradient. */
function dilatedConv(x: Value, dy: Value, shape: Shape, geometry: ConvGeometry): Value {
  const { kernel, strides, dilations, begin, output, group } = geometry;
  const [batch, channels] = x.shape;
  const outputs = shape[0];
  const perGroup = channels / group;
  const last = kernel.length - 1;
  // Padding at the end such that exactly the taps come out; where windows left elements unread, those are cut off.
  const trailing = kernel.map(
    (k, i) => extent(k, dilations[i]) + strides[i] * (output[i] - 1) - x.shape[i + 2] - begin[i],
  );
  const image = cropEnds(
    x,
    trailing.map((t) => Math.max(0, -t)),
  );
  const spatial = image.shape.slice(2);
  const isTiny = sizeOf(output) <= tinyArea;
  const groups = isTiny ? group : batch * group;
  const split = reshape(image, [batch, group, perGroup, ...spatial]);
  const axes = spatial.map((_, i) => i + 3);
  const channelsLast = transpose(split, { perm: isTiny ? [1, 0, ...axes, 2] : [0, 1, ...axes, 2] });
  const packed = (list: readonly number[], factor: number) => list.map((v, i) => (i === last ? v * factor : v));
  const filter = isTiny
    ? transpose(dy, { perm: [1, 0, ...output.map((_, i) => i + 2)] })
    : reshape(dy, [batch * outputs, 1, ...output]);
  const taps = conv(reshape(channelsLast, [1, batch * group, ...packed(spatial, perGroup)]), filter, {
    kernel_shape: output,
    strides: packed(dilations, 1 / dilations[last]),
    dilations: packed(strides, perGroup),
    pads: [
      ...packed(begin, perGroup),
      ...packed(
        trailing.map((t) => Math.max(0, t)),
        perGroup,
      ),
    ],
    group: groups,
  });
  const span = extent(kernel[last], dilations[last]);
  const perTap = [...kernel.slice(0, last), span, perGroup];
  const all = isTiny ? taps : sumBatch(reshape(taps, [batch, outputs * sizeOf(perTap)]));
  const wide = reshape(all, [outputs, ...perTap]);
  const steps = [...kernel.slice(0, last).map(() => 1), dilations[last]];
  const wanted = span === kernel[last] ? wide : strided(wide, kernel, steps, undefined, 1);
  return transpose(wanted, { perm: [0, kernel.length + 1, ...kernel.map((_, i) => i + 1)] });
}
