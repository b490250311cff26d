/** @file Self-attention of several heads, as encoders have it. */
import * as F from '../nn/functional/index.ts';
import type { Linear } from '../nn/linear.ts';
import type { Tensor } from '../tensor/index.ts';

/**
 * x [batch, sequence, hidden] through the three layers for query, key and value, attention in `heads` parts (Vaswani et
 * al. 2017), and the parts side by side again: [batch, sequence, hidden], before the output layer.
 */
export function multiHeadAttention(
  x: Tensor,
  layers: readonly [query: Linear, key: Linear, value: Linear],
  heads: number,
  options: { attnMask: Tensor | null; dropoutP: number },
): Tensor {
  const [batch, length, hidden] = x.shape;
  const split = (y: Tensor) => y.reshape([batch, length, heads, hidden / heads]).transpose(1, 2);
  const [q, k, v] = layers.map((layer) => split(layer.forward(x)));
  return F.scaledDotProductAttention(q, k, v, options).transpose(1, 2).reshape([batch, length, hidden]);
}
