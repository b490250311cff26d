/** @file Adagrad: step sizes that shrink with the sum of squared gradients. */
import { fullLike } from '../tensor/index.ts';
import { checkNonNegative } from './check.ts';
import { defineOptimizer, type Hyper } from './optimizer.ts';

export interface AdagradOptions extends Hyper {
  /** The learning rate falls as 1 / (1 + (step - 1) * lrDecay). */
  lrDecay: number;
  /** Fraction of the weight added to its gradient. */
  weightDecay: number;
  /** Where the sum of squares starts. */
  initialAccumulatorValue: number;
  /** Added to the denominator. */
  eps: number;
}

/** Adagrad (Duchi et al. 2011; torch.optim.Adagrad). */
export const adagrad = defineOptimizer({
  name: 'adagrad',
  defaults: { lr: 1e-2, lrDecay: 0, weightDecay: 0, initialAccumulatorValue: 0, eps: 1e-10 } as AdagradOptions,
  state: { sum: (p, { initialAccumulatorValue }: AdagradOptions) => fullLike(p, initialAccumulatorValue) },
  check: ({ lr, lrDecay, weightDecay, initialAccumulatorValue, eps }) =>
    checkNonNegative('adagrad', { lr, lrDecay, weightDecay, initialAccumulatorValue, eps }),
  update({ p, g, step, sum: sum0 }, { lr, lrDecay, weightDecay, eps }) {
    const gradient = g.add(p.mul(weightDecay));
    const sum = sum0.add(gradient.mul(gradient));
    const rate = lr / (1 + (step - 1) * lrDecay);
    return { p: p.sub(gradient.div(sum.sqrt().add(eps)).mul(rate)), sum };
  },
});
