/** @file Mismatches name the line that caused them, wherever in Gradus they are found. */
import { describe, expect, it } from 'vitest';
import * as F from '../nn/functional/index.ts';
import * as nn from '../nn/index.ts';
import * as optim from '../optim/index.ts';
import { compile, randn, stack, tensor, zeros } from '../tensor/index.ts';
import { Trainer } from '../train/index.ts';
import { DTypeError, ShapeError } from './errors.ts';

const here = /\n {4}at .*errors\.test\.ts:\d+:\d+$/;

describe('a mismatch names the line of the caller', () => {
  const sequential = new nn.Sequential(new nn.Linear(3, 4), new nn.ReLU(), new nn.Linear(5, 1));
  it.each<[string, () => unknown, typeof ShapeError | typeof DTypeError]>([
    ['an operator', () => randn([2, 3]).add(randn([4, 5])), ShapeError],
    ['a check before any operator', () => stack([randn([2, 3]), randn([3, 4])]), ShapeError],
    ['a layer', () => new nn.Linear(3, 4).forward(randn([2, 5])), ShapeError],
    ['a layer of layers', () => sequential.forward(randn([2, 3])), ShapeError],
    ['a loss', () => F.mseLoss(randn([2, 3]), randn([4, 3])), ShapeError],
    ['a method', () => zeros([2]).assign(zeros([3])), ShapeError],
    ['dtypes', () => randn([2, 2]).gather(0, randn([2, 2])), DTypeError],
  ])('%s', (_, cause, kind) => {
    expect(cause).toThrow(kind);
    expect(cause).toThrow(here);
  });

  it('compile and the Trainer', async () => {
    const step = compile((x) => sequential.forward(x));
    await expect(step(randn([2, 3]))).rejects.toThrow(here);
    const trainer = new Trainer(sequential, { loss: F.mseLoss, optimizer: optim.sgd({ lr: 0.1 }) });
    const train = async () => await trainer.fit([{ x: randn([2, 3]), y: tensor([[1], [2]]) }], { epochs: 1 });
    await expect(train()).rejects.toThrow(/linear: .*\[2, 4\] must equal 5/);
    await expect(train()).rejects.toThrow(here);
  });

  it('once only', () => {
    const error = new ShapeError('a [1] and b [2]\n    at /home/me/net.ts:3:4');
    expect(error.message.match(/ at /g)).toHaveLength(1);
  });
});
