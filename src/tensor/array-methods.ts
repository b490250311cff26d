/** @file Methods of Tensor on shapes, positions and whole dimensions, one line each. Only tensor.ts may import this file at run time: it extends a class of it. */

import type { Shape } from '../ir/shape.ts';
import { ElementwiseMethods } from './elementwise-methods.ts';
import type { IndexEntry, TopkOptions } from './indexing.ts';
import * as indexing from './indexing.ts';
import type { Dims, Indices } from './lift.ts';
import * as linalg from './linalg.ts';
import type { NormOptions, ReduceOptions, SumOptions, ValuesAndIndices, VarOptions } from './reduce.ts';
import * as reduce from './reduce.ts';
import type { PadOptions } from './shape.ts';
import * as shapes from './shape.ts';
import type { Tensor } from './tensor.ts';

/** Base class of Tensor: shape, indexing, reductions, products. Each method is the function of that name. */
export class ArrayMethods extends ElementwiseMethods {
  /** The same elements in another shape; one size may be -1 and follows from the others. */
  reshape(this: Tensor, shape: Shape): Tensor {
    return shapes.reshape(this, shape);
  }

  /** As `reshape`. */
  view(this: Tensor, shape: Shape): Tensor {
    return shapes.view(this, shape);
  }

  /** Dimensions `startDim` to `endDim` merged into one. */
  flatten(this: Tensor, startDim?: number, endDim?: number): Tensor {
    return shapes.flatten(this, startDim, endDim);
  }

  /** Dimension `dim` split into dimensions of the given sizes, one of which may be -1. */
  unflatten(this: Tensor, dim: number, sizes: Shape): Tensor {
    return shapes.unflatten(this, dim, sizes);
  }

  /** Without the dimensions of size 1, or without those among `dim` that have size 1. */
  squeeze(this: Tensor, dim?: Dims): Tensor {
    return shapes.squeeze(this, dim);
  }

  /** With a dimension of size 1 put in at `dim`. */
  unsqueeze(this: Tensor, dim: number): Tensor {
    return shapes.unsqueeze(this, dim);
  }

  /** Dimensions in another order: output dimension i is input dimension `dims[i]`. */
  permute(this: Tensor, dims: Shape): Tensor {
    return shapes.permute(this, dims);
  }

  /** Two dimensions swapped. */
  transpose(this: Tensor, dim0: number, dim1: number): Tensor {
    return shapes.transpose(this, dim0, dim1);
  }

  /** The transpose of a matrix; vectors and scalars stay as they are. */
  t(this: Tensor): Tensor {
    return shapes.t(this);
  }

  /** Dimensions moved to new places, the others keeping their order. */
  movedim(this: Tensor, source: Dims, destination: Dims): Tensor {
    return shapes.movedim(this, source, destination);
  }

  /** Dimensions of size 1 repeated to `sizes`; -1 keeps a size, new dimensions come in front. */
  expand(this: Tensor, sizes: Shape): Tensor {
    return shapes.expand(this, sizes);
  }

  /** Repeated to the shape of another tensor. */
  expandAs(this: Tensor, other: Tensor): Tensor {
    return shapes.expandAs(this, other);
  }

  /** The whole tensor repeated `repeats[i]` times along each dimension; more repeats than dimensions add leading ones. */
  tile(this: Tensor, repeats: Shape): Tensor {
    return shapes.tile(this, repeats);
  }

  /** As `tile`. */
  repeat(this: Tensor, repeats: Shape): Tensor {
    return shapes.repeat(this, repeats);
  }

  /** Each element repeated `repeats` times along `dim`; without `dim`, of the flattened tensor. */
  repeatInterleave(this: Tensor, repeats: number | readonly number[], dim?: number): Tensor {
    return shapes.repeatInterleave(this, repeats, dim);
  }

  /** `length` elements of `dim` from `start` on. */
  narrow(this: Tensor, dim: number, start: number, length: number): Tensor {
    return shapes.narrow(this, dim, start, length);
  }

