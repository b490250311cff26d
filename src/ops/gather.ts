/** @file Reading elements by index, and the gradients of that: sums over equal indices. */
import { DTypeError, ShapeError } from '../ir/errors.ts';
import { type Attrs, constant, type Value } from '../ir/graph.ts';
import { formatShape, normalizeAxis, type Shape, sizeOf, stridesOf } from '../ir/shape.ts';
import { add, mul } from './arithmetic.ts';
import { less, where } from './compare.ts';
import { defineOp, type } from './define.ts';
import { foldMovement } from './fold.ts';
import { expand, ints, reshape } from './movement.ts';
import { reduceSum } from './reduce.ts';
import { scatterElements } from './scatter.ts';
import { slice } from './slice.ts';
import { numberAttr } from './unary.ts';

/** Throws DTypeError unless the operand can index. */
export function requireIndices(indices: Value): void {
  if (indices.dtype !== 'int64' && indices.dtype !== 'int32')
    throw new DTypeError(`indices must be int64 or int32, found ${indices.dtype}`);
}

/** Throws ShapeError for constant indices outside of [-size, size - 1]; indices that are computed are checked by the engine. */
function requireInRange(indices: Value, size: number): void {
  const bad = indices.constant?.find((i) => i < -size || i >= size);
  if (bad !== undefined) throw new ShapeError(`index ${bad} is out of range for an axis of size ${size}`);
}

/** A tensor of zeros. */
export function zerosOf(like: Value, shape: Shape): Value {
  return expand(constant(0, like.dtype), shape);
}

const axisAttr = (x: Value, attrs: Attrs) => normalizeAxis(numberAttr(attrs, 'axis', 0), x.rank);

/** Slices of `x` along `axis` (0 by default) at the given indices; the axis is replaced by the shape of the indices. */
export const gather = defineOp('Gather', {
  indexes: true,
  infer: ([x, indices], attrs) => {
    requireIndices(indices);
    const axis = axisAttr(x, attrs);
    requireInRange(indices, x.shape[axis]);
    return type(x.dtype, [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)]);
  },
  fold: (inputs, attrs, output) => {
    const [x, indices] = inputs;
    const axis = axisAttr(x, attrs);
    const size = x.shape[axis];
    const inner = sizeOf(x.shape.slice(axis + 1));
    const outer = sizeOf(x.shape.slice(0, axis));
    const offsets = new Int32Array(sizeOf(output.shape));
    let at = 0;
    for (let o = 0; o < outer; o++)
      for (const i of indices.constant ?? [])
        for (let k = 0; k < inner; k++) offsets[at++] = (o * size + (i < 0 ? i + size : i)) * inner + k;
    return foldMovement(() => offsets)(inputs, attrs, output);
  },
  simplify: ([x, indices], attrs) => (x.constant ? undefined : asSlice(x, indices, axisAttr(x, attrs))),
  gradient: ({ inputs: [x, indices], attrs }, [dy]) => [
    dy && gatherGrad(dy, indices, { axis: axisAttr(x, attrs), shape: x.shape }),
  ],
});

/** Evenly spaced constant indices as a slice, whose gradient is a padding instead of a scattering. */
function asSlice(x: Value, indices: Value, axis: number): Value | undefined {
  requireIndices(indices);
  const list = indices.constant;
  const size = x.shape[axis];
  if (!list?.length || indices.rank > 1 || list.some((i) => i < -size || i >= size)) return undefined;
  const at = Array.from(list, (i) => (i < 0 ? i + size : i));
  const step = at.length > 1 ? at[1] - at[0] : 1;
  if (step === 0 || at.some((v, i) => v !== at[0] + i * step)) return undefined;
  const end = at[at.length - 1] + Math.sign(step);
  const part = slice(x, [at[0]], [end < 0 ? -size - 1 : end], [axis], [step]);
  return indices.rank ? part : reshape(part, x.shape.toSpliced(axis, 1));
}

/**
 * The transpose of Gather: a tensor of `shape`, zero but for the sums of those slices of `dy` that share an index along `axis`.
 */
