/** @file Elements picked by position: at, gather, scatter, sort, one-hot. */
import { isFloat } from '../ir/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../ir/errors.ts';
import { constant, type Value } from '../ir/graph.ts';
import { broadcastShapes, formatShape, normalizeAxis, type Shape, sameShape, stridesOf } from '../ir/shape.ts';
import * as ops from '../ops/index.ts';
import { memoConstant } from '../ops/memo.ts';
import { tensor } from './creation.ts';
import { castTo, checkIndices, cut, dimOf, type Indices, indexValue, like, requireOneOf } from './lift.ts';
import type { ValuesAndIndices } from './reduce.ts';
import { expand, permute, reshape, select, slice, transpose, unsqueeze } from './shape.ts';
import { Tensor } from './tensor.ts';

/** Elements at `index` (same rank as x, no larger in the other dimensions) along `dim` (torch.gather). */
export function gather(x: Tensor, dim: number, index: Indices): Tensor {
  const axis = normalizeAxis(dim, x.ndim);
  const at = indexValue(index, 'gather', x.shape[axis]);
  requireFits(x.shape, at.shape, axis, 'gather');
  return new Tensor(ops.gatherElements(x.value, at, { axis }));
}

function requireFits(shape: Shape, index: Shape, axis: number, name: string): void {
  if (index.length !== shape.length || index.some((n, i) => i !== axis && n > shape[i]))
    throw new ShapeError(
      `${name}: index of shape ${formatShape(index)} does not fit shape ${formatShape(shape)}: same rank, and no larger except in dimension ${axis}`,
    );
}

/** Elements at `indices` along `dim`, both broadcast against each other first (torch.take_along_dim). */
export function takeAlongDim(x: Tensor, indices: Indices, dim?: number): Tensor {
  if (dim === undefined)
    return gather(reshape(x, [-1]), 0, new Tensor(ops.reshape(indexValue(indices, 'takeAlongDim', x.numel()), [-1])));
  const axis = normalizeAxis(dim, x.ndim);
  const at = indexValue(indices, 'takeAlongDim', x.shape[axis]);
  if (at.rank !== x.ndim)
    throw new ShapeError(
      `takeAlongDim: indices of shape ${formatShape(at.shape)} must have the rank of ${formatShape(x.shape)}`,
    );
  const common = broadcastShapes(x.shape.with(axis, 1), at.shape.with(axis, 1));
  const wide = expand(x, common.with(axis, x.shape[axis]));
  return gather(wide, axis, new Tensor(ops.expand(at, common.with(axis, at.shape[axis]))));
}

/** The slices of `dim` at the positions of a one-dimensional `index` (torch.index_select). */
export function indexSelect(x: Tensor, dim: number, index: Indices): Tensor {
  const axis = dimOf(x.value, dim);
  const at = indexValue(index, 'indexSelect', x.shape[axis]);
  if (at.rank > 1)
    throw new ShapeError(`indexSelect: index must have 1 dimension, found shape ${formatShape(at.shape)}`);
  return new Tensor(ops.gather(x.value, ops.reshape(at, [-1]), { axis }));
}

function scatterWith(
  name: string,
  x: Tensor,
  dim: number,
  index: Indices,
  src: Tensor | number,
  reduction: string,
): Tensor {
  const axis = normalizeAxis(dim, x.ndim);
  const at = indexValue(index, name, x.shape[axis]);
  requireFits(x.shape, at.shape, axis, name);
  let from = src instanceof Tensor ? castTo(src.value, x.dtype) : ops.expand(like(x.value, src), at.shape);
  if (from.rank !== at.rank || at.shape.some((n, i) => n > from.shape[i]))
    throw new ShapeError(
      `${name}: src of shape ${formatShape(from.shape)} is smaller than index of shape ${formatShape(at.shape)}`,
    );
  at.shape.forEach((n, i) => {
    if (n < from.shape[i]) from = cut(from, i, 0, n);
  });
  return new Tensor(ops.scatterElements(x.value, at, from, reduction === 'none' ? { axis } : { axis, reduction }));
}

/** x with the elements of `src` (or a number) written to `index` along `dim` (torch.scatter). Positions must not repeat. */
export function scatter(x: Tensor, dim: number, index: Indices, src: Tensor | number): Tensor {
  return scatterWith('scatter', x, dim, index, src, 'none');
}

/** x with the elements of `src` added at `index` along `dim` (torch.scatter_add); repeated positions add up. */
export function scatterAdd(x: Tensor, dim: number, index: Indices, src: Tensor | number): Tensor {
  return scatterWith('scatterAdd', x, dim, index, src, 'add');
}

