/** @file Similarities and distances of vectors. */
import { sizeOf } from '../../ir/shape.ts';
import { type Dims, matmul, type Tensor } from '../../tensor/index.ts';

/** x scaled to norm 1 along `dim`: x / max(||x||_p, eps). */
export function normalize(x: Tensor, options: { p?: number; dim?: Dims; eps?: number } = {}): Tensor {
  const { p = 2, dim = 1, eps = 1e-12 } = options;
  return x.div(x.norm(dim, { p, keepdim: true }).clamp({ min: eps }));
}

/** The cosine of the angle between x and y along `dim`: x . y / (max(||x||, eps) max(||y||, eps)). */
export function cosineSimilarity(x: Tensor, y: Tensor, options: { dim?: number; eps?: number } = {}): Tensor {
  const { dim = 1, eps = 1e-8 } = options;
  const length = (v: Tensor) => v.norm(dim).clamp({ min: eps });
  return x
    .mul(y)
    .sum(dim)
    .div(length(x).mul(length(y)));
}

/** ||x - y + eps||_p along the last dimension. */
export function pairwiseDistance(
  x: Tensor,
  y: Tensor,
  options: { p?: number; eps?: number; keepdim?: boolean } = {},
): Tensor {
  const { p = 2, eps = 1e-6, keepdim = false } = options;
  return x.sub(y).add(eps).norm(-1, { p, keepdim });
}

/** Euclidean (or p-norm) distances between all pairs of rows of x [..., n, d] and y [..., m, d]: [..., n, m]. */
export function cdist(x: Tensor, y: Tensor, { p = 2 }: { p?: number } = {}): Tensor {
  const pairs = sizeOf(x.shape.slice(0, -1)) * (y.shape.at(-2) ?? 1);
  if (p !== 2 || pairs * (x.shape.at(-1) ?? 1) <= 1 << 16) return x.unsqueeze(-2).sub(y.unsqueeze(-3)).norm(-1, { p });
  // |x - y|^2 = |x|^2 - 2 x.y + |y|^2 needs no [n, m, d] array.
  const square = x.square().sum(-1, { keepdim: true }).add(y.square().sum(-1).unsqueeze(-2));
  return square
    .sub(matmul(x, y.transpose(-2, -1)).mul(2))
    .clamp({ min: 1e-30 })
    .sqrt();
}
