import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError, NumericError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { ctcBeamSearch, ctcGreedyDecode } from './index.ts';

/** [time][classes] of one sample as [time, 1, classes] of log-probabilities. */
function scores(rows: readonly (readonly number[])[]): NDArray {
  return {
    data: Float32Array.from(rows.flat().map(Math.log)),
    shape: [rows.length, 1, rows[0].length],
    dtype: 'float32',
  };
}

/** Exact probabilities of all label sequences, by listing every alignment. */
function exact(rows: readonly (readonly number[])[], blank: number): Map<string, number> {
  const sums = new Map<string, number>();
  const walk = (t: number, path: readonly number[], p: number): void => {
    if (t === rows.length) {
      const labels = path.filter((c, i) => c !== blank && c !== path[i - 1]);
      sums.set(labels.join(), (sums.get(labels.join()) ?? 0) + p);
    } else
      rows[t].forEach((q, c) => {
        walk(t + 1, [...path, c], p * q);
      });
  };
  walk(0, [], 1);
  return sums;
}

describe('ctcGreedyDecode', () => {
  it('merges repetitions and drops blanks', () => {
    const one = (c: number) => [0.05, 0.05, 0.05].map((v, i) => (i === c ? 0.9 : v));
    const rows = [0, 1, 1, 0, 1, 2, 2, 0].map(one);
    expect(ctcGreedyDecode(scores(rows))).toEqual([[1, 1, 2]]);
    expect(ctcGreedyDecode(scores(rows), { blank: 2 })).toEqual([[0, 1, 0, 1, 0]]);
    expect(ctcGreedyDecode(scores(rows), { lengths: [3] })).toEqual([[1]]);
    expect(ctcGreedyDecode(scores(rows), { lengths: [0] })).toEqual([[]]);
  });
});

describe('ctcBeamSearch', () => {
  it('finds what the best path misses: the example of Scheidl (2018), classes a, b and blank', () => {
    // https://github.com/githubharald/CTCDecoder: best path '', beam search 'a' with 0.4 * 0.4 + 0.4 * 0.6 + 0.6 * 0.4.
    const rows = [
      [0.4, 0, 0.6],
      [0.4, 0, 0.6],
    ];
    expect(ctcGreedyDecode(scores(rows), { blank: 2 })).toEqual([[]]);
    const [[best]] = ctcBeamSearch(scores(rows), { blank: 2 });
    expect(best.labels).toEqual([0]);
    expect(Math.exp(best.logProbability)).toBeCloseTo(0.64, 6);
  });

  it('with a wide beam sums all alignments of every sequence', () => {
    const row = fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), fc.integer({ min: 0, max: 2 }), (raw, blank) => {
        const rows = raw.map((r) => r.map((v) => v / r.reduce((a, b) => a + b)));
        const all = exact(rows, blank);
        const [found] = ctcBeamSearch(scores(rows), { blank, beamWidth: 1000 });
        expect(found.length).toBe(all.size);
        for (const { labels, logProbability } of found)
          expect(Math.exp(logProbability)).toBeCloseTo(all.get(labels.join()) ?? -1, 5);
        expect([...all.values()].reduce((a, b) => Math.max(a, b))).toBeCloseTo(Math.exp(found[0].logProbability), 5);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it('takes scores of labels from elsewhere, lengths, and several samples', () => {
    const rows = [
      [0.2, 0.5, 0.3],
      [0.9, 0.05, 0.05],
    ];
    const only2 = { labelScore: (_: readonly number[], label: number) => (label === 2 ? 0 : -5) };
    expect(ctcBeamSearch(scores(rows))[0][0].labels).toEqual([1]);
    expect(ctcBeamSearch(scores(rows), only2)[0][0].labels).toEqual([2]);
    const both: NDArray = {
      data: Float32Array.from([0, 9, 0, 0, 0, 9, 9, 0, 0, 0, 9, 0]),
      shape: [2, 2, 3],
      dtype: 'float32',
    };
    expect(ctcBeamSearch(both, { lengths: [2, 1] }).map(([best]) => best.labels)).toEqual([[1], [2]]);
    expect(ctcGreedyDecode(both)).toEqual([[1], [2, 1]]);
    expect(ctcBeamSearch(both, { beamWidth: 2 }).map((all) => all.length)).toEqual([2, 2]);
  });

  it('refuses bad scores and options', () => {
    const good = scores([[0.5, 0.5]]);
    expect(() => ctcBeamSearch(good, { beamWidth: 0 })).toThrow(ArgumentError);
    expect(() => ctcGreedyDecode(good, { blank: 2 })).toThrow('blank 2 is not one of the 2 classes');
    expect(() => ctcGreedyDecode(good, { lengths: [2] })).toThrow(
      'lengths must be 1 whole numbers from 0 to 1, found 2',
    );
    expect(() => ctcGreedyDecode({ ...good, shape: [1, 2] })).toThrow(ShapeError);
    expect(() => ctcGreedyDecode({ ...good, data: Float32Array.from([1, Number.NaN]) })).toThrow(NumericError);
  });
});
