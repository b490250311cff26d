/** @file Arithmetic, comparison and selection against PyTorch's values; their error messages. */
import { describe, expect, it } from 'vitest';
import { mathCalls } from '../../test/functional/calls.ts';
import { testGolden } from '../../test/functional/check.ts';
import { loadGolden } from '../../test/golden/load.ts';
import type { Operand, Tensor } from './index.ts';
import * as T from './index.ts';
import { tensor } from './index.ts';

describe('golden values', () => {
  testGolden(
    loadGolden('functional').cases.filter((c) => c.op in mathCalls),
    mathCalls,
  );
});

describe('numbers as operands (PyTorch: result_type)', () => {
  const ints = tensor([7, -7], { dtype: 'int64' });
  const bools = tensor([true, false]);
  const rows: [string, Tensor, string, number[]][] = [
    ['int + int number stays int64', ints.add(1), 'int64', [8, -6]],
    ['int + 0.5 becomes float32', ints.add(0.5), 'float32', [7.5, -6.5]],
    ['int / int becomes float32', ints.div(2), 'float32', [3.5, -3.5]],
    ['int / int rounded down', ints.div(2, { roundingMode: 'floor' }), 'int64', [3, -4]],
    ['int / int rounded toward 0', ints.div(2, { roundingMode: 'trunc' }), 'int64', [3, -3]],
    ['int % int has the sign of the divisor', ints.remainder(4), 'int64', [3, 1]],
    ['bool + 1 becomes int64', bools.add(1), 'int64', [2, 1]],
    ['bool + bool is a disjunction', bools.add(bools), 'bool', [1, 0]],
    ['bool * float', bools.mul(2.5), 'float32', [2.5, 0]],
    ['int32 + int64', tensor([1, 2], { dtype: 'int32' }).add(ints), 'int64', [8, -5]],
    ['int64 + float32', ints.add(tensor([0.5, 0.5])), 'float32', [7.5, -6.5]],
    ['uint8 + int8', tensor([200], { dtype: 'uint8' }).add(tensor([-1], { dtype: 'int8' })), 'int16', [199]],
    ['a float scalar does not widen float32', tensor([1]).add(tensor(2, { dtype: 'float64' })), 'float32', [3]],
    [
      'an int scalar does not widen int32',
      tensor([1], { dtype: 'int32' }).add(tensor(2, { dtype: 'int64' })),
      'int32',
      [3],
    ],
    ['a float scalar makes ints float', ints.mul(tensor(0.5)), 'float32', [3.5, -3.5]],
    ['exp of ints', tensor([0, 1], { dtype: 'int64' }).exp().floor(), 'float32', [1, 2]],
    ['floor of ints', ints.floor(), 'int64', [7, -7]],
    ['float to int', tensor([1.9, -1.9]).to('int32'), 'int32', [1, -1]],
    ['alpha', tensor([1, 2]).sub(tensor([1, 1]), { alpha: 3 }), 'float32', [-2, -1]],
    ['clamp by a tensor', tensor([1, 5]).clamp({ min: tensor([2, 2]), max: 4 }), 'float32', [2, 4]],
  ];
  it.each(rows)('%s', async (_, x, dtype, values) => {
    expect(x.dtype).toBe(dtype);
    expect(Array.from(await x.data())).toEqual(values);
  });
});

describe('methods', () => {
  const operations = { ...T };
  const x = tensor([
    [1.5, -2],
    [3, 0.5],
  ]);
  const y = tensor([2, -1.5]);
  const names = [
    'add',
    'sub',
    'mul',
    'div',
    'maximum',
    'minimum',
    'hypot',
    'remainder',
    'fmod',
    'floorDivide',
    'eq',
    'ne',
    'lt',
    'le',
    'gt',
    'ge',
    'logicalAnd',
    'logicalOr',
    'logicalXor',
    'atan2',
    'logaddexp',
    'isclose',
  ] as const;
  it.each(names)('x.%s(y) is the function of x and y, in this order', async (name) => {
    expect(await x[name](y).array()).toEqual(await operations[name](x, y).array());
  });

  it('selects by a condition', async () => {
    expect(await x.where(x.gt(0), 0).array()).toEqual([
      [1.5, 0],
      [3, 0.5],
    ]);
    expect(await x.isclose(x.add(1e-9)).all().array()).toBe(true);
  });
});

