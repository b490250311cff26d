/** @file Losses as modules; the formulas are in functional/. */
import type { Tensor } from '../tensor/index.ts';
import type {
  BceOptions,
  BceWithLogitsOptions,
  CrossEntropyOptions,
  FocalOptions,
  NllOptions,
} from './functional/classification.ts';
import type { CtcOptions } from './functional/ctc.ts';
import * as F from './functional/index.ts';
import type { MultiMarginOptions, TripletDistanceOptions, TripletOptions } from './functional/ranking.ts';
import type { LossOptions } from './functional/reduction.ts';
import type { KlDivOptions, PoissonNllOptions } from './functional/regression.ts';
import { Buffer, Module } from './module.ts';

/** A loss with its options, PyTorch's defaults where they are not given. */
abstract class Loss<O extends object> extends Module {
  readonly options: O;

  constructor(options?: O) {
    super();
    this.options = options ?? ({} as O);
  }

  override extraRepr(): string {
    return Object.entries(this.options)
      .map(([name, value]) => `${name}=${value}`)
      .join(', ');
  }
}

/** Factors per class are part of the state, as in PyTorch. */
const bufferOf = (weight: Tensor | null | undefined) => (weight ? new Buffer(weight) : null);

/** Cross entropy of logits [batch, classes, ...] with class indices or probabilities (torch.nn.CrossEntropyLoss). */
export class CrossEntropyLoss extends Loss<Omit<CrossEntropyOptions, 'weight'>> {
  weight: Buffer | null;

  constructor({ weight, ...options }: CrossEntropyOptions = {}) {
    super(options);
    this.weight = bufferOf(weight);
  }

  override forward(x: Tensor, target: Tensor): Tensor {
    return F.crossEntropy(x, target, { ...this.options, weight: this.weight });
  }
}

/** Negative log-likelihood of log-probabilities [batch, classes, ...] with class indices (torch.nn.NLLLoss). */
export class NLLLoss extends Loss<Omit<NllOptions, 'weight'>> {
  weight: Buffer | null;

  constructor({ weight, ...options }: NllOptions = {}) {
    super(options);
    this.weight = bufferOf(weight);
  }

  override forward(x: Tensor, target: Tensor): Tensor {
    return F.nllLoss(x, target, { ...this.options, weight: this.weight });
  }
}

/** Binary cross entropy of probabilities (torch.nn.BCELoss). */
export class BCELoss extends Loss<Omit<BceOptions, 'weight'>> {
  weight: Buffer | null;

  constructor({ weight, ...options }: BceOptions = {}) {
    super(options);
    this.weight = bufferOf(weight);
  }

  override forward(x: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropy(x, target, { ...this.options, weight: this.weight });
  }
}

/** Binary cross entropy of logits (torch.nn.BCEWithLogitsLoss). */
export class BCEWithLogitsLoss extends Loss<Omit<BceWithLogitsOptions, 'weight' | 'posWeight'>> {
  weight: Buffer | null;
  posWeight: Buffer | null;

  constructor({ weight, posWeight, ...options }: BceWithLogitsOptions = {}) {
    super(options);
    this.weight = bufferOf(weight);
    this.posWeight = bufferOf(posWeight);
  }

  override forward(x: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropyWithLogits(x, target, {
      ...this.options,
      weight: this.weight,
      posWeight: this.posWeight,
    });
  }
}

/** Binary cross entropy of logits [..., classes], averaged over the classes (torch.nn.MultiLabelSoftMarginLoss). */
export class MultiLabelSoftMarginLoss extends Loss<Omit<BceOptions, 'weight'>> {
  weight: Buffer | null;

  constructor({ weight, ...options }: BceOptions = {}) {
    super(options);
    this.weight = bufferOf(weight);
  }

  override forward(x: Tensor, target: Tensor): Tensor {
    return F.multilabelSoftMarginLoss(x, target, { ...this.options, weight: this.weight });
  }
}

/** Sum over the other classes of max(0, margin - x[target] + x[class]) (torch.nn.MultiMarginLoss). */
export class MultiMarginLoss extends Loss<Omit<MultiMarginOptions, 'weight'>> {
  weight: Buffer | null;

  constructor({ weight, ...options }: MultiMarginOptions = {}) {
    super(options);
    this.weight = bufferOf(weight);
  }

  override forward(x: Tensor, target: Tensor): Tensor {
    return F.multiMarginLoss(x, target, { ...this.options, weight: this.weight ?? undefined });
  }
}

/** Lengths of sequences, one per sample. */
type Lengths = Tensor | readonly number[];

/** Squared error (torch.nn.MSELoss). */
export class MSELoss extends Loss<LossOptions> {
  override forward(x: Tensor, target: Tensor): Tensor {
    return F.mseLoss(x, target, this.options);
  }
}

