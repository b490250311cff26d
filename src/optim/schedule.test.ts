import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/index.ts';
import * as optim from './index.ts';

const start = (lr = 1) => optim.sgd([tensor([0], { requiresGrad: true })], { lr });

function follow(scheduler: optim.Scheduler, steps: number): number[] {
  return Array.from({ length: steps }, () => {
    const [lr] = scheduler.lrs();
    scheduler.step();
    return Number(lr.toFixed(6));
  });
}

describe('schedules', () => {
  it('follow one another, each counting from its own start', () => {
    const scheduler = optim.sequential(start(), {
      schedules: [optim.linearLR({ startFactor: 0.25, totalIters: 3 }), optim.stepLR({ stepSize: 2, gamma: 0.5 })],
      milestones: [3],
    });
    expect(follow(scheduler, 8)).toEqual([0.25, 0.5, 0.75, 1, 1, 0.5, 0.5, 0.25]);
  });

  it('can be functions, one per group', () => {
    const params = [tensor([0], { requiresGrad: true }), tensor([0], { requiresGrad: true })];
    const optimizer = optim.sgd([
      { params: [params[0]], lr: 1 },
      { params: [params[1]], lr: 10 },
    ]);
    const scheduler = optim.lambdaLR(optimizer, { lrLambda: [(i) => 0.5 ** i, (i) => 1 + i] });
    scheduler.step();
    expect(scheduler.lrs()).toEqual([0.5, 20]);
  });

  it('can be defined by users', () => {
    const inverse = optim.defineSchedule({
      name: 'inverse',
      defaults: { power: 1 },
      lr: (step, { baseLr }, { power }) => baseLr / (1 + step) ** power,
    });
    expect(follow(inverse({ power: 2 })(start()), 3)).toEqual([1, 0.25, 0.111111]);
  });

  it('cycle the first beta of Adam', () => {
    const optimizer = optim.adam([tensor([0], { requiresGrad: true })]);
    optim.oneCycleLR(optimizer, { maxLr: 1, totalSteps: 10 });
    expect(optimizer.groups[0].hyper.betas).toEqual([0.95, 0.999]);
  });

  it('keep the base learning rates when resumed on an optimiser whose rate has changed', () => {
    const first = optim.exponentialLR(start(0.4), { gamma: 0.5 });
    first.step();
    const second = optim.exponentialLR(start(0.2), { gamma: 0.5 });
    second.loadStateDict(first.stateDict());
    second.step();
    expect(second.lrs()[0]).toBeCloseTo(0.1, 12);
  });

  it('say what is wrong with their options', () => {
    expect(() => optim.stepLR({})).toThrow('stepLR: stepSize must be a whole number, 1 or more; found 0');
    expect(() => optim.exponentialLR({})).toThrow('gamma must be above 0, found NaN');
    expect(() => optim.linearWithWarmup({ numWarmupSteps: 2 })).toThrow('numTrainingSteps must be a whole number');
    expect(() => optim.stepLR(start(), Object.fromEntries([['step', 3]]))).toThrow(
      "stepLR: unknown option 'step'; it takes stepSize, gamma",
    );
    expect(() => optim.reduceLROnPlateau(start()).step()).toThrow('step(metric) needs the watched value');
    expect(() => optim.reduceLROnPlateau({ factor: 1 })).toThrow('factor must be above 0 and below 1, found 1');
    expect(() => optim.oneCycleLR(start(), { maxLr: 1, totalSteps: 5 })).toThrow('the optimiser has none');
    expect(() => optim.sequential({ schedules: [optim.linearLR()], milestones: [3] })).toThrow('need 0 milestones');
    expect(() =>
      optim.sequential({ schedules: [optim.linearLR(), optim.reduceLROnPlateau()], milestones: [3] }),
    ).toThrow('watches a metric');
    const scheduler = optim.linearLR(start());
    expect(() => scheduler.loadStateDict({ step: 1, baseLrs: [1, 2] })).toThrow(
      '2 parameter groups, the optimiser has 1',
    );
  });
});
