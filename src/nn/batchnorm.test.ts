import { describe, expect, it } from 'vitest';
import { compile, randn, type Tensor, tensor } from '../tensor/index.ts';
import * as nn from './index.ts';

const column = (...values: number[]) => tensor(values.map((v) => [v]));
const statistics = async (bn: nn.BatchNorm1d) => [
  await bn.runningMean!.item(),
  await bn.runningVar!.item(),
  await bn.numBatchesTracked!.item(),
];

describe('running statistics', () => {
  const batches = [column(1, 3), column(2, 6), column(0, 10)];

  it.each(['eager', 'compiled'])('move by the momentum, %s', async (mode) => {
    const bn = new nn.BatchNorm1d(1, { momentum: 0.5 });
    const run = async (x: Tensor) => bn.forward(x);
    const step = mode === 'compiled' ? compile(run) : run;
    for (const x of batches) await (await step(x)).realize();
    // Means 2, 4, 5; unbiased variances 2, 8, 50.
    expect(await statistics(bn)).toEqual([((0 + 2) / 2 + 4) / 4 + 5 / 2, ((1 + 2) / 2 + 8) / 4 + 50 / 2, 3]);
  });

  it('are the plain average of all batches without a momentum', async () => {
    const bn = new nn.BatchNorm1d(1, { momentum: null });
    for (const x of batches) await bn.forward(x).realize();
    const [mean, variance, count] = await statistics(bn);
    expect(mean).toBeCloseTo(11 / 3, 5);
    expect(variance).toBeCloseTo(20, 4);
    expect(count).toBe(3);
  });

  it('are used, and left alone, in evaluation', async () => {
    const bn = new nn.BatchNorm1d(1).eval();
    const before = await statistics(bn);
    expect((await bn.forward(column(3, 5)).data())[0]).toBeCloseTo(3 / Math.sqrt(1 + 1e-5), 5);
    expect(await statistics(bn)).toEqual(before);
  });

  it('are not kept if they are not tracked', async () => {
    const bn = new nn.BatchNorm1d(1, { trackRunningStats: false }).eval();
    expect(Object.keys(bn.stateDict())).toEqual(['weight', 'bias']);
    expect((await bn.forward(column(3, 5)).data())[1]).toBeCloseTo(1, 4);
  });
});

describe('inputs of normalisations', () => {
  it('are checked', () => {
    expect(() => new nn.BatchNorm2d(3).forward(randn([2, 3, 4]))).toThrow(
      'BatchNorm2d: expected [batch, 3, ...] of 4 dimensions, found [2, 3, 4]',
    );
    expect(() => new nn.BatchNorm1d(3).forward(randn([2, 4]))).toThrow('of 2 or 3 dimensions, found [2, 4]');
    expect(() => new nn.BatchNorm1d(3).forward(randn([1, 3]))).toThrow('more than 1 value per channel when training');
    expect(() => new nn.InstanceNorm2d(3).forward(randn([2, 4, 2, 2]))).toThrow(
      'InstanceNorm2d: expected [batch, 3, ...]',
    );
  });
});
