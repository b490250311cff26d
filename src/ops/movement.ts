/** @file Operators that rearrange elements without computing: reshape, transpose, expand, concat, split. */
import { ShapeError } from '../ir/errors.ts';
import { type Attrs, constant, type Value } from '../ir/graph.ts';
import {
  broadcastShapes,
  formatShape,
  normalizeAxes,
  normalizeAxis,
  type Shape,
  sameShape,
  sizeOf,
  stridesOf,
} from '../ir/shape.ts';
import { constantInts, defineMultiOp, defineOp, requireSameDType, type } from './define.ts';
import { broadcastOffsets, foldMovement, stridedOffsets } from './fold.ts';
import { reduceSum } from './reduce.ts';
import { slice } from './slice.ts';

/** An int64 constant, the form in which ONNX takes shapes and axes. */
export function ints(values: readonly number[]): Value {
  return constant(values, 'int64');
}

const sameElements = foldMovement((_, output) => Int32Array.from({ length: sizeOf(output.shape) }, (_, i) => i));

function reshapeTarget(x: Value, wanted: readonly number[], allowZero: boolean): number[] {
  const shape = wanted.map((dim, i) => (dim === 0 && !allowZero ? x.shape[i] : dim));
  const open = shape.indexOf(-1);
  const known = shape.reduce((n, dim) => (dim === -1 ? n : n * dim), 1);
  if (open >= 0) shape[open] = known === 0 ? 0 : x.size / known;
  if (sizeOf(shape) !== x.size || shape.some((d) => !Number.isInteger(d) || d < 0))
    throw new ShapeError(`cannot reshape ${formatShape(x.shape)} (${x.size} elements) into ${formatShape(wanted)}`);
  return shape;
}

/** New shape, same elements in order; one dimension may be -1 (inferred), 0 copies the input's. */
export const reshapeOp = defineOp('Reshape', {
  infer: ([x, shape], attrs) =>
    type(x.dtype, reshapeTarget(x, constantInts(shape, 'the new shape'), attrs.allowzero === 1)),
  fold: ([x], attrs, output) => sameElements([x], attrs, output),
  simplify: ([x, shape], attrs) => {
    const target = reshapeTarget(x, constantInts(shape, 'the new shape'), attrs.allowzero === 1);
    if (sameShape(target, x.shape)) return x;
    const inner = x.node;
    if (inner?.op.type === 'Reshape' && inner.inputs[0]) return reshape(inner.inputs[0], target);
    return undefined;
  },
  gradient: ({ inputs: [x] }, [dy]) => [dy && reshape(dy, x.shape)],
});

export function reshape(x: Value, shape: Shape): Value {
  return reshapeOp(x, ints(shape), shape.includes(0) ? { allowzero: 1 } : {});
}

export const flatten = defineOp('Flatten', {
  infer: ([x], attrs) => type(x.dtype, flatShape(x, attrs)),
  simplify: ([x], attrs) => reshape(x, flatShape(x, attrs)),
  gradient: 'decompose',
  decompose: ([x], attrs) => reshape(x, flatShape(x, attrs)),
});

function flatShape(x: Value, attrs: Attrs): number[] {
  const axis = (attrs.axis as number | undefined) ?? 1;
  const at = axis === x.rank ? axis : normalizeAxis(axis, x.rank);
  return [sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at))];
}

export const squeezeOp = defineOp('Squeeze', {
  infer: ([x, axes]) => type(x.dtype, squeezed(x, axes)),
  simplify: ([x, axes]) => reshape(x, squeezed(x, axes)),
  gradient: 'decompose',
  decompose: ([x, axes]) => reshape(x, squeezed(x, axes)),
});

function squeezed(x: Value, axes: Value | undefined): number[] {
  const drop = axes
    ? normalizeAxes(constantInts(axes, 'axes'), x.rank)
    : x.shape.flatMap((dim, i) => (dim === 1 ? [i] : []));
  for (const axis of drop)
    if (x.shape[axis] !== 1)
      throw new ShapeError(`cannot squeeze axis ${axis} of size ${x.shape[axis]}: only axes of size 1 can go`);
  return x.shape.filter((_, i) => !drop.includes(i));
}

