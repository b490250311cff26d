/** @file The metric `equalErrorRate` of verification: speakers, faces, fingerprints. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { formatShape, sizeOf } from '../../ir/shape.ts';
import { type Metric, NumberList, numbersOf, refuseNaN } from './metric.ts';

/**
 * Equal error rate: where the share of false acceptances equals that of false rejections as the threshold on the score
 * varies, on straight lines between the points of the ROC curve (scikit-learn's `roc_curve` and
 * `brentq(lambda x: 1 - x - interp1d(fpr, tpr)(x), 0, 1)`). 0 is perfect, 0.5 is chance.
 * `update(scores, same)`: scores [N], higher for the same identity; same [N], 1 for pairs of one identity and 0 for others.
 * NaN until both kinds were seen.
 * @throws On update: ShapeError, ArgumentError (labels other than 0 and 1), NumericError (NaN).
 */
export function equalErrorRate({ name = 'eer' }: { readonly name?: string } = {}): Metric<NDArray, NDArray, number> {
  const scores = new NumberList();
  const labels = new NumberList();
  return {
    name,
    reset() {
      scores.clear();
      labels.clear();
    },
    stateDict: () => ({ scores: scores.stateDict(), labels: labels.stateDict() }),
    loadStateDict(state) {
      const saved = state as { scores: string; labels: string };
      scores.loadStateDict(saved.scores);
      labels.loadStateDict(saved.labels);
    },
    update(output, target) {
      if (sizeOf(output.shape) !== sizeOf(target.shape))
        throw new ShapeError(
          `metric ${name}: scores ${formatShape(output.shape)} and labels ${formatShape(target.shape)} must have as many elements`,
        );
      const values = numbersOf(output);
      refuseNaN(values, name, 'output');
      const same = numbersOf(target);
      same.forEach((label: number, i: number) => {
        if (label !== 0 && label !== 1)
          throw new ArgumentError(`metric ${name}: label ${label} of pair ${i} must be 1 (same identity) or 0`);
      });
      for (let i = 0; i < values.length; i++) {
        scores.push(values[i]);
        labels.push(same[i]);
      }
    },
    compute: () => crossing(scores.values(), labels.values()),
  };
}

/** Lowers the threshold from score to score until false acceptances are as frequent as false rejections. */
function crossing(scores: Float64Array, labels: Float64Array): number {
  const positives = labels.reduce((sum, label) => sum + label, 0);
  const negatives = labels.length - positives;
  if (positives === 0 || negatives === 0) return Number.NaN;
  const order = Uint32Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a]);
  let [accepted, rejected] = [0, 1];
  for (let at = 0; at < order.length; ) {
    const score = scores[order[at]];
    let [wrong, right] = [0, 0];
    for (; at < order.length && scores[order[at]] === score; at++) {
      if (labels[order[at]] === 1) right++;
      else wrong++;
    }
    const [up, down] = [wrong / negatives, right / positives];
    if (accepted + up >= rejected - down) return accepted + (up * (rejected - accepted)) / (up + down);
    accepted += up;
    rejected -= down;
  }
  return accepted;
}
