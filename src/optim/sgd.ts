/** @file SGD: gradient descent, with momentum. */
import { ArgumentError } from '../ir/errors.ts';
import { checkFinite, checkNonNegative } from './check.ts';
import { defineOptimizer, type Hyper, zerosLikeParameter } from './optimizer.ts';

export interface SGDOptions extends Hyper {
  /** How much of the previous direction is kept; 0 needs no state. */
  momentum: number;
  /** How much of the gradient is left out of the running direction, from the second step on. */
  dampening: number;
  /** Fraction of the weight added to its gradient. */
  weightDecay: number;
  /** Look ahead along the running direction (Nesterov momentum). */
  nesterov: boolean;
}

/** Stochastic gradient descent (torch.optim.SGD). The first step takes the whole gradient into the running direction. */
export const sgd = defineOptimizer({
  name: 'sgd',
  defaults: { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false } as SGDOptions,
  state: {},
  optionalState: ({ momentum }) => (momentum === 0 ? {} : { momentumBuffer: zerosLikeParameter }),
  check: ({ lr, momentum, dampening, weightDecay, nesterov }) => {
    checkNonNegative('sgd', { lr, momentum, weightDecay });
    checkFinite('sgd', { dampening });
    if (nesterov && (momentum === 0 || dampening !== 0))
      throw new ArgumentError('sgd: nesterov needs a momentum above 0 and a dampening of 0');
  },
  update({ p, g, step, momentumBuffer }, { lr, momentum, dampening, weightDecay, nesterov }) {
    const gradient = g.add(p.mul(weightDecay));
    if (!momentumBuffer) return { p: p.sub(gradient.mul(lr)) };
    const buffer = momentumBuffer.mul(momentum).add(gradient.mul(step === 1 ? 1 : 1 - dampening));
    const direction = nesterov ? gradient.add(buffer.mul(momentum)) : buffer;
    return { p: p.sub(direction.mul(lr)), momentumBuffer: buffer };
  },
});
