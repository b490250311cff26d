/** @file The metric `precision`. */
import type { NDArray } from '../../ir/ndarray.ts';
import { type AverageOptions, averagedScore } from './averages.ts';
import type { Metric } from './metric.ts';

/**
 * Of the samples predicted to be of a class, the share that are (true positives / predicted positives).
 * As scikit-learn's `precision_score` with `zero_division=0`; the default average is `macro`.
 * @throws On update: ShapeError, ArgumentError (targets that are no classes), NumericError (NaN).
 */
export function precision(options: AverageOptions = {}): Metric<NDArray, NDArray> {
  return averagedScore('precision', options);
}
