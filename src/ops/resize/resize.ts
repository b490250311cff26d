/** @file Resize: interpolation of images by nearest neighbours, linearly or by cubics. */

import type { DType } from '../../ir/dtype.ts';
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import { type Attr, type Attrs, constant, type Value } from '../../ir/graph.ts';
import { formatShape, normalizeAxis, type Shape, sizeOf } from '../../ir/shape.ts';
import { add, mul, sub } from '../arithmetic.ts';
import { constantInts, defineOp, type } from '../define.ts';
import { matMul } from '../matmul.ts';
import { memoConstant } from '../memo.ts';
import { expand, ints, reshape } from '../movement.ts';
import { reduceSum } from '../reduce.ts';
import { numberAttr, scalar } from '../unary.ts';
import { type AxisResize, axisWeights } from './matrix.ts';

/** The constant operands of Resize. */
interface Target {
  readonly roi: readonly number[] | null;
  readonly scales: readonly number[] | null;
  readonly sizes: readonly number[] | null;
}

function targetOf([, roi, scales, sizes]: readonly (Value | null | undefined)[]): Target {
  const list = (v: Value | null | undefined, what: string) => (v && v.size > 0 ? constantInts(v, what) : null);
  return {
    roi: list(roi, 'the region of interest'),
    scales: list(scales, 'resize scales'),
    sizes: list(sizes, 'resize sizes'),
  };
}

/** Sizes, scales and regions of all axes. */
function resolveAxes(shape: Shape, { roi, scales: byScale, sizes: bySize }: Target, attrs: Attrs): AxisResize[] {
  const rank = shape.length;
  const given = attrs.axes as readonly number[] | undefined;
  const axes = given ? given.map((a) => normalizeAxis(a, rank)) : shape.map((_, i) => i);
  if ((byScale === null) === (bySize === null))
    throw new ArgumentError('Resize needs either scales or sizes, and not both');
  const wanted = byScale ?? bySize ?? [];
  if (wanted.length !== axes.length || wanted.some((v) => !(v > 0)))
    throw new ShapeError(
      `Resize of ${formatShape(shape)} needs ${axes.length} positive ${byScale ? 'scales' : 'sizes'}, found [${wanted.join(', ')}]`,
    );
  const region = roi ?? [];
  const common = bySize && commonScale(shape, axes, bySize, attrs);
  return shape.map((size, axis) => {
    const at = axes.indexOf(axis);
    if (at < 0) return { size, output: size, scale: 1, roi: [0, 1] };
    const scale = byScale ? byScale[at] : Math.fround(common ?? wanted[at] / size);
    const output = byScale ? Math.floor(size * scale) : common ? Math.floor(size * common + 0.5) : wanted[at];
    return { size, output, scale, roi: [region[at] ?? 0, region[axes.length + at] ?? 1] };
  });
}

/** The one scale of all axes where the aspect ratio is to be kept, else null. */
function commonScale(shape: Shape, axes: readonly number[], sizes: readonly number[], attrs: Attrs): number | null {
  const policy = attrs.keep_aspect_ratio_policy ?? 'stretch';
  if (policy === 'stretch') return null;
  const scales = axes.map((axis, i) => sizes[i] / shape[axis]);
  if (policy === 'not_larger') return Math.min(...scales);
  if (policy === 'not_smaller') return Math.max(...scales);
  throw new ArgumentError(
    `keep_aspect_ratio_policy '${policy}' is unknown; expected stretch, not_larger or not_smaller`,
  );
}

/** One axis resized, or its gradient brought back (`transposed`). */
function alongAxis(x: Value, axis: number, plan: AxisResize, attrs: Attrs, transposed: boolean): Value {
  const weights = axisWeights(plan, attrs);
  if (weights.every((w, i) => plan.size === plan.output && w[0]?.index === i && w[0].weight === 1)) return x;
  const target = transposed ? plan.size : plan.output;
  const pre = sizeOf(x.shape.slice(0, axis));
  const post = sizeOf(x.shape.slice(axis + 1));
  const repeat = plan.output / plan.size;
  const isRepeat = weights.every((w, o) => w.length === 1 && w[0].index === Math.floor(o / repeat));
  if (transposed && isRepeat && Number.isInteger(repeat)) {
    const blocks = reshape(x, [pre, plan.size, repeat, post]);
    return reshape(reduceSum(blocks, ints([2]), { keepdims: 0 }), x.shape.with(axis, target));
  }
  // The last axis stands to the left of its matrix, so that all rows make one product.
  const isLast = post === 1;
  const byOutput = transposed === isLast;
  const [rows, columns] = byOutput ? [plan.output, plan.size] : [plan.size, plan.output];
  const key = `resize ${byOutput} ${x.dtype} ${JSON.stringify([plan, attrs])}`;
  const matrix = memoConstant(key, () => {
    const data = new Array<number>(rows * columns).fill(0);
    weights.forEach((taps, o) => {
      for (const { index, weight } of taps) data[byOutput ? o * columns + index : index * columns + o] += weight;
    });
    return constant(data, x.dtype, [rows, columns]);
  });
  const shape = x.shape.with(axis, target);
  if (isLast) return reshape(matMul(reshape(x, [pre, x.shape[axis]]), matrix), shape);
  return reshape(matMul(matrix, reshape(x, [pre, x.shape[axis], post])), shape);
}

