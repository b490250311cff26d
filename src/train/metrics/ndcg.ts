/** @file The metric `ndcg` of search and recommendation. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { formatShape } from '../../ir/shape.ts';
import { checkInteger, type Metric, numbersOf, numbersState, refuseNaN, sameShapes } from './metric.ts';

/**
 * Normalised discounted cumulative gain (gain = relevance, discount log2(rank + 1)), averaged over queries; items of
 * equal score share the mean of their gains (scikit-learn's `ndcg_score`). Scores and relevances are [queries, items].
 * A query without relevant items scores 0.
 * @param k Only the k highest ranked items count. Default all.
 * @throws On update: ShapeError, NumericError (NaN), ArgumentError (negative relevance).
 */
export function ndcg({
  k,
  name = k === undefined ? 'ndcg' : `ndcg@${k}`,
}: {
  readonly k?: number;
  readonly name?: string;
} = {}): Metric<NDArray, NDArray, number> {
  if (k !== undefined) checkInteger(name, 'k', k, 1);
  let sum = 0;
  let count = 0;
  return {
    name,
    reset() {
      sum = 0;
      count = 0;
    },
    ...numbersState(
      () => [sum, count],
      (saved) => {
        [sum, count] = saved;
      },
    ),
    update(output, target) {
      sameShapes(name, output, target);
      if (output.shape.length !== 2)
        throw new ShapeError(`metric ${name}: output ${formatShape(output.shape)}, expected [queries, items]`);
      const [queries, items] = output.shape;
      const scores = Float64Array.from(numbersOf(output));
      const gains = Float64Array.from(numbersOf(target));
      refuseNaN(scores, name, 'output');
      refuseNaN(gains, name, 'target');
      const negative = gains.findIndex((g) => g < 0);
      if (negative >= 0)
        throw new ArgumentError(
          `metric ${name}: element ${negative} of the target is ${gains[negative]}, expected a relevance of at least 0`,
        );
      for (let q = 0; q < queries; q++) {
        const row = gains.subarray(q * items, (q + 1) * items);
        const best = dcg(row, row, k ?? items);
        sum += best === 0 ? 0 : dcg(row, scores.subarray(q * items, (q + 1) * items), k ?? items) / best;
        count++;
      }
    },
    compute: () => sum / count,
  };
}

/** Discounted gain in the order of falling scores, each group of equal scores at its mean gain. */
function dcg(gains: Float64Array, scores: Float64Array, k: number): number {
  const order = Uint32Array.from(gains.keys()).sort((a, b) => scores[b] - scores[a]);
  let sum = 0;
  for (let start = 0; start < order.length && start < k; ) {
    let end = start;
    let gain = 0;
    while (end < order.length && scores[order[end]] === scores[order[start]]) gain += gains[order[end++]];
    for (let rank = start; rank < Math.min(end, k); rank++) sum += gain / (end - start) / Math.log2(rank + 2);
    start = end;
  }
  return sum;
}