export const gatherGrad = defineOp('GatherGrad', {
  domain: 'gradus',
  infer: ([dy], attrs) => type(dy.dtype, attrs.shape as Shape),
  gradient: ({ inputs: [, indices], attrs }, [dy]) => [dy && gather(dy, indices, { axis: attrs.axis })],
  decompose: ([dy, indices], attrs) => {
    const shape = attrs.shape as Shape;
    const axis = attrs.axis as number;
    const rows = shape.with(axis, indices.size);
    // ScatterElements, not ScatterND: with repeated indices the latter's sums race in ONNX Runtime's CPU kernel.
    const column = reshape(
      indices,
      shape.map((_, i) => (i === axis ? indices.size : 1)),
    );
    return scatterElements(zerosOf(dy, shape), expand(column, rows), reshape(dy, rows), { axis, reduction: 'add' });
  },
});

/** y[i][j] = x[index[i][j]][j] for axis 0, and so on: one element per index. */
export const gatherElements = defineOp('GatherElements', {
  indexes: true,
  infer: ([x, indices], attrs) => {
    requireIndices(indices);
    const axis = axisAttr(x, attrs);
    requireInRange(indices, x.shape[axis]);
    if (indices.rank !== x.rank || indices.shape.some((dim, i) => i !== axis && dim > x.shape[i]))
      throw new ShapeError(
        `indices of shape ${formatShape(indices.shape)} do not fit ${formatShape(x.shape)}: same rank, and no axis but ${axis} may be larger`,
      );
    return type(x.dtype, indices.shape);
  },
  gradient: ({ inputs: [x, indices], attrs }, [dy]) => [
    dy && scatterElements(zerosOf(x, x.shape), indices, dy, { axis: axisAttr(x, attrs), reduction: 'add' }),
  ],
});

/**
 * Tuples of indices into the first axes of a shape, made into positions in the flattened axes; negative indices count from
 * the end. Folds away when the indices are constant.
 * @param batch leading axes that data and indices share: position b * size is added.
 */
export function flatIndices(indices: Value, shape: Shape, batch = 0): Value {
  const depth = indices.shape[indices.rank - 1];
  const dims = shape.slice(batch, batch + depth);
  const bounds = constant(dims, indices.dtype);
  const wrapped = where(less(indices, constant(0, indices.dtype)), add(indices, bounds), indices);
  const weighted = mul(wrapped, constant(stridesOf(dims), indices.dtype));
  const flat = reshape(reduceSum(weighted, ints([-1]), { keepdims: 0 }), [-1]);
  const batches = sizeOf(shape.slice(0, batch));
  if (batches <= 1) return flat;
  const each = flat.size / batches;
  const starts = Array.from({ length: batches * each }, (_, i) => Math.floor(i / each) * sizeOf(dims));
  return add(flat, constant(starts, indices.dtype));
}

/** Slices of `x` at index tuples (the last axis of the indices), after `batch_dims` shared axes. */
export const gatherND = defineOp('GatherND', {
  indexes: true,
  infer: ([x, indices], attrs) => {
    requireIndices(indices);
    const batch = numberAttr(attrs, 'batch_dims', 0);
    const depth = indices.shape[indices.rank - 1];
    const shared = indices.shape.slice(0, batch);
    if (indices.rank < 1 || depth + batch > x.rank || shared.some((dim, i) => dim !== x.shape[i]))
      throw new ShapeError(
        `index tuples of shape ${formatShape(indices.shape)} do not fit ${formatShape(x.shape)} with batch_dims ${batch}`,
      );
    return type(x.dtype, [...indices.shape.slice(0, -1), ...x.shape.slice(batch + depth)]);
  },
  gradient: ({ inputs: [x, indices], attrs }, [dy]) => {
    if (!dy) return [];
    const batch = numberAttr(attrs, 'batch_dims', 0);
    const cut = batch + indices.shape[indices.rank - 1];
    const shape = [sizeOf(x.shape.slice(0, cut)), sizeOf(x.shape.slice(cut))];
    const flat = flatIndices(indices, x.shape, batch);
    const dx = gatherGrad(reshape(dy, [flat.size, shape[1]]), flat, { axis: 0, shape });
    return [reshape(dx, x.shape)];
  },
});