/** Absolute error (torch.nn.L1Loss). */
export class L1Loss extends Loss<LossOptions> {
  override forward(x: Tensor, target: Tensor): Tensor {
    return F.l1Loss(x, target, this.options);
  }
}

/** Squared error near 0, absolute beyond beta (torch.nn.SmoothL1Loss). */
export class SmoothL1Loss extends Loss<LossOptions & { beta?: number }> {
  override forward(x: Tensor, target: Tensor): Tensor {
    return F.smoothL1Loss(x, target, this.options);
  }
}

/** Squared error near 0, absolute beyond delta (torch.nn.HuberLoss). */
export class HuberLoss extends Loss<LossOptions & { delta?: number }> {
  override forward(x: Tensor, target: Tensor): Tensor {
    return F.huberLoss(x, target, this.options);
  }
}

/** Negative log-likelihood of counts (torch.nn.PoissonNLLLoss). */
export class PoissonNLLLoss extends Loss<PoissonNllOptions> {
  override forward(x: Tensor, target: Tensor): Tensor {
    return F.poissonNllLoss(x, target, this.options);
  }
}

/** Negative log-likelihood of a normal distribution of the given variance (torch.nn.GaussianNLLLoss). */
export class GaussianNLLLoss extends Loss<LossOptions & { full?: boolean; eps?: number }> {
  override forward(x: Tensor, target: Tensor, variance: Tensor): Tensor {
    return F.gaussianNllLoss(x, target, variance, this.options);
  }
}

/** Kullback-Leibler divergence of log-probabilities from the target (torch.nn.KLDivLoss). */
export class KLDivLoss extends Loss<KlDivOptions> {
  override forward(x: Tensor, target: Tensor): Tensor {
    return F.klDiv(x, target, this.options);
  }
}

/** log(1 + exp(-target x)), targets 1 and -1 (torch.nn.SoftMarginLoss). */
export class SoftMarginLoss extends Loss<LossOptions> {
  override forward(x: Tensor, target: Tensor): Tensor {
    return F.softMarginLoss(x, target, this.options);
  }
}

/** x where the target is 1, max(0, margin - x) where it is -1 (torch.nn.HingeEmbeddingLoss). */
export class HingeEmbeddingLoss extends Loss<LossOptions & { margin?: number }> {
  override forward(x: Tensor, target: Tensor): Tensor {
    return F.hingeEmbeddingLoss(x, target, this.options);
  }
}

/** max(0, margin - target (x - y)) (torch.nn.MarginRankingLoss). */
export class MarginRankingLoss extends Loss<LossOptions & { margin?: number }> {
  override forward(x: Tensor, y: Tensor, target: Tensor): Tensor {
    return F.marginRankingLoss(x, y, target, this.options);
  }
}

/** 1 - cosine for like pairs (target 1), the cosine above the margin for unlike ones (-1) (torch.nn.CosineEmbeddingLoss). */
export class CosineEmbeddingLoss extends Loss<LossOptions & { margin?: number }> {
  override forward(x: Tensor, y: Tensor, target: Tensor): Tensor {
    return F.cosineEmbeddingLoss(x, y, target, this.options);
  }
}

/** max(0, d(anchor, positive) - d(anchor, negative) + margin) (torch.nn.TripletMarginLoss). */
export class TripletMarginLoss extends Loss<TripletOptions> {
  override forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return F.tripletMarginLoss(anchor, positive, negative, this.options);
  }
}

/** The triplet margin loss with a distance of one's own (torch.nn.TripletMarginWithDistanceLoss). */
export class TripletMarginWithDistanceLoss extends Loss<TripletDistanceOptions> {
  override forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return F.tripletMarginWithDistanceLoss(anchor, positive, negative, this.options);
  }
}

/** Connectionist temporal classification of log-probabilities [time, batch, classes] (torch.nn.CTCLoss). */
export class CTCLoss extends Loss<CtcOptions> {
  override forward(x: Tensor, targets: Tensor, inputLengths: Lengths, targetLengths: Lengths): Tensor {
    return F.ctcLoss(x, targets, inputLengths, targetLengths, this.options);
  }
}

/** Binary cross entropy of logits that discounts what is classified well; not reduced by default (torchvision.ops.sigmoid_focal_loss). */
export class FocalLoss extends Loss<FocalOptions> {
  override forward(x: Tensor, target: Tensor): Tensor {
    return F.sigmoidFocalLoss(x, target, this.options);
  }
}

/** 1 - 2 overlap / (size of x + size of target), per sample (Milletari et al., 2016). */
export class DiceLoss extends Loss<LossOptions & { smooth?: number }> {
  override forward(x: Tensor, target: Tensor): Tensor {
    return F.diceLoss(x, target, this.options);
  }
}
