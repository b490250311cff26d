/** @file Data sets and their derivations. */
import { describe, expect, it } from 'vitest';
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import { fromNested, ndarray, toNested } from '../ir/ndarray.ts';
import { Random } from '../ir/random.ts';
import { ArrayDataset, asDataset, Dataset, TensorDataset } from './dataset.ts';
import { StreamDataset } from './stream.ts';

const letters = new ArrayDataset(['a', 'b', 'c', 'd', 'e']);

async function all<T>(dataset: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const sample of dataset) out.push(sample);
  return out;
}

describe('Dataset', () => {
  it('derives views: map, take, skip, slice, subset, concat, filter', async () => {
    expect(await all(letters.map((s) => s.toUpperCase()))).toEqual(['A', 'B', 'C', 'D', 'E']);
    expect(
      await all(
        letters
          .map(async (s) => s + s)
          .map((s, _, i) => s + i)
          .take(2),
      ),
    ).toEqual(['aa0', 'bb1']);
    expect(await all(letters.take(2))).toEqual(['a', 'b']);
    expect(await all(letters.take(99))).toHaveLength(5);
    expect(await all(letters.skip(3))).toEqual(['d', 'e']);
    expect(await all(letters.skip(9))).toEqual([]);
    expect(await all(letters.slice(1, 3))).toEqual(['b', 'c']);
    expect(await all(letters.subset([4, 0, 0]))).toEqual(['e', 'a', 'a']);
    expect(await all(letters.take(1).concat(letters.skip(4), letters.take(1)))).toEqual(['a', 'e', 'a']);
    expect(await all(await letters.filter((s, i) => s === 'c' || i === 0))).toEqual(['a', 'c']);
    expect(await all(asDataset({ length: 2, get: (i: number) => i * 10 }))).toEqual([0, 10]);
    expect(asDataset(letters)).toBe(letters);
  });

  it('refuses indices and counts that do not exist', () => {
    expect(() => letters.get(5)).toThrow('sample 5 does not exist: the data set has 5, counted from 0');
    expect(() => letters.get(0.5)).toThrow(ArgumentError);
    expect(() => letters.subset([5])).toThrow('sample 5 does not exist');
    expect(() => letters.take(2).get(2)).toThrow('has 2');
    expect(() => letters.concat(letters).get(10)).toThrow('has 10');
    expect(() => letters.take(-1)).toThrow('take(-1)');
    expect(() => letters.skip(1.5)).toThrow('skip(1.5)');
  });

  it('passes random streams through views, and has a fixed default', async () => {
    const noisy = letters.map((s, random) => s + random.int(0, 1000)).subset([3, 3]);
    expect(await noisy.get(0)).toBe(await noisy.get(1));
    expect(await noisy.get(0, new Random(1))).toBe(await noisy.get(1, new Random(1)));
    expect(await noisy.get(0, new Random(1))).not.toBe(await noisy.get(0, new Random(2)));
  });

  it('caches values and promises, but not failures', async () => {
    let reads = 0;
    class Slow extends Dataset<number> {
      length = 3;
      override async get(index: number) {
        reads++;
        if (index === 2 && reads < 5) throw new Error('busy');
        return index;
      }
    }
    const cached = new Slow().cache();
    expect(await Promise.all([cached.get(0), cached.get(0), cached.get(1)])).toEqual([0, 0, 1]);
    expect([await cached.get(0), reads]).toEqual([0, 2]);
    await expect(cached.get(2)).rejects.toThrow('busy');
    await expect(cached.get(2)).rejects.toThrow('busy');
    expect(await cached.get(2)).toBe(2);
  });

  it('serves rows of named arrays', () => {
    const data = new TensorDataset({
      x: fromNested([
        [1, 2],
        [3, 4],
      ]),
      y: ndarray(Float64Array.of(0, 1), [2], 'int64'),
    });
    expect(data.length).toBe(2);
    const { x, y } = data.get(1);
    expect(toNested(x)).toEqual([3, 4]);
    expect([y.shape, y.dtype, toNested(y)]).toEqual([[], 'int64', 1]);
    expect(() => new TensorDataset({ x: fromNested([1, 2]), y: fromNested([1]) })).toThrow(
      "TensorDataset: 'x' has shape [2] and 'y' [1]; the first dimension (samples) must be equal",
    );
    expect(() => new TensorDataset({ x: fromNested(1) })).toThrow(ShapeError);
    expect(() => new TensorDataset({})).toThrow(ArgumentError);
  });
});

describe('StreamDataset', () => {
  const stream = new StreamDataset(function* () {
    for (let i = 0; i < 20; i++) yield i;
  });

  it('maps, filters, takes, skips, and opens anew each time', async () => {
    const derived = stream
      .map(async (v) => v * 2)
      .filter((v) => v % 4 === 0)
      .skip(1)
      .take(3);
    expect(await all(derived)).toEqual([4, 8, 12]);
    expect(await all(derived)).toEqual([4, 8, 12]);
    expect(await all(stream.take(0))).toEqual([]);
    expect((await stream.take(2).toDataset()).length).toBe(2);
  });

  it('shuffles every sample exactly once, by the seed of the epoch', async () => {
    const order = (seed: number) => all(stream.shuffle(5).stream(new Random(seed)));
    expect([...(await order(1))].sort((a, b) => a - b)).toEqual(await all(stream));
    expect(await order(1)).toEqual(await order(1));
    expect(await order(1)).not.toEqual(await order(2));
    expect(() => stream.shuffle(0)).toThrow(ArgumentError);
  });
});