/** x with the slices of `source` added at the positions `index` of `dim` (torch.index_add). */
export function indexAdd(x: Tensor, dim: number, index: Indices, source: Tensor): Tensor {
  const axis = normalizeAxis(dim, x.ndim);
  const at = indexValue(index, 'indexAdd', x.shape[axis]);
  if (at.rank !== 1 || !sameShape(source.shape, x.shape.with(axis, at.shape[0])))
    throw new ShapeError(
      `indexAdd: source of shape ${formatShape(source.shape)} must have the shape of x, ${formatShape(x.shape)}, but for as many slices as there are indices along dimension ${axis}`,
    );
  const wide = ops.expand(
    ops.reshape(
      at,
      x.shape.map((_, i) => (i === axis ? at.shape[0] : 1)),
    ),
    source.shape,
  );
  return scatterAdd(x, axis, new Tensor(wide), source);
}

/**
 * One entry of `at`: a number picks and drops a dimension; `null` keeps it whole; `[start, end]` or `[start, end, step]`
 * (null for open ends) slices it; an integer tensor picks positions; `'...'` stands for all dimensions not mentioned;
 * `'new'` puts in a dimension of size 1.
 */
export type IndexEntry = number | null | '...' | 'new' | Tensor | readonly [number | null, (number | null)?, number?];

/**
 * Elements by position, Python's `x[...]`: `x.at(0)`, `x.at(null, [1, 3])`, `x.at('...', -1)`, `x.at(rows, columns)`.
 * Several index tensors broadcast together, as in PyTorch; their dimensions come where the first stood, or in front if
 * other entries lie between them. Boolean masks have data-dependent sizes and are refused: use where() or maskedFill().
 * @throws ArgumentError for more entries than dimensions or positions out of range; DTypeError for masks.
 */
export function at(x: Tensor, ...entries: readonly IndexEntry[]): Tensor {
  const used = entries.filter((e) => e !== '...' && e !== 'new').length;
  if (used > x.ndim)
    throw new ArgumentError(`at: ${used} entries for shape ${formatShape(x.shape)}, which has ${x.ndim} dimensions`);
  const rest = Array<null>(x.ndim - used).fill(null);
  const dots = entries.indexOf('...');
  const all = dots < 0 ? [...entries, ...rest] : [...entries.slice(0, dots), ...rest, ...entries.slice(dots + 1)];
  let out = x;
  let dim = 0;
  const picks: { dim: number; index: Tensor }[] = [];
  for (const entry of all) {
    if (entry === '...') throw new ArgumentError("at: '...' may stand only once");
    if (typeof entry === 'number') {
      out = select(out, dim, entry);
      continue;
    }
    if (entry === 'new') out = unsqueeze(out, dim);
    else if (entry instanceof Tensor) {
      if (entry.dtype === 'bool')
        throw new DTypeError(
          'at: a boolean mask picks a number of elements that only the data tell; use where() or maskedFill(), or await x.maskedSelect(mask)',
        );
      picks.push({ dim, index: entry });
    } else if (entry !== null) out = slice(out, dim, entry[0], entry[1], entry[2]);
    dim++;
  }
  return picks.length ? pick(out, picks) : out;
}

/** Advanced indexing: merges the picked dimensions into one and gathers from it by one linear index. */
function pick(x: Tensor, picks: readonly { dim: number; index: Tensor }[]): Tensor {
  const dims = picks.map((p) => p.dim);
  const isTogether = dims.every((d, i) => i === 0 || d === dims[i - 1] + 1);
  const front = isTogether ? dims[0] : 0;
  const others = x.shape.flatMap((_, i) => (dims.includes(i) ? [] : [i]));
  const moved = isTogether ? x : permute(x, [...dims, ...others]);
  const sizes = dims.map((d) => x.shape[d]);
  let linear: Value | undefined;
  picks.forEach(({ index }, i) => {
    const v = castTo(indexValue(index, 'at', sizes[i]), 'int64');
    const inside = ops.where(ops.less(v, like(v, 0)), ops.add(v, like(v, sizes[i])), v);
    linear = linear ? ops.add(ops.mul(linear, constant(sizes[i], 'int64')), inside) : inside;
  });
  const merged = ops.reshape(moved.value, [
    ...moved.shape.slice(0, front),
    sizes.reduce((a, b) => a * b, 1),
    ...moved.shape.slice(front + dims.length),
  ]);
  return new Tensor(ops.gather(merged, linear, { axis: front }));
}

export interface TopkOptions {
  /** The largest elements, or the smallest. */
  largest?: boolean;
  /** Whether they come in order. */
  sorted?: boolean;
}

/** The k largest elements along `dim` and their indices (int64). @throws ArgumentError if the dimension has fewer than k. */
export function topk(
  x: Tensor,
  k: number,
  dim = -1,
  { largest = true, sorted = true }: TopkOptions = {},
): ValuesAndIndices {
  const axis = normalizeAxis(dim, x.ndim);
  if (!Number.isInteger(k) || k < 0 || k > x.shape[axis])
    throw new ArgumentError(`topk: k = ${k} is out of range for dimension ${dim} of size ${x.shape[axis]}`);
  const v = x.dtype === 'bool' ? castTo(x.value, 'int32') : x.value;
  const [values, indices] = ops.topK(v, ops.ints([k]), { axis, largest: largest ? 1 : 0, sorted: sorted ? 1 : 0 });
  return { values: new Tensor(castTo(values, x.dtype)), indices: new Tensor(indices) };
}

