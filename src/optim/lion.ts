/** @file Lion: the sign of a momentum. */
import { checkBetas, checkNonNegative } from './check.ts';
import { defineOptimizer, type Hyper, zerosLikeParameter } from './optimizer.ts';

export interface LionOptions extends Hyper {
  /** Share of the momentum in the update, and decay rate of the momentum. */
  betas: readonly [number, number];
  /** Fraction of the weight removed per unit of learning rate. */
  weightDecay: number;
}

/** Lion (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2). */
export const lion = defineOptimizer({
  name: 'lion',
  defaults: { lr: 1e-4, betas: [0.9, 0.99], weightDecay: 0 } as LionOptions,
  state: { m: zerosLikeParameter },
  check: ({ lr, betas, weightDecay }) => {
    checkNonNegative('lion', { lr, weightDecay });
    checkBetas('lion', betas);
  },
  update({ p, g, m }, { lr, betas: [b1, b2], weightDecay }) {
    const direction = m
      .mul(b1)
      .add(g.mul(1 - b1))
      .sign();
    return { p: p.mul(1 - lr * weightDecay).sub(direction.mul(lr)), m: m.mul(b2).add(g.mul(1 - b2)) };
  },
});
