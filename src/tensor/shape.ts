/** @file Shapes: reshaping, permuting, joining, cutting, padding. Elements move, none is computed. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import { constant, type Value } from '../ir/graph.ts';
import { formatShape, normalizeAxes, normalizeAxis, type Shape, sameShape, sizeOf } from '../ir/shape.ts';
import * as ops from '../ops/index.ts';
import { memoConstant } from '../ops/memo.ts';
import { tensor } from './creation.ts';
import { castTo, cut, type Dims, dimOf, like, requireList, requireOneOf, requireTensor, viaInt32 } from './lift.ts';
import { promoteTypes } from './operand.ts';
import { Tensor } from './tensor.ts';

/** The same elements in another shape; one size may be -1 and follows from the others. @throws ShapeError if they do not fit. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  requireTensor(x, 'reshape');
  requireList(shape, 'reshape');
  if (shape.filter((d) => d === -1).length > 1)
    throw new ShapeError(`reshape: only one size may be -1, found ${formatShape(shape)}`);
  return new Tensor(ops.reshape(x.value, shape));
}

/** As `reshape`. */
export function view(x: Tensor, shape: Shape): Tensor {
  return reshape(x, shape);
}

/** Dimensions `startDim` to `endDim` merged into one. */
export function flatten(x: Tensor, startDim = 0, endDim = -1): Tensor {
  if (x.ndim === 0) return reshape(x, [1]);
  const start = normalizeAxis(startDim, x.ndim);
  const end = normalizeAxis(endDim, x.ndim);
  if (start > end) throw new ArgumentError(`flatten: startDim ${startDim} lies behind endDim ${endDim}`);
  const { shape } = x;
  return reshape(x, [...shape.slice(0, start), sizeOf(shape.slice(start, end + 1)), ...shape.slice(end + 1)]);
}

/** Dimension `dim` split into dimensions of the given sizes, one of which may be -1. */
export function unflatten(x: Tensor, dim: number, sizes: Shape): Tensor {
  const at = normalizeAxis(dim, x.ndim);
  const known = sizes.reduce((n, s) => (s === -1 ? n : n * s), 1);
  const full = sizes.map((s) => (s === -1 ? x.shape[at] / known : s));
  if (sizeOf(full) !== x.shape[at])
    throw new ShapeError(
      `unflatten: sizes ${formatShape(sizes)} do not multiply to ${x.shape[at]}, the size of dimension ${dim}`,
    );
  return reshape(x, [...x.shape.slice(0, at), ...full, ...x.shape.slice(at + 1)]);
}

/** Without the dimensions of size 1, or without those among `dim` that have size 1. */
export function squeeze(x: Tensor, dim?: Dims): Tensor {
  const drop = normalizeAxes(typeof dim === 'number' ? [dim] : dim, x.ndim);
  return reshape(
    x,
    x.shape.filter((size, i) => size !== 1 || !drop.includes(i)),
  );
}

/** With a dimension of size 1 put in at `dim`. */
export function unsqueeze(x: Tensor, dim: number): Tensor {
  return reshape(x, x.shape.toSpliced(normalizeAxis(dim, x.ndim + 1), 0, 1));
}

/** Dimensions in another order: output dimension i is input dimension `dims[i]`. */
export function permute(x: Tensor, dims: Shape): Tensor {
  requireList(dims, 'permute');
  return new Tensor(ops.transpose(x.value, { perm: dims.map((d) => normalizeAxis(d, x.ndim)) }));
}

/** Two dimensions swapped. */
export function transpose(x: Tensor, dim0: number, dim1: number): Tensor {
  const a = dimOf(x.value, dim0);
  const b = dimOf(x.value, dim1);
  return permute(
    x,
    x.shape.map((_, i) => (i === a ? b : i === b ? a : i)),
  );
}

/** The transpose of a matrix; vectors and scalars stay as they are. @throws ShapeError for more dimensions. */
export function t(x: Tensor): Tensor {
  if (x.ndim > 2)
    throw new ShapeError(
      `t: expected at most 2 dimensions, found shape ${formatShape(x.shape)}; use transpose(-2, -1)`,
    );
  return x.ndim < 2 ? x : transpose(x, 0, 1);
}

/** Dimensions moved to new places, the others keeping their order. */
export function movedim(x: Tensor, source: Dims, destination: Dims): Tensor {
  const list = (dims: Dims) => (typeof dims === 'number' ? [dims] : dims).map((d) => normalizeAxis(d, x.ndim));
  const from = list(source);
  const to = list(destination);
  if (from.length !== to.length) throw new ArgumentError('movedim: as many destinations as sources are needed');
  const rest = x.shape.flatMap((_, i) => (from.includes(i) ? [] : [i]));
  const dims: number[] = [];
  for (let i = 0; i < x.ndim; i++) dims.push(to.includes(i) ? from[to.indexOf(i)] : (rest.shift() ?? 0));
  return permute(x, dims);
}

