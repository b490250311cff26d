/** @file Decoding of connectionist temporal classification: best path and prefix beam search. */
import { ArgumentError, NumericError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { formatShape } from '../../ir/shape.ts';
import { logAdd, logSoftmaxRow } from './scores.ts';

export interface CtcDecodeOptions {
  /** The class that stands for no label; default 0, as in `F.ctcLoss`. */
  readonly blank?: number;
  /** Steps of each sample; default all. */
  readonly lengths?: readonly number[];
}

export interface CtcBeamOptions extends CtcDecodeOptions {
  /** Prefixes kept at each step; default 16. */
  readonly beamWidth?: number;
  /** Log-probability of a label after a prefix from elsewhere, such as a language model, added once per label. */
  readonly labelScore?: (prefix: readonly number[], label: number) => number;
}

export interface CtcHypothesis {
  readonly labels: readonly number[];
  /** Log-probability, summed over the alignments that the search kept; label scores included. */
  readonly logProbability: number;
}

/** Rows of log-probabilities per sample: [batch][time][classes]. */
function samples(name: string, scores: NDArray, { blank = 0, lengths }: CtcDecodeOptions): Float64Array[][] {
  const [time, batch, classes] = scores.shape;
  if (scores.shape.length !== 3)
    throw new ShapeError(`${name}: expected [time, batch, classes], found ${formatShape(scores.shape)}`);
  if (!Number.isInteger(blank) || blank < 0 || blank >= classes)
    throw new ArgumentError(`${name}: blank ${blank} is not one of the ${classes} classes`);
  if (lengths && (lengths.length !== batch || lengths.some((n) => !Number.isInteger(n) || n < 0 || n > time)))
    throw new ArgumentError(
      `${name}: lengths must be ${batch} whole numbers from 0 to ${time}, found ${lengths.join(', ')}`,
    );
  return Array.from({ length: batch }, (_, b) =>
    Array.from({ length: lengths?.[b] ?? time }, (_, t) => {
      const row = logSoftmaxRow(scores.data, (t * batch + b) * classes, classes);
      if (row.some(Number.isNaN)) throw new NumericError(`${name}: scores of sample ${b} at step ${t} are NaN`);
      return row;
    }),
  );
}

/**
 * Best path decoding (Graves et al. 2006, section 3.2): the likeliest class of every step, repetitions merged, blanks
 * left out. Scores [time, batch, classes]: logits or log-probabilities.
 * @throws ShapeError, ArgumentError, NumericError (NaN).
 */
export function ctcGreedyDecode(scores: NDArray, options: CtcDecodeOptions = {}): number[][] {
  const { blank = 0 } = options;
  return samples('ctcGreedyDecode', scores, options).map((rows) => {
    const path = rows.map((row) => row.indexOf(row.reduce((a, b) => Math.max(a, b))));
    return path.filter((label, t) => label !== blank && label !== path[t - 1]);
  });
}

/** A prefix and the log-probabilities of its alignments that end in blank and in its last label. */
interface Prefix {
  readonly labels: readonly number[];
  blank: number;
  label: number;
  /** Sum of label scores. */
  readonly bonus: number;
}

const total = (p: Prefix) => logAdd(p.blank, p.label) + p.bonus;

/**
 * Prefix beam search (Hannun et al. 2014, "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional
 * Recurrent DNNs"): alignments of the same labels are summed, so that it finds likelier label sequences than the best path.
 * Scores [time, batch, classes]: logits or log-probabilities.
 * @returns per sample the kept label sequences, likeliest first.
 * @throws ShapeError, ArgumentError, NumericError (NaN).
 */
export function ctcBeamSearch(scores: NDArray, options: CtcBeamOptions = {}): CtcHypothesis[][] {
  const { beamWidth = 16, blank = 0, labelScore } = options;
  if (!Number.isInteger(beamWidth) || beamWidth < 1)
    throw new ArgumentError(`ctcBeamSearch: beamWidth must be a whole number above 0, found ${beamWidth}`);
  return samples('ctcBeamSearch', scores, options).map((rows) => {
    let beam: Prefix[] = [{ labels: [], blank: 0, label: Number.NEGATIVE_INFINITY, bonus: 0 }];
    for (const row of rows) beam = advance(beam, row, blank, labelScore).slice(0, beamWidth);
    return beam.map((p) => ({ labels: p.labels, logProbability: total(p) }));
  });
}

function advance(
  beam: readonly Prefix[],
  row: Float64Array,
  blank: number,
  labelScore: CtcBeamOptions['labelScore'],
): Prefix[] {
  const next = new Map<string, Prefix>();
  const at = (labels: readonly number[], bonus: () => number): Prefix => {
    const key = labels.join();
    const known = next.get(key);
    if (known) return known;
    const made = { labels, blank: Number.NEGATIVE_INFINITY, label: Number.NEGATIVE_INFINITY, bonus: bonus() };
    next.set(key, made);
    return made;
  };
  for (const prefix of beam) {
    const { labels, bonus } = prefix;
    const last = labels.at(-1);
    const all = logAdd(prefix.blank, prefix.label);
    const same = at(labels, () => bonus);
    same.blank = logAdd(same.blank, all + row[blank]);
    if (last !== undefined) same.label = logAdd(same.label, prefix.label + row[last]);
    for (let c = 0; c < row.length; c++) {
      if (c === blank || row[c] === Number.NEGATIVE_INFINITY) continue;
      // A label after itself needs a blank between.
      const from = c === last ? prefix.blank : all;
      if (from === Number.NEGATIVE_INFINITY) continue;
      const longer = at([...labels, c], () => bonus + (labelScore?.(labels, c) ?? 0));
      longer.label = logAdd(longer.label, from + row[c]);
    }
  }
  return [...next.values()].sort((a, b) => total(b) - total(a));
}
