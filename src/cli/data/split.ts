/** @file Cutting data into training, validation and test parts, every class in its share. */
import { randomSplit, stratifiedIndices } from '../../data/index.ts';
import { UsageError } from '../problem.ts';
import { defaultShare, type SplitRequest } from './prepared.ts';

/** Indices of each part into one list of samples. */
export interface Cut {
  readonly train: readonly number[];
  readonly val: readonly number[];
  readonly test: readonly number[];
}

/** The share of a part: 0 where it comes from elsewhere. */
function share(asked: number | string | undefined, given: boolean): number {
  if (typeof asked === 'number') return given ? 0 : asked;
  return asked !== undefined || given ? 0 : defaultShare;
}

/**
 * Cuts `labels.length` samples. A part that is `given` (by the data or a path) is not cut out of them.
 * @param stratify Whether labels are classes.
 */
export function cut(
  labels: ArrayLike<number>,
  stratify: boolean,
  request: SplitRequest,
  given: { readonly val: boolean; readonly test: boolean },
): Cut {
  const { seed, limit } = request;
  const val = share(request.val, given.val);
  const test = share(request.test, given.test);
  if (val + test >= 1)
    throw new UsageError(`--val ${val} and --test ${test} leave nothing to train on; their sum must be below 1`);
  const all = limit === undefined ? Array.from(labels, (_, i) => i) : subset(labels, stratify, limit, seed);
  const fractions = [1 - val - test, val, test];
  const parts = stratify
    ? stratifiedIndices(
        all.map((i) => labels[i]),
        fractions,
        { seed },
      )
    : atRandom(all.length, fractions, seed);
  const [train, validation, held] = parts.map((part) => part.map((i) => all[i]));
  return { train, val: validation, test: held };
}

function atRandom(length: number, fractions: readonly number[], seed: number): number[][] {
  const positions = { length, get: (i: number) => i };
  return randomSplit(positions, fractions, { seed }).map((part) =>
    Array.from({ length: part.length }, (_, i) => part.get(i) as number),
  );
}

/** Indices of at most `limit` samples, in order, every class in its share. */
export function subset(labels: ArrayLike<number>, stratify: boolean, limit: number, seed: number): number[] {
  if (labels.length <= limit) return Array.from(labels, (_, i) => i);
  const fractions = [limit / labels.length, 1 - limit / labels.length];
  const [kept] = stratify ? stratifiedIndices(labels, fractions, { seed }) : atRandom(labels.length, fractions, seed);
  return kept.sort((a, b) => a - b);
}

/** Samples per class. */
export function countClasses(labels: ArrayLike<number>, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (let i = 0; i < labels.length; i++) counts[labels[i]]++;
  return counts;
}