export const unsqueezeOp = defineOp('Unsqueeze', {
  infer: ([x, axes]) => type(x.dtype, unsqueezed(x, axes)),
  simplify: ([x, axes]) => reshape(x, unsqueezed(x, axes)),
  gradient: 'decompose',
  decompose: ([x, axes]) => reshape(x, unsqueezed(x, axes)),
});

function unsqueezed(x: Value, axes: Value): number[] {
  const list = constantInts(axes, 'axes');
  const insert = normalizeAxes(list, x.rank + list.length);
  const shape = [...x.shape];
  for (const axis of insert) shape.splice(axis, 0, 1);
  return shape;
}

const identityPerm = (perm: readonly number[]) => perm.every((p, i) => p === i);

/** Permutes axes: output axis i is input axis `perm[i]`; the default reverses them. */
export const transpose = defineOp('Transpose', {
  infer: ([x], attrs) =>
    type(
      x.dtype,
      permutation(x, attrs).map((p) => x.shape[p]),
    ),
  fold: (inputs, attrs, output) => {
    const perm = permutation(inputs[0], attrs);
    const strides = stridesOf(inputs[0].shape);
    return foldMovement((_, out) =>
      stridedOffsets(
        out.shape,
        perm.map((p) => strides[p]),
      ),
    )(inputs, attrs, output);
  },
  simplify: ([x], attrs) => {
    const perm = permutation(x, attrs);
    if (identityPerm(perm)) return x;
    const inner = x.node;
    if (inner?.op.type !== 'Transpose' || !inner.inputs[0]) return undefined;
    const before = permutation(inner.inputs[0], inner.attrs);
    return transpose(inner.inputs[0], { perm: perm.map((p) => before[p]) });
  },
  gradient: ({ inputs: [x], attrs }, [dy]) => {
    const perm = permutation(x, attrs);
    return [dy && transpose(dy, { perm: perm.map((_, i) => perm.indexOf(i)) })];
  },
});

/** The attribute `perm` of a transposition of x. @throws ShapeError where it is none. */
export function permutation(x: Value, attrs: Attrs): readonly number[] {
  const perm = attrs.perm as readonly number[] | undefined;
  if (!perm) return x.shape.map((_, i) => x.rank - 1 - i);
  const valid = perm.length === x.rank && [...perm].sort((a, b) => a - b).every((p, i) => p === i);
  if (!valid)
    throw new ShapeError(
      `perm [${perm.join(', ')}] is not a permutation of the ${x.rank} axes of shape ${formatShape(x.shape)}`,
    );
  return perm;
}

/** The last two axes swapped. */
export function swapLast(x: Value): Value {
  const perm = x.shape.map((_, i) => i);
  perm.push(...perm.splice(-2).reverse());
  return transpose(x, { perm });
}

/** Broadcasts to a shape (bidirectionally, as ONNX does). */
export const expandOp = defineOp('Expand', {
  infer: ([x, shape]) => type(x.dtype, broadcastShapes(x.shape, constantInts(shape, 'the target shape'))),
  // Large results stay unfolded: as constants they would only make tracing and comparing programs slower.
  fold: (inputs, attrs, output) =>
    sizeOf(output.shape) > 64
      ? undefined
      : foldMovement(([x], out) => broadcastOffsets(x.shape, out.shape))(inputs, attrs, output),
  simplify: ([x, shape]) =>
    sameShape(broadcastShapes(x.shape, constantInts(shape, 'the target shape')), x.shape) ? x : undefined,
  gradient: (_, [dy]) => [dy],
});

export function expand(x: Value, shape: Shape): Value {
  return expandOp(x, ints(shape));
}

