/** @file The metric `f1`. */
import type { NDArray } from '../../ir/ndarray.ts';
import { type AverageOptions, averagedScore } from './averages.ts';
import type { Metric } from './metric.ts';

/**
 * Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).
 * As scikit-learn's `f1_score` with `zero_division=0`; the default average is `macro`.
 * @throws On update: ShapeError, ArgumentError (targets that are no classes), NumericError (NaN).
 */
export function f1(options: AverageOptions = {}): Metric<NDArray, NDArray> {
  return averagedScore('f1', options);
}
