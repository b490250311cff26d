/** @file Precision, recall and F1: one number per class, and the ways to make one number of them. */
import { ArgumentError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { ClassCounts, type ClassOptions, type ClassScores, classScores, occurring } from './classes.ts';
import { checkChoice, type Metric, type MetricResult } from './metric.ts';

/**
 * `macro`: mean over classes; `weighted`: mean weighted by the number of samples of a class; `micro`: from counts summed
 * over classes (equals accuracy where every sample has one class); `binary`: class 1 only; `none`: one value per class.
 */
export type Average = 'macro' | 'weighted' | 'micro' | 'binary' | 'none';

export interface AverageOptions extends ClassOptions {
  /** Default `macro`. */
  readonly average?: Average;
  /** Names of the classes, for `none`. Default their indices. */
  readonly labels?: readonly string[];
  /** Name in logs. Default `precision`, `recall` or `f1`. */
  readonly name?: string;
}

/**
 * One of the per-class scores, averaged, with scikit-learn's definitions: a class without samples or predictions scores
 * 0 where its denominator is 0, and averages run over the classes that occur among targets or predictions.
 * `update` takes class scores and class indices, see `ClassOptions`. Of several labels (scores and targets [N, L])
 * `binary` is scikit-learn's `micro`.
 */
export function averagedScore(
  key: 'precision' | 'recall' | 'f1',
  { average = 'macro', labels, name = key, ...options }: AverageOptions,
): Metric<NDArray, NDArray, MetricResult> {
  checkChoice(name, 'average', average, ['macro', 'weighted', 'micro', 'binary', 'none']);
  const counts = new ClassCounts(name, labels);
  return {
    name,
    reset: () => counts.reset(),
    stateDict: () => counts.stateDict(),
    loadStateDict: (state) => counts.loadStateDict(state),
    update: (output, target) => counts.update(output, target, options),
    compute() {
      const scores = classScores(counts.matrix());
      if (average === 'none') return Object.fromEntries(scores.map((s) => [s.label, s[key]]));
      if (scores.every((s) => s.support === 0)) return Number.NaN;
      if (average === 'binary') {
        if (scores.length > 2)
          throw new ArgumentError(
            `metric ${name}: average 'binary' of ${scores.length} classes, expected 2; use 'macro'`,
          );
        return scores[1]?.[key] ?? 0;
      }
      return averageScores(scores, key, average);
    },
  };
}

/** The average of a score over the classes that occur. */
export function averageScores(
  scores: readonly ClassScores[],
  key: 'precision' | 'recall' | 'f1' | 'iou',
  average: 'macro' | 'weighted' | 'micro',
): number {
  const present = occurring(scores);
  const total = present.reduce((sum, s) => sum + s.support, 0);
  if (average === 'macro') return present.reduce((sum, s) => sum + s[key], 0) / present.length;
  if (average === 'weighted') return present.reduce((sum, s) => sum + s[key] * s.support, 0) / total;
  const hits = present.reduce((sum, s) => sum + s.hits, 0);
  // With one class per sample every false positive is another class's false negative: the sums agree.
  return key === 'iou' ? hits / (2 * total - hits) : hits / total;
}