/** Dimensions of size 1 repeated to `sizes`; -1 keeps a size, new dimensions come in front. @throws ShapeError if they do not fit. */
export function expand(x: Tensor, sizes: Shape): Tensor {
  requireList(sizes, 'expand');
  const lead = sizes.length - x.ndim;
  const target = sizes.map((s, i) => (s === -1 && i >= lead ? x.shape[i - lead] : s));
  if (lead < 0 || x.shape.some((n, i) => n !== 1 && n !== target[i + lead]))
    throw new ShapeError(
      `expand: shape ${formatShape(x.shape)} cannot be expanded to ${formatShape(sizes)}; only sizes of 1 can grow`,
    );
  return new Tensor(ops.expand(x.value, target));
}

/** Repeated to the shape of another tensor. */
export function expandAs(x: Tensor, other: Tensor): Tensor {
  return expand(x, other.shape);
}

/** The whole tensor repeated `repeats[i]` times along each dimension; more repeats than dimensions add leading ones. */
export function tile(x: Tensor, repeats: Shape): Tensor {
  requireList(repeats, 'tile');
  const rank = Math.max(repeats.length, x.ndim);
  const times = [...Array<number>(rank - repeats.length).fill(1), ...repeats];
  const shape = [...Array<number>(rank - x.ndim).fill(1), ...x.shape];
  // Nothing of a dimension: cut off, for ONNX Runtime cannot expand to size 0.
  const none = times.indexOf(0);
  if (none >= 0) {
    const empty = cut(ops.reshape(x.value, shape), none, 0, 0);
    return tile(new Tensor(empty), times.with(none, 1));
  }
  const apart = ops.reshape(
    x.value,
    shape.flatMap((s) => [1, s]),
  );
  const grown = ops.expand(
    apart,
    shape.flatMap((s, i) => [times[i], s]),
  );
  return new Tensor(
    ops.reshape(
      grown,
      shape.map((s, i) => s * times[i]),
    ),
  );
}

/** As `tile`. @throws ShapeError for fewer repeats than dimensions. */
export function repeat(x: Tensor, repeats: Shape): Tensor {
  requireList(repeats, 'repeat');
  if (repeats.length < x.ndim)
    throw new ShapeError(
      `repeat: shape ${formatShape(x.shape)} needs at least ${x.ndim} repeats, found ${repeats.length}; use tile()`,
    );
  return tile(x, repeats);
}

/** Each element repeated `repeats` times along `dim`; without `dim`, of the flattened tensor. */
export function repeatInterleave(x: Tensor, repeats: number | readonly number[], dim?: number): Tensor {
  if (dim === undefined) return repeatInterleave(flatten(x), repeats, 0);
  const at = normalizeAxis(dim, x.ndim);
  for (const n of typeof repeats === 'number' ? [repeats] : repeats)
    if (!Number.isInteger(n) || n < 0)
      throw new ArgumentError(`repeatInterleave: repeats must be whole numbers, 0 or more, found ${n}`);
  if (typeof repeats !== 'number') {
    if (repeats.length !== x.shape[at])
      throw new ShapeError(`repeatInterleave: ${repeats.length} repeats for a dimension of size ${x.shape[at]}`);
    const index = repeats.flatMap((n, i) => Array<number>(n).fill(i));
    return new Tensor(ops.gather(x.value, tensor(index, { dtype: 'int64' }).value, { axis: at }));
  }
  if (repeats === 0) return new Tensor(cut(x.value, at, 0, 0));
  const apart = unsqueeze(x, at + 1);
  const grown = expand(apart, apart.shape.with(at + 1, repeats));
  return flatten(grown, at, at + 1);
}

/** `length` elements of `dim` from `start` on. @throws ArgumentError outside of the dimension. */
export function narrow(x: Tensor, dim: number, start: number, length: number): Tensor {
  const at = normalizeAxis(dim, x.ndim);
  const from = start < 0 ? start + x.shape[at] : start;
  if (from < 0 || length < 0 || from + length > x.shape[at])
    throw new ArgumentError(
      `narrow: start ${start} and length ${length} exceed dimension ${dim} of size ${x.shape[at]}`,
    );
  return new Tensor(cut(x.value, at, from, from + length));
}

