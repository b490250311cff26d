/** @file Multi-head attention. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import { formatShape } from '../ir/shape.ts';
import { cat, logicalOr, ones, type Tensor, uniform, where, zeros } from '../tensor/index.ts';
import * as F from './functional/index.ts';
import { finiteMask } from './functional/masks.ts';
import * as init from './init.ts';
import { Linear } from './linear.ts';
import { Module, Parameter } from './module.ts';

export interface MultiheadAttentionOptions {
  /** Probability that an attention weight is dropped while training. */
  dropout?: number;
  bias?: boolean;
  /** Add a trained key and value to every sequence. */
  addBiasKv?: boolean;
  /** Add a key and value of zeros to every sequence. */
  addZeroAttn?: boolean;
  /** Features of keys and values; embedDim by default. */
  kdim?: number;
  vdim?: number;
  /** Inputs are [batch, sequence, features] instead of [sequence, batch, features]. */
  batchFirst?: boolean;
}

export interface AttentionOptions {
  /** [batch, keys]: true where a key is to be ignored, or numbers added to the scores. */
  keyPaddingMask?: Tensor | null;
  /** [queries, keys] or [batch * heads, queries, keys]: true where attention is forbidden, or numbers added to the scores. */
  attnMask?: Tensor | null;
  /** Give the attention weights too; without them it is faster. */
  needWeights?: boolean;
  /** Weights averaged over the heads, [batch, queries, keys]; otherwise [batch, heads, queries, keys]. */
  averageAttnWeights?: boolean;
  /** Let no query see later keys. */
  isCausal?: boolean;
}

/** Scores to which a mask is added, or positions that may be seen; null for all. */
type Mask = Tensor | null;

/** True where a query must not look: above the diagonal of [n, n]. */
export function causalMask(n: number, columns = n): Tensor {
  return ones([n, columns]).triu(1).gt(0);
}

/** Joins masks: booleans (true = forbidden) stay booleans, with numbers among them all become numbers to add. */
function join(a: Mask, b: Mask): Mask {
  if (!a || !b) return a ?? b;
  if (a.dtype === 'bool' && b.dtype === 'bool') return logicalOr(a, b);
  return additive(a).add(additive(b));
}

function additive(mask: Tensor): Tensor {
  return mask.dtype === 'bool' ? where(mask, Number.NEGATIVE_INFINITY, 0) : mask;
}

/**
 * Multi-head attention (Vaswani et al. 2017; torch.nn.MultiheadAttention). Inputs [sequence, batch, features], batch first
 * with `batchFirst`, or without a batch.
 */
export class MultiheadAttention extends Module {
  readonly embedDim: number;
  readonly numHeads: number;
  readonly dropout: number;
  readonly batchFirst: boolean;
  readonly addZeroAttn: boolean;
  inProjWeight: Parameter | null = null;
  qProjWeight: Parameter | null = null;
  kProjWeight: Parameter | null = null;
  vProjWeight: Parameter | null = null;
  inProjBias: Parameter | null = null;
  biasK: Parameter | null = null;
  biasV: Parameter | null = null;
  outProj: Linear;

  /** @throws ArgumentError unless embedDim can be divided by numHeads. */
  constructor(embedDim: number, numHeads: number, options: MultiheadAttentionOptions = {}) {
    super();
    const { dropout = 0, bias = true, addBiasKv = false, addZeroAttn = false, batchFirst = false } = options;
    const { kdim = embedDim, vdim = embedDim } = options;
    if (embedDim % numHeads !== 0)
      throw new ArgumentError(`MultiheadAttention: ${embedDim} features cannot be divided among ${numHeads} heads`);
    this.embedDim = embedDim;
    this.numHeads = numHeads;
    this.dropout = dropout;
    this.batchFirst = batchFirst;
    this.addZeroAttn = addZeroAttn;
    const xavier = (rows: number, columns: number) => {
      // Drawn when needed, which it is not if weights are loaded.
      const bound = Math.sqrt(6 / (rows + columns));
      return new Parameter(uniform([rows, columns], -bound, bound));
    };
    if (kdim === embedDim && vdim === embedDim) this.inProjWeight = xavier(3 * embedDim, embedDim);
    else {
      this.qProjWeight = xavier(embedDim, embedDim);
      this.kProjWeight = xavier(embedDim, kdim);
      this.vProjWeight = xavier(embedDim, vdim);
    }
    if (bias) this.inProjBias = new Parameter(zeros([3 * embedDim]));
    if (addBiasKv) {
      // torch.nn.init.xavier_normal_ of [1, 1, embedDim].
      this.biasK = new Parameter(init.xavierNormal(zeros([1, 1, embedDim])));
      this.biasV = new Parameter(init.xavierNormal(zeros([1, 1, embedDim])));
    }
    this.outProj = new Linear(embedDim, embedDim, { bias });
    if (this.outProj.bias) init.zeros(this.outProj.bias);
  }

  /** @returns the output, of the shape of the query, and the attention weights (null with `needWeights: false`). */
  override forward(query: Tensor, key: Tensor, value: Tensor, options: AttentionOptions = {}): [Tensor, Tensor | null] {
    if (query.ndim === 2) return this.#withoutBatch(query, key, value, options);
    if (query.ndim !== 3 || key.ndim !== 3 || value.ndim !== 3)
      throw new ShapeError(
        `MultiheadAttention: query, key and value must have 3 dimensions (or 2 without a batch), found ${[query, key, value].map((t) => formatShape(t.shape)).join(', ')}`,
      );
    const first = (x: Tensor) => (this.batchFirst ? x : x.transpose(0, 1));
    const isSelf = query === key && key === value;
    const q = first(query);
    const [output, weights] = this.#attend(q, isSelf ? q : first(key), isSelf ? q : first(value), options);
    return [first(output), weights];
  }

