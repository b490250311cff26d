/** @file Adafactor: second moments kept as a row and a column per matrix. */
import { ArgumentError } from '../ir/errors.ts';
import { type Tensor, zeros } from '../tensor/index.ts';
import { checkNonNegative } from './check.ts';
import { defineOptimizer, type Hyper, zerosLikeParameter } from './optimizer.ts';

export interface AdafactorOptions extends Hyper {
  /** Exponent of the decay rate: 1 - step^beta2Decay; 0 or less. */
  beta2Decay: number;
  /** Least root of the second moment, and least size of a parameter that the step is measured by. */
  eps: readonly [number, number];
  /** Largest root mean square of an update, 1 or more. */
  d: number;
  /** Fraction of the weight removed per unit of learning rate. */
  weightDecay: number;
}

const rootMeanSquare = (x: Tensor) => x.mul(x).mean().sqrt();
const meanOfSquares = (x: Tensor, dim: number) => x.mul(x).mean(dim, { keepdim: true });

/**
 * Adafactor (Shazeer and Stern 2018; torch.optim.Adafactor). Matrices (the last two dimensions) keep a row and a column of
 * second moments instead of the whole; vectors keep all.
 */
export const adafactor = defineOptimizer({
  name: 'adafactor',
  defaults: { lr: 1e-2, beta2Decay: -0.8, eps: [2 ** -23, 1e-3], d: 1, weightDecay: 0 } as AdafactorOptions,
  state: {},
  optionalState: (_, { ndim, shape }) =>
    ndim > 1
      ? {
          rowVar: (p: Tensor) => zeros([...shape.slice(0, -1), 1], { dtype: p.dtype }),
          colVar: (p: Tensor) => zeros([...shape.slice(0, -2), 1, shape[ndim - 1]], { dtype: p.dtype }),
        }
      : { variance: zerosLikeParameter },
  check: ({ lr, beta2Decay, eps, d, weightDecay }) => {
    checkNonNegative('adafactor', { lr, 'eps[0]': eps[0], 'eps[1]': eps[1], weightDecay });
    if (!(beta2Decay <= 0)) throw new ArgumentError(`adafactor: beta2Decay must be 0 or less, found ${beta2Decay}`);
    if (!(d >= 1)) throw new ArgumentError(`adafactor: d must be 1 or more, found ${d}`);
  },
  update({ p, g, step, ...state }, { lr, beta2Decay, eps: [eps1, eps2], d, weightDecay }) {
    const rate = step ** beta2Decay;
    const follow = (old: Tensor, now: Tensor) => old.mul(1 - rate).add(now.mul(rate));
    const rowVar = state.rowVar && follow(state.rowVar, meanOfSquares(g, -1));
    const colVar = state.colVar && follow(state.colVar, meanOfSquares(g, -2));
    const variance = state.variance && follow(state.variance, g.mul(g));
    const estimate =
      rowVar && colVar ? rowVar.mul(colVar).div(rowVar.mean(-2, { keepdim: true }).maximum(eps1)) : variance;
    if (!estimate) throw new ArgumentError('adafactor: the state does not fit the parameter');
    const update = g.div(estimate.maximum(eps1 * eps1).sqrt());
    const clipped = rootMeanSquare(update).div(d).maximum(1);
    const alpha = rootMeanSquare(p)
      .maximum(eps2)
      .mul(Math.min(lr, 1 / Math.sqrt(step)));
    return { p: p.mul(1 - lr * weightDecay).sub(update.mul(alpha.div(clipped))), rowVar, colVar, variance };
  },
});
