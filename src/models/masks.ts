/** @file Attention masks. */
import type { Tensor } from '../tensor/index.ts';

/** Numbers added to attention scores: 0 at tokens, very low at padding. int64 [batch, keys] gives [batch, 1, 1, keys]. */
export function attentionMaskOf(attentionMask: Tensor): Tensor {
  return attentionMask.to('float32').sub(1).mul(1e30).unsqueeze(1).unsqueeze(1);
}