/** Elements in order along `dim`, and where each came from (int64); equal elements keep their order. */
export function sort(x: Tensor, dim = -1, { descending = false }: { descending?: boolean } = {}): ValuesAndIndices {
  if (x.ndim === 0) return { values: x, indices: new Tensor(constant(0, 'int64')) };
  return topk(x, x.size(dim), dim, { largest: descending });
}

/** The indices (int64) that bring `dim` into order. */
export function argsort(x: Tensor, dim = -1, options: { descending?: boolean } = {}): Tensor {
  return sort(x, dim, options).indices;
}

/** 1 at the position that each index names and 0 elsewhere, along a new last dimension of `numClasses` (int64). */
export function oneHot(x: Indices, numClasses: number): Tensor {
  if (!Number.isInteger(numClasses) || numClasses < 1)
    throw new ArgumentError(`oneHot: numClasses must be a positive whole number, found ${numClasses}`);
  if (x instanceof Tensor) checkIndices(x, numClasses, 'oneHot', 'class');
  const index = castTo(indexValue(x, 'oneHot', numClasses), 'int64');
  const classes = memoConstant(`range ${numClasses}`, () => ops.ints(Array.from({ length: numClasses }, (_, i) => i)));
  return new Tensor(castTo(ops.equal(ops.reshape(index, [...index.shape, 1]), classes), 'int64'));
}

/**
 * The positions of the elements that are not 0, one per row: [count, dimensions] (torch.nonzero). How many there are only
 * the data tell, so this computes at once.
 */
export async function nonzero(x: Tensor): Promise<Tensor> {
  const data = await x.data();
  const strides = stridesOf(x.shape);
  const rows: number[] = [];
  for (let i = 0; i < data.length; i++)
    if (data[i] !== 0)
      for (const [axis, stride] of strides.entries()) rows.push(Math.floor(i / stride) % x.shape[axis]);
  const count = x.ndim ? rows.length / x.ndim : data.filter((v) => v !== 0).length;
  return tensor(Float64Array.from(rows), { dtype: 'int64', shape: [count, x.ndim] });
}

/**
 * The elements where the mask, which broadcasts to x, is true, in one dimension (torch.masked_select). The mask is computed
 * at once; gradients flow to the elements. @throws DTypeError unless the mask is bool.
 */
export async function maskedSelect(x: Tensor, mask: Tensor): Promise<Tensor> {
  if (mask.dtype !== 'bool')
    throw new DTypeError(`maskedSelect: the mask must be bool, found ${mask.dtype}; compare first, as in m.ne(0)`);
  const on = await expand(mask, x.shape).data();
  const places = Array.from(on.keys()).filter((i) => on[i] !== 0);
  const index = tensor(Float64Array.from(places), { dtype: 'int64' });
  return new Tensor(ops.gather(ops.reshape(x.value, [-1]), index.value, { axis: 0 }));
}

/**
 * Coordinate tensors of a grid, one per vector (torch.meshgrid). 'ij' varies the first vector along the first dimension,
 * 'xy' along the second.
 */
export function meshgrid(vectors: readonly Tensor[], { indexing = 'ij' }: { indexing?: 'ij' | 'xy' } = {}): Tensor[] {
  requireOneOf(indexing, ['ij', 'xy'], 'meshgrid', 'indexing');
  const sizes = vectors.map((v) => v.numel());
  const grids = vectors.map((v, i) => {
    const column = reshape(
      v,
      sizes.map((n, j) => (i === j ? n : 1)),
    );
    return expand(column, sizes);
  });
  return indexing === 'xy' && vectors.length > 1 ? grids.map((g) => transpose(g, 0, 1)) : grids;
}

/** Values above which `x` counts as searched: the index of the first entry of the sorted vector that is not below each x. */
export function searchsorted(sorted: Tensor, x: Tensor, { right = false }: { right?: boolean } = {}): Tensor {
  if (sorted.ndim !== 1)
    throw new ShapeError(`searchsorted: expected one sorted vector, found shape ${formatShape(sorted.shape)}`);
  const dtype = isFloat(x.dtype) ? x.dtype : sorted.dtype;
  const column = ops.reshape(castTo(x.value, dtype), [...x.shape, 1]);
  const row = castTo(sorted.value, dtype);
  const below = right ? ops.lessOrEqual(row, column) : ops.less(row, column);
  return new Tensor(ops.reduceSum(castTo(below, 'int64'), ops.ints([-1]), { keepdims: 0 }));
}
