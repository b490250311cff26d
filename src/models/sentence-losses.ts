/** @file Losses of sentence embeddings, with the defaults of Python's sentence-transformers. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import { formatShape, sameShape } from '../ir/shape.ts';
import * as F from '../nn/functional/index.ts';
import { arange, cat, matmul, type Tensor } from '../tensor/index.ts';

function checkPairs(name: string, anchors: Tensor, ...others: readonly Tensor[]): void {
  for (const other of others)
    if (anchors.ndim !== 2 || !sameShape(anchors.shape, other.shape))
      throw new ShapeError(
        `${name}: embeddings must all be [batch, features], found ${formatShape(anchors.shape)} and ${formatShape(other.shape)}`,
      );
}

const unit = (x: Tensor) => F.normalize(x, { dim: -1 });

/**
 * Each anchor must be nearer to its own positive than to all other positives of the batch and to all given negatives:
 * cross-entropy of `scale` times their cosine similarities (Henderson et al. 2017;
 * sentence_transformers.losses.MultipleNegativesRankingLoss). All embeddings are [batch, features].
 * @throws ShapeError for embeddings of different shapes.
 */
export function multipleNegativesRankingLoss(
  anchors: Tensor,
  positives: Tensor,
  { negatives = [], scale = 20 }: { negatives?: readonly Tensor[]; scale?: number } = {},
): Tensor {
  checkPairs('multipleNegativesRankingLoss', anchors, positives, ...negatives);
  const candidates = negatives.length ? cat([positives, ...negatives], 0) : positives;
  const scores = matmul(unit(anchors), unit(candidates).transpose(0, 1)).mul(scale);
  return F.crossEntropy(scores, arange(anchors.size(0)));
}

/**
 * Mean squared error of the cosine similarities of pairs with the wanted ones, float32 [batch]
 * (sentence_transformers.losses.CosineSimilarityLoss).
 * @throws ShapeError for embeddings of different shapes.
 */
export function cosineSimilarityLoss(a: Tensor, b: Tensor, similarities: Tensor): Tensor {
  checkPairs('cosineSimilarityLoss', a, b);
  return F.mseLoss(F.cosineSimilarity(a, b, { dim: 1 }), similarities.to(a.dtype));
}

/**
 * The positive must be nearer to the anchor than the negative is, by a margin: mean of max(0, d(a, p) - d(a, n) + margin)
 * (sentence_transformers.losses.TripletLoss).
 * @param options.distance how far apart two embeddings are.
 * @throws ShapeError for embeddings of different shapes; ArgumentError for an unknown distance.
 */
export function sentenceTripletLoss(
  anchors: Tensor,
  positives: Tensor,
  negatives: Tensor,
  { margin = 5, distance = 'euclidean' }: { margin?: number; distance?: 'euclidean' | 'manhattan' | 'cosine' } = {},
): Tensor {
  checkPairs('sentenceTripletLoss', anchors, positives, negatives);
  const far = (x: Tensor): Tensor => {
    if (distance === 'cosine') return F.cosineSimilarity(anchors, x, { dim: 1 }).neg().add(1);
    if (distance === 'euclidean') return F.pairwiseDistance(anchors, x);
    if (distance === 'manhattan') return F.pairwiseDistance(anchors, x, { p: 1 });
    throw new ArgumentError(`sentenceTripletLoss: distance is euclidean, manhattan or cosine, found ${distance}`);
  };
  return far(positives).sub(far(negatives)).add(margin).relu().mean();
}
