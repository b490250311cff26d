/** @file Adamax: Adam with the infinity norm. */
import { checkBetas, checkNonNegative } from './check.ts';
import { defineOptimizer, type Hyper, zerosLikeParameter } from './optimizer.ts';

export interface AdamaxOptions extends Hyper {
  /** Decay rates of the running mean of gradients and of their largest size. */
  betas: readonly [number, number];
  /** Added to the size of the gradient. */
  eps: number;
  /** Fraction of the weight added to its gradient. */
  weightDecay: number;
}

/** Adamax (Kingma and Ba 2015, section 7; torch.optim.Adamax). */
export const adamax = defineOptimizer({
  name: 'adamax',
  defaults: { lr: 2e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0 } as AdamaxOptions,
  state: { m: zerosLikeParameter, u: zerosLikeParameter },
  check: ({ lr, betas, eps, weightDecay }) => {
    checkNonNegative('adamax', { lr, eps, weightDecay });
    checkBetas('adamax', betas);
  },
  update({ p, g, m: m0, u: u0, step }, { lr, betas: [b1, b2], eps, weightDecay }) {
    const gradient = g.add(p.mul(weightDecay));
    const m = m0.mul(b1).add(gradient.mul(1 - b1));
    const u = u0.mul(b2).maximum(gradient.abs().add(eps));
    return { p: p.sub(m.div(u).mul(lr / (1 - b1 ** step))), m, u };
  },
});
