import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError, NumericError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { tensor } from '../../tensor/index.ts';
import { beamSearch, type DecoderStep, greedySearch } from './index.ts';

const array = (rows: readonly (readonly number[])[]): NDArray => ({
  data: Float64Array.from(rows.flat()),
  shape: [rows.length, rows[0].length],
  dtype: 'float64',
});

/** A model whose next token depends on the last: log-probabilities by row. */
const markov =
  (table: readonly (readonly number[])[]): DecoderStep =>
  (tokens) =>
    array(tokens.map((t) => table[t]));

const normalised = (row: readonly number[]) => {
  const sum = row.reduce((a, b) => a + b);
  return row.map((v) => Math.log(v / sum));
};

/** All sequences with their scores, best first. */
function exhaustive(table: readonly (readonly number[])[], maxLength: number, penalty: number) {
  const end = 0;
  const all: { tokens: number[]; score: number }[] = [];
  const walk = (tokens: number[], last: number, p: number): void => {
    const score = (q: number) => q / (tokens.length + 1) ** penalty;
    if (tokens.length === maxLength) return void all.push({ tokens, score: score(p) });
    table[last].forEach((q, token) => {
      if (token === end) all.push({ tokens, score: score(p + q) });
      else walk([...tokens, token], token, p + q);
    });
  };
  walk([], table.length - 1, 0);
  return all.sort((a, b) => b.score - a.score);
}

// Tokens: 0 end, 1, 2; 3 is the start. Greedy takes 1 (0.5), but all of its continuations are unlikely.
const trap = [
  [1, 1, 1, 1e-9],
  [0.34, 0.33, 0.33, 1e-9],
  [0.95, 0.025, 0.025, 1e-9],
  [0.05, 0.5, 0.45, 1e-9],
].map(normalised);

describe('search', () => {
  it('beam search finds a likelier sequence than greedy', async () => {
    const options = { batch: 1, start: 3, end: 0, maxLength: 4, lengthPenalty: 0 };
    expect(await greedySearch(markov(trap), options)).toEqual([[1]]);
    const [found] = await beamSearch(markov(trap), { ...options, beams: 2 });
    expect(found[0].tokens).toEqual([2]);
    expect(Math.exp(found[0].logProbability)).toBeCloseTo(0.45 * 0.95, 6);
    expect(found.map((h) => h.score)).toEqual(found.map((h) => h.score).sort((a, b) => b - a));
  });

  it('equals an exhaustive search where the beam is wide enough', async () => {
    const row = fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 });
    const penalties = fc.constantFrom(0, 0.6, 1, 1.5);
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 4, maxLength: 4 }), penalties, async (raw, lengthPenalty) => {
        const table = raw.map(normalised);
        const best = exhaustive(table, 3, lengthPenalty);
        const [found] = await beamSearch(markov(table), {
          batch: 1,
          start: 3,
          end: 0,
          maxLength: 3,
          beams: 40,
          lengthPenalty,
        });
        expect(found.length).toBe(Math.min(40, best.length));
        found.slice(0, 5).forEach((h, i) => {
          expect(h.score).toBeCloseTo(best[i].score, 9);
        });
      }),
      { seed: 2, numRuns: 40 },
    );
  });

  it('searches a batch in one go, with the same results as one by one', async () => {
    // The sentence is known by its row; a state that must follow the hypotheses: how often each token came.
    const beams = 3;
    const make = (offset: number, batch: number): DecoderStep => {
      let state = Array.from({ length: batch * beams }, () => [0, 0, 0, 0]);
      return (tokens, origins, prefixes) => {
        state = origins.map((o) => [...state[o]]);
        tokens.forEach((t, r) => {
          state[r][t]++;
        });
        prefixes.forEach((p, r) => {
          const sentence = Math.floor(r / beams) + offset;
          expect(p.filter((t) => t === 1).length, `row ${r}`).toBe(state[r][1]);
          expect(p.length, 'all prefixes are equally long').toBe(prefixes[0].length);
          state[r][3] = sentence;
        });
        return tensor(state.map((s, r) => [s[1] * (Math.floor(r / beams) + offset), 1.5 - s[1], 1 - s[2] / 2, -9]));
      };
    };
    const options = { start: 3, end: 0, maxLength: 6, beams };
    const together = await beamSearch(make(0, 3), { ...options, batch: 3 });
    expect(together.length).toBe(3);
    for (const i of [0, 1, 2]) expect(await beamSearch(make(i, 1), { ...options, batch: 1 })).toEqual([together[i]]);
    expect(together[0][0].tokens).not.toEqual(together[2][0].tokens);
  });

  it('ends at the length given, and where nothing can follow', async () => {
    const never = markov([[], [-9, 0], [-9, 0]].map((r) => (r.length ? r : [0, 0])));
    expect(await greedySearch(never, { batch: 2, start: 1, end: 0, maxLength: 3 })).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
    const [found] = await beamSearch(never, { batch: 1, start: 1, end: 0, maxLength: 3, beams: 4 });
    expect(found.map((h) => h.tokens.length).sort()).toEqual([0, 1, 2, 3]);
    const nothing = markov([
      [0, Number.NEGATIVE_INFINITY],
      [0, Number.NEGATIVE_INFINITY],
    ]);
    expect(await beamSearch(nothing, { batch: 1, start: 1, end: 0, maxLength: 3 })).toEqual([
      [{ tokens: [], logProbability: 0, score: 0 }],
    ]);
  });

  it('refuses bad options and scores', async () => {
    const options = { batch: 1, start: 3, end: 0, maxLength: 4 };
    await expect(beamSearch(markov(trap), { ...options, beams: 0 })).rejects.toThrow(ArgumentError);
    await expect(greedySearch(markov(trap), { ...options, maxLength: 0 })).rejects.toThrow(
      'maxLength must be a whole number',
    );
    await expect(beamSearch(() => array([[1, 2]]), options)).rejects.toThrow(ShapeError);
    await expect(greedySearch(() => array([[Number.NaN, 0]]), options)).rejects.toThrow(NumericError);
  });
});