/** The slice at one index of `dim`, which disappears. @throws ArgumentError outside of the dimension. */
export function select(x: Tensor, dim: number, index: number): Tensor {
  const at = normalizeAxis(dim, x.ndim);
  if (!Number.isInteger(index) || index < -x.shape[at] || index >= x.shape[at])
    throw new ArgumentError(`select: index ${index} is out of range for dimension ${dim} of size ${x.shape[at]}`);
  return reshape(narrow(x, at, index, 1), x.shape.toSpliced(at, 1));
}

/** Elements `start` to `end` (not included) of `dim`, every `step`-th; negative positions count from the end, as in Python. */
export function slice(x: Tensor, dim: number, start: number | null, end?: number | null, step = 1): Tensor {
  const at = normalizeAxis(dim, x.ndim);
  const size = x.shape[at];
  if (!Number.isInteger(step) || step < 1)
    throw new ArgumentError(`slice: the step must be a positive whole number, found ${step}; use flip() to reverse`);
  const wrap = (i: number) => Math.min(Math.max(i < 0 ? i + size : i, 0), size);
  const from = wrap(start ?? 0);
  const to = Math.max(from, wrap(end ?? size));
  return from === 0 && to === size && step === 1 ? x : new Tensor(cut(x.value, at, from, to, step));
}

function joined(tensors: readonly Tensor[], name: string): Value[] {
  if (!tensors.length) throw new ArgumentError(`${name}: expected at least one tensor`);
  const dtype = tensors.map((x) => x.dtype).reduce(promoteTypes);
  return tensors.map((x) => castTo(x.value, dtype));
}

/** Tensors joined along an existing dimension. @throws ShapeError if other dimensions differ. */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  const all = joined(tensors, 'cat');
  return new Tensor(ops.concat(...all, { axis: dimOf(all[0], dim) }));
}

/** Tensors of one shape joined along a new dimension. @throws ShapeError if the shapes differ. */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  const all = joined(tensors, 'stack');
  const [{ shape, rank }] = all;
  for (const x of all)
    if (!sameShape(x.shape, shape))
      throw new ShapeError(`stack: shapes ${formatShape(shape)} and ${formatShape(x.shape)} differ; all must be equal`);
  const axis = normalizeAxis(dim, rank + 1);
  const apart = all.map((x) => ops.reshape(x, shape.toSpliced(axis, 0, 1)));
  return new Tensor(ops.concat(...apart, { axis }));
}

/** Parts of size `sizes` along `dim` (the last may be smaller), or of the sizes listed. */
export function split(x: Tensor, sizes: number | readonly number[], dim = 0): Tensor[] {
  const axis = normalizeAxis(dim, x.ndim);
  const total = x.shape[axis];
  if (typeof sizes === 'number' && !(sizes >= 1))
    throw new ArgumentError(`split: the size must be positive, found ${sizes}`);
  const each =
    typeof sizes === 'number'
      ? Array.from({ length: Math.max(1, Math.ceil(total / sizes)) }, (_, i) => Math.min(sizes, total - i * sizes))
      : sizes;
  if (each.length === 1 && each[0] === total) return [x];
  return ops.split(x.value, ops.ints(each), { axis }).map((v) => new Tensor(v));
}

/** At most `chunks` parts of equal size along `dim` (the last may be smaller). */
export function chunk(x: Tensor, chunks: number, dim = 0): Tensor[] {
  return split(x, Math.max(1, Math.ceil(x.size(dim) / chunks)), dim);
}

/** All slices along `dim`, which disappears. */
export function unbind(x: Tensor, dim = 0): Tensor[] {
  const axis = normalizeAxis(dim, x.ndim);
  return split(x, 1, axis).map((part) => reshape(part, x.shape.toSpliced(axis, 1)));
}

/** The order of elements reversed along `dims`. */
export function flip(x: Tensor, dims: Dims): Tensor {
  const axes = normalizeAxes(typeof dims === 'number' ? [dims] : dims, x.ndim);
  return new Tensor(ops.flip(x.value, axes));
}

/** Elements shifted along `dims`, those pushed out coming in at the other end; without `dims`, of the flattened tensor. */
export function roll(x: Tensor, shifts: Dims, dims?: Dims): Tensor {
  if (dims === undefined) return reshape(roll(flatten(x), shifts, 0), x.shape);
  const by = typeof shifts === 'number' ? [shifts] : shifts;
  const axes = typeof dims === 'number' ? [dims] : dims;
  if (by.length !== axes.length) throw new ArgumentError('roll: as many dims as shifts are needed');
  let v = x.value;
  axes.forEach((dim, i) => {
    const axis = normalizeAxis(dim, v.rank);
    const size = v.shape[axis];
    const shift = size && ((by[i] % size) + size) % size;
    if (shift) v = ops.concat(cut(v, axis, size - shift, size), cut(v, axis, 0, size - shift), { axis });
  });
  return new Tensor(v);
}

