/** @file Writing elements by index: ScatterElements, ScatterND, TensorScatter. */
import { dtypes, isFloat } from '../ir/dtype.ts';
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import { type Attrs, constant, type GradientContext, type Value } from '../ir/graph.ts';
import { formatShape, normalizeAxis, sameShape, sizeOf } from '../ir/shape.ts';
import { add, div, mod, mul } from './arithmetic.ts';
import { cast } from './cast.ts';
import { equal, where } from './compare.ts';
import { defineOp, requireSameDType, type } from './define.ts';
import { flatIndices, gatherElements, gatherND, requireIndices, zerosOf } from './gather.ts';
import { expand, reshape } from './movement.ts';
import { numberAttr, scalar } from './unary.ts';

const reductions = ['none', 'add', 'mul', 'max', 'min'];

function reductionOf(attrs: Attrs): string {
  const found = (attrs.reduction as string | undefined) ?? 'none';
  if (!reductions.includes(found))
    throw new ArgumentError(`reduction is one of ${reductions.join(', ')}, found '${found}'`);
  return found;
}

const axisAttr = (x: Value, attrs: Attrs) => normalizeAxis(numberAttr(attrs, 'axis', 0), x.rank);

/**
 * A copy of `x` with `updates` written (or added, ...) at `indices` along `axis`. With reduction 'none' equal indices leave
 * the result open, and its gradient with it.
 */
export const scatterElements = defineOp('ScatterElements', {
  indexes: true,
  infer: ([x, indices, updates], attrs) => {
    requireIndices(indices);
    reductionOf(attrs);
    axisAttr(x, attrs);
    requireSameDType(x, updates);
    if (!sameShape(indices.shape, updates.shape) || indices.rank !== x.rank)
      throw new ShapeError(
        `indices ${formatShape(indices.shape)} and updates ${formatShape(updates.shape)} must have one shape, of the rank of ${formatShape(x.shape)}`,
      );
    return type(x.dtype, x.shape);
  },
  // ONNX Runtime's CPU kernel combines no 16-bit floats; sums in float32 are the better ones anyway.
  simplify: ([x, indices, updates], attrs) => {
    if (reductionOf(attrs) === 'none' || !isFloat(x.dtype) || dtypes[x.dtype].bytes > 2) return undefined;
    requireSameDType(x, updates);
    const wide = (v: Value) => cast(v, { to: 'float32' });
    return cast(scatterElements(wide(x), indices, wide(updates), attrs), { to: x.dtype });
  },
  gradient: (node, [dy]) => {
    if (!dy) return [];
    const { inputs, attrs, needs } = node;
    const [x, indices, updates] = inputs;
    const axis = axisAttr(x, attrs);
    const at = (v: Value) => gatherElements(v, indices, { axis });
    switch (reductionOf(attrs)) {
      case 'add':
        return [dy, null, needs[2] ? at(dy) : null];
      case 'mul':
        return productGradient(node, dy, axis);
      case 'max':
      case 'min':
        return extremumGradient(node, dy, axis);
      default: {
        const dx = () => scatterElements(dy, indices, zerosOf(dy, updates.shape), { axis });
        return [needs[0] ? dx() : null, null, needs[2] ? at(dy) : null];
      }
    }
  },
});

/** Each factor's derivative is the product of the others, which division gives unless a factor is 0. */
function productGradient({ inputs: [x, indices, updates], needs }: GradientContext, dy: Value, axis: number) {
  const one = scalar(x, 1);
  const isZero = (v: Value) => equal(v, scalar(v, 0));
  const count = (v: Value) => cast(isZero(v), { to: v.dtype });
  const withoutZeros = (v: Value) => where(isZero(v), one, v);
  const at = (v: Value) => gatherElements(v, indices, { axis });
  const dx = () => mul(dy, scatterElements(expand(one, x.shape), indices, updates, { axis, reduction: 'mul' }));
  const dUpdates = () => {
    const zeros = scatterElements(count(x), indices, count(updates), { axis, reduction: 'add' });
    const others = scatterElements(withoutZeros(x), indices, withoutZeros(updates), { axis, reduction: 'mul' });
    const otherZeros = add(at(zeros), mul(count(updates), scalar(x, -1)));
    const product = div(at(others), withoutZeros(updates));
    return mul(at(dy), where(equal(otherZeros, scalar(x, 0)), product, scalar(x, 0)));
  };
  return [needs[0] ? dx() : null, null, needs[2] ? dUpdates() : null];
}

