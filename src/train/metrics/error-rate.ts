/** @file Metrics of speech and text recognition: word and character error rate. */
import { ShapeError } from '../../ir/errors.ts';
import { type Metric, numbersState } from './metric.ts';
import { splitWords, trim } from './words.ts';

/**
 * Word error rate: the least number of inserted, deleted and replaced words, over the number of words in the
 * references. Words are separated by any white space (jiwer separates at spaces only); case and punctuation count.
 * While the references hold no word the rate is Infinity where the predictions hold some, else NaN, as in torchmetrics
 * (jiwer gives the number of insertions).
 * `update(predictions, references)` takes lists of equal length.
 * @throws On update: ShapeError for lists of different length.
 */
export function wer({
  name = 'wer',
}: {
  readonly name?: string;
} = {}): Metric<readonly string[], readonly string[], number> {
  return errorRate(name, splitWords);
}

/**
 * Character error rate: as `wer`, with the characters (code points) of each text, white space at its ends removed.
 * @throws On update: ShapeError for lists of different length.
 */
export function cer({
  name = 'cer',
}: {
  readonly name?: string;
} = {}): Metric<readonly string[], readonly string[], number> {
  return errorRate(name, (text) => [...trim(text)]);
}

function errorRate(
  name: string,
  split: (text: string) => string[],
): Metric<readonly string[], readonly string[], number> {
  let edits = 0;
  let length = 0;
  return {
    name,
    reset() {
      edits = 0;
      length = 0;
    },
    ...numbersState(
      () => [edits, length],
      (saved) => {
        [edits, length] = saved;
      },
    ),
    update(predictions, references) {
      if (predictions.length !== references.length)
        throw new ShapeError(`metric ${name}: ${predictions.length} predictions, but ${references.length} references`);
      for (const [i, prediction] of predictions.entries()) {
        const reference = split(references[i]);
        edits += editDistance(split(prediction), reference);
        length += reference.length;
      }
    },
    compute: () => edits / length,
  };
}

/** Levenshtein distance, with two rows of memory. */
function editDistance(a: readonly string[], b: readonly string[]): number {
  let previous = Uint32Array.from({ length: b.length + 1 }, (_, j) => j);
  let current = new Uint32Array(b.length + 1);
  for (let i = 0; i < a.length; i++) {
    current[0] = i + 1;
    for (let j = 0; j < b.length; j++)
      current[j + 1] = Math.min(previous[j] + (a[i] === b[j] ? 0 : 1), previous[j + 1] + 1, current[j] + 1);
    [previous, current] = [current, previous];
  }
  return previous[b.length];
}
