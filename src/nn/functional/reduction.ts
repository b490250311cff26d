/** @file What a loss does with the losses of its elements. */
import type { Tensor } from '../../tensor/index.ts';
import { requireOneOf } from '../../tensor/lift.ts';

/** The mean, the sum, or every element's own. */
export type Reduction = 'mean' | 'sum' | 'none';

export interface LossOptions {
  reduction?: Reduction;
}

/** @throws ArgumentError for an unknown reduction. */
export function reduced(losses: Tensor, reduction: Reduction = 'mean', name = 'loss'): Tensor {
  requireOneOf(reduction, ['mean', 'sum', 'none'], name, 'reduction');
  return reduction === 'mean' ? losses.mean() : reduction === 'sum' ? losses.sum() : losses;
}
