/** @file Normalisation layers as functions; running statistics are updated by assignment. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import { constant, type Value } from '../../ir/graph.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../../ir/shape.ts';
import * as ops from '../../ops/index.ts';
import { noGrad, Tensor } from '../../tensor/index.ts';

export interface NormEps {
  /** Added to the variance. */
  eps?: number;
}

/** The vector given, or the same number for each of `shape`. */
const orConstant = (v: Tensor | null | undefined, shape: Shape, fill: number, like: Tensor): Value =>
  v?.value ?? ops.expand(constant(fill, like.dtype), shape);

/** Where the normalised dimensions begin. @throws ShapeError unless x ends in `normalizedShape` and the weights have it. */
function trailingAxis(
  x: Tensor,
  normalizedShape: Shape,
  weights: readonly (Tensor | null | undefined)[],
  name: string,
) {
  const axis = x.ndim - normalizedShape.length;
  if (axis < 0 || !normalizedShape.length || !sameShape(x.shape.slice(axis), normalizedShape))
    throw new ShapeError(
      `${name}: the last dimensions of the input ${formatShape(x.shape)} must be normalizedShape ${formatShape(normalizedShape)}`,
    );
  for (const w of weights)
    if (w && !sameShape(w.shape, normalizedShape))
      throw new ShapeError(
        `${name}: weight and bias must have shape ${formatShape(normalizedShape)}, found ${formatShape(w.shape)}`,
      );
  return axis;
}

/**
 * (x - mean) / sqrt(var + eps) * weight + bias over the last dimensions, which must equal `normalizedShape`, as must the
 * shapes of weight and bias; biased variance (Ba et al., 2016).
 */
export function layerNorm(
  x: Tensor,
  normalizedShape: Shape,
  weight?: Tensor | null,
  bias?: Tensor | null,
  { eps = 1e-5 }: NormEps = {},
): Tensor {
  const axis = trailingAxis(x, normalizedShape, [weight, bias], 'layerNorm');
  const scale = orConstant(weight, normalizedShape, 1, x);
  return new Tensor(ops.layerNormalization(x.value, scale, bias?.value, { axis, epsilon: eps }));
}

/** x / sqrt(mean(x^2) + eps) * weight over the last dimensions, `normalizedShape` (Zhang and Sennrich, 2019). */
export function rmsNorm(
  x: Tensor,
  normalizedShape: Shape,
  weight?: Tensor | null,
  { eps = 2 ** -23 }: NormEps = {},
): Tensor {
  const axis = trailingAxis(x, normalizedShape, [weight], 'rmsNorm');
  return new Tensor(ops.rmsNormalization(x.value, orConstant(weight, normalizedShape, 1, x), { axis, epsilon: eps }));
}

/** Normalises each of `numGroups` groups of channels of x [batch, channels, ...], then scales and shifts each channel. */
export function groupNorm(
  x: Tensor,
  numGroups: number,
  weight?: Tensor | null,
  bias?: Tensor | null,
  { eps = 1e-5 }: NormEps = {},
): Tensor {
  const channels = x.shape[1];
  if (x.ndim < 2 || channels % numGroups)
    throw new ShapeError(
      `groupNorm: the channels of the input ${formatShape(x.shape)} must be divisible by numGroups, ${numGroups}`,
    );
  const scale = orConstant(weight, [channels], 1, x);
  const shift = orConstant(bias, [channels], 0, x);
  return new Tensor(ops.groupNormalization(x.value, scale, shift, { num_groups: numGroups, epsilon: eps }));
}

export interface BatchNormOptions extends NormEps {
  /** Use the batch's statistics and update the running ones. */
  training?: boolean;
  /** The weight of the new statistics in the running ones. */
  momentum?: number;
}

/** running = (1 - momentum) * running + momentum * statistic, from the next realisation on. */
function updateRunning(running: Tensor | null | undefined, statistic: Tensor, momentum: number): void {
  if (!running) return;
  noGrad(() => running.assign(running.mul(1 - momentum).add(statistic.detach().mul(momentum))));
}

/**
 * Two vectors of one element per channel, for BatchNormalization to overwrite: ONNX Runtime puts the new statistics into the
 * memory of the old ones, so these must not be shared, neither with each other nor with another normalisation. The first
 * and the last element of each channel are x's own; whoever shares x has the same statistics.
 */
function statisticSlots(x: Value): [Value, Value] {
  const channels = x.shape[1];
  const at = (end: 0 | 1) => {
    const starts = x.shape.map((n, i) => (i === 1 ? 0 : end * (n - 1)));
    const corner = ops.slice(
      ops.stopGradient(x),
      starts,
      starts.map((s, i) => (i === 1 ? channels : s + 1)),
    );
    return ops.reshape(corner, [channels]);
  };
  return [at(0), at(1)];
}