  /** The slice at one index of `dim`, which disappears. */
  select(this: Tensor, dim: number, index: number): Tensor {
    return shapes.select(this, dim, index);
  }

  /** Elements `start` to `end` (not included) of `dim`, every `step`-th; negative positions count from the end, as in Python. */
  slice(this: Tensor, dim: number, start: number | null, end?: number | null, step?: number): Tensor {
    return shapes.slice(this, dim, start, end, step);
  }

  /** Parts of size `sizes` along `dim` (the last may be smaller), or of the sizes listed. */
  split(this: Tensor, sizes: number | readonly number[], dim?: number): Tensor[] {
    return shapes.split(this, sizes, dim);
  }

  /** At most `chunks` parts of equal size along `dim` (the last may be smaller). */
  chunk(this: Tensor, chunks: number, dim?: number): Tensor[] {
    return shapes.chunk(this, chunks, dim);
  }

  /** All slices along `dim`, which disappears. */
  unbind(this: Tensor, dim?: number): Tensor[] {
    return shapes.unbind(this, dim);
  }

  /** The order of elements reversed along `dims`. */
  flip(this: Tensor, dims: Dims): Tensor {
    return shapes.flip(this, dims);
  }

  /** Elements shifted along `dims`, those pushed out coming in at the other end; without `dims`, of the flattened tensor. */
  roll(this: Tensor, shifts: Dims, dims?: Dims): Tensor {
    return shapes.roll(this, shifts, dims);
  }

  /** The lower triangle of the last two dimensions, up to the given diagonal; 0 above it. */
  tril(this: Tensor, diagonal?: number): Tensor {
    return shapes.tril(this, diagonal);
  }

  /** The upper triangle of the last two dimensions, from the given diagonal on; 0 below it. */
  triu(this: Tensor, diagonal?: number): Tensor {
    return shapes.triu(this, diagonal);
  }

  /** The diagonal of two dimensions, as a new last dimension. */
  diagonal(this: Tensor, options?: { offset?: number; dim1?: number; dim2?: number }): Tensor {
    return shapes.diagonal(this, options);
  }

  /** The diagonal of a matrix; or the matrix with a vector as its diagonal, 0 elsewhere. */
  diag(this: Tensor, offset?: number): Tensor {
    return shapes.diag(this, offset);
  }

  /** Elements added around the last dimensions: `padding` lists before and after for the last dimension, then for the one before it, and so on (torch.nn.functional.pad). Negative amounts cut elements off. */
  pad(this: Tensor, padding: readonly number[], options?: PadOptions): Tensor {
    return shapes.pad(this, padding, options);
  }

  /** Elements at `index` (same rank as x, no larger in the other dimensions) along `dim` (torch.gather). */
  gather(this: Tensor, dim: number, index: Indices): Tensor {
    return indexing.gather(this, dim, index);
  }

  /** Elements at `indices` along `dim`, both broadcast against each other first (torch.take_along_dim). */
  takeAlongDim(this: Tensor, indices: Indices, dim?: number): Tensor {
    return indexing.takeAlongDim(this, indices, dim);
  }

  /** The slices of `dim` at the positions of a one-dimensional `index` (torch.index_select). */
  indexSelect(this: Tensor, dim: number, index: Indices): Tensor {
    return indexing.indexSelect(this, dim, index);
  }

  /** x with the elements of `src` (or a number) written to `index` along `dim` (torch.scatter). Positions must not repeat. */
  scatter(this: Tensor, dim: number, index: Indices, src: Tensor | number): Tensor {
    return indexing.scatter(this, dim, index, src);
  }

  /** x with the elements of `src` added at `index` along `dim` (torch.scatter_add); repeated positions add up. */
  scatterAdd(this: Tensor, dim: number, index: Indices, src: Tensor | number): Tensor {
    return indexing.scatterAdd(this, dim, index, src);
  }

