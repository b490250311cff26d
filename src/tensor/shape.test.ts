/** @file shape against PyTorch's values. */
import { describe, expect, it } from 'vitest';
import { shapeCalls } from '../../test/functional/calls.ts';
import { testGolden } from '../../test/functional/check.ts';
import { loadGolden } from '../../test/golden/load.ts';
import { arange, cat, einsum, linear, stack, type Tensor, tensor } from './index.ts';

describe('golden values', () => {
  testGolden(
    loadGolden('functional').cases.filter((c) => c.op in shapeCalls),
    shapeCalls,
  );
});

describe('more shapes', () => {
  const x = arange(6).reshape([2, 3]);
  const rows: [string, Tensor, number[], number[]][] = [
    ['unflatten', arange(6).unflatten(0, [2, -1]), [2, 3], [0, 1, 2, 3, 4, 5]],
    ['squeeze all', x.reshape([1, 2, 1, 3]).squeeze(), [2, 3], [0, 1, 2, 3, 4, 5]],
    ['squeeze a dimension that is not 1', x.squeeze(0), [2, 3], [0, 1, 2, 3, 4, 5]],
    ['t', x.t(), [3, 2], [0, 3, 1, 4, 2, 5]],
    ['repeat', x.at(0).repeat([2, 2]), [2, 6], [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]],
    ['repeatInterleave by a list', x.repeatInterleave([2, 0, 1], 1), [2, 3], [0, 0, 2, 3, 3, 5]],
    ['chunks that are not even', cat(arange(5).chunk(2)), [5], [0, 1, 2, 3, 4]],
    ['roll of a list', x.roll([1], [1]), [2, 3], [2, 0, 1, 5, 3, 4]],
    ['cat of mixed dtypes', cat([x.at(0), tensor([0.5])]), [4], [0, 1, 2, 0.5]],
    ['diag with a negative offset', tensor([1, 2]).diag(-1), [3, 3], [0, 0, 0, 1, 0, 0, 0, 2, 0]],
    ['expandAs', tensor([[1], [2]]).expandAs(x), [2, 3], [1, 1, 1, 2, 2, 2]],
    ['pad of integers', x.at(0).pad([1, 0]), [4], [0, 0, 1, 2]],
  ];
  it.each(rows)('%s', async (_, y, shape, values) => {
    expect(y.shape).toEqual(shape);
    expect(Array.from(await y.data())).toEqual(values);
  });

  const bad: [string, () => unknown, RegExp][] = [
    ['reshape', () => x.reshape([4, 2]), /cannot reshape \[2, 3\] \(6 elements\) into \[4, 2\]/],
    ['two unknown sizes', () => x.reshape([-1, -1]), /only one size may be -1/],
    ['unflatten', () => x.unflatten(1, [2, 2]), /do not multiply to 3/],
    ['permute', () => x.permute([0, 0]), /not a permutation/],
    ['expand', () => x.expand([4, 3]), /only sizes of 1 can grow/],
    ['a dimension out of range', () => x.unsqueeze(5), /axis 5 is out of range/],
    ['cat', () => cat([x, x.t()]), /all other axes must agree/],
    ['stack', () => stack([x, x.t()]), /shapes \[2, 3\] and \[3, 2\] differ/],
    ['cat of nothing', () => cat([]), /at least one tensor/],
    ['narrow', () => x.narrow(1, 2, 2), /start 2 and length 2 exceed dimension 1 of size 3/],
    ['split', () => x.split([1, 1], 1), /do not add up to 3/],
    ['pad', () => x.pad([3, 0], { mode: 'reflect' }), /can add at most 2 elements to dimension 1/],
    ['pad with an odd list', () => x.pad([1]), /found 1 numbers/],
    ['an unknown pad mode', () => x.pad([1, 1], { mode: 'edge' as 'reflect' }), /mode must be one of .*found 'edge'/],
    ['matrices that do not fit', () => x.matmul(x), /cannot multiply \[2, 3\] by \[2, 3\]/],
    ['bmm', () => x.bmm(x), /bmm: the first batch must have 3 dimensions, found shape \[2, 3\]/],
    ['linear', () => linear(x, x.t()), /linear: the last dimension of the input \[2, 3\] must equal 2/],
    ['einsum with a size that differs', () => einsum('ij,jk->ik', x, x), /'j' in 'ij,jk->ik' stands for sizes 3 and 2/],
    ['einsum with too few operands', () => einsum('ij,jk->ik', x), /2 terms for 1 operands/],
    ['einsum with an unknown output', () => einsum('ij->k', x), /output letter 'k'/],
  ];
  it.each(bad)('%s is refused', (_, call, message) => {
    expect(call).toThrow(message);
  });
});