/** Ties share the gradient equally (PyTorch: scatter_reduce with amax, amin). */
function extremumGradient(
  { inputs: [x, indices, updates], outputs: [y], needs }: GradientContext,
  dy: Value,
  axis: number,
) {
  const at = (v: Value) => gatherElements(v, indices, { axis });
  const hit = cast(equal(x, y), { to: x.dtype });
  const updateHit = cast(equal(updates, at(y)), { to: x.dtype });
  const share = div(dy, scatterElements(hit, indices, updateHit, { axis, reduction: 'add' }));
  return [needs[0] ? mul(hit, share) : null, null, needs[2] ? mul(updateHit, at(share)) : null];
}

/** ScatterND as ScatterElements over the flattened indexed axes. */
function asScatterElements([x, indices, updates]: readonly Value[], attrs: Attrs): Value {
  const depth = indices.shape[indices.rank - 1];
  const rows = sizeOf(x.shape.slice(0, depth));
  const width = sizeOf(x.shape.slice(depth));
  const flat = flatIndices(indices, x.shape);
  const index = expand(reshape(flat, [flat.size, 1]), [flat.size, width]);
  const reduction = reductionOf(attrs);
  const y = scatterElements(reshape(x, [rows, width]), index, reshape(updates, [flat.size, width]), { reduction });
  return reshape(y, x.shape);
}

/** A copy of `x` with slices written (or added, ...) at index tuples. */
export const scatterND = defineOp('ScatterND', {
  indexes: true,
  infer: ([x, indices, updates], attrs) => {
    requireIndices(indices);
    reductionOf(attrs);
    requireSameDType(x, updates);
    checkScatterND(x, indices, updates);
    return type(x.dtype, x.shape);
  },
  // ONNX Runtime's CPU kernel adds in several threads without locks: sums over equal indices come out wrong.
  simplify: ([x, indices, updates], attrs) => {
    if (reductionOf(attrs) === 'none') return undefined;
    checkScatterND(x, indices, updates);
    return asScatterElements([x, indices, updates], attrs);
  },
  gradient: ({ inputs: [, indices, updates], needs }, [dy]) => {
    if (!dy) return [];
    const dx = () => scatterND(dy, indices, zerosOf(dy, updates.shape));
    return [needs[0] ? dx() : null, null, needs[2] ? gatherND(dy, indices) : null];
  },
  decompose: asScatterElements,
});

function checkScatterND(x: Value, indices: Value, updates: Value): void {
  const depth = indices.shape[indices.rank - 1] ?? Number.POSITIVE_INFINITY;
  const expected = [...indices.shape.slice(0, -1), ...x.shape.slice(depth)];
  if (depth > x.rank || !sameShape(updates.shape, expected))
    throw new ShapeError(
      `updates of shape ${formatShape(updates.shape)} do not fit ${formatShape(x.shape)} indexed by ${formatShape(indices.shape)}`,
    );
}

/**
 * `update` written into `cache` along `axis` (-2 by default), for batch entry b from `write_indices[b]` on (0 by default);
 * with mode 'circular' positions wrap around. For caches of keys and values.
 */
export const tensorScatter = defineOp('TensorScatter', {
  infer: ([cache, update, starts], attrs) => {
    const axis = normalizeAxis(numberAttr(attrs, 'axis', -2), cache.rank);
    const fits = update.rank === cache.rank && update.shape.every((dim, i) => i === axis || dim === cache.shape[i]);
    if (!fits || update.shape[axis] > cache.shape[axis] || axis === 0)
      throw new ShapeError(
        `an update of shape ${formatShape(update.shape)} does not fit a cache of shape ${formatShape(cache.shape)} along axis ${axis}`,
      );
    if (starts && !sameShape(starts.shape, [cache.shape[0]]))
      throw new ShapeError(`write_indices must have shape [${cache.shape[0]}], found ${formatShape(starts.shape)}`);
    return type(requireSameDType(cache, update), cache.shape);
  },
  gradient: 'decompose',
  decompose: ([cache, update, starts], attrs) => {
    const axis = normalizeAxis(numberAttr(attrs, 'axis', -2), cache.rank);
    const size = cache.shape[axis];
    const along = (v: Value, at: number) =>
      reshape(
        v,
        cache.shape.map((_, i) => (i === at ? v.size : 1)),
      );
    const steps = along(
      constant(
        Array.from({ length: update.shape[axis] }, (_, i) => i),
        'int64',
      ),
      axis,
    );
    const places = starts ? add(along(starts, 0), steps) : steps;
    const wrapped = attrs.mode === 'circular' ? mod(places, constant(size, 'int64')) : places;
    return scatterElements(cache, expand(wrapped, update.shape), update, { axis });
  },
});