  /** x with the slices of `source` added at the positions `index` of `dim` (torch.index_add). */
  indexAdd(this: Tensor, dim: number, index: Indices, source: Tensor): Tensor {
    return indexing.indexAdd(this, dim, index, source);
  }

  /** Elements by position, Python's `x[...]`: `x.at(0)`, `x.at(null, [1, 3])`, `x.at('...', -1)`, `x.at(rows, columns)`. Several index tensors broadcast together, as in PyTorch; their dimensions come where the first stood, or in front if other entries lie between them. Boolean masks have data-dependent sizes and are refused: use where() or maskedFill(). */
  at(this: Tensor, ...entries: readonly IndexEntry[]): Tensor {
    return indexing.at(this, ...entries);
  }

  /** The k largest elements along `dim` and their indices (int64). */
  topk(this: Tensor, k: number, dim?: number, options?: TopkOptions): ValuesAndIndices {
    return indexing.topk(this, k, dim, options);
  }

  /** Elements in order along `dim`, and where each came from (int64); equal elements keep their order. */
  sort(this: Tensor, dim?: number, options?: { descending?: boolean }): ValuesAndIndices {
    return indexing.sort(this, dim, options);
  }

  /** The indices (int64) that bring `dim` into order. */
  argsort(this: Tensor, dim?: number, options?: { descending?: boolean }): Tensor {
    return indexing.argsort(this, dim, options);
  }

  /** 1 at the position that each index names and 0 elsewhere, along a new last dimension of `numClasses` (int64). */
  oneHot(this: Tensor, numClasses: number): Tensor {
    return indexing.oneHot(this, numClasses);
  }

  /** Sum. */
  sum(this: Tensor, dim?: Dims, options?: SumOptions): Tensor {
    return reduce.sum(this, dim, options);
  }

  /** Arithmetic mean. */
  mean(this: Tensor, dim?: Dims, options?: SumOptions): Tensor {
    return reduce.mean(this, dim, options);
  }

  /** Product; its gradient is right also where elements are 0. */
  prod(this: Tensor, dim?: Dims, options?: SumOptions): Tensor {
    return reduce.prod(this, dim, options);
  }

  /** Largest element; ties share the gradient evenly. */
  amax(this: Tensor, dim?: Dims, options?: ReduceOptions): Tensor {
    return reduce.amax(this, dim, options);
  }

  /** Smallest element; ties share the gradient evenly. */
  amin(this: Tensor, dim?: Dims, options?: ReduceOptions): Tensor {
    return reduce.amin(this, dim, options);
  }

  /** Index (int64) of the largest element along `dim`, the first at a tie; of the flattened tensor without `dim`. */
  argmax(this: Tensor, dim?: number, options?: ReduceOptions): Tensor {
    return reduce.argmax(this, dim, options);
  }

  /** Index (int64) of the smallest element along `dim`, the first at a tie; of the flattened tensor without `dim`. */
  argmin(this: Tensor, dim?: number, options?: ReduceOptions): Tensor {
    return reduce.argmin(this, dim, options);
  }

  /** The positions of the elements that are not 0, one per row: [count, dimensions]. Computes at once. */
  nonzero(this: Tensor): Promise<Tensor> {
    return indexing.nonzero(this);
  }

  /** The elements where the mask is true, in one dimension. The mask is computed at once. */
  maskedSelect(this: Tensor, mask: Tensor): Promise<Tensor> {
    return indexing.maskedSelect(this, mask);
  }

  /** Largest element of all; or, along `dim`, the largest elements and their indices, the first at a tie (torch.max). */
  max(this: Tensor): Tensor;
  max(this: Tensor, dim: number, options?: ReduceOptions): ValuesAndIndices;
  max(this: Tensor, dim?: number, options?: ReduceOptions): Tensor | ValuesAndIndices {
    return dim === undefined ? reduce.max(this) : reduce.max(this, dim, options);
  }