/** Joins along `axis`. */
export const concat = defineOp('Concat', {
  infer: (inputs, attrs) => {
    const dtype = requireSameDType(...inputs);
    const [first] = inputs;
    const axis = normalizeAxis(attrs.axis as number, first.rank);
    for (const x of inputs)
      if (x.rank !== first.rank || x.shape.some((dim, i) => i !== axis && dim !== first.shape[i]))
        throw new ShapeError(
          `cannot join ${inputs.map((v) => formatShape(v.shape)).join(' and ')} along axis ${axis}: all other axes must agree`,
        );
    const shape = [...first.shape];
    shape[axis] = inputs.reduce((n, x) => n + x.shape[axis], 0);
    return type(dtype, shape);
  },
  fold: (inputs, attrs, output) => {
    const axis = normalizeAxis(attrs.axis as number, inputs[0].rank);
    return foldConcat(inputs, axis, output.shape);
  },
  simplify: (inputs) => (inputs.length === 1 ? inputs[0] : undefined),
  gradient: ({ inputs, attrs, needs }, [dy]) => {
    const axis = normalizeAxis(attrs.axis as number, inputs[0].rank);
    const parts = dy ? split(dy, ints(inputs.map((x) => x.shape[axis])), { axis }) : [];
    return parts.map((part, i) => (needs[i] ? part : null));
  },
});

function foldConcat(inputs: readonly Value[], axis: number, shape: Shape) {
  const result = constant(0, inputs[0].dtype, shape).constant;
  if (!result) return undefined;
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  let at = 0;
  for (let o = 0; o < outer; o++)
    for (const x of inputs) {
      const run = x.shape[axis] * inner;
      if (x.constant) result.set(x.constant.subarray(o * run, (o + 1) * run), at);
      at += run;
    }
  return result;
}

/** Cuts along `axis` into parts of the given sizes (second operand). */
export const split = defineMultiOp('Split', {
  infer: ([x, sizes], attrs) => {
    const axis = normalizeAxis((attrs.axis as number | undefined) ?? 0, x.rank);
    const parts = sizes ? constantInts(sizes, 'split sizes') : equalParts(x.shape[axis], attrs.num_outputs as number);
    if (parts.reduce((a, b) => a + b, 0) !== x.shape[axis])
      throw new ShapeError(
        `split sizes [${parts.join(', ')}] do not add up to ${x.shape[axis]}, the size of axis ${axis}`,
      );
    return parts.map((size) => type(x.dtype, x.shape.with(axis, size)));
  },
  // Shape arithmetic of imported models cuts constants; slices of them fold.
  simplify: ([x, sizes], attrs) => {
    const axis = normalizeAxis((attrs.axis as number | undefined) ?? 0, x.rank);
    if (!x.constant || (sizes && !sizes.constant)) return undefined;
    const parts = sizes ? constantInts(sizes, 'split sizes') : equalParts(x.shape[axis], attrs.num_outputs as number);
    if (parts.reduce((a, b) => a + b, 0) !== x.shape[axis]) return undefined;
    let end = 0;
    return parts.map((size) => {
      end += size;
      return slice(x, [end - size], [end], [axis]);
    });
  },
  gradient: ({ outputs, attrs }, dys) => {
    const axis = normalizeAxis((attrs.axis as number | undefined) ?? 0, outputs[0].rank);
    return [concat(...outputs.map((y, i) => dys[i] ?? expand(constant(0, y.dtype), y.shape)), { axis })];
  },
});

function equalParts(size: number, count: number): number[] {
  const each = Math.ceil(size / count);
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(each, size - i * each)));
}

/** Sums a gradient over the axes along which an operand of shape `shape` was broadcast. */
export function sumTo(dy: Value, shape: Shape): Value {
  if (sameShape(dy.shape, shape)) return dy;
  const lead = dy.rank - shape.length;
  const axes = dy.shape.flatMap((dim, i) => (i < lead || (shape[i - lead] === 1 && dim !== 1) ? [i] : []));
  return reshape(axes.length ? reduceSum(dy, ints(axes), { keepdims: 0 }) : dy, shape);
}
