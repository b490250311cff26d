/** @file The metric `meanIoU` of semantic segmentation. */
import type { NDArray } from '../../ir/ndarray.ts';
import { averageScores } from './averages.ts';
import { ClassCounts, type ClassOptions, classScores } from './classes.ts';
import type { Metric, MetricResult } from './metric.ts';

export interface MeanIoUOptions extends ClassOptions {
  /** Also give the value of every class, as `<name>/<label>`: 0 for one that does not occur, which the mean leaves out. Default false. */
  readonly perClass?: boolean;
  readonly labels?: readonly string[];
  readonly name?: string;
}

/**
 * Intersection over union (Jaccard index, TP / (TP + FP + FN)) of every class over all pixels seen, averaged over the
 * classes that occur among targets or predictions: a class whose targets `ignoreIndex` leaves out has IoU 0 where it is
 * predicted elsewhere (scikit-learn's `jaccard_score` of the pixels left; torchmetrics leaves it out of the mean). Takes class scores [N, C, H, W] and targets [N, H, W].
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
