/** @file AdamW: Adam with decoupled weight decay. */
import { checkBetas, checkNonNegative } from './check.ts';
import { defineOptimizer, zerosLikeParameter } from './optimizer.ts';

export interface AdamWOptions {
  /** Learning rate. */
  lr: number;
  /** Decay rates of the running mean of gradients and of their squares. */
  betas: readonly [number, number];
  /** Added to the denominator. */
  eps: number;
  /** Fraction of the weight removed per unit of learning rate. */
  weightDecay: number;
}

/** AdamW (Loshchilov and Hutter 2019; torch.optim.AdamW). */
export const adamw = defineOptimizer({
  name: 'adamw',
  defaults: { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 1e-2 } as AdamWOptions,
  state: { m: zerosLikeParameter, v: zerosLikeParameter },
  check: ({ lr, betas, eps, weightDecay }) => {
    checkNonNegative('adamw', { lr, eps, weightDecay });
    checkBetas('adamw', betas);
  },
  update({ p, g, m: m0, v: v0, step }, { lr, betas: [b1, b2], eps, weightDecay }) {
    const m = m0.mul(b1).add(g.mul(1 - b1));
    const v = v0.mul(b2).add(g.mul(g).mul(1 - b2));
    const denom = v
      .sqrt()
      .div(Math.sqrt(1 - b2 ** step))
      .add(eps);
    const decayed = p.mul(1 - lr * weightDecay);
    return { p: decayed.sub(m.div(denom).mul(lr / (1 - b1 ** step))), m, v };
  },
});
