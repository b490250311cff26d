/** @file What a loss does with the losses of its elements. */

import { lossOf } from '../../tensor/autograd.ts';
import type { Tensor } from '../../tensor/index.ts';
import { requireOneOf } from '../../tensor/lift.ts';

/** The mean, the sum, or every element's own. */
export type Reduction = 'mean' | 'sum' | 'none';

export interface LossOptions {
  reduction?: Reduction;
}

/**
 * @param prediction what the losses were computed from; it stays readable after the optimiser's step.
 * @throws ArgumentError for an unknown reduction.
 */
export function reduced(losses: Tensor, reduction: Reduction = 'mean', name = 'loss', prediction?: Tensor): Tensor {
  requireOneOf(reduction, ['mean', 'sum', 'none'], name, 'reduction');
  const loss = reduction === 'mean' ? losses.mean() : reduction === 'sum' ? losses.sum() : losses;
  return prediction ? lossOf(loss, prediction) : loss;
}
