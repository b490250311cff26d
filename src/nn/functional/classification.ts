/** @file Losses of classifiers: cross entropy in its forms, focal loss. */
import { isFloat } from '../../ir/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../../ir/errors.ts';
import { formatShape, sameShape } from '../../ir/shape.ts';
import * as ops from '../../ops/index.ts';
import { lossOf } from '../../tensor/autograd.ts';
import { customGradient, Tensor, where } from '../../tensor/index.ts';
import { checkIndices, requireOneOf, requireTensor } from '../../tensor/lift.ts';
import { type LossOptions, type Reduction, reduced } from './reduction.ts';

export interface NllOptions extends LossOptions {
  /** A factor per class; 'mean' divides by the sum of the factors used. */
  weight?: Tensor | null;
  /** Targets equal to this contribute neither loss nor gradient. */
  ignoreIndex?: number;
}

export interface CrossEntropyOptions extends NllOptions {
  /** How much of each target is spread evenly over all classes, 0 to 1 (Szegedy et al., 2016). */
  labelSmoothing?: number;
}

/** Inputs with a batch dimension: one sample [classes] becomes [1, classes]. */
function withBatch(x: Tensor, target: Tensor, options: NllOptions, name: string): [Tensor, Tensor] {
  const [batch, classes, ...rest] = x.shape;
  requireTensor(target, name, 'the target');
  if (x.ndim === 0)
    throw new ShapeError(`${name}: the input must be [batch, classes, ...] or [classes], found a scalar`);
  if (isFloat(target.dtype)) {
    if (!sameShape(x.shape, target.shape))
      throw new ShapeError(
        `${name}: target probabilities of shape ${formatShape(target.shape)} must have the shape of the input, ${formatShape(x.shape)}; class indices must be integers (.long())`,
      );
  } else if (!sameShape(target.shape, x.ndim === 1 ? [] : [batch, ...rest]))
    throw new ShapeError(
      `${name}: class indices of shape ${formatShape(target.shape)} do not fit the input ${formatShape(x.shape)}; expected ${formatShape(x.ndim === 1 ? [] : [batch, ...rest])}`,
    );
  const count = x.ndim === 1 ? batch : classes;
  const { weight } = options;
  if (weight && !sameShape(weight.shape, [count]))
    throw new ShapeError(
      `${name}: weight must have one element per class, [${count}], found ${formatShape(weight.shape)}`,
    );
  if (!isFloat(target.dtype)) checkIndices(target, count, name, 'class index', options.ignoreIndex ?? -100);
  const t = isFloat(target.dtype) ? target : indexed(target, name);
  return x.ndim === 1 ? [x.unsqueeze(0), t.unsqueeze(0)] : [x, t];
}

/** Weighted losses to one, several or all: the mean is over the weights, not over the elements. */
function weightedReduction(losses: Tensor, weights: Tensor, reduction: Reduction): Tensor {
  if (reduction === 'none') return losses;
  if (reduction === 'sum') return losses.sum();
  const total = weights.sum();
  // Where all targets are ignored the loss is NaN, as in PyTorch, but no gradient is.
  return where(total.eq(0), Number.NaN, losses.sum().div(total.clamp({ min: 1e-37 })));
}

/** Class indices as the operators take them. */
function indexed(target: Tensor, name: string): Tensor {
  if (target.dtype === 'bool')
    throw new DTypeError(`${name}: class indices must be integers, found bool; cast with .long()`);
  return target.dtype === 'int32' ? target : target.long();
}

/** Factor of each target: its class's weight, 0 where it is ignored. */
function targetWeights(
  target: Tensor,
  valid: Tensor,
  safe: Tensor,
  weight: Tensor | null | undefined,
  like: Tensor,
): Tensor {
  const isKept = valid.to(like.dtype);
  if (!weight) return isKept;
  return weight.indexSelect(0, safe.flatten()).reshape(target.shape).mul(isKept);
}

/**
 * Negative log-likelihood -weight[t] x[t] of class indices `target` [batch, ...] under log-probabilities x
 * [batch, classes, ...] (torch.nn.functional.nll_loss). @throws ShapeError where the shapes do not fit.
 */