/**
 * (x - mean) / sqrt(var + eps) * weight + bias for each channel (dimension 1) of x [batch, channels, ...]. While training,
 * mean and biased variance are those of the batch, and the running ones are assigned their moving average (unbiased
 * variance); otherwise the running ones are used (Ioffe and Szegedy, 2015).
 * @throws ShapeError for one value per channel while training; ArgumentError without statistics to use.
 */
export function batchNorm(
  x: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  weight?: Tensor | null,
  bias?: Tensor | null,
  { training = false, momentum = 0.1, eps = 1e-5 }: BatchNormOptions = {},
): Tensor {
  const channels = x.shape[1];
  for (const v of [runningMean, runningVar, weight, bias])
    if (v && !sameShape(v.shape, [channels]))
      throw new ShapeError(
        `batchNorm: statistics, weight and bias must have one element per channel of the input ${formatShape(x.shape)}, found ${formatShape(v.shape)}`,
      );
  const scale = orConstant(weight, [channels], 1, x);
  const shift = orConstant(bias, [channels], 0, x);
  if (!training) {
    if (!runningMean || !runningVar)
      throw new ArgumentError(
        'batchNorm: without running statistics, training: true must be set to use those of the batch',
      );
    const values = [x.value, scale, shift, runningMean.value, runningVar.value];
    return new Tensor(ops.batchNormalization(...values, { epsilon: eps }));
  }
  const count = x.numel() / channels;
  if (count <= 1)
    throw new ShapeError(
      `batchNorm: expected more than 1 value per channel when training, found shape ${formatShape(x.shape)}; use a larger batch, or eval()`,
    );
  // With momentum 0 the operator hands out the batch's own statistics; what it would blend in does not matter.
  const [meanSlot, varianceSlot] = statisticSlots(x.value);
  const attrs = { epsilon: eps, momentum: 0, training_mode: 1 };
  const y = ops.batchNormalization(x.value, scale, shift, meanSlot, varianceSlot, attrs);
  const [, mean, variance] = ops.outputsOf(y).map((v) => new Tensor(v));
  updateRunning(runningMean, mean, momentum);
  updateRunning(runningVar, variance.mul(count / (count - 1)), momentum);
  return new Tensor(y);
}

export interface InstanceNormOptions extends NormEps {
  /** Use the statistics of each sample, and update the running ones if given; otherwise use the running ones. */
  useInputStats?: boolean;
  momentum?: number;
}

/**
 * Normalises every channel of every sample of x [batch, channels, ...spatial] by its own mean and biased variance, then
 * scales and shifts it (Ulyanov et al., 2016).
 * @throws ShapeError for one value per channel.
 */
export function instanceNorm(
  x: Tensor,
  runningMean?: Tensor | null,
  runningVar?: Tensor | null,
  weight?: Tensor | null,
  bias?: Tensor | null,
  { useInputStats = true, momentum = 0.1, eps = 1e-5 }: InstanceNormOptions = {},
): Tensor {
  if (!useInputStats) return batchNorm(x, runningMean ?? null, runningVar ?? null, weight, bias, { eps });
  const channels = x.shape[1];
  const count = sizeOf(x.shape.slice(2));
  if (x.ndim < 3 || count <= 1)
    throw new ShapeError(
      `instanceNorm: expected [batch, channels, ...spatial] with more than 1 spatial element, found shape ${formatShape(x.shape)}`,
    );
  const dims = x.shape.map((_, i) => i).slice(2);
  if (runningMean) updateRunning(runningMean, x.mean(dims).mean(0), momentum);
  if (runningVar) updateRunning(runningVar, x.var(dims).mean(0), momentum);
  const scale = orConstant(weight, [channels], 1, x);
  const shift = orConstant(bias, [channels], 0, x);
  return new Tensor(ops.instanceNormalization(x.value, scale, shift, { epsilon: eps }));
}

export interface LrnOptions {
  alpha?: number;
  beta?: number;
  k?: number;
}

/** x / (k + alpha / size * sum of x^2 over `size` neighbouring channels)^beta (Krizhevsky et al., 2012). */
export function localResponseNorm(x: Tensor, size: number, options: LrnOptions = {}): Tensor {
  const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
  const norm = (v: Value) => ops.lrn(v, { size, alpha, beta, bias: k });
  // An even window reaches one channel further to the front in PyTorch, to the back in ONNX.
  return new Tensor(size % 2 === 0 ? ops.flip(norm(ops.flip(x.value, [1])), [1]) : norm(x.value));
}
