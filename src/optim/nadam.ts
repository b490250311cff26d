/** @file NAdam: Adam with Nesterov momentum. */
import { checkBetas, checkNonNegative } from './check.ts';
import { defineOptimizer, type Hyper, zerosLikeParameter } from './optimizer.ts';

export interface NAdamOptions extends Hyper {
  /** Decay rates of the running mean of gradients and of their squares. */
  betas: readonly [number, number];
  /** Added to the denominator. */
  eps: number;
  /** Fraction of the weight added to its gradient, or removed from the weight if decoupled. */
  weightDecay: number;
  /** How fast the momentum grows to its final value. */
  momentumDecay: number;
  /** Decay the weight itself, as AdamW does. */
  decoupledWeightDecay: boolean;
}

/** Products of the momenta up to a step, kept per pair of constants so that the next one is a single multiplication. */
const products = new Map<string, { step: number; product: number }>();

/** Momentum of one step: beta1 * (1 - 0.96^(step * decay) / 2). */
const momentumAt = (step: number, beta1: number, decay: number) => beta1 * (1 - 0.5 * 0.96 ** (step * decay));

function momentumProduct(step: number, beta1: number, decay: number): number {
  const key = `${beta1} ${decay}`;
  let known = products.get(key);
  if (!known || known.step > step) known = { step: 0, product: 1 };
  for (; known.step < step; known.step++) known.product *= momentumAt(known.step + 1, beta1, decay);
  products.set(key, known);
  return known.product;
}

/** NAdam (Dozat 2016; torch.optim.NAdam). The product of momenta assumes that beta1 does not change during training. */
export const nadam = defineOptimizer({
  name: 'nadam',
  defaults: {
    lr: 2e-3,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0,
    momentumDecay: 4e-3,
    decoupledWeightDecay: false,
  } as NAdamOptions,
  state: { m: zerosLikeParameter, v: zerosLikeParameter },
  check: ({ lr, betas, eps, weightDecay, momentumDecay }) => {
    checkNonNegative('nadam', { lr, eps, weightDecay, momentumDecay });
    checkBetas('nadam', betas);
  },
  update({ p: p0, g: g0, m: m0, v: v0, step }, options) {
    const {
      lr,
      betas: [b1, b2],
      eps,
      weightDecay,
      momentumDecay,
      decoupledWeightDecay,
    } = options;
    const p = decoupledWeightDecay ? p0.mul(1 - lr * weightDecay) : p0;
    const g = decoupledWeightDecay ? g0 : g0.add(p0.mul(weightDecay));
    const mu = momentumAt(step, b1, momentumDecay);
    const next = momentumAt(step + 1, b1, momentumDecay);
    const product = momentumProduct(step, b1, momentumDecay);
    const m = m0.mul(b1).add(g.mul(1 - b1));
    const v = v0.mul(b2).add(g.mul(g).mul(1 - b2));
    const denominator = v
      .sqrt()
      .mul(1 / Math.sqrt(1 - b2 ** step))
      .add(eps);
    const direction = g.mul((lr * (1 - mu)) / (1 - product)).add(m.mul((lr * next) / (1 - product * next)));
    return { p: p.sub(direction.div(denominator)), m, v };
  },
});