/** The lower triangle of the last two dimensions, up to the given diagonal; 0 above it. */
export function tril(x: Tensor, diagonal = 0): Tensor {
  return new Tensor(viaInt32([x.value], (v) => ops.trilu(v, constant(diagonal, 'int64'), { upper: 0 })));
}

/** The upper triangle of the last two dimensions, from the given diagonal on; 0 below it. */
export function triu(x: Tensor, diagonal = 0): Tensor {
  return new Tensor(viaInt32([x.value], (v) => ops.trilu(v, constant(diagonal, 'int64'), { upper: 1 })));
}

/** The diagonal of two dimensions, as a new last dimension. */
export function diagonal(x: Tensor, options: { offset?: number; dim1?: number; dim2?: number } = {}): Tensor {
  const { offset = 0, dim1 = 0, dim2 = 1 } = options;
  const m = movedim(x, [dim1, dim2], [-2, -1]);
  const [rows, columns] = m.shape.slice(-2);
  const [top, left] = [Math.max(0, -offset), Math.max(0, offset)];
  const length = Math.max(0, Math.min(rows - top, columns - left));
  const flat = flatten(m, -2, -1);
  const start = top * columns + left;
  return new Tensor(
    cut(flat.value, flat.ndim - 1, start, length ? start + (length - 1) * (columns + 1) + 1 : start, columns + 1),
  );
}

/** The diagonal of a matrix; or the matrix with a vector as its diagonal, 0 elsewhere. @throws ShapeError for other ranks. */
export function diag(x: Tensor, offset = 0): Tensor {
  if (x.ndim === 2) return diagonal(x, { offset });
  if (x.ndim !== 1)
    throw new ShapeError(`diag: expected 1 or 2 dimensions, found shape ${formatShape(x.shape)}; use diagonal()`);
  const n = x.shape[0] + Math.abs(offset);
  const v = offset > 0 ? pad(x, [0, offset]) : offset < 0 ? pad(x, [-offset, 0]) : x;
  const mask = memoConstant(`diagonal ${n} ${offset}`, () => {
    const on = new Uint8Array(n * n);
    for (let i = Math.max(0, -offset); i < Math.min(n, n - offset); i++) on[i * n + i + offset] = 1;
    return constant(on, 'bool', [n, n]);
  });
  return new Tensor(ops.where(mask, ops.reshape(v.value, [n, 1]), like(v.value, 0)));
}

export interface PadOptions {
  mode?: 'constant' | 'reflect' | 'replicate' | 'circular';
  /** What 'constant' pads with. */
  value?: number;
}

/**
 * Elements added around the last dimensions: `padding` lists before and after for the last dimension, then for the one
 * before it, and so on (torch.nn.functional.pad). Negative amounts cut elements off.
 * @throws ArgumentError for an odd list; ShapeError where a reflection or a turn is longer than the dimension.
 */
export function pad(x: Tensor, padding: readonly number[], { mode = 'constant', value = 0 }: PadOptions = {}): Tensor {
  requireOneOf(mode, ['constant', 'reflect', 'replicate', 'circular'], 'pad', 'mode');
  if (padding.length % 2 || padding.length > 2 * x.ndim)
    throw new ArgumentError(
      `pad: expected [before, after] for up to ${x.ndim} dimensions of shape ${formatShape(x.shape)}, found ${padding.length} numbers`,
    );
  const before = x.shape.map(() => 0);
  const after = x.shape.map(() => 0);
  for (let i = 0; i < padding.length; i += 2) {
    before[x.ndim - 1 - i / 2] = padding[i];
    after[x.ndim - 1 - i / 2] = padding[i + 1];
  }
  x.shape.forEach((size, axis) => {
    const limit = mode === 'reflect' ? size - 1 : mode === 'circular' ? size : Number.POSITIVE_INFINITY;
    const most = Math.max(before[axis], after[axis]);
    if (most > limit)
      throw new ShapeError(
        `pad: mode '${mode}' can add at most ${limit} elements to dimension ${axis} of shape ${formatShape(x.shape)}, found ${most}`,
      );
    if (size + Math.min(0, before[axis]) + Math.min(0, after[axis]) < 0)
      throw new ShapeError(
        `pad: [${before[axis]}, ${after[axis]}] cut more off than the ${size} elements of dimension ${axis}`,
      );
  });
  if (mode === 'constant') return new Tensor(viaInt32([x.value], (v) => ops.pad(v, before, after, like(v, value))));
  return new Tensor(viaInt32([x.value], (v) => ops.pad(v, before, after, undefined, onnxModes[mode])));
}

const onnxModes = { reflect: 'reflect', replicate: 'edge', circular: 'wrap' };
