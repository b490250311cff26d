/** @file AdamW: Adam with decoupled weight decay. */
import { type AdamOptions, adamOptionalState, adamStep, checkAdam } from './adam.ts';
import { defineOptimizer, zerosLikeParameter } from './optimizer.ts';

export interface AdamWOptions extends AdamOptions {
  /** Fraction of the weight removed per unit of learning rate. */
  weightDecay: number;
}

/** AdamW (Loshchilov and Hutter 2019; torch.optim.AdamW). */
export const adamw = defineOptimizer({
  name: 'adamw',
  defaults: { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 1e-2, amsgrad: false } as AdamWOptions,
  state: { m: zerosLikeParameter, v: zerosLikeParameter },
  optionalState: adamOptionalState,
  check: (options) => checkAdam('adamw', options),
  update(input, options) {
    const { change, ...state } = adamStep(input, options);
    return { p: input.p.mul(1 - options.lr * options.weightDecay).sub(change), ...state };
  },
});
