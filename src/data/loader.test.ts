/** @file DataLoader: order, batching, resume, streams, workers, faults. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { ArgumentError, DataError, DTypeError, FormatError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import { toNested } from '../ir/ndarray.ts';
import { type Tensor, tensor } from '../tensor/index.ts';
import type { Batched } from './collate.ts';
import { ArrayDataset, Dataset, type DatasetLike } from './dataset.ts';
import { DataLoader, type DataLoaderOptions } from './loader.ts';
import { moduleDataset } from './module-dataset.ts';
import { SequentialSampler, WeightedRandomSampler } from './sampler.ts';
import { StreamDataset } from './stream.ts';

/** Plain arrays are easier to look into. */
class ArrayLoader<T, C = Batched<T>> extends DataLoader<T, C, false> {
  constructor(dataset: DatasetLike<T> | AsyncIterable<T> | Iterable<T>, options: DataLoaderOptions<T, C> = {}) {
    super(dataset, { ...options, tensors: false });
  }
}

const numbers = (n: number) => new ArrayDataset(Array.from({ length: n }, (_, i) => ({ i })));

async function epoch(loader: AsyncIterable<{ i: NDArray }>): Promise<number[][]> {
  const out: number[][] = [];
  for await (const { i } of loader) out.push([...i.data]);
  return out;
}

