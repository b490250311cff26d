/** @file Scaled dot-product attention. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import { formatShape } from '../../ir/shape.ts';
import * as ops from '../../ops/index.ts';
import { memoConstant } from '../../ops/memo.ts';
import { matmul, Tensor, where } from '../../tensor/index.ts';
import { dropout } from './dropout.ts';
import { excluded, finiteMask } from './masks.ts';

export interface AttentionOptions {
  /** Booleans, true where a query may attend to a key; or numbers added to the scores. Broadcasts to [..., queries, keys]. */
  attnMask?: Tensor | null;
  /** Query i attends to keys up to i only. */
  isCausal?: boolean;
  /** Factor of the scores, 1 / sqrt(features) by default. */
  scale?: number;
  /** Probability of dropping a weight. The caller passes 0 outside of training. */
  dropoutP?: number;
  /** Let several heads of the query share one head of key and value (grouped-query attention). */
  enableGqa?: boolean;
}

/**
 * softmax(query key' * scale + mask) value, for query [..., queries, features], key [..., keys, features] and value
 * [..., keys, valueFeatures] (Vaswani et al., 2017; torch.nn.functional.scaled_dot_product_attention). A query that may
 * attend to no key gives 0.
 * @throws ShapeError where the shapes do not fit; ArgumentError for a mask together with isCausal.
 */
export function scaledDotProductAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: AttentionOptions = {},
): Tensor {
  const { attnMask, isCausal = false, dropoutP = 0, enableGqa = false } = options;
  const features = query.shape.at(-1) ?? 0;
  if (query.ndim < 2 || features !== key.shape.at(-1) || key.shape.at(-2) !== value.shape.at(-2))
    throw new ShapeError(
      `scaledDotProductAttention: query ${formatShape(query.shape)}, key ${formatShape(key.shape)} and value ${formatShape(value.shape)} must be [..., queries, features], [..., keys, features] and [..., keys, valueFeatures]`,
    );
  if (attnMask && isCausal)
    throw new ArgumentError('scaledDotProductAttention: give attnMask or isCausal, not both; combine them in one mask');
  if (enableGqa) {
    const repeats = query.size(-3) / key.size(-3);
    if (!Number.isInteger(repeats))
      throw new ShapeError(
        `scaledDotProductAttention: ${query.size(-3)} query heads cannot share ${key.size(-3)} key heads`,
      );
    const grouped = { attnMask, isCausal, scale: options.scale, dropoutP };
    const [k, v] = [key, value].map((t) => t.repeatInterleave(repeats, t.ndim - 3));
    return scaledDotProductAttention(query, k, v, grouped);
  }
  const scale = options.scale ?? 1 / Math.sqrt(features);
  const scores = matmul(query.mul(scale), key.transpose(-2, -1));
  const allowed = isCausal ? causal(query.size(-2), key.size(-2)) : attnMask?.dtype === 'bool' ? attnMask : null;
  const numbers = attnMask && !allowed ? finiteMask(attnMask) : null;
  const masked = allowed ? where(allowed, scores, excluded) : numbers ? scores.add(numbers.mask) : scores;
  const weights = masked.softmax(-1);
  const result = matmul(dropoutP > 0 ? dropout(weights, { p: dropoutP }) : weights, value);
  const sees = allowed && !isCausal ? allowed.any(-1, { keepdim: true }) : numbers?.sees;
  return sees ? result.mul(sees.to(result.dtype)) : result;
}

/** Whether key j lies at or before query i. */
function causal(queries: number, keys: number): Tensor {
  const range = (n: number) =>
    new Tensor(memoConstant(`range ${n}`, () => ops.ints(Array.from({ length: n }, (_, i) => i))));
  return range(queries).unsqueeze(1).ge(range(keys));
}
