/** @file The metric `recall`. */
import type { NDArray } from '../../ir/ndarray.ts';
import { type AverageOptions, averagedScore } from './averages.ts';
import type { Metric } from './metric.ts';

/**
 * Of the samples of a class, the share that were found (true positives / actual positives).
 * As scikit-learn's `recall_score` with `zero_division=0`; the default average is `macro`.
 * @throws On update: ShapeError, ArgumentError (targets that are no classes), NumericError (NaN).
 */
export function recall(options: AverageOptions = {}): Metric<NDArray, NDArray> {
  return averagedScore('recall', options);
}
