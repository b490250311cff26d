/** @file Adam, and what it shares with AdamW. */
import type { Tensor } from '../tensor/index.ts';
import { checkBetas, checkNonNegative } from './check.ts';
import { defineOptimizer, type Hyper, type UpdateInput, zerosLikeParameter } from './optimizer.ts';

export interface AdamOptions extends Hyper {
  /** Decay rates of the running mean of gradients and of their squares. */
  betas: readonly [number, number];
  /** Added to the denominator. */
  eps: number;
  /** Fraction of the weight added to its gradient (L2 penalty). */
  weightDecay: number;
  /** Divide by the largest running mean of squares so far (Reddi et al. 2018). */
  amsgrad: boolean;
}

type AdamState = UpdateInput<'m' | 'v', 'vMax'>;

/** m / (sqrt(v) + eps) with bias correction, times the learning rate, and the new moments. */
export function adamStep({ g, m: m0, v: v0, vMax: vMax0, step }: AdamState, options: AdamOptions) {
  const {
    lr,
    betas: [b1, b2],
    eps,
  } = options;
  const m = m0.mul(b1).add(g.mul(1 - b1));
  const v = v0.mul(b2).add(g.mul(g).mul(1 - b2));
  const vMax = vMax0?.maximum(v);
  const denominator = (vMax ?? v)
    .sqrt()
    .mul(1 / Math.sqrt(1 - b2 ** step))
    .add(eps);
  const change: Tensor = m.div(denominator).mul(lr / (1 - b1 ** step));
  return { change, m, v, vMax };
}

/** @throws ArgumentError for options out of range. */
export function checkAdam(name: string, { lr, betas, eps, weightDecay }: AdamOptions): void {
  checkNonNegative(name, { lr, eps, weightDecay });
  checkBetas(name, betas);
}

/** State of Adam: `vMax` only with amsgrad. */
export const adamOptionalState = ({ amsgrad }: AdamOptions) => (amsgrad ? { vMax: zerosLikeParameter } : {});

/** Adam (Kingma and Ba 2015; torch.optim.Adam). */
export const adam = defineOptimizer({
  name: 'adam',
  defaults: { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, amsgrad: false } as AdamOptions,
  state: { m: zerosLikeParameter, v: zerosLikeParameter },
  optionalState: adamOptionalState,
  check: (options) => checkAdam('adam', options),
  update(input, options) {
    const g = input.g.add(input.p.mul(options.weightDecay));
    const { change, ...state } = adamStep({ ...input, g }, options);
    return { p: input.p.sub(change), ...state };
  },
});
