/** @file Numbers that decoders need: logarithms of sums, rows of log-probabilities, the best of many. */
import type { NumericArray } from '../../ir/dtype.ts';

/** log(exp(a) + exp(b)) without overflow; -Infinity stands for probability 0. */
export function logAdd(a: number, b: number): number {
  if (a === Number.NEGATIVE_INFINITY) return b;
  if (b === Number.NEGATIVE_INFINITY) return a;
  return a > b ? a + Math.log1p(Math.exp(b - a)) : b + Math.log1p(Math.exp(a - b));
}

/** The log-softmax of `size` numbers from `from` on. Log-probabilities come out as they went in. */
export function logSoftmaxRow(data: NumericArray, from: number, size: number): Float64Array {
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < size; i++) max = Math.max(max, data[from + i]);
  let sum = 0;
  for (let i = 0; i < size; i++) sum += Math.exp(data[from + i] - max);
  const total = max + Math.log(sum);
  return Float64Array.from({ length: size }, (_, i) => data[from + i] - total);
}

/** Positions of the k largest numbers, largest first; of equal ones the earlier comes first. */
export function largest(values: ArrayLike<number>, k: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (best.length === k && !(values[i] > values[best[k - 1]])) continue;
    let at = best.length;
    while (at > 0 && values[i] > values[best[at - 1]]) at--;
    best.splice(at, 0, i);
    if (best.length > k) best.pop();
  }
  return best;
}
