/** @file Indices, axes and dimensions out of range: the error names the operator and the line of the test. */
import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../ir/errors.ts';
import { tensor } from './creation.ts';
import { at, gather, indexSelect, oneHot, scatterAdd, takeAlongDim } from './indexing.ts';
import { compile } from './tracing.ts';

const here = /\n {4}at \S*out-of-range\.test\.ts:\d+:\d+$/;
const int = (data: number[] | number[][]) => tensor(data, { dtype: 'int64' });

/** The message of the error that `f` throws, without its last line, and that line's number. */
async function failure(f: () => unknown): Promise<{ message: string; line: number }> {
  const error = await Promise.resolve()
    .then(f)
    .then(
      () => expect.unreachable(),
      (e: unknown) => e,
    );
  expect(error).toBeInstanceOf(ArgumentError);
  const { message } = error as ArgumentError;
  expect(message).toMatch(here);
  return { message: message.replace(here, ''), line: Number(/:(\d+):\d+$/.exec(message)?.[1]) };
}

describe('out of range', () => {
  const x = tensor([
    [0, 1, 2],
    [3, 4, 5],
  ]);
  it('names the line for axes and dimensions', async () => {
    expect((await failure(() => x.sum(5))).message).toBe(
      'axis 5 is out of range for a tensor of rank 2: expected -2 to 1',
    );
    expect((await failure(() => x.size(2))).message).toBe('dimension 2 does not exist in shape [2, 3]');
  });

  it('is found at once where the indices are at hand', async () => {
    const bad = int([0, 9]);
    const known = 'index 9 at position 1 is out of range for a dimension of size 3; expected -3 to 2';
    expect((await failure(() => indexSelect(x, 1, bad))).message).toBe(`indexSelect: ${known}`);
    expect((await failure(() => gather(x, 1, int([[0, 9]])))).message).toBe(`gather: ${known}`);
    expect((await failure(() => at(x, int([-3])))).message).toBe(
      'at: index -3 at position 0 is out of range for a dimension of size 2; expected -2 to 1',
    );
    expect((await failure(() => oneHot(int([-1]), 2))).message).toBe(
      'oneHot: class -1 at position 0 is out of range; expected 0 to 1',
    );
  });

  it('is told apart at run time, even where the program was compiled for another line', async () => {
    const computed = int([[0, 9]]).add(1);
    const first = await failure(() => gather(x, 1, computed).data());
    const second = await failure(() => takeAlongDim(x, computed, 1).data());
    expect(first.message).toContain('[GatherElements(float32[2, 3], int64[1, 2])] an index is out of range: expected');
    expect(second.line).toBe(first.line + 1);
    expect((await failure(() => indexSelect(x, 1, int([9]).add(1)).data())).message).toBe(
      '[Gather(float32[2, 3], int64[1])] index 10 is out of range: expected -3 to 2',
    );
    expect((await failure(() => scatterAdd(x, 1, computed, 1).data())).message).toContain('index 10 is out of range');
  });

  it('is found in later runs of a compiled function', async () => {
    const pick = compile((i) => indexSelect(x, 1, i.mul(1)));
    expect(await (await pick(int([2]))).array()).toEqual([[2], [5]]);
    expect((await failure(async () => await pick(int([3])))).message).toContain(
      'index 3 at position 0 is out of range',
    );
  });
});
