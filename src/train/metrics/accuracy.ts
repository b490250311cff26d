/** @file The metrics `accuracy` and `topKAccuracy`. */
import type { NDArray } from '../../ir/ndarray.ts';
import { type ClassOptions, checkClass, classLayout, visitClasses } from './classes.ts';
import { checkInteger, type Metric, numbersOf, numbersState, refuseNaN } from './metric.ts';

/**
 * Share of samples (or pixels, tokens) whose predicted class is the target.
 * @throws On update: ShapeError, ArgumentError (targets that are no classes), NumericError (NaN).
 */
export function accuracy({
  name = 'accuracy',
  ...options
}: ClassOptions & { readonly name?: string } = {}): Metric<NDArray, NDArray, number> {
  let correct = 0;
  let total = 0;
  return {
    name,
    reset() {
      correct = 0;
      total = 0;
    },
    ...numbersState(
      () => [correct, total],
      (saved) => {
        [correct, total] = saved;
      },
    ),
    update(output, target) {
      visitClasses(name, output, target, options, (predicted, actual) => {
        total++;
        if (predicted === actual) correct++;
      });
    },
    compute: () => correct / total,
  };
}

export interface TopKOptions extends Omit<ClassOptions, 'threshold'> {
  /** Default 5. */
  readonly k?: number;
  /** Default `top5_accuracy` for k = 5. */
  readonly name?: string;
}

/**
 * Share of samples whose target is among the `k` classes of highest score; of equal scores the lower index ranks first.
 * @throws On update: ShapeError, ArgumentError (targets that are no classes), NumericError (NaN).
 */
export function topKAccuracy({
  k = 5,
  name = `top${k}_accuracy`,
  classAxis,
  ignoreIndex,
}: TopKOptions = {}): Metric<NDArray, NDArray, number> {
  checkInteger(name, 'k', k, 1);
  let correct = 0;
  let total = 0;
  return {
    name,
    reset() {
      correct = 0;
      total = 0;
    },
    ...numbersState(
      () => [correct, total],
      (saved) => {
        [correct, total] = saved;
      },
    ),
    update(output, target) {
      const { outer, classes, inner } = classLayout(name, output, target, classAxis);
      const scores = numbersOf(output);
      const actual = numbersOf(target);
      refuseNaN(scores, name, 'output');
      let [hits, seen] = [0, 0];
      for (let o = 0, at = 0; o < outer; o++) {
        for (let i = 0; i < inner; i++, at++) {
          if (actual[at] === ignoreIndex) continue;
          const wanted = checkClass(name, 'target', actual[at], at, classes);
          const first = o * classes * inner + i;
          const score = scores[first + wanted * inner];
          let rank = 0;
          for (let c = 0; c < classes; c++) {
            const other = scores[first + c * inner];
            if (other > score || (other === score && c < wanted)) rank++;
          }
          seen++;
          if (rank < k) hits++;
        }
      }
      correct += hits;
      total += seen;
    },
    compute: () => correct / total,
  };
}
