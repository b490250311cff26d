/** @file Attention masks. */
import { ShapeError } from '../ir/errors.ts';
import { formatShape } from '../ir/shape.ts';
import type { Tensor } from '../tensor/index.ts';

/**
 * Numbers added to attention scores: 0 at tokens, very low at padding. int64 [batch, keys] gives [batch, 1, 1, keys].
 * @throws ShapeError for a mask of another shape than [batch, sequence].
 */
export function attentionMaskOf(attentionMask: Tensor): Tensor {
  if (attentionMask.ndim !== 2)
    throw new ShapeError(`attentionMask: expected [batch, sequence], found ${formatShape(attentionMask.shape)}`);
  return attentionMask.to('float32').sub(1).mul(1e30).unsqueeze(1).unsqueeze(1);
}