export function nllLoss(x: Tensor, target: Tensor, options: NllOptions = {}): Tensor {
  const { weight, ignoreIndex = -100, reduction = 'mean' } = options;
  requireOneOf(reduction, ['mean', 'sum', 'none'], 'nllLoss', 'reduction');
  requireTensor(target, 'nllLoss', 'the target');
  if (isFloat(target.dtype))
    throw new DTypeError(`nllLoss: targets are class indices, found ${target.dtype}; cast with .long()`);
  const [logs, t] = withBatch(x, target, options, 'nllLoss');
  const attrs = { reduction, ignore_index: ignoreIndex };
  const loss = new Tensor(ops.negativeLogLikelihoodLoss(logs.value, t.value, weight?.value, attrs));
  return lossOf(reduction === 'none' ? loss.reshape(target.shape) : loss, x);
}

/**
 * Cross entropy of logits x [batch, classes, ...] (or [classes]) with class indices [batch, ...], or with probabilities of
 * the shape of x (torch.nn.functional.cross_entropy).
 * @throws ShapeError, DTypeError where target or weight do not fit; ArgumentError for labelSmoothing outside of [0, 1].
 */
export function crossEntropy(x: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { weight, ignoreIndex = -100, labelSmoothing = 0, reduction = 'mean' } = options;
  requireOneOf(reduction, ['mean', 'sum', 'none'], 'crossEntropy', 'reduction');
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new ArgumentError(`crossEntropy: labelSmoothing must be in [0, 1], found ${labelSmoothing}`);
  requireTensor(x, 'crossEntropy');
  const [logits, t] = withBatch(x, target, options, 'crossEntropy');
  const finish = (loss: Tensor) => lossOf(reduction === 'none' && x.ndim === 1 ? loss.reshape([]) : loss, x);
  if (isFloat(target.dtype)) return finish(softCrossEntropy(logits, t, options));
  if (labelSmoothing > 0) return finish(smoothedCrossEntropy(logits, t, options));
  const attrs = { reduction, ignore_index: ignoreIndex };
  return finish(new Tensor(ops.softmaxCrossEntropyLoss(logits.value, t.value, weight?.value, attrs)));
}

/** Weights per class, shaped to broadcast against [batch, classes, ...]. */
const perClass = (weight: Tensor, x: Tensor) => weight.reshape([-1, ...x.shape.slice(2).map(() => 1)]);

function softCrossEntropy(x: Tensor, target: Tensor, options: CrossEntropyOptions): Tensor {
  const { weight, labelSmoothing = 0, reduction = 'mean' } = options;
  const classes = x.shape[1];
  const soft = labelSmoothing > 0 ? target.mul(1 - labelSmoothing).add(labelSmoothing / classes) : target;
  const terms = x.logSoftmax(1).mul(soft);
  const losses = (weight ? terms.mul(perClass(weight, x)) : terms).sum(1).neg();
  return reduced(losses, reduction, 'crossEntropy');
}

function smoothedCrossEntropy(x: Tensor, target: Tensor, options: CrossEntropyOptions): Tensor {
  const { weight, ignoreIndex = -100, labelSmoothing = 0, reduction = 'mean' } = options;
  const logs = x.logSoftmax(1);
  const valid = target.ne(ignoreIndex);
  const safe = where(valid, target, 0);
  const weights = targetWeights(target, valid, safe, weight, x);
  const own = logs.gather(1, safe.unsqueeze(1)).squeeze(1).mul(weights);
  const spread = (weight ? logs.mul(perClass(weight, x)) : logs).sum(1).mul(valid.to(x.dtype));
  const losses = own.mul(labelSmoothing - 1).sub(spread.mul(labelSmoothing / x.shape[1]));
  return weightedReduction(losses, weights, reduction);
}

export interface BceOptions extends LossOptions {
  /** A factor per element; broadcasts. */
  weight?: Tensor | null;
}

