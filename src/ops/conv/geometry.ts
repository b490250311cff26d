/** @file The geometry of a convolution, from shapes and attributes. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import type { Attrs, Value } from '../../ir/graph.ts';
import { formatShape, type Shape, sameShape } from '../../ir/shape.ts';
import { requireFloat, requireSameDType } from '../define.ts';
import { distributePadding, explicitPads, extent, slidingWindows, spatialAttribute, type Windows } from '../window.ts';

/** A convolution of [batch, channels, ...spatial] by weights [outputs, channels / groups, ...kernel]. */
export interface ConvGeometry extends Windows {
  readonly group: number;
}

/** Groups that divide the channels. */
function groupOf(attrs: Attrs, outputs: number): number {
  const group = (attrs.group as number | undefined) ?? 1;
  if (!Number.isInteger(group) || group < 1 || outputs % group !== 0)
    throw new ArgumentError(`group must be a whole number that divides the ${outputs} output channels, found ${group}`);
  return group;
}

/** Geometry of Conv. @throws ShapeError, ArgumentError where shapes and attributes do not fit. */
export function convGeometry(x: Shape, weight: Shape, attrs: Attrs): ConvGeometry {
  if (x.length < 3 || weight.length !== x.length)
    throw new ShapeError(
      `a convolution needs an input [batch, channels, ...spatial] and weights of as many dimensions, found ${formatShape(x)} and ${formatShape(weight)}`,
    );
  const group = groupOf(attrs, weight[0]);
  if (x[1] !== weight[1] * group)
    throw new ShapeError(
      `the input has ${x[1]} channels, but weights of shape ${formatShape(weight)} with ${group} group(s) take ${weight[1] * group}`,
    );
  checkKernelShape(attrs, weight);
  return { ...slidingWindows(x.slice(2), weight.slice(2), attrs), group };
}

function checkKernelShape(attrs: Attrs, weight: Shape): void {
  const kernel = attrs.kernel_shape as readonly number[] | undefined;
  if (kernel && !sameShape(kernel, weight.slice(2)))
    throw new ShapeError(
      `kernel_shape is [${kernel.join(', ')}], but the weights have shape ${formatShape(weight)}; they must agree`,
    );
}

/** Geometry of ConvTranspose; `output` is the size of the result, as if it were the input of a convolution. */
export interface TransposeGeometry extends ConvGeometry {
  readonly outputPadding: readonly number[];
}

/** Geometry of ConvTranspose with weights [channels, outputs / groups, ...kernel]. */
export function transposeGeometry(x: Shape, weight: Shape, attrs: Attrs): TransposeGeometry {
  if (x.length < 3 || weight.length !== x.length)
    throw new ShapeError(
      `a transposed convolution needs an input [batch, channels, ...spatial] and weights of as many dimensions, found ${formatShape(x)} and ${formatShape(weight)}`,
    );
  if (x[1] !== weight[0])
    throw new ShapeError(
      `the input has ${x[1]} channels, but weights of shape ${formatShape(weight)} take ${weight[0]} (their first dimension)`,
    );
  const group = groupOf(attrs, weight[0]);
  checkKernelShape(attrs, weight);
  const rank = x.length - 2;
  const kernel = weight.slice(2);
  const strides = spatialAttribute(attrs, 'strides', rank, 1);
  const dilations = spatialAttribute(attrs, 'dilations', rank, 1);
  const outputPadding = spatialAttribute(attrs, 'output_padding', rank, 0, 0);
  const { begin, end } = explicitPads(attrs, rank);
  const wanted = attrs.output_shape as readonly number[] | undefined;
  const mode = attrs.auto_pad ?? 'NOTSET';
  const output = kernel.map((k, i) => {
    if (outputPadding[i] >= Math.max(strides[i], dilations[i]))
      throw new ArgumentError(
        `output_padding ${outputPadding[i]} of spatial axis ${i} must be smaller than stride ${strides[i]} or dilation ${dilations[i]}`,
      );
    const full = strides[i] * (x[i + 2] - 1) + outputPadding[i] + extent(k, dilations[i]);
    const same = mode === 'SAME_UPPER' || mode === 'SAME_LOWER';
    if (wanted?.length || same) {
      const target = wanted?.length ? wanted[wanted.length - rank + i] : x[i + 2] * strides[i];
      [begin[i], end[i]] = distributePadding(Math.max(0, full - target), mode);
    } else if (mode === 'VALID') begin[i] = end[i] = 0;
    const size = full - begin[i] - end[i];
    if (size < 1)
      throw new ShapeError(`spatial axis ${i} of the result would have ${size} elements; reduce the padding`);
    return size;
  });
  return { kernel, strides, dilations, begin, end, output, group, outputPadding };
}

/** The geometry as ONNX attributes, nothing left to defaults or to auto_pad. */
export function geometryAttrs(g: ConvGeometry): Attrs {
  return {
    kernel_shape: g.kernel,
    strides: g.strides,
    dilations: g.dilations,
    pads: [...g.begin, ...g.end],
    group: g.group,
  };
}

/** Throws unless the bias, if there is one, has one element per output channel and all dtypes agree. */
export function checkBias(operands: readonly Value[], outputs: number): void {
  const [x, weight, bias] = operands;
  requireFloat(x);
  requireSameDType(...(bias ? [x, weight, bias] : [x, weight]));
  if (bias && !sameShape(bias.shape, [outputs]))
    throw new ShapeError(
      `the bias must have shape [${outputs}], one per output channel, found ${formatShape(bias.shape)}`,
    );
}