describe('precision', () => {
  it('keeps log1p and expm1 exact near 0 and right far away', async () => {
    const x = tensor([1e-7, -1e-7, 1e10, -0.9999]);
    const expected = [1e-7, -1e-7, 1e10, -0.9999].map((v) => Math.log1p(Math.fround(v)));
    const found = await x.log1p().data();
    for (const [i, v] of found.entries()) expect(Math.abs(v / expected[i] - 1)).toBeLessThan(1e-6);
    const e = await tensor([1e-7, -1e-7, -200]).expm1().data();
    for (const [i, v] of [1e-7, -1e-7, -1].entries()) expect(Math.abs(e[i] / v - 1)).toBeLessThan(1e-6);
  });

  it('differentiates log1p far away, where the branch for small numbers would overflow', async () => {
    const x = tensor([1e30, 3], { requiresGrad: true });
    const [dx] = [T.grad(x.log1p().sum(), x)];
    expect(Array.from(await dx.data())).toEqual([Math.fround(1e-30), 0.25]);
  });
});

describe('gradients at kinks are those of PyTorch', () => {
  const rows: [string, (x: Tensor) => Tensor, number[]][] = [
    ['clamp stops at its bounds', (x) => x.clamp({ min: 0, max: 1 }), [0, 0, 1, 0, 0]],
    ['clamp by tensors shares at its bounds', (x) => x.clamp({ min: tensor(0), max: tensor(1) }), [0, 0.5, 1, 0.5, 0]],
    ['abs', (x) => x.abs(), [-1, 0, 1, 1, 1]],
    ['relu', (x) => x.relu(), [0, 0, 1, 1, 1]],
    ['maximum shares', (x) => x.maximum(0), [0, 0.5, 1, 1, 1]],
    ['hardtanh stops', (x) => x.hardtanh({ minVal: 0, maxVal: 1 }), [0, 0, 1, 0, 0]],
  ];
  it.each(rows)('%s', async (_, f, expected) => {
    const x = tensor([-1, 0, 0.5, 1, 2], { requiresGrad: true });
    expect(await T.grad(f(x).sum(), x).array()).toEqual(expected);
  });
});

describe('isclose, allclose, equal', () => {
  const a = tensor([1, 2, Number.NaN, Number.POSITIVE_INFINITY]);
  it('treat NaN and infinities as PyTorch does', async () => {
    expect(await a.isclose(a).array()).toEqual([true, true, false, true]);
    expect(await a.allclose(a, { equalNan: true })).toBe(true);
    expect(await a.allclose(a)).toBe(false);
    expect(await tensor([1, 2]).equal(tensor([1, 2]))).toBe(true);
    expect(await tensor([1, 2]).equal(tensor([[1, 2]]))).toBe(false);
    expect(await tensor([1]).allclose(1.000001)).toBe(true);
  });
});

describe('errors', () => {
  const bad: [string, () => unknown, RegExp][] = [
    ['shapes that do not broadcast', () => tensor([1, 2]).add(tensor([1, 2, 3])), /\[2\].*\[3\].*do not broadcast/],
    ['clamp without bounds', () => tensor([1]).clamp({}), /give min, max or both/],
    ['subtraction of booleans', () => tensor([true]).sub(tensor([true])), /logicalXor/],
    ['a condition that is not bool', () => T.where(tensor([1]), 1, 2), /must be bool, found float32/],
    ['a mask that is not bool', () => tensor([1]).maskedFill(tensor([1]), 0), /must be bool, found float32/],
    ['an unknown dtype', () => tensor([1]).to('float8' as 'float32'), /unknown dtype 'float8'/],
  ];
  it.each(bad)('%s', (_, call, message) => {
    expect(call).toThrow(message);
  });
});

it('clones into memory of its own', async () => {
  const w = tensor([1, 2], { requiresGrad: true });
  const copy = await w.clone().realize();
  w.setData(new Float32Array([5, 6]));
  expect(await copy.array()).toEqual([1, 2]);
  const dx = T.grad(w.clone().mul(3).sum(), w);
  expect(await dx.array()).toEqual([3, 3]);
});

it('exports operands that are numbers on the left', async () => {
  const one: Operand = 1;
  expect(await T.sub(one, tensor([1, 2])).array()).toEqual([0, -1]);
});
