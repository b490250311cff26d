/** @file RMSprop: gradients divided by the running root mean square. */
import { checkNonNegative, checkShares } from './check.ts';
import { defineOptimizer, type Hyper, zerosLikeParameter } from './optimizer.ts';

export interface RMSpropOptions extends Hyper {
  /** Decay rate of the running mean of squares. */
  alpha: number;
  /** Added to the denominator. */
  eps: number;
  /** Fraction of the weight added to its gradient. */
  weightDecay: number;
  /** How much of the previous direction is kept. */
  momentum: number;
  /** Divide by the running standard deviation instead of the root mean square. */
  centered: boolean;
}

/** RMSprop (Hinton 2012; centred: Graves 2013; torch.optim.RMSprop). */
export const rmsprop = defineOptimizer({
  name: 'rmsprop',
  defaults: { lr: 1e-2, alpha: 0.99, eps: 1e-8, weightDecay: 0, momentum: 0, centered: false } as RMSpropOptions,
  state: { squareAvg: zerosLikeParameter },
  optionalState: ({ momentum, centered }) => ({
    ...(centered ? { gradAvg: zerosLikeParameter } : {}),
    ...(momentum > 0 ? { momentumBuffer: zerosLikeParameter } : {}),
  }),
  check: ({ lr, alpha, eps, weightDecay, momentum }) => {
    checkNonNegative('rmsprop', { lr, eps, weightDecay, momentum });
    checkShares('rmsprop', { alpha });
  },
  update({ p, g, ...state }, { lr, alpha, eps, weightDecay, momentum }) {
    const gradient = g.add(p.mul(weightDecay));
    const squareAvg = state.squareAvg.mul(alpha).add(gradient.mul(gradient).mul(1 - alpha));
    const gradAvg = state.gradAvg?.mul(alpha).add(gradient.mul(1 - alpha));
    const variance = gradAvg ? squareAvg.sub(gradAvg.mul(gradAvg)) : squareAvg;
    const scaled = gradient.div(variance.sqrt().add(eps));
    const momentumBuffer = state.momentumBuffer?.mul(momentum).add(scaled);
    return { p: p.sub((momentumBuffer ?? scaled).mul(lr)), squareAvg, gradAvg, momentumBuffer };
  },
});
