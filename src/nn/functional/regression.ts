/** @file Losses between numbers: regression, distributions, overlap. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import { formatShape, sameShape } from '../../ir/shape.ts';
import { type Tensor, where } from '../../tensor/index.ts';
import { requireOneOf, requireTensor } from '../../tensor/lift.ts';
import { type LossOptions, type Reduction, reduced } from './reduction.ts';

/** @throws ShapeError unless the shapes are equal: broadcasting a loss is nearly always a mistake ([n, 1] against [n]). */
function requireSameShape(x: Tensor, target: Tensor, name: string): void {
  requireTensor(x, name);
  requireTensor(target, name, 'the target');
  if (x.shape.length !== target.shape.length || x.shape.some((n, i) => n !== target.shape[i]))
    throw new ShapeError(
      `${name}: input ${formatShape(x.shape)} and target ${formatShape(target.shape)} must have the same shape; reshape one, or expand it if broadcasting is meant`,
    );
}

/** Squared error (x - target)^2. */
export function mseLoss(x: Tensor, target: Tensor, { reduction }: LossOptions = {}): Tensor {
  requireSameShape(x, target, 'mseLoss');
  return reduced(x.sub(target).square(), reduction, 'mseLoss', x);
}

/** Absolute error |x - target|. */
export function l1Loss(x: Tensor, target: Tensor, { reduction }: LossOptions = {}): Tensor {
  requireSameShape(x, target, 'l1Loss');
  return reduced(x.sub(target).abs(), reduction, 'l1Loss', x);
}

/** With c = min(|d|, delta): c (|d| - c / 2), which is d^2 / 2 up to delta and grows linearly from there. */
function huber(x: Tensor, target: Tensor, delta: number): Tensor {
  const size = x.sub(target).abs();
  const c = size.clamp({ max: delta });
  return c.mul(size.sub(c.mul(0.5)));
}

/** d^2 / 2 for |d| <= delta, else delta (|d| - delta / 2), d = x - target. @throws ArgumentError unless delta > 0. */
export function huberLoss(x: Tensor, target: Tensor, options: LossOptions & { delta?: number } = {}): Tensor {
  const { delta = 1 } = options;
  if (!(delta > 0)) throw new ArgumentError(`huberLoss: delta must be positive, found ${delta}`);
  requireSameShape(x, target, 'huberLoss');
  return reduced(huber(x, target, delta), options.reduction, 'huberLoss', x);
}

/** d^2 / (2 beta) for |d| < beta, else |d| - beta / 2, d = x - target. @throws ArgumentError for a negative beta. */
export function smoothL1Loss(x: Tensor, target: Tensor, options: LossOptions & { beta?: number } = {}): Tensor {
  const { beta = 1, reduction } = options;
  if (!(beta >= 0)) throw new ArgumentError(`smoothL1Loss: beta must not be negative, found ${beta}`);
  if (beta === 0) return l1Loss(x, target, { reduction });
  requireSameShape(x, target, 'smoothL1Loss');
  return reduced(huber(x, target, beta).div(beta), reduction, 'smoothL1Loss', x);
}

export interface PoissonNllOptions extends LossOptions {
  /** Whether x is the logarithm of the rate. */
  logInput?: boolean;
  /** Add Stirling's approximation of log(target!). */
  full?: boolean;
  eps?: number;
}

/** Negative log-likelihood of counts: exp(x) - target x, or x - target log(x + eps) without `logInput`. */
export function poissonNllLoss(x: Tensor, target: Tensor, options: PoissonNllOptions = {}): Tensor {
  const { logInput = true, full = false, eps = 1e-8 } = options;
  let loss = logInput ? x.exp().sub(target.mul(x)) : x.sub(target.mul(x.add(eps).log()));
  if (full) {
    const isLarge = target.gt(1);
    const t = where(isLarge, target, 1);
    const stirling = t
      .mul(t.log())
      .sub(t)
      .add(
        t
          .mul(2 * Math.PI)
          .log()
          .mul(0.5),
      );
    loss = loss.add(where(isLarge, stirling, 0));
  }
  return reduced(loss, options.reduction, 'poissonNllLoss');
}

/**
 * Negative log-likelihood under normal distributions of mean x and variance `variance` (the shape of x, the same without
 * its last dimension for one variance per sample, or broadcastable):
 * (log var + (x - target)^2 / var) / 2, the variance at least `eps`; `full` adds log(2 pi) / 2.
 */
export function gaussianNllLoss(
  x: Tensor,
  target: Tensor,
  variance: Tensor,
  options: LossOptions & { full?: boolean; eps?: number } = {},
): Tensor {
  const { full = false, eps = 1e-6 } = options;
  const perRow = variance.ndim === x.ndim - 1 && sameShape(variance.shape, x.shape.slice(0, -1));
  if (perRow) return gaussianNllLoss(x, target, variance.unsqueeze(-1), options);
  // The bound does not stop the gradient, as in PyTorch.
  const bounded = variance.add(variance.clamp({ min: eps }).sub(variance).detach());
  const loss = bounded.log().add(x.sub(target).square().div(bounded)).mul(0.5);
  return reduced(full ? loss.add(0.5 * Math.log(2 * Math.PI)) : loss, options.reduction, 'gaussianNllLoss');
}

export interface KlDivOptions {
  /** 'batchmean' divides the sum by the batch size, which is the mathematical definition; 'mean' by the number of elements. */
  reduction?: Reduction | 'batchmean';
  /** Whether the target holds logarithms too. */
  logTarget?: boolean;
}

/** Kullback-Leibler divergence target (log target - x) from log-probabilities x; 0 where the target is 0. */
export function klDiv(x: Tensor, target: Tensor, { reduction = 'mean', logTarget = false }: KlDivOptions = {}): Tensor {
  requireOneOf(reduction, ['mean', 'sum', 'none', 'batchmean'], 'klDiv', 'reduction');
  const loss = () => {
    if (logTarget) return target.exp().mul(target.sub(x));
    const isPositive = target.gt(0);
    const log = where(isPositive, target, 1).log();
    return where(isPositive, target.mul(log), 0).sub(target.mul(x));
  };
  if (reduction === 'batchmean')
    return loss()
      .sum()
      .div(x.shape[0] ?? 1);
  return reduced(loss(), reduction, 'klDiv');
}

/**
 * 1 - (2 sum(p t) + smooth) / (sum p + sum t + smooth) per sample, over all but the first dimension, p probabilities of x's
 * shape and t their targets (Milletari et al., 2016; Laplace smoothing).
 */
export function diceLoss(x: Tensor, target: Tensor, options: LossOptions & { smooth?: number } = {}): Tensor {
  const { smooth = 1 } = options;
  requireSameShape(x, target, 'diceLoss');
  const dims = x.shape.map((_, i) => i).slice(1);
  const overlap = x.mul(target).sum(dims).mul(2).add(smooth);
  const total = x.sum(dims).add(target.sum(dims)).add(smooth);
  return reduced(overlap.div(total).neg().add(1), options.reduction, 'diceLoss');
}
