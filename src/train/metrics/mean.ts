/** @file The metric `mean` (of losses or anything else). */
import { ArgumentError, NumericError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { type Metric, numbersOf, numbersState } from './metric.ts';

/**
 * Weighted mean of numbers: `update(loss, batchSize)` with the mean loss of each batch gives the mean over all samples,
 * also when the last batch is smaller. An array counts as the mean of its elements.
 * @throws On update: NumericError for NaN or infinite values or weights, ArgumentError for an array without elements.
 */
export function mean({ name = 'loss' }: { readonly name?: string } = {}): Metric<
  number | NDArray,
  number | undefined,
  number
> & {
  update(value: number | NDArray, weight?: number): void;
} {
  let sum = 0;
  let weights = 0;
  return {
    name,
    reset() {
      sum = 0;
      weights = 0;
    },
    ...numbersState(
      () => [sum, weights],
      (saved) => {
        [sum, weights] = saved;
      },
    ),
    update(value, weight = 1) {
      let number = 0;
      if (typeof value === 'number') number = value;
      else {
        const values = numbersOf(value);
        if (values.length === 0) throw new ArgumentError(`metric ${name}: the mean of an array without elements`);
        for (const v of values) number += v / values.length;
      }
      if (!Number.isFinite(number) || !Number.isFinite(weight))
        throw new NumericError(
          `metric ${name}: value ${number} with weight ${weight}; check the loss and the learning rate`,
        );
      sum += number * weight;
      weights += weight;
    },
    compute: () => sum / weights,
  };
}
