/** @file LAMB: Adam with a step as long as the weights of each layer allow. */
import { where } from '../tensor/compare.ts';
import type { Tensor } from '../tensor/index.ts';
import { checkBetas, checkNonNegative } from './check.ts';
import { defineOptimizer, type Hyper, zerosLikeParameter } from './optimizer.ts';

export interface LambOptions extends Hyper {
  /** Decay rates of the running mean of gradients and of their squares. */
  betas: readonly [number, number];
  /** Added to the denominator. */
  eps: number;
  /** Fraction of the weight added to the update. */
  weightDecay: number;
}

const norm = (x: Tensor) => x.mul(x).sum().sqrt();

/**
 * LAMB (You et al. 2020, "Large Batch Optimization for Deep Learning", algorithm 2) with bias correction. The trust ratio
 * |p| / |update| is 1 where either norm is 0.
 */
export const lamb = defineOptimizer({
  name: 'lamb',
  defaults: { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-6, weightDecay: 0 } as LambOptions,
  state: { m: zerosLikeParameter, v: zerosLikeParameter },
  check: ({ lr, betas, eps, weightDecay }) => {
    checkNonNegative('lamb', { lr, eps, weightDecay });
    checkBetas('lamb', betas);
  },
  update({ p, g, m: m0, v: v0, step }, { lr, betas: [b1, b2], eps, weightDecay }) {
    const m = m0.mul(b1).add(g.mul(1 - b1));
    const v = v0.mul(b2).add(g.mul(g).mul(1 - b2));
    const denominator = v
      .sqrt()
      .mul(1 / Math.sqrt(1 - b2 ** step))
      .add(eps);
    const update = m
      .mul(1 / (1 - b1 ** step))
      .div(denominator)
      .add(p.mul(weightDecay));
    const [size, length] = [norm(p), norm(update)];
    const trust = where(size.mul(length).gt(0), size.div(length), 1);
    return { p: p.sub(update.mul(trust.mul(lr))), m, v };
  },
});
