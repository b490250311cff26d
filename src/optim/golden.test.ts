import { describe, expect, it } from 'vitest';
import { type GoldenOptimizer, type GoldenSchedule, loadGolden } from '../../test/golden/load.ts';
import { compile, fromData, type Tensor } from '../tensor/index.ts';
import * as optim from './index.ts';

const { cases } = loadGolden('optim');
const optimizers = cases.filter((c): c is GoldenOptimizer => c.kind === 'optimizer');
const schedules = cases.filter((c): c is GoldenSchedule => c.kind === 'schedule');

type Construct = (options: object) => optim.OptimizerFactory;
type Plan = (options: object) => optim.SchedulerFactory;
const everything = new Map(Object.entries(optim));
const constructorOf = (op: string) => everything.get(op) as Construct;

const parametersOf = ({ params }: GoldenOptimizer) =>
  Object.fromEntries(
    Object.entries(params).map(([name, { data, shape }]) => [
      name,
      fromData(data.slice(), shape, { requiresGrad: true }),
    ]),
  );

/** A loss whose gradient is exactly the given one. */
const lossWith = (params: Record<string, Tensor>, grads: Record<string, Tensor>) =>
  Object.entries(params)
    .map(([name, p]) => p.mul(grads[name]).sum())
    .reduce((a, b) => a.add(b));

async function expectAfter(params: Record<string, Tensor>, expected: GoldenOptimizer['after'][number]) {
  for (const [name, p] of Object.entries(params)) {
    const data = await p.data();
    expected[name].data.forEach((value, i) => {
      expect(Math.abs(data[i] - value)).toBeLessThanOrEqual(2e-5 + 2e-5 * Math.abs(value));
    });
  }
}

describe.each(optimizers.map((c) => [c.name, c] as const))('%s', (_, golden) => {
  const gradsAt = (i: number) =>
    Object.fromEntries(Object.entries(golden.grads[i]).map(([name, g]) => [name, fromData(g.data.slice(), g.shape)]));

  it('gives the parameters of the reference after each step', async () => {
    const params = parametersOf(golden);
    const optimizer = constructorOf(golden.op)(golden.options)(Object.values(params));
    for (let i = 0; i < golden.grads.length; i++) {
      optimizer.zeroGrad();
      lossWith(params, gradsAt(i)).backward();
      await optimizer.step();
      await expectAfter(params, golden.after[i]);
    }
  });

  it('gives them inside compile too', async () => {
    const params = parametersOf(golden);
    const optimizer = constructorOf(golden.op)(golden.options)(Object.values(params));
    const names = Object.keys(params);
    const step = compile(async (...grads: Tensor[]) => {
      optimizer.zeroGrad();
      const loss = lossWith(params, Object.fromEntries(names.map((name, k) => [name, grads[k]])));
      loss.backward();
      await optimizer.step();
      return loss;
    });
    for (let i = 0; i < golden.grads.length; i++) {
      const grads = gradsAt(i);
      await step(...names.map((name) => grads[name]));
      await expectAfter(params, golden.after[i]);
    }
    expect(optimizer.stepCount).toBe(golden.grads.length);
  });
});

describe.each(schedules.map((c) => [c.name, c] as const))('%s', (_, golden) => {
  const start = () =>
    optim.sgd([fromData(new Float32Array(1), [1])], { lr: golden.baseLr, momentum: golden.momentum ? 0.9 : 0 });
  const plan = (everything.get(golden.op) as Plan)(golden.options);
  const close = (a: number, b: number) => expect(Math.abs(a - b)).toBeLessThanOrEqual(1e-9 + 1e-9 * Math.abs(b));

  it('gives the learning rates of the reference', () => {
    const optimizer = start();
    const scheduler = plan(optimizer);
    golden.lr.forEach((lr, i) => {
      close(scheduler.lrs()[0], lr);
      if (golden.momentum) close(optimizer.groups[0].hyper.momentum, golden.momentum[i]);
      scheduler.step(golden.metrics?.[i]);
    });
  });

  it('goes on exactly from a saved state', () => {
    const first = plan(start());
    const half = Math.floor(golden.lr.length / 2);
    for (let i = 0; i < half; i++) first.step(golden.metrics?.[i]);
    const saved = JSON.parse(JSON.stringify(first.stateDict()));
    const second = plan(start());
    second.loadStateDict(saved);
    for (let i = half; i < golden.lr.length; i++) {
      close(second.lrs()[0], golden.lr[i]);
      second.step(golden.metrics?.[i]);
    }
  });
});
