/** @file reduce against PyTorch's values. */
import { describe, expect, it } from 'vitest';
import { reduceCalls } from '../../test/functional/calls.ts';
import { testGolden } from '../../test/functional/check.ts';
import { loadGolden } from '../../test/golden/load.ts';
import type { DType } from '../ir/dtype.ts';
import { grad, type Tensor, tensor, where, zeros } from './index.ts';

describe('golden values', () => {
  testGolden(
    loadGolden('functional').cases.filter((c) => c.op in reduceCalls),
    reduceCalls,
  );
});

describe('reductions of other kinds', () => {
  const ints = tensor(
    [
      [1, 0, 3],
      [4, 5, 6],
    ],
    { dtype: 'int32' },
  );
  const rows: [string, Tensor, string, number[]][] = [
    ['sum of int32 is int64', ints.sum(), 'int64', [19]],
    ['sum of booleans counts', ints.gt(2).sum(1), 'int64', [1, 3]],
    ['sum in another dtype', ints.sum(0, { dtype: 'float32' }), 'float32', [5, 5, 9]],
    ['prod of int32', ints.prod(1), 'int64', [0, 120]],
    ['any of numbers', ints.any(0), 'bool', [1, 1, 1]],
    ['all of numbers', ints.all(1, { keepdim: true }), 'bool', [0, 1]],
    ['countNonzero', ints.countNonzero(), 'int64', [5]],
    ['argmax of all', ints.argmax(), 'int64', [5]],
    ['argmax of booleans, first', ints.gt(2).argmax(1), 'int64', [2, 0]],
    ['max of all', ints.max(), 'int32', [6]],
    ['cummax', tensor([1, 3, 2, 5, 4]).cummax(0), 'float32', [1, 3, 3, 5, 5]],
    ['median of all', tensor([5, 1, 4, 2]).median(), 'float32', [2]],
    ['std of equal numbers', tensor([2, 2, 2]).std(), 'float32', [0]],
    ['norm of order 0', tensor([0, 2, 3]).norm(0, { p: 0 }), 'float32', [2]],
  ];
  it.each(rows)('%s', async (_, y, dtype, values) => {
    expect(y.dtype).toBe(dtype);
    expect(Array.from(await y.data())).toEqual(values);
  });

  it('max along a dimension gives the first maximum the gradient', async () => {
    const x = tensor([[1, 3, 3]], { requiresGrad: true });
    const { values, indices } = x.max(1);
    expect([await values.array(), await indices.array()]).toEqual([[3], [1]]);
    expect(await grad(values.sum(), x).array()).toEqual([[0, 1, 0]]);
  });

  it('std of equal numbers has gradient 0', async () => {
    const x = tensor([2, 2], { requiresGrad: true });
    expect(await grad(x.std(), x).array()).toEqual([0, 0]);
  });

  it('refuses means of integers and extrema of nothing', () => {
    expect(() => ints.mean()).toThrow(/mean: expected floating point numbers, found int32; cast with .float\(\)/);
    expect(() => zeros([0, 2]).amax(0)).toThrow(/amax: shape \[0, 2\] has no elements to choose from along 0/);
    expect(() => ints.sum(2)).toThrow(/axis 2 is out of range for a tensor of rank 2/);
    expect(() => ints.sum([0, 0])).toThrow(/name an axis twice/);
  });
});

describe('small integers and scalars', () => {
  const small = tensor(
    [
      [3, 1],
      [2, 4],
    ],
    { dtype: 'int8' },
  );
  const rows: [string, Tensor, DType, number[]][] = [
    ['amax', small.amax(0), 'int8', [3, 4]],
    ['argmax', small.argmax(1), 'int64', [0, 1]],
    ['where', where(small.gt(2), small, 0), 'int8', [3, 0, 0, 4]],
    ['maximum', small.maximum(2), 'int8', [3, 2, 2, 4]],
    ['pow', small.pow(2), 'int8', [9, 1, 4, 16]],
    ['tril', small.tril(), 'int8', [3, 0, 2, 4]],
    ['pad', small.to('int16').at(0).pad([1, 0]), 'int16', [0, 3, 1]],
    ['matmul', small.to('uint8').matmul(small.to('uint8')), 'uint8', [11, 7, 14, 18]],
    ['sum of a scalar over its only dimension', tensor(2).sum(-1), 'float32', [2]],
    ['softmax of a scalar', tensor(2).softmax(0), 'float32', [1]],
    ['cumsum of a scalar', tensor(2).cumsum(0), 'float32', [2]],
  ];
  it.each(rows)('%s', async (_, y, dtype, values) => {
    expect(y.dtype).toBe(dtype);
    expect(Array.from(await y.data())).toEqual(values);
  });
});
