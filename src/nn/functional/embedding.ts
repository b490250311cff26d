/** @file Look-up of rows by index. */
import { isFloat } from '../../ir/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../../ir/errors.ts';
import { formatShape } from '../../ir/shape.ts';
import * as ops from '../../ops/index.ts';
import { type Indices, Tensor, tensor, where } from '../../tensor/index.ts';
import { checkIndices } from '../../tensor/lift.ts';

export interface EmbeddingOptions {
  /** The row of this index gets no gradient (negative counts from the end). */
  paddingIdx?: number | null;
}

function indexTensor(x: Indices, name: string): Tensor {
  const t = x instanceof Tensor ? x : tensor(x, { dtype: 'int64' });
  if (isFloat(t.dtype) || t.dtype === 'bool')
    throw new DTypeError(`${name}: indices must be integers, found ${t.dtype}; cast with .long()`);
  return t.dtype === 'int32' ? t : t.long();
}

function checkTable(weight: Tensor, paddingIdx: number | null | undefined, name: string): number | null {
  if (weight.ndim !== 2)
    throw new ShapeError(`${name}: weight must be [rows, features], found shape ${formatShape(weight.shape)}`);
  if (paddingIdx === null || paddingIdx === undefined) return null;
  const [rows] = weight.shape;
  if (!Number.isInteger(paddingIdx) || paddingIdx < -rows || paddingIdx >= rows)
    throw new ArgumentError(`${name}: paddingIdx ${paddingIdx} is out of range for ${rows} rows`);
  return paddingIdx < 0 ? paddingIdx + rows : paddingIdx;
}

/** Rows of `weight` [rows, features] at the indices x, any shape: [...x, features] (torch.nn.functional.embedding). */
export function embedding(x: Indices, weight: Tensor, { paddingIdx }: EmbeddingOptions = {}): Tensor {
  const padding = checkTable(weight, paddingIdx, 'embedding');
  const index = indexTensor(x, 'embedding');
  checkIndices(index, weight.shape[0], 'embedding', 'index');
  const rows = new Tensor(ops.gather(weight.value, index.value, { axis: 0 }));
  if (padding === null || !weight.requiresGrad) return rows;
  // The padding row is read as ever, but cut off from differentiation.
  return where(index.eq(padding).unsqueeze(-1), rows.detach(), rows);
}

export interface EmbeddingBagOptions extends EmbeddingOptions {
  /** Where each bag starts in a flat list of indices; the last reaches to the end. */
  offsets?: readonly number[];
  mode?: 'sum' | 'mean' | 'max';
  /** A factor for each index, of the shape of x (mode 'sum' only). */
  perSampleWeights?: Tensor;
}

/**
 * Sums, means or maxima of bags of rows of `weight`: x [bags, indices], or a flat x with `offsets`. Indices equal to
 * paddingIdx count in no bag; an empty bag gives 0. Result: [bags, features] (torch.nn.functional.embedding_bag).
 * @throws ArgumentError for a flat x without offsets, or weights of samples in another mode than 'sum'.
 */
export function embeddingBag(x: Indices, weight: Tensor, options: EmbeddingBagOptions = {}): Tensor {
  const { offsets, mode = 'mean', perSampleWeights } = options;
  const padding = checkTable(weight, options.paddingIdx, 'embeddingBag');
  if (perSampleWeights && mode !== 'sum')
    throw new ArgumentError(`embeddingBag: perSampleWeights need mode 'sum', found '${mode}'`);
  let index = indexTensor(x, 'embeddingBag');
  let factors = perSampleWeights;
  let present: Tensor | undefined;
  if (index.ndim === 1) {
    if (!offsets) throw new ArgumentError('embeddingBag: a flat list of indices needs offsets, the start of each bag');
    const bags = bagPositions(offsets, index.numel());
    index = index.indexSelect(0, bags.positions.flat()).reshape([offsets.length, -1]);
    factors = factors?.indexSelect(0, bags.positions.flat()).reshape(index.shape);
    present = tensor(bags.present, { dtype: 'bool' });
  }
  if (padding !== null) present = present ? present.logicalAnd(index.ne(padding)) : index.ne(padding);
  let rows = embedding(index, weight);
  if (factors) rows = rows.mul(factors.unsqueeze(-1));
  const keep = present?.unsqueeze(-1);
  if (mode === 'max') {
    const best = keep ? where(keep, rows, Number.NEGATIVE_INFINITY).amax(1) : rows.amax(1);
    return keep ? where(keep.any(1), best, 0) : best;
  }
  const total = (keep ? where(keep, rows, 0) : rows).sum(1);
  if (mode === 'sum') return total;
  const count = keep ? keep.sum(1).clamp({ min: 1 }).to(weight.dtype) : index.shape[1];
  return total.div(count);
}

/** Positions in the flat list for each bag, short bags filled up with position 0 and marked absent there. */
function bagPositions(offsets: readonly number[], total: number) {
  if (offsets[0] !== 0 || offsets.some((o, i) => !Number.isInteger(o) || o > total || (i > 0 && o < offsets[i - 1])))
    throw new ArgumentError(`embeddingBag: offsets must start at 0, rise, and stay within ${total} indices`);
  const lengths = offsets.map((start, i) => (offsets[i + 1] ?? total) - start);
  const longest = Math.max(1, ...lengths);
  const slots = Array.from({ length: longest }, (_, k) => k);
  return {
    positions: offsets.map((start, i) => slots.map((k) => (k < lengths[i] ? start + k : 0))),
    present: lengths.map((length) => slots.map((k) => (k < length ? 1 : 0))),
  };
}
