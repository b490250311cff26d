/** @file Dropout: random zeros while training. */
import { ArgumentError } from '../../ir/errors.ts';
import type { Shape } from '../../ir/shape.ts';
import * as ops from '../../ops/index.ts';
import { Tensor, where } from '../../tensor/index.ts';
import { nextSeed } from '../../tensor/random.ts';

export interface DropoutOptions {
  /** Probability of an element to become 0. */
  p?: number;
  training?: boolean;
}

/** 1 / (1 - p) with probability 1 - p, else 0, in the given shape; new numbers each time the program runs. */
function mask(x: Tensor, shape: Shape, p: number): Tensor {
  return new Tensor(ops.dropoutMask(nextSeed(), { shape, ratio: p })).to(x.dtype);
}

function checkProbability(p: number, name: string): void {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(`${name}: the probability p must be in [0, 1], found ${p}`);
}

function dropped(x: Tensor, shape: Shape, { p = 0.5, training = true }: DropoutOptions, name: string): Tensor {
  checkProbability(p, name);
  if (!training || p === 0) return x;
  return p === 1 ? x.mul(0) : x.mul(mask(x, shape, p));
}

/** Elements set to 0 with probability p, the others scaled by 1 / (1 - p) (Srivastava et al., 2014); x itself outside of training. */
export function dropout(x: Tensor, options: DropoutOptions = {}): Tensor {
  return dropped(x, x.shape, options, 'dropout');
}

const perChannel = (x: Tensor, spatial: number) =>
  x.ndim > spatial + 1 ? x.shape.map((n, i) => (i < 2 ? n : 1)) : x.shape.map((n, i) => (i < 1 ? n : 1));

/** Whole channels of x [batch, channels, length] dropped together. */
export function dropout1d(x: Tensor, options: DropoutOptions = {}): Tensor {
  return dropped(x, perChannel(x, 1), options, 'dropout1d');
}

/** Whole channels of x [batch, channels, height, width] dropped together. */
export function dropout2d(x: Tensor, options: DropoutOptions = {}): Tensor {
  return dropped(x, perChannel(x, 2), options, 'dropout2d');
}

/** Whole channels of x [batch, channels, depth, height, width] dropped together. */
export function dropout3d(x: Tensor, options: DropoutOptions = {}): Tensor {
  return dropped(x, perChannel(x, 3), options, 'dropout3d');
}

/**
 * Dropout for SELU networks: dropped elements take SELU's lowest value, then all are scaled and shifted so that mean and
 * variance stay (Klambauer et al., 2017).
 */
export function alphaDropout(x: Tensor, { p = 0.5, training = true }: DropoutOptions = {}): Tensor {
  checkProbability(p, 'alphaDropout');
  if (!training || p === 0) return x;
  if (p === 1) return x.mul(0);
  const lowest = -1.7580993408473766;
  const a = 1 / Math.sqrt((1 - p) * (1 + p * lowest * lowest));
  const kept = mask(x, x.shape, p).gt(0);
  return where(kept, x.mul(a), a * lowest).sub(a * p * lowest);
}
