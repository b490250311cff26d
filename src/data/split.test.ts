/** @file Random and stratified splits, samplers. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../ir/errors.ts';
import { ArrayDataset } from './dataset.ts';
import { balancedWeights, LengthBucketSampler, RandomSampler, WeightedRandomSampler } from './sampler.ts';
import { randomSplit, stratifiedIndices, stratifiedSplit } from './split.ts';

const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const sorted = (values: ArrayLike<number>) => Array.from(values).sort((a, b) => a - b);

describe('randomSplit', () => {
  it('partitions by sizes and by fractions with PyTorch rounding', () => {
    const data = new ArrayDataset(range(10));
    expect(randomSplit(data, [7, 3]).map((p) => p.length)).toEqual([7, 3]);
    expect(randomSplit(data, [0.5, 0.25, 0.25]).map((p) => p.length)).toEqual([6, 2, 2]);
    expect(randomSplit(data, [0.7, 0.3]).map((p) => p.length)).toEqual([7, 3]);
    fc.assert(
      fc.property(fc.nat(60), fc.integer(), fc.integer({ min: 1, max: 9 }), (n, seed, tenths) => {
        const parts = randomSplit(new ArrayDataset(range(n)), [tenths / 10, 1 - tenths / 10], { seed });
        expect(sorted(parts.flatMap((p) => range(p.length).map((i) => p.get(i) as number)))).toEqual(range(n));
      }),
    );
  });

  it('depends on the seed only, and refuses parts that do not add up', () => {
    const data = new ArrayDataset(range(50));
    const first = (seed: number) => range(10).map((i) => randomSplit(data, [10, 40], { seed })[0].get(i));
    expect(first(1)).toEqual(first(1));
    expect(first(1)).not.toEqual(first(2));
    expect(() => randomSplit(data, [10, 30])).toThrow(
      'parts [10, 30] sum to 40; expected fractions that sum to 1, or sizes that sum to the 50 samples',
    );
    expect(() => randomSplit(data, [0.5, 0.2])).toThrow(ArgumentError);
    expect(() => randomSplit(data, [-10, 60])).toThrow(ArgumentError);
  });
});

describe('stratifiedSplit', () => {
  it('gives each part its share of each class, within one sample, and each sample once', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(4), { maxLength: 200 }), fc.integer(), (labels, seed) => {
        const fractions = [0.7, 0.2, 0.1];
        const parts = stratifiedIndices(labels, fractions, { seed });
        expect(sorted(parts.flat())).toEqual(range(labels.length));
        for (const label of new Set(labels)) {
          const count = labels.filter((l) => l === label).length;
          for (const [i, part] of parts.entries()) {
            const share = part.filter((k) => labels[k] === label).length;
            if (count > 3) expect(Math.abs(share - fractions[i] * count)).toBeLessThanOrEqual(1.01);
          }
        }
      }),
    );
  });

  it('puts a class with one sample into the largest part, with two into the two largest', () => {
    for (let seed = 0; seed < 10; seed++) {
      const labels = ['rare', 'two', 'two', ...new Array<string>(40).fill('many')];
      const [test, train] = stratifiedIndices(labels, [0.2, 0.8], { seed });
      expect(train).toContain(0);
      expect(test.filter((i) => i === 1 || i === 2)).toHaveLength(1);
      expect(test.filter((i) => i > 2)).toHaveLength(8);
    }
  });

  it('does not lose the small part when all classes are small', () => {
    const labels = range(77).flatMap((c) => new Array<number>(7).fill(c));
    const [, validation] = stratifiedIndices(labels, [0.9, 0.1], { seed: 0 });
    expect(validation.length).toBeGreaterThan(40);
  });

  it('reads labels from samples', async () => {
    const data = new ArrayDataset(range(40).map((i) => ({ label: i % 2 === 0 })));
    const [a, b] = await stratifiedSplit(data, [0.75, 0.25], (s) => s.label, { seed: 3 });
    expect([a.length, b.length]).toEqual([30, 10]);
    expect(range(10).filter((i) => (b.get(i) as { label: boolean }).label)).toHaveLength(5);
    await expect(stratifiedSplit(data, [0.75, 0.25], [1, 2])).rejects.toThrow('2 labels for 40 samples');
    await expect(stratifiedSplit(data, [0.75, 0.5], (s) => s.label)).rejects.toThrow('sum to 1');
  });
});

describe('samplers', () => {
  it('RandomSampler draws with and without replacement', () => {
    expect(sorted(new RandomSampler(9, { seed: 1 }).indices(0))).toEqual(range(9));
    expect(new RandomSampler(9, { numSamples: 4 }).indices(0)).toHaveLength(4);
    expect(new RandomSampler(2, { numSamples: 50, replacement: true }).indices(3)).toHaveLength(50);
    expect(() => new RandomSampler(2, { numSamples: 3 })).toThrow('replacement: true');
  });

  it('WeightedRandomSampler follows the weights', () => {
    const drawn = Array.from(new WeightedRandomSampler([1, 0, 3], { numSamples: 20_000, seed: 5 }).indices(0));
    const share = (k: number) => drawn.filter((i) => i === k).length / 20_000;
    expect(share(0)).toBeCloseTo(0.25, 1);
    expect(share(1)).toBe(0);
    expect(share(2)).toBeCloseTo(0.75, 1);
    expect(() => new WeightedRandomSampler([1, -1])).toThrow('weight 1 is -1');
    expect(() => new WeightedRandomSampler([0])).toThrow('all weights are 0');
    expect([...balancedWeights(['a', 'b', 'a'])]).toEqual([0.5, 1, 0.5]);
  });

  it('LengthBucketSampler visits all once and pads less than a random order', () => {
    const lengths = range(203).map((i) => (i * 37) % 100);
    const waste = (order: ArrayLike<number>) => {
      let total = 0;
      for (let i = 0; i < order.length; i += 8) {
        const batch = Array.from(order)
          .slice(i, i + 8)
          .map((k) => lengths[k]);
        total += Math.max(...batch) * batch.length - batch.reduce((a, b) => a + b, 0);
      }
      return total;
    };
    const bucketed = new LengthBucketSampler(lengths, { batchSize: 8, seed: 1, blockBatches: 10 });
    expect(sorted(bucketed.indices(0))).toEqual(range(203));
    expect(Array.from(bucketed.indices(0))).not.toEqual(Array.from(bucketed.indices(1)));
    expect(waste(bucketed.indices(0))).toBeLessThan(waste(new RandomSampler(203).indices(0)) / 4);
    expect(() => new LengthBucketSampler(lengths, { batchSize: 0 })).toThrow(ArgumentError);
  });
});
