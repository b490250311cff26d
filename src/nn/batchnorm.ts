/** @file Normalisation layers that may keep running statistics: BatchNorm and InstanceNorm of one to three dimensions. */
import { ShapeError } from '../ir/errors.ts';
import { formatShape } from '../ir/shape.ts';
import { outputsOf } from '../ops/index.ts';
import { noGrad, ones, Tensor, zeros } from '../tensor/index.ts';
import * as F from './functional/index.ts';
import { Buffer, Module, Parameter } from './module.ts';

export interface BatchNormLayerOptions {
  /** Added to the variance. */
  eps?: number;
  /** Share of the new statistics in the running ones; null for the average over all batches. */
  momentum?: number | null;
  /** Whether each channel has a trained weight and bias. */
  affine?: boolean;
  /** Whether running statistics are kept, for evaluation; without them the batch's own are used there too. */
  trackRunningStats?: boolean;
}

/** What both normalisations have in common: parameters and statistics, one per channel. */
abstract class Norm extends Module {
  readonly numFeatures: number;
  readonly eps: number;
  readonly momentum: number | null;
  weight: Parameter | null;
  bias: Parameter | null;
  runningMean: Buffer | null;
  runningVar: Buffer | null;
  numBatchesTracked: Buffer | null;

  constructor(numFeatures: number, { eps = 1e-5, momentum = 0.1, affine, trackRunningStats }: BatchNormLayerOptions) {
    super();
    this.numFeatures = numFeatures;
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? new Parameter(ones([numFeatures])) : null;
    this.bias = affine ? new Parameter(zeros([numFeatures])) : null;
    this.runningMean = trackRunningStats ? new Buffer(zeros([numFeatures])) : null;
    this.runningVar = trackRunningStats ? new Buffer(ones([numFeatures])) : null;
    this.numBatchesTracked = trackRunningStats ? new Buffer(zeros([], { dtype: 'int64' })) : null;
  }

  /** @throws ShapeError unless x has one of the ranks and `numFeatures` channels. */
  protected checkInput(x: Tensor, ranks: readonly number[]): void {
    if (!ranks.includes(x.ndim) || x.shape[1] !== this.numFeatures)
      throw new ShapeError(
        `${this.constructor.name}: expected [batch, ${this.numFeatures}, ...] of ${ranks.join(' or ')} dimensions, found ${formatShape(x.shape)}`,
      );
  }

  override extraRepr(): string {
    return `${this.numFeatures}, eps=${this.eps}, momentum=${this.momentum}, affine=${this.weight !== null}, trackRunningStats=${this.runningMean !== null}`;
  }
}

/** Batch normalisation (Ioffe and Szegedy 2015); the running variance is the unbiased one. */
abstract class BatchNorm extends Norm {
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super(numFeatures, {
      ...options,
      affine: options.affine ?? true,
      trackRunningStats: options.trackRunningStats ?? true,
    });
  }

  protected abstract readonly ranks: readonly number[];

  override forward(x: Tensor): Tensor {
    this.checkInput(x, this.ranks);
    const { runningMean, runningVar, weight, bias, eps, numBatchesTracked: count } = this;
    if (!this.training && runningMean) return F.batchNorm(x, runningMean, runningVar, weight, bias, { eps });
    if (!this.training || !count || !runningMean || !runningVar)
      return F.batchNorm(x, null, null, weight, bias, { eps, training: true });
    noGrad(() => count.assign(count.add(1)));
    if (this.momentum !== null)
      return F.batchNorm(x, runningMean, runningVar, weight, bias, { eps, training: true, momentum: this.momentum });
    const y = F.batchNorm(x, null, null, weight, bias, { eps, training: true });
    this.#average(y, x.numel() / this.numFeatures, count.to('float32').reciprocal());
    return y;
  }

  /** running += (statistic - running) / batches: the plain average of all batches. */
  #average(y: Tensor, elements: number, share: Tensor): void {
    const [, mean, variance] = outputsOf(y.value).map((v) => new Tensor(v).detach());
    noGrad(() => {
      const follow = (running: Buffer | null, now: Tensor) => running?.assign(running.add(now.sub(running).mul(share)));
      follow(this.runningMean, mean);
      follow(this.runningVar, variance.mul(elements / (elements - 1)));
    });
  }
}

/** Batch normalisation of [batch, features] or [batch, channels, length] (torch.nn.BatchNorm1d). */
export class BatchNorm1d extends BatchNorm {
  protected override get ranks(): readonly number[] {
    return [2, 3];
  }
}

/** Batch normalisation of [batch, channels, height, width] (torch.nn.BatchNorm2d). */
export class BatchNorm2d extends BatchNorm {
  protected override get ranks(): readonly number[] {
    return [4];
  }
}

/** Batch normalisation of [batch, channels, depth, height, width] (torch.nn.BatchNorm3d). */
export class BatchNorm3d extends BatchNorm {
  protected override get ranks(): readonly number[] {
    return [5];
  }
}

/** Instance normalisation (Ulyanov et al. 2016): each channel of each sample by its own statistics. */
abstract class InstanceNorm extends Norm {
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super(numFeatures, {
      ...options,
      affine: options.affine ?? false,
      trackRunningStats: options.trackRunningStats ?? false,
    });
  }

  protected abstract readonly ranks: readonly number[];

  override forward(x: Tensor): Tensor {
    this.checkInput(x, this.ranks);
    const { runningMean, runningVar, weight, bias, eps, momentum } = this;
    // The count of batches is part of the state but, as in PyTorch, only batch normalisation advances it.
    return F.instanceNorm(x, runningMean, runningVar, weight, bias, {
      eps,
      momentum: momentum ?? 0,
      useInputStats: this.training || runningMean === null,
    });
  }
}

/** Instance normalisation of [batch, channels, length] (torch.nn.InstanceNorm1d). */
export class InstanceNorm1d extends InstanceNorm {
  protected override get ranks(): readonly number[] {
    return [3];
  }
}

/** Instance normalisation of [batch, channels, height, width] (torch.nn.InstanceNorm2d). */
export class InstanceNorm2d extends InstanceNorm {
  protected override get ranks(): readonly number[] {
    return [4];
  }
}

/** Instance normalisation of [batch, channels, depth, height, width] (torch.nn.InstanceNorm3d). */
export class InstanceNorm3d extends InstanceNorm {
  protected override get ranks(): readonly number[] {
    return [5];
  }
}
