/** @file The metrics `perplexity` and `bitsPerCharacter` of language models. */
import { ArgumentError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { checkClass, classLayout } from './classes.ts';
import { type Metric, numbersOf, numbersState, refuseNaN } from './metric.ts';

export interface PerplexityOptions {
  /** Axis of the vocabulary. Default -1: logits [batch, sequence, vocabulary]. */
  readonly classAxis?: number;
  /** Targets with this id are left out. Default -100, as in `F.crossEntropy`. */
  readonly ignoreIndex?: number;
  readonly name?: string;
}

/**
 * exp of the mean cross entropy (nats) per token that is not ignored, from logits and token ids.
 * @throws On update: ShapeError, ArgumentError (ids outside of the vocabulary), NumericError (NaN).
 */
export function perplexity(options: PerplexityOptions = {}): Metric<NDArray, NDArray, number> {
  return tokenMetric('perplexity', options, Math.exp);
}

/**
 * Mean cross entropy in bits (base 2) per token that is not ignored: of a model of characters, its bits per character.
 * @throws On update: as `perplexity`.
 */
export function bitsPerCharacter(options: PerplexityOptions = {}): Metric<NDArray, NDArray, number> {
  return tokenMetric('bits_per_character', options, (nats) => nats / Math.LN2);
}

function tokenMetric(
  defaultName: string,
  { classAxis = -1, ignoreIndex = -100, name = defaultName }: PerplexityOptions,
  result: (nats: number) => number,
): Metric<NDArray, NDArray, number> {
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
      const { outer, classes, inner } = classLayout(name, output, target, classAxis);
      if (classes === 1)
        throw new ArgumentError(
          `metric ${name}: the output has no axis of logits; expected one axis more than the target`,
        );
      const logits = numbersOf(output);
      const ids = numbersOf(target);
      refuseNaN(logits, name, 'output');
      let [batchSum, batchCount] = [0, 0];
      for (let o = 0, at = 0; o < outer; o++) {
        for (let i = 0; i < inner; i++, at++) {
          if (ids[at] === ignoreIndex) continue;
          const first = o * classes * inner + i;
          const wanted = logits[first + checkClass(name, 'target', ids[at], at, classes) * inner];
          let max = Number.NEGATIVE_INFINITY;
          for (let c = 0; c < classes; c++) max = Math.max(max, logits[first + c * inner]);
          let total = 0;
          for (let c = 0; c < classes; c++) total += Math.exp(logits[first + c * inner] - max);
          batchSum += Math.log(total) + max - wanted;
          batchCount++;
        }
      }
      sum += batchSum;
      count += batchCount;
    },
    compute: () => result(sum / count),
  };
}