describe('DataLoader', () => {
  it('batches in order, with and without the short last batch', async () => {
    const loader = new ArrayLoader(numbers(5), { batchSize: 2 });
    expect(loader.length).toBe(3);
    expect(await epoch(loader)).toEqual([[0, 1], [2, 3], [4]]);
    const dropping = new ArrayLoader(numbers(5), { batchSize: 2, dropLast: true });
    expect(dropping.length).toBe(2);
    expect(await epoch(dropping)).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(await epoch(new ArrayLoader(numbers(0), { batchSize: 2 }))).toEqual([]);
  });

  it('visits every sample once per epoch in an order fixed by seed and epoch', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(40),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(1000),
        fc.nat(4),
        async (n, batchSize, seed, prefetch) => {
          const make = () => new ArrayLoader(numbers(n), { batchSize, shuffle: true, seed, prefetch });
          const loader = make();
          const first = (await epoch(loader)).flat();
          const second = (await epoch(loader)).flat();
          expect([...first].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
          const again = make();
          again.setEpoch(1);
          expect((await epoch(again)).flat()).toEqual(second);
          if (n > 12) expect(second).not.toEqual(first);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('resumes exactly after any batch, through JSON', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(20),
        fc.nat(3),
        async (n, batchSize, stop, prefetch) => {
          const make = () =>
            new ArrayLoader(
              numbers(n).map(({ i }, random) => ({ i, r: random.uniform() })),
              { batchSize, shuffle: true, seed: 5, prefetch },
            );
          const whole = make();
          const expected: unknown[] = [];
          for (let e = 0; e < 3; e++) for await (const b of whole) expected.push([...b.i.data, ...b.r.data]);
          const got: unknown[] = [];
          const first = make();
          let state = first.state();
          for (let e = 0; e < 3 && got.length < stop; e++)
            for await (const b of first) {
              got.push([...b.i.data, ...b.r.data]);
              state = first.state();
              if (got.length >= stop) break;
            }
          const second = make();
          second.load(JSON.parse(JSON.stringify(state)));
          while (got.length < expected.length) for await (const b of second) got.push([...b.i.data, ...b.r.data]);
          expect(got).toEqual(expected);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('delivers tensors in place of arrays, sharing nothing with them after own collation', async () => {
    const data = new ArrayDataset([{ x: Float32Array.of(1, 2), y: 3, name: 'a', more: [{ t: tensor([7]) }] }]);
    const shared = Float32Array.of(9);
    for await (const { x, y, name } of new DataLoader(data.map(({ x, y, name }) => ({ x, y, name })))) {
      expect([x.shape, x.dtype, await x.array()]).toEqual([[1, 2], 'float32', [[1, 2]]]);
      expect([y.dtype, await y.array(), name]).toEqual(['int64', [3], ['a']]);
    }
    const collate = (samples: readonly { more: { t: Tensor }[] }[]) => ({
      t: samples[0].more[0].t,
      u: { data: shared, shape: [1], dtype: 'float32' as const },
    });
    for await (const { t, u } of new DataLoader(data, { collate })) {
      shared[0] = 0;
      expect([await t.array(), await u.array()]).toEqual([[7], [9]]);
    }
  });

  it('counts an epoch left early as over, and refuses a state of another loader', async () => {
    const loader = new ArrayLoader(numbers(6), { batchSize: 2 });
    for await (const _ of loader) break;
    expect(loader.state()).toMatchObject({ epoch: 0, batch: 1 });
    expect(await epoch(loader)).toHaveLength(3);
    expect(loader.epoch).toBe(2);
    expect(() => loader.load({ ...loader.state(), batchSize: 3 })).toThrow(
      'seed 0 and batchSize 3, this one has 0 and 2',
    );
  });

  it('gives each sample its own random stream, whatever prefetch is', async () => {
    const data = numbers(8).map(({ i }, random) => ({ i, r: random.uniform() }));
    const draws = async (options: DataLoaderOptions<{ i: number; r: number }, never>, e = 0) => {
      const loader = new ArrayLoader(data, options as object);
      loader.setEpoch(e);
      const out = new Map<number, number>();
      for await (const { i, r } of loader) i.data.forEach((index, k) => void out.set(index, r.data[k]));
      return out;
    };
    const a = await draws({ batchSize: 3, shuffle: true, prefetch: 4 });
    const b = await draws({ batchSize: 8, prefetch: 0 });
    for (const [index, value] of b) expect(a.get(index)).toBe(value);
    expect(new Set(a.values()).size).toBe(8);
    expect((await draws({ batchSize: 8 }, 1)).get(0)).not.toBe(a.get(0));
  });

  it('keeps a float field float when a batch happens to be whole, and says so when it cannot', async () => {
    const run = async (values: number[], dtypes?: Record<string, 'float32'>) => {
      const out: string[] = [];
      for await (const { y } of new ArrayLoader(new ArrayDataset(values.map((y) => ({ y }))), { dtypes }))
        out.push(y.dtype);
      return out;
    };
    expect(await run([0.5, 1, 2])).toEqual(['float32', 'float32', 'float32']);
    expect(await run([1, 2])).toEqual(['int64', 'int64']);
    await expect(run([1, 0.5])).rejects.toThrow(DTypeError);
    await expect(run([1, 0.5])).rejects.toThrow("dtypes: { 'y': 'float32' }");
    expect(await run([1, 0.5], { y: 'float32' })).toEqual(['float32', 'float32']);
  });

  it('applies own collation, batch transforms and samplers', async () => {
    const data = new ArrayDataset([1, 2, 3, 4]);
    const sums: number[] = [];
    for await (const s of new ArrayLoader(data, {
      batchSize: 2,
      collate: (samples) => samples.reduce((a, b) => a + b, 0),
      batchTransform: (sum, random) => sum + Math.floor(random.uniform()),
    }))
      sums.push(s);
    expect(sums).toEqual([3, 7]);
    const weighted = new ArrayLoader(numbers(3), {
      sampler: new WeightedRandomSampler([0, 1, 0], { numSamples: 4 }),
      batchSize: 4,
    });
    expect(await epoch(weighted)).toEqual([[1, 1, 1, 1]]);
  });

  it('names the sample that failed and keeps the cause, for throwing and rejecting data sets', async () => {
    class Bad extends Dataset<{ i: number }> {
      length = 4;
      override get(index: number) {
        if (index === 1) return Promise.reject(new Error('late'));
        if (index === 2) throw new FormatError('no PNG');
        return { i: index };
      }
    }
    await expect(epoch(new ArrayLoader(new Bad(), { batchSize: 4 }))).rejects.toThrow(
      'sample 1 could not be read: Error: late',
    );
    const error = await epoch(new ArrayLoader(new Bad(), { sampler: { length: 1, indices: () => [2] } })).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).cause).toBeInstanceOf(FormatError);
    await expect(epoch(new ArrayLoader(numbers(2), { sampler: { length: 1, indices: () => [9] } }))).rejects.toThrow(
      'sample 9 does not exist',
    );
  });

  it('reads ahead no more than asked', async () => {
    let read = 0;
    const data = numbers(20).map((s) => {
      read++;
      return s;
    });
    for await (const _ of new ArrayLoader(data, { batchSize: 2, prefetch: 3 })) break;
    expect(read).toBe(8);
  });

  it('batches streams, shuffled in a buffer, and resumes them', async () => {
    const opened: number[] = [];
    const stream = new StreamDataset(async function* () {
      opened.push(1);
      for (let i = 0; i < 10; i++) yield { i };
    });
    expect(await epoch(new ArrayLoader(stream.map(({ i }) => ({ i: i * 2 })).take(3), { batchSize: 2 }))).toEqual([
      [0, 2],
      [4],
    ]);
    const make = () => new ArrayLoader(stream.shuffle(4), { batchSize: 3, seed: 2 });
    const loader = make();
    const all = await epoch(loader);
    expect(all.flat().sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(all.flat()).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const second = make();
    second.load({ ...second.state(), batch: 2 });
    expect(await epoch(second)).toEqual(all.slice(2));
    expect(await epoch(new ArrayLoader([{ i: 1 }, { i: 2 }], { batchSize: 2 }))).toEqual([[1, 2]]);
    const failing = new StreamDataset(function* () {
      yield { i: 0 };
      throw new Error('line 2 is bad');
    });
    await expect(epoch(new ArrayLoader(failing))).rejects.toThrow(
      'the stream failed after sample 0: Error: line 2 is bad',
    );
  });

  it('closes a stream that the consumer leaves', async () => {
    let closed = false;
    const stream = new StreamDataset(async function* () {
      try {
        for (let i = 0; ; i++) yield { i };
      } finally {
        closed = true;
      }
    });
    for await (const _ of new ArrayLoader(stream, { batchSize: 2 })) break;
    expect(closed).toBe(true);
  });

  it.each([
    [{ batchSize: 0 }, 'batchSize must be a whole number of at least 1, found 0'],
    [{ batchSize: 1.5 }, 'found 1.5'],
    [{ prefetch: -1 }, 'prefetch'],
    [{ workers: 1 }, 'moduleDataset'],
    [{ seed: 0.5 }, 'seed'],
    [{ timeout: Number.NaN }, 'timeout'],
    [{ shuffle: true, sampler: new SequentialSampler(3) }, 'not both'],
  ])('refuses options %j', (options, message) => {
    expect(() => new ArrayLoader(numbers(3), options)).toThrow(ArgumentError);
    expect(() => new ArrayLoader(numbers(3), options)).toThrow(message);
  });

  it('refuses shuffle and workers for streams', () => {
    const stream = new StreamDataset(() => [1]);
    expect(() => new ArrayLoader(stream, { shuffle: true })).toThrow('StreamDataset(...).shuffle(size)');
    expect(() => new ArrayLoader(stream, { workers: 1 })).toThrow('random access');
    expect(() => new ArrayLoader(stream).length).toThrow('not known in advance');
  });
});

describe('DataLoader with workers', () => {
  interface Sample {
    x: NDArray;
    y: number;
    noise: NDArray;
  }
  const url = new URL('../../test/fixtures/squares.ts', import.meta.url);
  const loaders: { close(): Promise<void> }[] = [];
  const load = async (options: object, loaderOptions: DataLoaderOptions<Sample, never>) => {
    const data = await moduleDataset<Sample>(url, { options });
    const loader = new ArrayLoader(data, loaderOptions as object);
    loaders.push(loader);
    return loader;
  };
  afterAll(() => Promise.all(loaders.map((l) => l.close())));

  it('gives the same batches as without workers, over two epochs', async () => {
    const run = async (workers: number) => {
      const loader = await load({ length: 20 }, { batchSize: 3, shuffle: true, seed: 4, workers });
      const out: unknown[] = [];
      for (let e = 0; e < 2; e++)
        for await (const { x, y, noise } of loader)
          out.push([toNested(x), [...y.data], [...noise.data], y.dtype, x.dtype]);
      return out;
    };
    const [inline, threaded] = await Promise.all([run(0), run(2)]);
    expect(threaded).toEqual(inline);
    expect(inline).toHaveLength(14);
  });

  it('brings errors with sample index, class and cause', async () => {
    const loader = await load({ length: 10, badIndex: 7 }, { batchSize: 5, workers: 1 });
    let batches = 0;
    const error = await (async () => {
      for await (const _ of loader) batches++;
    })().catch((e: unknown) => e as Error);
    expect(batches).toBe(1);
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toBe('sample 7 could not be read: FormatError: image 7 is truncated');
    expect((error as Error).cause).toBeInstanceOf(FormatError);
    expect(((error as Error).cause as Error).cause).toMatchObject({ message: 'end of file' });
  });

  it('names the one sample of a batch that cannot go from thread to thread', async () => {
    const loader = await load({ length: 6, functionIndex: 4 }, { batchSize: 3, workers: 1 });
    await expect(
      (async () => {
        for await (const _ of loader);
      })(),
    ).rejects.toThrow(/^sample 4 could not be read: DataCloneError: .*could not be cloned/);
  });

  it('reports a worker that exits or hangs, naming the samples, and goes on with a new one', async () => {
    const dying = await load({ length: 4, exitIndex: 1 }, { batchSize: 2, workers: 1 });
    const run = async (loader: typeof dying) => {
      for await (const _ of loader);
    };
    await expect(run(dying)).rejects.toThrow(/ended with code 3 \(while reading samples 0, 1\)/);
    const hanging = await load({ length: 4, hangIndex: 3 }, { batchSize: 2, workers: 1, timeout: 3 });
    await expect(run(hanging)).rejects.toThrow(/samples 2, 3 took longer than 3 s/);
  });

  it('reports a module that makes no data set', async () => {
    await expect(moduleDataset(url, { exportName: 'nope' })).rejects.toThrow(/no export 'nope'; it exports .*broken/);
    await expect(moduleDataset(url, { exportName: 'notDataset' })).rejects.toThrow("'length' and 'get(index)'");
    await expect(moduleDataset(url, { exportName: 'broken' })).rejects.toThrow('no such folder');
  });

  it('starts anew after close', async () => {
    const loader = await load({ length: 4 }, { batchSize: 2, workers: 1 });
    for await (const { x } of loader) expect(x).toMatchObject({ shape: [2, 2], dtype: 'float32' });
    await loader.close();
    for await (const { y } of loader) expect(y.shape).toEqual([2]); // a new pool starts
  });

  it('refuses what no loader can read, and options it does not know', () => {
    const make =
      (dataset: unknown, options: object = {}) =>
      () =>
        new DataLoader(dataset as number[], options);
    expect(make(null)).toThrow(/expected a data set .* found null/);
    expect(make(Promise.resolve([1]))).toThrow(/found object \(a promise: await it\)/);
    expect(make([1], { batchsize: 2 })).toThrow(/unknown option 'batchsize'; it takes batchSize/);
    expect(make([1], { collate: 3 })).toThrow(/collate must be a function, found number/);
    expect(make([1], { dtypes: { y: 'float33' } })).toThrow(/field 'y' has unknown dtype 'float33'/);
  });
});
