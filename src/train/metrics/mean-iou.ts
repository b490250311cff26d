/** @file The metric `meanIoU` of semantic segmentation. */
import type { NDArray } from '../../ir/ndarray.ts';
import { averageScores } from './averages.ts';
import { ClassCounts, type ClassOptions, classScores } from './classes.ts';
import type { Metric, MetricResult } from './metric.ts';

export interface MeanIoUOptions extends ClassOptions {
  /** Also give the value of every class, as `<name>/<label>`. Default false. */
  readonly perClass?: boolean;
  readonly labels?: readonly string[];
  readonly name?: string;
}

/**
 * Intersection over union (Jaccard index, TP / (TP + FP + FN)) of every class over all pixels seen, averaged over the
 * classes that occur among targets or predictions. Takes class scores [N, C, H, W] and targets [N, H, W].
 * @throws On update: ShapeError, ArgumentError (targets that are no classes), NumericError (NaN).
 */
export function meanIoU({
  perClass = false,
  labels,
  name = 'mean_iou',
  ...options
}: MeanIoUOptions = {}): Metric<NDArray, NDArray, MetricResult> {
  const counts = new ClassCounts(name, labels);
  return {
    name,
    reset: () => counts.reset(),
    stateDict: () => counts.stateDict(),
    loadStateDict: (state) => counts.loadStateDict(state),
    update: (output, target) => counts.update(output, target, options),
    compute() {
      const scores = classScores(counts.matrix());
      const mean = averageScores(scores, 'iou', 'macro');
      if (!perClass) return mean;
      return { [name]: mean, ...Object.fromEntries(scores.map((s) => [`${name}/${s.label}`, s.iou])) };
    },
  };
}
