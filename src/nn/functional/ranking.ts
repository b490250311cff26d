/** @file Losses that compare pairs and triples: embeddings, rankings, margins. */
import { ArgumentError } from '../../ir/errors.ts';
import { minimum, type Tensor, where } from '../../tensor/index.ts';
import { pairwiseDistance } from './distance.ts';
import { type LossOptions, reduced } from './reduction.ts';

/**
 * 1 - cos(x, y) where the target is 1, max(0, cos(x, y) - margin) where it is -1; x and y [batch, features] or [features].
 */
export function cosineEmbeddingLoss(
  x: Tensor,
  y: Tensor,
  target: Tensor,
  options: LossOptions & { margin?: number } = {},
): Tensor {
  const { margin = 0 } = options;
  const length = (v: Tensor) => v.square().sum(-1).add(1e-12);
  const cos = x
    .mul(y)
    .sum(-1)
    .div(length(x).mul(length(y)).sqrt());
  const loss = where(target.eq(1), cos.neg().add(1), cos.sub(margin).relu());
  return reduced(loss, options.reduction, 'cosineEmbeddingLoss');
}

export interface TripletOptions extends LossOptions {
  margin?: number;
  /** Order of the norm. */
  p?: number;
  eps?: number;
  /** Take the smaller of the negative's distances to anchor and positive (Balntas et al., 2016). */
  swap?: boolean;
}

/** max(0, d(anchor, positive) - d(anchor, negative) + margin), d a p-norm over the last dimension. */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: TripletOptions = {},
): Tensor {
  const { p = 2, eps = 1e-6, ...rest } = options;
  const distanceFunction = (a: Tensor, b: Tensor) => pairwiseDistance(a, b, { p, eps });
  return tripletMarginWithDistanceLoss(anchor, positive, negative, { ...rest, distanceFunction });
}

/** max(0, margin - target (x - y)): x should rank above y where the target is 1, below where it is -1. */
export function marginRankingLoss(
  x: Tensor,
  y: Tensor,
  target: Tensor,
  options: LossOptions & { margin?: number } = {},
): Tensor {
  const { margin = 0 } = options;
  return reduced(target.neg().mul(x.sub(y)).add(margin).relu(), options.reduction, 'marginRankingLoss');
}

/** x where the target is 1, max(0, margin - x) where it is -1. */
export function hingeEmbeddingLoss(x: Tensor, target: Tensor, options: LossOptions & { margin?: number } = {}): Tensor {
  const { margin = 1 } = options;
  return reduced(where(target.eq(1), x, x.neg().add(margin).relu()), options.reduction, 'hingeEmbeddingLoss');
}

/** log(1 + exp(-target x)), targets 1 and -1. */
export function softMarginLoss(x: Tensor, target: Tensor, { reduction }: LossOptions = {}): Tensor {
  return reduced(target.neg().mul(x).softplus(), reduction, 'softMarginLoss');
}

export interface TripletDistanceOptions extends LossOptions {
  /** Any distance of two batches, one number per sample; Euclidean by default. */
  distanceFunction?: (a: Tensor, b: Tensor) => Tensor;
  margin?: number;
  swap?: boolean;
}

/** tripletMarginLoss with a distance of one's own. */
export function tripletMarginWithDistanceLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: TripletDistanceOptions = {},
): Tensor {
  const { distanceFunction: distance = pairwiseDistance, margin = 1, swap = false } = options;
  const far = distance(anchor, negative);
  const apart = swap ? minimum(far, distance(positive, negative)) : far;
  return reduced(distance(anchor, positive).sub(apart).add(margin).relu(), options.reduction, 'tripletMarginLoss');
}

export interface MultiMarginOptions extends LossOptions {
  /** 1 or 2: whether violations count linearly or squared. */
  p?: 1 | 2;
  margin?: number;
  /** A factor per class. */
  weight?: Tensor;
}

/** Sum over the other classes of max(0, margin - x[target] + x[class])^p, divided by the number of classes; x [batch, classes]. */
export function multiMarginLoss(x: Tensor, target: Tensor, options: MultiMarginOptions = {}): Tensor {
  const { p = 1, margin = 1, weight } = options;
  if (p !== 1 && p !== 2) throw new ArgumentError(`multiMarginLoss: p must be 1 or 2, found ${p}`);
  const own = target.unsqueeze(-1);
  const violation = x.sub(x.gather(-1, own)).add(margin).relu();
  const powered = p === 2 ? violation.square() : violation;
  const others = powered.mul(target.oneHot(x.size(-1)).eq(0));
  const scaled = weight ? others.mul(weight.indexSelect(0, target.flatten()).reshape(own.shape)) : others;
  return reduced(scaled.mean(-1), options.reduction, 'multiMarginLoss');
}