  #withoutBatch(query: Tensor, key: Tensor, value: Tensor, options: AttentionOptions): [Tensor, Tensor | null] {
    const dim = this.batchFirst ? 0 : 1;
    const isSelf = query === key && key === value;
    const q = query.unsqueeze(dim);
    const keyPaddingMask = options.keyPaddingMask?.unsqueeze(0);
    const [output, weights] = this.forward(q, isSelf ? q : key.unsqueeze(dim), isSelf ? q : value.unsqueeze(dim), {
      ...options,
      keyPaddingMask,
    });
    return [output.squeeze(dim), weights?.squeeze(0) ?? null];
  }

  /** Queries, keys and values [batch, sequence, embedDim] from the inputs. */
  #project(query: Tensor, key: Tensor, value: Tensor): Tensor[] {
    const { inProjWeight: packed, inProjBias: bias, embedDim } = this;
    if (packed && query === key && key === value) return F.linear(query, packed, bias).chunk(3, -1);
    const weights = packed ? packed.chunk(3, 0) : [this.qProjWeight, this.kProjWeight, this.vProjWeight];
    return [query, key, value].map((x, i) => {
      const weight = weights[i];
      if (!weight) throw new ArgumentError('MultiheadAttention: a projection was removed');
      return F.linear(x, weight, bias?.narrow(0, i * embedDim, embedDim));
    });
  }

  #attend(query: Tensor, key: Tensor, value: Tensor, options: AttentionOptions): [Tensor, Tensor | null] {
    const { needWeights = true, averageAttnWeights = true } = options;
    const [batch, length] = query.shape;
    const [q, ...kv] = this.#project(query, key, value);
    const extra = [this.biasK && [this.biasK, this.biasV], this.addZeroAttn && [null, null]].filter(
      (e) => e !== null && e !== false,
    );
    const [k, v] = kv.map((x, i) => {
      const rows = extra.map((pair) => pair[i]?.expand([batch, 1, this.embedDim]) ?? zeros([batch, 1, this.embedDim]));
      return rows.length ? cat([x, ...rows], 1) : x;
    });
    const mask = this.#mask(batch, length, key.shape[1], extra.length, options);
    const heads = (x: Tensor) =>
      x.reshape([batch, x.shape[1], this.numHeads, this.embedDim / this.numHeads]).transpose(1, 2);
    const p = this.training ? this.dropout : 0;
    const merge = (x: Tensor) => this.outProj.forward(x.transpose(1, 2).reshape([batch, length, this.embedDim]));
    if (!needWeights) {
      // Here true means that a position may be seen.
      const attnMask = mask?.dtype === 'bool' ? mask.logicalNot() : mask;
      return [merge(F.scaledDotProductAttention(heads(q), heads(k), heads(v), { attnMask, dropoutP: p })), null];
    }
    const scale = 1 / Math.sqrt(this.embedDim / this.numHeads);
    const scores = heads(q).mul(scale).matmul(heads(k).transpose(-2, -1));
    const numbers = mask ? finiteMask(additive(mask)) : null;
    const softmax = (numbers ? scores.add(numbers.mask) : scores).softmax(-1);
    // A query that may see no key gets nothing, as scaledDotProductAttention has it.
    const allowed = numbers?.sees ? softmax.mul(numbers.sees.to(scores.dtype)) : softmax;
    const weights = p > 0 ? F.dropout(allowed, { p, training: true }) : allowed;
    return [merge(weights.matmul(heads(v))), averageAttnWeights ? weights.mean(1) : weights];
  }

  /** All masks as one that broadcasts to [batch, heads, queries, keys]. */
  #mask(batch: number, queries: number, keys: number, extra: number, options: AttentionOptions): Mask {
    const { keyPaddingMask, attnMask, isCausal = false } = options;
    const fail = (name: string, mask: Tensor, expected: string): never => {
      throw new ShapeError(`MultiheadAttention: ${name} must be ${expected}, found ${formatShape(mask.shape)}`);
    };
    let padding: Mask = null;
    if (keyPaddingMask) {
      if (keyPaddingMask.ndim !== 2 || keyPaddingMask.shape[0] !== batch || keyPaddingMask.shape[1] !== keys)
        fail('keyPaddingMask', keyPaddingMask, `[batch, keys] = [${batch}, ${keys}]`);
      padding = this.#seeing(keyPaddingMask, extra).unsqueeze(1).unsqueeze(1);
    }
    const given = attnMask ?? (isCausal ? causalMask(queries, keys) : null);
    let attention: Mask = null;
    if (given) {
      const [rows, columns] = given.shape.slice(-2);
      const isFull = given.ndim === 3 && given.shape[0] === batch * this.numHeads;
      if ((given.ndim !== 2 && !isFull) || rows !== queries || columns !== keys)
        fail('attnMask', given, `[${queries}, ${keys}] or [${batch * this.numHeads}, ${queries}, ${keys}]`);
      attention = this.#seeing(given, extra);
      if (isFull) attention = attention.reshape([batch, this.numHeads, queries, keys + extra]);
    }
    return join(attention, padding);
  }

  /** The mask with columns for added keys, which all may see. */
  #seeing(mask: Tensor, extra: number): Tensor {
    if (!extra) return mask;
    return cat([mask, zeros([...mask.shape.slice(0, -1), extra], { dtype: mask.dtype })], -1);
  }

  override extraRepr(): string {
    return `${this.embedDim}, ${this.numHeads}, dropout=${this.dropout}, batchFirst=${this.batchFirst}`;
  }
}