/** All axes resized, one after the other. */
function byMatrices(x: Value, axes: readonly AxisResize[], attrs: Attrs, transposed = false): Value {
  return axes.reduce((v, plan, axis) => alongAxis(v, axis, plan, attrs, transposed), x);
}

/**
 * Interpolated resizing. Operands: x, roi (for tf_crop_and_resize), scales or sizes, all but x constant; attributes mode
 * ('nearest', 'linear', 'cubic'), coordinate_transformation_mode, nearest_mode, cubic_coeff_a, exclude_outside, axes,
 * keep_aspect_ratio_policy, antialias. Source: ONNX Resize, torch.nn.functional.interpolate.
 */
export const resize = defineOp('Resize', {
  infer: (operands, attrs) =>
    type(
      operands[0].dtype,
      resolveAxes(operands[0].shape, targetOf(operands), attrs).map((a) => a.output),
    ),
  simplify: (operands, attrs) => {
    const [x, roi, scales, sizes] = operands;
    const axes = resolveAxes(x.shape, targetOf(operands), attrs);
    const outer = axes.slice(0, -2).every((a) => a.scale === 1 && a.output === a.size);
    // ONNX Runtime's cubic kernel takes images only.
    if (attrs.mode === 'cubic' && !((x.rank === 2 || x.rank === 4) && outer) && !attrs.antialias)
      return byMatrices(x, axes, attrs);
    // Its other kernels want all axes named.
    if (!attrs.axes || attrs.keep_aspect_ratio_policy !== undefined) return undefined;
    const { axes: _, ...rest } = attrs;
    const region = roi && constant([...axes.map((a) => a.roi[0]), ...axes.map((a) => a.roi[1])], 'float32');
    if (sizes?.size) return resize(x, region, null, ints(axes.map((a) => a.output)), rest);
    const factors = axes.map((a) => a.scale);
    return resize(x, region, scales && constant(factors, 'float32'), null, rest);
  },
  gradient: ({ inputs, attrs }, [dy]) => {
    const { roi, scales, sizes } = targetOf(inputs);
    const target = { roi: roi ?? undefined, scales: scales ?? undefined, sizes: sizes ?? undefined };
    return [dy && resizeGrad(dy, { ...attrs, ...target, shape: inputs[0].shape })];
  },
  decompose: (operands, attrs) => {
    const [x] = operands;
    const axes = resolveAxes(x.shape, targetOf(operands), attrs);
    const y = byMatrices(x, axes, attrs);
    const value = numberAttr(attrs, 'extrapolation_value', 0);
    if (attrs.coordinate_transformation_mode !== 'tf_crop_and_resize' || value === 0) return y;
    // Where ones do not stay one, the region lies outside, and the extrapolation value takes the place.
    const covered = byMatrices(expand(scalar(x, 1), x.shape), axes, attrs);
    return add(y, mul(sub(scalar(x, 1), covered), scalar(x, value)));
  },
});

/**
 * The input gradient (of shape `shape`) of Resize, whose constant operands are the attributes roi, scales and sizes here:
 * a product with the transposed interpolation matrix of each axis, or sums of blocks where elements were repeated.
 */
export const resizeGrad = defineOp('ResizeGrad', {
  domain: 'gradus',
  infer: ([dy], attrs) => type(dy.dtype, attrs.shape as Shape),
  // Linear, so its adjoint is the resizing itself.
  gradient: ({ attrs: { roi, scales, sizes, shape: _, ...rest } }, [g]) => {
    const list = (v: Attr | undefined, dtype: DType) => (v ? constant(v as readonly number[], dtype) : null);
    return [g && resize(g, list(roi, 'float32'), list(scales, 'float32'), list(sizes, 'int64'), rest)];
  },
  decompose: ([dy], { roi, scales, sizes, shape, ...rest }) => {
    const list = (v: Attr | undefined) => (v ? (v as readonly number[]) : null);
    const target = { roi: list(roi), scales: list(scales), sizes: list(sizes) };
    return byMatrices(dy, resolveAxes(shape as Shape, target, rest), rest, true);
  },
});
