import { describe, expect, it } from 'vitest';
import { StaleTensorError } from '../ir/errors.ts';
import { gemm, matMul, reduceMean } from '../ops/index.ts';
import { noGrad, Tensor, tensor, zeros } from './index.ts';

describe('realisation', () => {
  it('computes lazily built expressions', async () => {
    const a = tensor([
      [1, 2],
      [3, 4],
    ]);
    const b = a
      .mul(2)
      .add(1)
      .sub(tensor([1, 2]));
    expect(await b.array()).toEqual([
      [2, 3],
      [6, 7],
    ]);
  });

  it('updates parameters in place through assign', async () => {
    const x = tensor([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]);
    const w = tensor(
      [
        [0.1, 0.2, 0.3, 0.4],
        [0.5, 0.6, 0.7, 0.8],
      ],
      { requiresGrad: true },
    );
    const losses: number[] = [];
    for (let step = 0; step < 5; step++) {
      w.grad = null;
      const y = new Tensor(matMul(x.value, gemm(w.value, w.value, { transA: 1 })));
      const loss = new Tensor(reduceMean(y.mul(y).value, { keepdims: 0 }));
      loss.backward();
      const g = w.grad as Tensor | null;
      noGrad(() => w.assign(w.sub(g!.mul(0.001))));
      losses.push(await loss.item());
      expect((await w.grad!.data()).length).toBe(8);
    }
    for (let i = 1; i < 5; i++) expect(losses[i]).toBeLessThan(losses[i - 1]);
  });

  it('refuses to compute with overwritten elements', async () => {
    const w = tensor([1, 2, 3], { requiresGrad: true });
    const before = w.mul(2);
    noGrad(() => w.assign(w.add(1)));
    await w.realize();
    expect(await w.array()).toEqual([2, 3, 4]);
    await expect(before.data()).rejects.toThrow(StaleTensorError);
  });
});

describe('data', () => {
  it('is a copy, for given and computed tensors alike', async () => {
    for (const x of [tensor([1, 2]), tensor([1, 1]).mul(tensor([1, 2]))]) {
      (await x.data())[0] = 9;
      expect(await x.array()).toEqual([1, 2]);
      expect(await x.add(1).array()).toEqual([2, 3]);
    }
  });
});

describe('creation', () => {
  it('refuses what no tensor can hold', () => {
    expect(() => zeros([1e8, 1e8])).toThrow(
      /shape \[100000000, 100000000\] has 10000000000000000 elements; one tensor/,
    );
    expect(() => zeros(3 as never)).toThrow('a shape is a list of sizes such as [2, 3], found 3');
    expect(() => tensor([1], { dtype: 'float33' as never })).toThrow("unknown dtype 'float33'; known: float32");
    expect(() => tensor(['a'] as never)).toThrow(
      'expected numbers, nested arrays of them or a typed array, found string',
    );
  });
});