  /** Smallest element of all; or, along `dim`, the smallest elements and their indices, the first at a tie (torch.min). */
  min(this: Tensor): Tensor;
  min(this: Tensor, dim: number, options?: ReduceOptions): ValuesAndIndices;
  min(this: Tensor, dim?: number, options?: ReduceOptions): Tensor | ValuesAndIndices {
    return dim === undefined ? reduce.min(this) : reduce.min(this, dim, options);
  }

  /** Variance. */
  var(this: Tensor, dim?: Dims, options?: VarOptions): Tensor {
    return reduce.variance(this, dim, options);
  }

  /** Standard deviation; where it is 0 so is its gradient. */
  std(this: Tensor, dim?: Dims, options?: VarOptions): Tensor {
    return reduce.std(this, dim, options);
  }

  /** (sum |x|^p)^(1/p) (torch.linalg.vector_norm). */
  norm(this: Tensor, dim?: Dims, options?: NormOptions): Tensor {
    return reduce.norm(this, dim, options);
  }

  /** Whether any element is true. */
  any(this: Tensor, dim?: Dims, options?: ReduceOptions): Tensor {
    return reduce.any(this, dim, options);
  }

  /** Whether all elements are true. */
  all(this: Tensor, dim?: Dims, options?: ReduceOptions): Tensor {
    return reduce.all(this, dim, options);
  }

  /** How many elements are not 0 (int64). */
  countNonzero(this: Tensor, dim?: Dims): Tensor {
    return reduce.countNonzero(this, dim);
  }

  /** log(sum(exp(x))), without overflow; -Infinity where all elements are. */
  logsumexp(this: Tensor, dim?: Dims, options?: ReduceOptions): Tensor {
    return reduce.logsumexp(this, dim, options);
  }

  /** Running sum along `dim`. */
  cumsum(this: Tensor, dim: number): Tensor {
    return reduce.cumsum(this, dim);
  }

  /** Running product along `dim`; its gradient is right also where elements are 0. */
  cumprod(this: Tensor, dim: number): Tensor {
    return reduce.cumprod(this, dim);
  }

  /** Running maximum along `dim`. */
  cummax(this: Tensor, dim: number): Tensor {
    return reduce.cummax(this, dim);
  }

  /** log of the running sum of exp(x) along `dim`; x is first lowered by its maximum, so that nothing overflows. */
  logcumsumexp(this: Tensor, dim: number): Tensor {
    return reduce.logcumsumexp(this, dim);
  }

  /** The lower median of all elements; or, along `dim`, the lower medians and their indices (torch.median). */
  median(this: Tensor): Tensor;
  median(this: Tensor, dim: number, options?: ReduceOptions): ValuesAndIndices;
  median(this: Tensor, dim?: number, options?: ReduceOptions): Tensor | ValuesAndIndices {
    return dim === undefined ? reduce.median(this) : reduce.median(this, dim, options);
  }

  /** Mean of the elements where `mask` is true, over `dim` (NaN where it is true nowhere). */
  maskedMean(this: Tensor, mask: Tensor, dim?: Dims, options?: ReduceOptions): Tensor {
    return reduce.maskedMean(this, mask, dim, options);
  }

  /** Matrix product with NumPy's rules: vectors count as a row or a column, leading dimensions broadcast. */
  matmul(this: Tensor, b: Tensor): Tensor {
    return linalg.matmul(this, b);
  }

  /** Product of two matrices. */
  mm(this: Tensor, b: Tensor): Tensor {
    return linalg.mm(this, b);
  }

  /** Products of two batches of matrices, [b, n, m] and [b, m, p]. */
  bmm(this: Tensor, b: Tensor): Tensor {
    return linalg.bmm(this, b);
  }

  /** Product of a matrix and a vector. */
  mv(this: Tensor, b: Tensor): Tensor {
    return linalg.mv(this, b);
  }

  /** Inner product of two vectors. */
  dot(this: Tensor, b: Tensor): Tensor {
    return linalg.dot(this, b);
  }

  /** Outer product of two vectors. */
  outer(this: Tensor, b: Tensor): Tensor {
    return linalg.outer(this, b);
  }
}
