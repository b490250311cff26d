/** @file What a training run leaves behind when it fails half-way, and that it goes on from there exactly. */
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NumericError } from '../../src/ir/errors.ts';
import * as nn from '../../src/nn/index.ts';
import * as optim from '../../src/optim/index.ts';
import { type Tensor, tensor } from '../../src/tensor/index.ts';
import type { Batch, BatchSource } from '../../src/train/index.ts';
import { InterruptedError, Trainer } from '../../src/train/index.ts';
import { bits, loss, makeTrainer, trainLoader, validationLoader } from './fixture.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});
const checkpoints = async (out: string) => (await readdir(join(out, 'checkpoints'))).sort();

/** The loader, with a NaN in the batch of this number (counted over all epochs). */
function poisoned(at: number): BatchSource {
  const loader = trainLoader();
  let count = 0;
  return {
    length: loader.length,
    state: () => loader.state(),
    load: (state: never) => loader.load(state),
    async *[Symbol.asyncIterator](): AsyncGenerator<Batch> {
      for await (const { x, y } of loader)
        yield ++count === at
          ? { x: tensor(Float32Array.from(await x.data()).fill(Number.NaN), { shape: x.shape }), y }
          : { x, y };
    },
  };
}

describe('a step that is not finite', () => {
  it.each([1, 3])('leaves a checkpoint of the state before it (accumulate %i)', async (accumulate) => {
    const options = { ema: 0.9, accumulate, callbacks: [] };
    const whole = makeTrainer(options);
    await whole.trainer.fit(trainLoader(), { epochs: 3, restoreBest: false });
    const out = join(folder, `nan-${accumulate}`);
    const bad = makeTrainer({ ...options, out }).trainer.fit(poisoned(19), { epochs: 3, restoreBest: false });
    await expect(bad).rejects.toThrow(NumericError);
    // 13 batches per epoch: batch 19 is in step 19, or in the third (7 to 9 of the second epoch's) of the eighth step.
    const step = accumulate === 1 ? 18 : 6;
    await expect(bad).rejects.toThrow(
      new RegExp(`stopped at step ${step + 1}: .* state after step ${step} is kept in ${out}`),
    );
    expect((await checkpoints(out)).at(-1)).toBe(`step-${String(step).padStart(9, '0')}`);
    const rest = makeTrainer({ ...options, out });
    await rest.trainer.fit(trainLoader(), { epochs: 3, restoreBest: false, resume: true });
    expect(await bits(rest.model)).toEqual(await bits(whole.model));
  });
});

describe('a step that is not finite, with batch normalisation', () => {
  it.each([
    [3, 2],
    [3, 3],
    [1, 1],
  ])('leaves the running statistics as they were before it (accumulate %i, batch %i)', async (accumulate, bad) => {
    class Normed extends nn.Module {
      bn = new nn.BatchNorm1d(6);
      out = new nn.Linear(6, 3);
      override forward(x: Tensor): Tensor {
        return this.out.forward(this.bn.forward(x));
      }
    }
    const model = new Normed();
    const trainer = new Trainer(model, { loss, optimizer: optim.sgd({ lr: 0.1 }), accumulate });
    await trainer.fit(trainLoader(), { epochs: 1 });
    const before = await bits(model);
    await expect(trainer.fit(poisoned(bad), { epochs: 1 })).rejects.toThrow(NumericError);
    expect(await bits(model)).toEqual(before);
  });
});

