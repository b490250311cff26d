/** @file What decoders share: masks of what a token may see, attention with a cache. */
import { ShapeError } from '../../ir/errors.ts';
import { formatShape } from '../../ir/shape.ts';
import * as F from '../../nn/functional/index.ts';
import { arange, type Tensor, where } from '../../tensor/index.ts';
import { attentionMaskOf } from '../masks.ts';

/** Tokens of a batch of texts for a model that reads from left to right. */
export interface CausalInputs {
  /** int64 [batch, sequence]. */
  inputIds: Tensor;
  /** 1 at tokens, 0 at padding, which may be on either side; int64 [batch, sequence]. Default: no padding. */
  attentionMask?: Tensor;
  /** Positions, int64 [batch, sequence]. Default: 0, 1, ... also where there is padding on the left, as in transformers. */
  positionIds?: Tensor;
}

/** Keys and values of earlier tokens. */
export interface KeyValueCache {
  /**
   * Takes a layer's keys and values of the new tokens, [rows, heads, tokens, features], and gives those of all tokens.
   */
  update(layer: number, key: Tensor, value: Tensor): readonly [Tensor, Tensor];
}

/** What a decoder's layers need besides their input. */
export interface DecoderState {
  /** int64 [batch or 1, tokens]. */
  positionIds: Tensor;
  /** Added to the scores, [batch or 1, 1, tokens, keys]. */
  mask: Tensor;
  /** 1 where a token sees any, 0 at padding on the left, which gets nothing from attention; [batch, 1, tokens, 1]. */
  sees?: Tensor;
  cache?: KeyValueCache;
}

/** So low that the weight is 0, yet finite: a query that may see nothing gives no NaN. */
const excluded = -1e30;

/** Numbers added to attention scores so that token i sees tokens up to i that are no padding: [batch or 1, 1, length, length]. */
export function causalMask(length: number, attentionMask?: Tensor): Tensor {
  const positions = arange(length);
  const causal = where(positions.unsqueeze(1).ge(positions), 0, excluded).unsqueeze(0).unsqueeze(0);
  // The lower one, not the sum: a row of padding attends to everything alike, as with transformers' masks.
  return attentionMask ? causal.minimum(attentionMaskOf(attentionMask)) : causal;
}

/** Positions and mask of a whole text. @throws ShapeError unless inputIds are [batch, sequence] with at most `limit` tokens. */
export function wholeText(inputs: CausalInputs, limit = Number.POSITIVE_INFINITY): DecoderState {
  const { inputIds, attentionMask, positionIds } = inputs;
  const [, length] = inputIds.shape;
  if (inputIds.ndim !== 2 || length > limit)
    throw new ShapeError(
      `inputIds: expected [batch, sequence]${Number.isFinite(limit) ? ` with at most ${limit} tokens` : ''}, found ${formatShape(inputIds.shape)}`,
    );
  return {
    positionIds: positionIds ?? arange(length).unsqueeze(0),
    mask: causalMask(length, attentionMask),
    // As torch.nn.functional.scaled_dot_product_attention has it: the loss reads padding that stands before a first token.
    ...(attentionMask ? { sees: attentionMask.cumsum(1).gt(0).to('float32').reshape([-1, 1, length, 1]) } : {}),
  };
}

/** [batch, tokens, heads * features] as [batch, heads, tokens, features]. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, length, width] = x.shape;
  return x.reshape([batch, length, heads, width / heads]).transpose(1, 2);
}

/** The inverse of splitHeads. */
export function joinHeads(x: Tensor): Tensor {
  const [batch, heads, length, features] = x.shape;
  return x.transpose(1, 2).reshape([batch, length, heads * features]);
}

/**
 * Attention whose query heads may share heads of keys and values. With one query per row the heads that share become
 * queries of one head instead of copies of the keys, which are long then.
 */
export function attend(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: { mask: Tensor | null; sees?: Tensor | undefined; scale?: number; dropoutP?: number },
): Tensor {
  const { mask: attnMask, sees, scale, dropoutP = 0 } = options;
  const [batch, heads, queries, features] = query.shape;
  const shared = heads / key.size(1);
  if (shared > 1 && queries === 1) {
    const grouped = query.reshape([batch, key.size(1), shared, features]);
    const y = F.scaledDotProductAttention(grouped, key, value, { attnMask, scale, dropoutP });
    return y.reshape([batch, heads, 1, value.size(-1)]);
  }
  const y = F.scaledDotProductAttention(query, key, value, { attnMask, scale, dropoutP, enableGqa: shared > 1 });
  return sees ? y.mul(sees) : y;
}

/**
 * The state that a classifier reads: of the last token that is not `padTokenId`; hidden states [batch, sequence, width]
 * give [batch, width].
 */
export function lastTokenState(hidden: Tensor, inputIds: Tensor, padTokenId: number | null | undefined): Tensor {
  const [batch, length, width] = hidden.shape;
  if (padTokenId == null) {
    if (batch > 1)
      throw new ShapeError(
        `a batch of ${batch} texts needs padTokenId in the config to find their last tokens: pass { config: { padTokenId: ... } }`,
      );
    return hidden.select(1, length - 1);
  }
  const last = inputIds.ne(padTokenId).to('int64').mul(arange(length)).argmax(1);
  return hidden.gather(1, last.reshape([batch, 1, 1]).expand([batch, 1, width])).reshape([batch, width]);
}