function checkBinary(x: Tensor, target: Tensor, name: string): void {
  requireTensor(x, name);
  requireTensor(target, name, 'the target');
  if (!sameShape(x.shape, target.shape))
    throw new ShapeError(
      `${name}: input ${formatShape(x.shape)} and target ${formatShape(target.shape)} must have the same shape`,
    );
}

const complement = (p: Tensor) => p.neg().add(1);
const boundedLog = (p: Tensor) => p.log().clamp({ min: -100 });

/** With the derivative of PyTorch, which stays finite where a saturated sigmoid has made x exactly 0 or 1. */
const elementwiseEntropy = customGradient<readonly [x: Tensor, target: Tensor]>({
  forward: (x, t) =>
    t
      .mul(boundedLog(x))
      .add(complement(t).mul(boundedLog(complement(x))))
      .neg(),
  backward: (dy, { inputs: [x, t] }) => [
    dy.mul(x.sub(t)).div(x.mul(complement(x)).clamp({ min: 1e-12 })),
    dy.mul(boundedLog(complement(x)).sub(boundedLog(x))),
  ],
});

/** -(t log x + (1 - t) log(1 - x)) for probabilities x; logarithms count as at least -100. */
export function binaryCrossEntropy(x: Tensor, target: Tensor, { weight, reduction }: BceOptions = {}): Tensor {
  checkBinary(x, target, 'binaryCrossEntropy');
  const t = isFloat(target.dtype) ? target : target.to(x.dtype);
  const losses = elementwiseEntropy(x, t);
  return reduced(weight ? losses.mul(weight) : losses, reduction, 'binaryCrossEntropy', x);
}

export interface BceWithLogitsOptions extends BceOptions {
  /** A factor for positive targets, per class; broadcasts. */
  posWeight?: Tensor | null;
}

/** Binary cross entropy of sigmoid(x), from the logits x, without overflow: (1 - t) x + (1 + (posWeight - 1) t) softplus(-x). */
export function binaryCrossEntropyWithLogits(x: Tensor, target: Tensor, options: BceWithLogitsOptions = {}): Tensor {
  const { weight, posWeight, reduction } = options;
  checkBinary(x, target, 'binaryCrossEntropyWithLogits');
  const t = isFloat(target.dtype) ? target : target.to(x.dtype);
  const soft = x.neg().softplus();
  const scaled = posWeight ? soft.mul(posWeight.sub(1).mul(t).add(1)) : soft;
  const losses = x.sub(t.mul(x)).add(scaled);
  return reduced(weight ? losses.mul(weight) : losses, reduction, 'binaryCrossEntropyWithLogits', x);
}

/** Binary cross entropy of logits x [..., classes], averaged over the classes of each sample; `weight` per class. */
export function multilabelSoftMarginLoss(x: Tensor, target: Tensor, { weight, reduction }: BceOptions = {}): Tensor {
  const each = binaryCrossEntropyWithLogits(x, target, { weight, reduction: 'none' });
  return reduced(each.mean(-1), reduction, 'multilabelSoftMarginLoss');
}

export interface FocalOptions extends LossOptions {
  /** Weight of positive targets, 1 - alpha that of negative ones; negative for none. */
  alpha?: number;
  /** How strongly well-classified elements are discounted. */
  gamma?: number;
}

/** alpha_t (1 - p_t)^gamma times the binary cross entropy of logits x (Lin et al., 2017); as torchvision, not reduced by default. */
export function sigmoidFocalLoss(x: Tensor, target: Tensor, options: FocalOptions = {}): Tensor {
  const { alpha = 0.25, gamma = 2, reduction = 'none' } = options;
  const t = isFloat(target.dtype) ? target : target.to(x.dtype);
  const p = x.sigmoid();
  const miss = p.add(t).sub(p.mul(t).mul(2)); // 1 - p_t
  const losses = binaryCrossEntropyWithLogits(x, t, { reduction: 'none' }).mul(miss.pow(gamma));
  const weighted = alpha < 0 ? losses : losses.mul(t.mul(2 * alpha - 1).add(1 - alpha));
  return reduced(weighted, reduction, 'sigmoidFocalLoss');
}