describe('a folder that was used before', () => {
  it('puts the checkpoints of an earlier run aside, so that resuming does not mix runs', async () => {
    const out = join(folder, 'again');
    await makeTrainer({ out, callbacks: [] }).trainer.fit(trainLoader(), { epochs: 3 });
    expect((await checkpoints(out)).at(-1)).toBe('step-000000039');
    await makeTrainer({ out, callbacks: [] }).trainer.fit(trainLoader(), { epochs: 1 });
    expect(await checkpoints(out)).toEqual(['step-000000013']);
    expect(await readdir(join(out, 'checkpoints-old'))).toContain('step-000000039');
  });

  it('takes back a checkpoint whose replacement was interrupted, and clears half-removed ones', async () => {
    const out = join(folder, 'replaced');
    await makeTrainer({ out, checkpoint: { keep: 1 }, callbacks: [] }).trainer.fit(trainLoader(), { epochs: 1 });
    const at = (name: string) => join(out, 'checkpoints', name);
    await rename(at('step-000000013'), at('.step-000000013.old'));
    await mkdir(at('.step-000000026.77.tmp'));
    await writeFile(at('.step-000000026.77.tmp/model.safetensors'), 'half');
    const whole = makeTrainer({ callbacks: [] });
    await whole.trainer.fit(trainLoader(), { epochs: 2, restoreBest: false });
    const rest = makeTrainer({ out, checkpoint: { keep: 1 }, callbacks: [] });
    const { history } = await rest.trainer.fit(trainLoader(), { epochs: 2, restoreBest: false, resume: true });
    expect(history).toHaveLength(2);
    expect(await bits(rest.model)).toEqual(await bits(whole.model));
    expect(await checkpoints(out)).toEqual(['step-000000026']);
  });

  it('names a file that a checkpoint lacks', async () => {
    const out = join(folder, 'lacking');
    await makeTrainer({ out, callbacks: [] }).trainer.fit(trainLoader(), { epochs: 1 });
    await rm(join(out, 'checkpoints', 'step-000000013', 'state.json'));
    const resumed = makeTrainer({ out, callbacks: [] }).trainer.fit(trainLoader(), { epochs: 2, resume: true });
    await expect(resumed).rejects.toThrow(/cannot read .*step-000000013\/state\.json: there is no such file/);
  });

  it('records an epoch once when killed between its record and its checkpoint', async () => {
    const out = join(folder, 'once');
    await makeTrainer({ out, checkpoint: { every: 13, keep: 9 }, callbacks: [] }).trainer.fit(trainLoader(), {
      epochs: 1,
    });
    // What a kill leaves: the record of the epoch, but the checkpoint of its last step is that before the epoch ended.
    const state = join(out, 'checkpoints', 'step-000000013', 'state.json');
    const saved = JSON.parse(await readFile(state, 'utf8'));
    await writeFile(
      state,
      JSON.stringify({
        ...saved,
        epoch: 0,
        history: [],
        best: null,
        tally: { loss: 1, samples: 1 },
        loader: { ...saved.loader, epoch: 0, batch: 13 },
      }),
    );
    await makeTrainer({ out, callbacks: [] }).trainer.fit(trainLoader(), { epochs: 2, resume: true });
    const records = (await readFile(join(out, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    const epochs = records.map((line) => JSON.parse(line)).filter((record) => record.phase === 'epoch');
    expect(epochs.map((record) => record.epoch)).toEqual([1, 2]);
  });
});

describe('a run that is resumed', () => {
  it.each(['a loader', 'an array'])('finishes the epoch of %s as it would have been', async (kind) => {
    const out = join(folder, kind.slice(-5));
    const all: Batch[] = [];
    for await (const batch of trainLoader()) all.push(batch);
    const source = () => (kind === 'an array' ? all : trainLoader());
    const options = { accumulate: 3, callbacks: [], schedule: undefined };
    const whole = makeTrainer(options);
    const expected = await whole.trainer.fit(source(), { epochs: 2 });
    const stop = {
      name: 'stop',
      onStepEnd: ({ step }: { step: number }) => void (step === 7 && process.emit('SIGTERM')),
    };
    const part = makeTrainer({ ...options, out, callbacks: [stop] });
    await expect(part.trainer.fit(source(), { epochs: 2, onInterrupt: 'throw' })).rejects.toThrow(/at step 7/);
    const rest = makeTrainer({ ...options, out });
    const { history } = await rest.trainer.fit(source(), { epochs: 2, resume: true });
    expect(history).toEqual(expected.history);
    expect(await bits(rest.model)).toEqual(await bits(whole.model));
  });

  it('knows how often each parameter was updated', async () => {
    const out = join(folder, 'unfrozen');
    const { model, trainer } = makeTrainer({ out, schedule: undefined, callbacks: [] });
    model.freeze('w2');
    await trainer.fit(trainLoader(), { epochs: 1 });
    model.unfreeze('w2');
    await trainer.fit(trainLoader(), { epochs: 1 });
    const steps = trainer.optimizer.stateDict().parameterSteps;
    expect(new Set(steps)).toEqual(new Set([26, 13]));
    const resumed = makeTrainer({ out, schedule: undefined, callbacks: [] });
    await resumed.trainer.fit(trainLoader(), { epochs: 1, resume: true });
    expect(resumed.trainer.optimizer.stateDict().parameterSteps).toEqual(steps);
  });

  it('stops within validation and goes on with it', async () => {
    const whole = makeTrainer({ ema: 0.9 });
    const expected = await whole.trainer.fit(trainLoader(), { epochs: 3, validation: validationLoader() });
    const out = join(folder, 'validation');
    const validation = validationLoader();
    const interrupting = {
      async *[Symbol.asyncIterator]() {
        for await (const batch of validation) {
          process.emit('SIGINT');
          yield batch;
        }
      },
    };
    const first = makeTrainer({ ema: 0.9, out }).trainer.fit(trainLoader(), {
      epochs: 3,
      validation: interrupting,
      onInterrupt: 'throw',
    });
    await expect(first).rejects.toThrow(InterruptedError);
    await expect(first).rejects.toThrow(/interrupted at step 13; checkpoint saved in/);
    await cp(out, `${out}-copy`, { recursive: true });
    const rest = makeTrainer({ ema: 0.9, out });
    const result = await rest.trainer.fit(trainLoader(), { epochs: 3, validation: validationLoader(), resume: true });
    expect(result.history).toEqual(expected.history);
    expect(await bits(rest.model)).toEqual(await bits(whole.model));
  });
});
