import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DataLoader } from '../../src/data/index.ts';
import { NumericError } from '../../src/ir/errors.ts';
import * as optim from '../../src/optim/index.ts';
import { type Tensor, tensor } from '../../src/tensor/index.ts';
import { earlyStopping, Trainer } from '../../src/train/index.ts';
import { bits, loss, makeTrainer, points, seededNet, trainLoader, validationLoader } from './fixture.ts';

const folders: string[] = [];
const temporary = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gradus-'));
  folders.push(folder);
  return folder;
};
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

describe('Trainer', () => {
  it('learns, evaluates and predicts', async () => {
    const { trainer } = makeTrainer();
    const { history } = await trainer.fit(trainLoader(), { epochs: 15, validation: validationLoader() });
    expect(history).toHaveLength(15);
    expect(history[14].loss).toBeLessThan(history[0].loss / 3);
    expect(history[14].val_accuracy).toBeGreaterThan(0.85);
    const logs = await trainer.evaluate(validationLoader());
    expect(logs.accuracy).toBeGreaterThan(0.85);
    let rows = 0;
    for await (const output of trainer.predict(validationLoader())) rows += output.shape[0];
    expect(rows).toBe(100);
  });

  it('gives the same bits for the same seed', async () => {
    const runs = await Promise.all(
      [0, 1].map(async () => {
        const { model, trainer } = makeTrainer({ callbacks: [] });
        await trainer.fit(trainLoader(), { epochs: 2 });
        return await bits(model);
      }),
    );
    expect(runs[0]).toEqual(runs[1]);
  });

  it('matches a hand-written loop bit for bit', async () => {
    const { model, trainer } = makeTrainer({ schedule: undefined, callbacks: [] });
    await trainer.fit(trainLoader(), { epochs: 2 });
    const net = seededNet();
    const optimizer = optim.adamw({ lr: 0.02 })(net.parameters());
    const loader = trainLoader();
    for (let epoch = 0; epoch < 2; epoch++)
      for await (const { x, y } of loader) {
        optimizer.zeroGrad();
        loss(net.forward(x), y).backward();
        await optimizer.step();
      }
    expect(await bits(model)).toEqual(await bits(net));
  });

  it('averages gradients over an accumulation as one large batch would', async () => {
    const small = makeTrainer({ callbacks: [], accumulate: 4, schedule: undefined, optimizer: optim.sgd({ lr: 0.1 }) });
    await small.trainer.fit(new DataLoader(points(64, 1), { batchSize: 4 }), { epochs: 1 });
    const large = makeTrainer({ callbacks: [], schedule: undefined, optimizer: optim.sgd({ lr: 0.1 }) });
    await large.trainer.fit(new DataLoader(points(64, 1), { batchSize: 16 }), { epochs: 1 });
    const [a, b] = [await bits(small.model), await bits(large.model)];
    for (const key of Object.keys(a)) for (const [i, v] of a[key].entries()) expect(v).toBeCloseTo(b[key][i], 5);
  });

  it('stops early and restores the best weights', async () => {
    const { model, trainer } = makeTrainer({
      optimizer: optim.sgd({ lr: 3 }),
      schedule: undefined,
      callbacks: [earlyStopping({ patience: 2 })],
    });
    const result = await trainer.fit(trainLoader(), { epochs: 40, validation: validationLoader() });
    expect(result.stopped).toMatch(/val_loss has not improved for 2 epochs/);
    const best = result.history[(result.bestEpoch as number) - 1].val_loss;
    expect(best).toBe(Math.min(...result.history.map((l) => l.val_loss)));
    expect((await trainer.evaluate(validationLoader())).loss).toBe(best);
    expect(model.training).toBe(false);
  });

  it('restores the averages of the best epoch, which were what was evaluated', async () => {
    const out = await temporary();
    const make = () =>
      makeTrainer({ out, ema: 0.5, optimizer: optim.sgd({ lr: 3 }), schedule: undefined, callbacks: [] }).trainer;
    const first = make();
    const { history, bestEpoch = 0 } = await first.fit(trainLoader(), { epochs: 6, validation: validationLoader() });
    expect(bestEpoch).toBeLessThan(6);
    expect((await first.evaluate(validationLoader())).loss).toBe(history[bestEpoch - 1].val_loss);
    const again = make();
    await again.fit(trainLoader(), { epochs: 6, validation: validationLoader(), resume: true });
    expect((await again.evaluate(validationLoader())).loss).toBe(history[bestEpoch - 1].val_loss);
  });

  it('has the averages in the model after fit, and goes on from the weights themselves', async () => {
    const plain = async ({ model, trainer }: ReturnType<typeof makeTrainer>) => {
      let total = 0;
      let seen = 0;
      for await (const { x, y } of validationLoader()) {
        const value = await loss(model.forward(x as Tensor), y as Tensor).item();
        total += value * (x as Tensor).shape[0];
        seen += (x as Tensor).shape[0];
      }
      expect(total / seen).toBeCloseTo((await trainer.evaluate(validationLoader())).loss, 5);
      return total / seen;
    };
    const best = makeTrainer({ ema: 0.5, optimizer: optim.sgd({ lr: 3 }), schedule: undefined, callbacks: [] });
    const { history, bestEpoch = 0 } = await best.trainer.fit(trainLoader(), {
      epochs: 6,
      validation: validationLoader(),
    });
    expect(await plain(best)).toBeCloseTo(history[bestEpoch - 1].val_loss, 5);

    const options = { ema: 0.9, schedule: undefined, callbacks: [] };
    const whole = makeTrainer(options);
    await whole.trainer.fit(trainLoader(), { epochs: 2 });
    await plain(whole);
    const parts = makeTrainer(options);
    const loader = trainLoader();
    await parts.trainer.fit(loader, { epochs: 1 });
    await parts.trainer.fit(loader, { epochs: 1 });
    expect(await bits(parts.model)).toEqual(await bits(whole.model));
  });

  it('names the tensor that is not finite, and leaves parameters as they were', async () => {
    const { model, trainer } = makeTrainer({ schedule: undefined });
    const before = await bits(model);
    const bad = [{ x: tensor([[1, 2, 3, 4, 5, Number.NaN]]), y: tensor([1], { dtype: 'int64' }) }];
    const error = await trainer.fit(bad, { epochs: 1 }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(NumericError);
    expect((error as Error).message).toMatch(
      /step 1: not finite: field 'x' of the batch \(element 5 of shape \[1, 6\] is NaN\)/,
    );
    expect(await bits(model)).toEqual(before);
  });

  it('names a gradient that is not finite though the loss is', async () => {
    const { model } = makeTrainer();
    const trainer = new Trainer(model, {
      step: (net, { x }) => ({
        loss: net
          .forward(x as never)
          .mul(0)
          .sqrt()
          .sum(),
      }),
      optimizer: optim.sgd({ lr: 0.1 }),
    });
    const before = await bits(model);
    await expect(trainer.fit([{ x: tensor([[1, 2, 3, 4, 5, 6]]) }], { epochs: 1 })).rejects.toThrow(
      /gradient of parameter 'w1'/,
    );
    expect(await bits(model)).toEqual(before);
  });

  it('keeps records and checkpoints, and resumes to the same bits', async () => {
    const whole = await temporary();
    const first = makeTrainer({ out: whole, ema: 0.95, clipNorm: 1 });
    await first.trainer.fit(trainLoader(), { epochs: 4, validation: validationLoader(), restoreBest: false });
    const parts = await temporary();
    const second = makeTrainer({ out: parts, ema: 0.95, clipNorm: 1 });
    await second.trainer.fit(trainLoader(), { epochs: 2, validation: validationLoader(), restoreBest: false });
    const third = makeTrainer({ out: parts, ema: 0.95, clipNorm: 1 });
    const { history } = await third.trainer.fit(trainLoader(), {
      epochs: 4,
      validation: validationLoader(),
      restoreBest: false,
      resume: true,
    });
    expect(history).toHaveLength(4);
    expect(await bits(third.model)).toEqual(await bits(first.model));
    expect((await readdir(join(parts, 'checkpoints'))).sort()).toEqual(['step-000000039', 'step-000000052']);
    const lines = (await readFile(join(parts, 'metrics.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((l) => JSON.parse(l));
    expect(lines.filter((l) => l.phase === 'epoch').map((l) => l.epoch)).toEqual([1, 2, 3, 4]);
    expect((await readdir(parts)).some((name) => name.startsWith('events.out.tfevents'))).toBe(true);
  });

  it('trains what is unfrozen during a run', async () => {
    const { model, trainer } = makeTrainer({ schedule: undefined, optimizer: optim.sgd({ lr: 0.1 }) });
    const all = new Trainer(model, { loss, optimizer: trainer.optimizer });
    model.freeze('w1');
    const before = await bits(model);
    await all.fit(trainLoader(), { epochs: 1 });
    const middle = await bits(model);
    expect(middle.w1).toEqual(before.w1);
    expect(middle.w2).not.toEqual(before.w2);
    model.unfreeze('w1');
    await all.fit(trainLoader(), { epochs: 1 });
    expect((await bits(model)).w1).not.toEqual(before.w1);
  });

  it('refuses what cannot work, saying what to do', async () => {
    const { model, trainer } = makeTrainer();
    const step = () => ({ loss: tensor(0) });
    expect(() => new Trainer(model, { loss, step, optimizer: optim.sgd() })).toThrow(/either `loss`/);
    await expect(trainer.fit([], { epochs: 1 })).rejects.toThrow(/gave no batches/);
    await expect(trainer.evaluate([])).rejects.toThrow(/gave no batches/);
    await expect(trainer.fit([null] as never, { epochs: 1 })).rejects.toThrow(/a batch must be an object of tensors/);
    await expect(trainer.fit(null as never, { epochs: 1 })).rejects.toThrow(/a batch source must be a DataLoader/);
    await expect(trainer.fit([], { epochs: 1, epoch: 3 } as never)).rejects.toThrow(
      /unknown option 'epoch'; it takes epochs/,
    );
    await expect(trainer.fit([], { epochs: 1, mode: 'best' as never })).rejects.toThrow(/mode must be 'min' or 'max'/);
    const make = (options: object) => () => new Trainer(model, { loss, optimizer: optim.sgd(), ...options });
    for (const [options, message] of [
      [{ optimizer: 'adam' }, /optimizer must be an optimiser or a factory/],
      [{ loss: 'mse' }, /loss must be a function, found string/],
      [{ metrics: ['accuracy'] }, /metrics must be a list of metrics/],
      [{ callbacks: earlyStopping() }, /callbacks must be a list of callbacks/],
      [{ clipNorm: Number.NaN }, /clipNorm must be more than 0, found NaN/],
      [{ seed: 0.5 }, /seed must be a whole number/],
      [{ out: '' }, /out must be the path of a folder/],
      [{ checkpoint: { keep: 0 } }, /checkpoint.keep must be a whole number of at least 1, found 0/],
      [{ checkpoint: { evry: 5 } }, /unknown option 'evry'; it takes every, keep/],
      [{ optimiser: 1 }, /unknown option 'optimiser'; it takes loss, step, optimizer/],
    ] as const)
      expect(make(options)).toThrow(message);
    const wrong = new Trainer(model, { step: (async () => ({})) as never, optimizer: optim.sgd() });
    await expect(wrong.fit(trainLoader(), { epochs: 1 })).rejects.toThrow(/the loss must be a scalar tensor/);
    await expect(trainer.fit(trainLoader(), { epochs: 0 })).rejects.toThrow(/epochs must be a whole number/);
    await expect(trainer.fit([{ a: 1 }], { epochs: 1 })).rejects.toThrow(/a batch must be \{ x, y \}/);
    await expect(trainer.fit(trainLoader(), { epochs: 1, resume: true })).rejects.toThrow(
      /needs the Trainer option `out`/,
    );
  });
});
