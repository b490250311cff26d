/** @file Positions: at() in all its forms, gather and scatter with plain numbers, sorting, grids; their errors. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arange, grad, meshgrid, oneHot, searchsorted, type Tensor, tensor } from './index.ts';

const x = arange(24).reshape([2, 3, 4]).float();

describe('at', () => {
  const rows: [string, Tensor, number[], number[]][] = [
    ['a number picks', x.at(1), [3, 4], [12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]],
    ['a negative number counts from the end', x.at(-1, -1, -1), [], [23]],
    ['null keeps', x.at(null, 0, null), [2, 4], [0, 1, 2, 3, 12, 13, 14, 15]],
    ['a slice', x.at(0, [1, 3]), [2, 4], [4, 5, 6, 7, 8, 9, 10, 11]],
    ['an open slice with a step', x.at(0, 0, [null, null, 2]), [2], [0, 2]],
    ['a slice from the end', x.at(0, 0, [-3, -1]), [2], [1, 2]],
    ['a slice that is longer than the dimension', x.at(0, 0, [2, 99]), [2], [2, 3]],
    ['an empty slice', x.at(0, 0, [3, 1]), [0], []],
    ['dots', x.at('...', 3), [2, 3], [3, 7, 11, 15, 19, 23]],
    ['dots between', x.at(1, '...', [0, 1]), [3, 1], [12, 16, 20]],
    ['a new dimension', x.at(0, 0, 'new', [0, 2]), [1, 2], [0, 1]],
    ['a vector of indices', x.at(0, tensor([2, 0], { dtype: 'int64' })), [2, 4], [8, 9, 10, 11, 0, 1, 2, 3]],
    ['negative indices in a tensor', x.at(0, 0, tensor([-1, 0], { dtype: 'int32' })), [2], [3, 0]],
    ['a matrix of indices', x.at(0, 0, tensor([[0, 1], [3, 2]], { dtype: 'int64' })), [2, 2], [0, 1, 3, 2]],
    ['two index tensors side by side', x.at(null, tensor([0, 2], { dtype: 'int64' }), tensor([1, 3], { dtype: 'int64' })), [2, 2], [1, 11, 13, 23]],
    ['two index tensors that broadcast', x.at(0, tensor([[0], [2]], { dtype: 'int64' }), tensor([1, 3], { dtype: 'int64' })), [2, 2], [1, 3, 9, 11]],
    ['index tensors apart come in front', x.at(tensor([1, 0], { dtype: 'int64' }), null, tensor([0, 3], { dtype: 'int64' })), [2, 3], [12, 16, 20, 3, 7, 11]],
  ]; // biome-ignore format: one case a line
  it.each(rows)('%s', async (_, y, shape, values) => {
    expect(y.shape).toEqual(shape);
    expect(Array.from(await y.data())).toEqual(values);
  });

  it('adds up gradients of repeated positions', async () => {
    const w = tensor([1, 2, 3], { requiresGrad: true });
    const y = w.at(tensor([0, 2, 2], { dtype: 'int64' }));
    expect(await grad(y.sum(), w).array()).toEqual([1, 0, 2]);
  });

  it('refuses what it cannot do, saying what can', () => {
    expect(() => x.at(0, 0, 0, 0)).toThrow(/4 entries for shape \[2, 3, 4\]/);
    expect(() => x.at(2)).toThrow(/index 2 is out of range for dimension 0 of size 2/);
    expect(() => x.at(x.gt(0))).toThrow(/use where\(\) or maskedFill\(\)/);
    expect(() => x.at('...', 0, '...')).toThrow(/only once/);
    expect(() => x.at([0, 2, -1])).toThrow(/use flip\(\)/);
    expect(() => x.at(tensor([0.5]))).toThrow(/must be integers, found float32/);
  });
});

describe('plain numbers as indices', () => {
  it('are checked and may be negative', async () => {
    expect(await x.indexSelect(2, [-1, 0]).at(0, 0).array()).toEqual([3, 0]);
    expect(
      await x
        .at(0)
        .gather(1, [[3], [-2], [0]])
        .array(),
    ).toEqual([[3], [6], [8]]);
    expect(() => x.indexSelect(1, [3])).toThrow(/indexSelect: index 3 is out of range for a dimension of size 3/);
    expect(() => x.at(0).gather(0, [[0.5]])).toThrow(/whole numbers, found 0.5/);
    expect(await oneHot([1, -1], 3).array()).toEqual([
      [0, 1, 0],
      [0, 0, 1],
    ]);
  });

  it('must fit', () => {
    expect(() => x.gather(0, [0])).toThrow(/index of shape \[1\] does not fit shape \[2, 3, 4\]/);
    expect(() => tensor([1, 2, 3]).scatterAdd(0, [0, 1], tensor([1]))).toThrow(/src of shape \[1\] is smaller/);
    expect(() => x.topk(5)).toThrow(/k = 5 is out of range for dimension -1 of size 4/);
    expect(() => oneHot([1], 0)).toThrow(/numClasses must be a positive whole number/);
  });
});

describe('scatter', () => {
  it('writes numbers too', async () => {
    const y = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]).scatter(1, [[0], [2]], 9);
    expect(await y.array()).toEqual([
      [9, 2, 3],
      [4, 5, 9],
    ]);
  });
});

describe('sizes that depend on data', () => {
  const m = tensor(
    [
      [0, 2],
      [3, 0],
    ],
    { requiresGrad: true },
  );
  it('nonzero lists positions', async () => {
    expect(await (await m.nonzero()).array()).toEqual([
      [0, 1],
      [1, 0],
    ]);
    expect((await tensor([0, 0]).nonzero()).shape).toEqual([0, 1]);
    expect((await tensor(3).nonzero()).shape).toEqual([1, 0]);
  });

  it('maskedSelect picks, with gradients', async () => {
    const picked = await m.maskedSelect(m.gt(2));
    expect(await picked.array()).toEqual([3]);
    expect(await grad(picked.sum(), m).array()).toEqual([
      [0, 0],
      [1, 0],
    ]);
    await expect(m.maskedSelect(m)).rejects.toThrow(/must be bool/);
  });
});

describe('float16', () => {
  it('adds up where positions repeat', async () => {
    const w = tensor([1, 2, 3]).half();
    const y = w.scatterAdd(0, [1, 1, 0], tensor([4, 5, 6]).half());
    expect(y.dtype).toBe('float16');
    expect(await y.float().array()).toEqual([7, 11, 3]);
  });
});

describe('sort', () => {
  it('agrees with a stable sort', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 12 }),
        fc.boolean(),
        async (list, descending) => {
          const { values, indices } = tensor(list).sort(0, { descending });
          const order = list
            .map((_, i) => i)
            .sort((a, b) => (descending ? list[b] - list[a] : list[a] - list[b]) || a - b);
          expect(Array.from(await indices.data())).toEqual(order);
          expect(Array.from(await values.data())).toEqual(order.map((i) => list[i]));
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('grids', () => {
  it('meshgrid varies rows first, or columns', async () => {
    const [a, b] = meshgrid([tensor([1, 2]), tensor([3, 4, 5])]);
    expect([await a.array(), await b.array()]).toEqual([
      [
        [1, 1, 1],
        [2, 2, 2],
      ],
      [
        [3, 4, 5],
        [3, 4, 5],
      ],
    ]);
    const [c] = meshgrid([tensor([1, 2]), tensor([3, 4, 5])], { indexing: 'xy' });
    expect(await c.array()).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
  });

  it('searchsorted finds the left and the right end', async () => {
    const edges = tensor([1, 3, 3, 5]);
    expect(await searchsorted(edges, tensor([0, 3, 9])).array()).toEqual([0, 1, 4]);
    expect(await searchsorted(edges, tensor([0, 3, 9]), { right: true }).array()).toEqual([0, 3, 4]);
  });
});
