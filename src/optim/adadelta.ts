/** @file Adadelta: steps in the units of the parameter. */
import { ArgumentError } from '../ir/errors.ts';
import { checkNonNegative } from './check.ts';
import { defineOptimizer, type Hyper, zerosLikeParameter } from './optimizer.ts';

export interface AdadeltaOptions extends Hyper {
  /** Decay rate of both running means of squares, in [0, 1]. */
  rho: number;
  /** Added under both roots. */
  eps: number;
  /** Fraction of the weight added to its gradient. */
  weightDecay: number;
}

/** Adadelta (Zeiler 2012; torch.optim.Adadelta). */
export const adadelta = defineOptimizer({
  name: 'adadelta',
  defaults: { lr: 1, rho: 0.9, eps: 1e-6, weightDecay: 0 } as AdadeltaOptions,
  state: { squareAvg: zerosLikeParameter, deltaAvg: zerosLikeParameter },
  check: ({ lr, rho, eps, weightDecay }) => {
    checkNonNegative('adadelta', { lr, rho, eps, weightDecay });
    if (rho > 1) throw new ArgumentError(`adadelta: rho must be in [0, 1], found ${rho}`);
  },
  update({ p, g, squareAvg: square0, deltaAvg: delta0 }, { lr, rho, eps, weightDecay }) {
    const gradient = g.add(p.mul(weightDecay));
    const squareAvg = square0.mul(rho).add(gradient.mul(gradient).mul(1 - rho));
    const delta = delta0.add(eps).sqrt().div(squareAvg.add(eps).sqrt()).mul(gradient);
    const deltaAvg = delta0.mul(rho).add(delta.mul(delta).mul(1 - rho));
    return { p: p.sub(delta.mul(lr)), squareAvg, deltaAvg };
  },
});
