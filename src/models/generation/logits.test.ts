import { describe, expect, it } from 'vitest';
import { decoderCases } from '../../../test/golden/decoders.ts';
import { Random } from '../../ir/random.ts';
import { bestOf, drawToken, keepTopK, keepTopP, logSoftmax, processScores } from './logits.ts';
import { type GenerationOptions, planGeneration } from './options.ts';

const config = { modelType: 'test', initializerRange: 0.02 };
const plan = (options: GenerationOptions) => planGeneration({ topK: 0, seed: 1, ...options }, config, 12);

/** Options that are the processors of the golden cases. */
const options: Record<string, GenerationOptions> = {
  temperature: { doSample: true, temperature: 0.7 },
  topK: { doSample: true, topK: 4 },
  topP: { doSample: true, topP: 0.8 },
  'topP small': { doSample: true, topP: 0.05 },
  repetitionPenalty: { repetitionPenalty: 1.4 },
  minNewTokens: { minNewTokens: 4, eosTokenId: [2, 7] },
  all: { doSample: true, repetitionPenalty: 1.4, temperature: 0.7, topK: 6, topP: 0.8 },
};

it.each(decoderCases('scores').map((c) => [c.name.slice('scores '.length), c] as const))(
  'scores after %s are those of transformers',
  (name, { args, output }) => {
    const { scores, tokens } = args;
    for (let i = 0; i < 3; i++) {
      const row = Float32Array.from(scores.data.slice(i * 12, (i + 1) * 12));
      processScores(row, Array.from(tokens.data.slice(i * 5, (i + 1) * 5)), 2, plan(options[name]));
      const expected = Array.from(output.data.slice(i * 12, (i + 1) * 12));
      expect(Array.from(row, (v) => v === Number.NEGATIVE_INFINITY)).toEqual(
        expected.map((v) => v === Number.NEGATIVE_INFINITY),
      );
      row.forEach((v, k) => {
        if (Number.isFinite(v)) expect(v).toBeCloseTo(expected[k], 5);
      });
    }
  },
);

describe('sampling', () => {
  const logits = Float32Array.from([1, -0.5, 2, 0.3, -3, 1.4]);
  const probabilities = Array.from(logSoftmax(logits), Math.exp);

  it('draws tokens as often as they are likely', () => {
    const random = new Random(5);
    const draws = 20_000;
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < draws; i++) counts[drawToken(logits, random)]++;
    // Pearson's statistic with 5 degrees of freedom is above 20.5 once in a thousand times.
    const statistic = counts.reduce(
      (sum, n, i) => sum + (n - draws * probabilities[i]) ** 2 / (draws * probabilities[i]),
      0,
    );
    expect(statistic).toBeLessThan(20.5);
  });

  it('never draws what was filtered out', () => {
    const filtered = logits.slice();
    keepTopK(filtered, 3);
    keepTopP(filtered, 0.9);
    const random = new Random(5);
    const drawn = new Set(Array.from({ length: 2000 }, () => drawToken(filtered, random)));
    expect([...drawn].sort()).toEqual([0, 2, 5]);
  });

  it('draws several without replacement, the first as often as it is likely', () => {
    const random = new Random(2);
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < 5000; i++) {
      const drawn = bestOf(Float64Array.from(logSoftmax(logits)), 3, random);
      expect(new Set(drawn).size).toBe(3);
      counts[drawn[0]]++;
    }
    counts.forEach((n, i) => {
      expect(Math.abs(n / 5000 - probabilities[i])).toBeLessThan(0.03);
    });
  });

  it('takes the greatest in order, the first of equal ones', () => {
    expect(bestOf(Float64Array.of(1, 3, 2, 3, 0), 3)).toEqual([1, 3, 2]);
  });
});
