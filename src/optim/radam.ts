/** @file RAdam: Adam that waits until its second moment can be trusted. */
import { checkBetas, checkNonNegative } from './check.ts';
import { defineOptimizer, type Hyper, zerosLikeParameter } from './optimizer.ts';

export interface RAdamOptions extends Hyper {
  /** Decay rates of the running mean of gradients and of their squares. */
  betas: readonly [number, number];
  /** Added to the denominator. */
  eps: number;
  /** Fraction of the weight added to its gradient, or removed from the weight if decoupled. */
  weightDecay: number;
  /** Decay the weight itself, as AdamW does. */
  decoupledWeightDecay: boolean;
}

/** RAdam (Liu et al. 2020; torch.optim.RAdam). */
export const radam = defineOptimizer({
  name: 'radam',
  defaults: { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, decoupledWeightDecay: false } as RAdamOptions,
  state: { m: zerosLikeParameter, v: zerosLikeParameter },
  check: ({ lr, betas, eps, weightDecay }) => {
    checkNonNegative('radam', { lr, eps, weightDecay });
    checkBetas('radam', betas);
  },
  update({ p: p0, g: g0, m: m0, v: v0, step }, { lr, betas: [b1, b2], eps, weightDecay, decoupledWeightDecay }) {
    const p = decoupledWeightDecay ? p0.mul(1 - lr * weightDecay) : p0;
    const g = decoupledWeightDecay ? g0 : g0.add(p0.mul(weightDecay));
    const m = m0.mul(b1).add(g.mul(1 - b1));
    const v = v0.mul(b2).add(g.mul(g).mul(1 - b2));
    const { adaptive, plain } = rectification(step, b2);
    // One of the two factors is 0: the formula stays the same at every step, as a compiled step needs it.
    const factor = v.sqrt().add(eps).reciprocal().mul(adaptive).add(plain);
    return { p: p.sub(m.mul(lr / (1 - b1 ** step)).mul(factor)), m, v };
  },
});

/** The weights of the adaptive and of the plain step: the second until the variance is tractable (rho > 5). */
function rectification(step: number, b2: number): { adaptive: number; plain: number } {
  const correction = 1 - b2 ** step;
  const limit = 2 / (1 - b2) - 1;
  const rho = limit - (2 * step * b2 ** step) / correction;
  if (rho <= 5) return { adaptive: 0, plain: 1 };
  const rectified = Math.sqrt(((rho - 4) * (rho - 2) * limit) / ((limit - 4) * (limit - 2) * rho));
  return { adaptive: rectified * Math.sqrt(correction), plain: 0 };
}
