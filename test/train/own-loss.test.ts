/** @file The Trainer with a model that computes its own loss, as those of Python's transformers do. */
import { describe, expect, it } from 'vitest';
import { DataLoader } from '../../src/data/index.ts';
import { Module } from '../../src/nn/module.ts';
import * as optim from '../../src/optim/index.ts';
import { type Tensor, tensor } from '../../src/tensor/index.ts';
import { accuracy, Trainer } from '../../src/train/index.ts';
import { bits, loss, makeTrainer, points, seededNet } from './fixture.ts';

/** The net of the other tests behind a record: `{ inputs, labels }` to `{ logits, loss }`. */
class Judge extends Module {
  net = seededNet();

  override forward({ inputs, labels }: { inputs: Tensor; labels?: Tensor }) {
    const logits = this.net.forward(inputs);
    return labels ? { logits, loss: loss(logits, labels) } : { logits };
  }
}

const records = (count: number, seed: number) => points(count, seed).map(({ x, y }) => ({ inputs: x, labels: y }));
const dtypes = { labels: 'int64' } as const;
const train = () => new DataLoader(records(200, 1), { batchSize: 16, shuffle: true, seed: 3, dtypes });
const validation = () => new DataLoader(records(100, 2), { batchSize: 50, dtypes });

describe('a model with its own loss', () => {
  it('trains to the same bits as with a loss function, with metrics of logits against labels', async () => {
    const judge = new Judge();
    const own = new Trainer(judge, { optimizer: optim.adamw({ lr: 0.02 }), metrics: [accuracy()], seed: 5 });
    const { history } = await own.fit(train(), { epochs: 3, validation: validation() });
    const { model, trainer } = makeTrainer({ schedule: undefined, callbacks: [] });
    const plain = await trainer.fit(new DataLoader(points(200, 1), { batchSize: 16, shuffle: true, seed: 3 }), {
      epochs: 3,
      validation: new DataLoader(points(100, 2), { batchSize: 50 }),
    });
    expect(history).toEqual(plain.history);
    expect(history[2].accuracy).toBeGreaterThan(0.6);
    expect(await bits(judge.net)).toEqual(await bits(model));
  });

  it('predicts logits, with or without labels', async () => {
    const judge = new Judge();
    const trainer = new Trainer(judge, { optimizer: optim.sgd({ lr: 0.1 }) });
    const outputs: number[][][] = [];
    for await (const output of trainer.predict(validation())) outputs.push((await output.array()) as number[][]);
    expect(outputs.map((o) => [o.length, o[0].length])).toEqual([
      [50, 3],
      [50, 3],
    ]);
    const unlabelled = records(100, 2).map(({ inputs }) => ({ inputs }));
    const again: number[][][] = [];
    for await (const output of trainer.predict(new DataLoader(unlabelled, { batchSize: 50 })))
      again.push((await output.array()) as number[][]);
    expect(again).toEqual(outputs);
  });

  it('says what is missing', async () => {
    const trainer = new Trainer(new Judge(), { optimizer: optim.sgd({ lr: 0.1 }) });
    const x = tensor([[1, 2, 3, 4, 5, 6]]);
    await expect(trainer.fit([{ inputs: x }], { epochs: 1 })).rejects.toThrow(
      'the model gives no loss: forward() gave { logits }; give the Trainer a `loss` (for batches { x, y }) or a `step`, or batches with the `labels` from which the model computes its loss (found fields inputs)',
    );
    const plain = new Trainer(seededNet(), { optimizer: optim.sgd({ lr: 0.1 }) });
    await expect(plain.fit([{ x, y: tensor([1], { dtype: 'int64' }) }], { epochs: 1 })).rejects.toThrow(
      'the Trainer has neither `loss` nor `step`',
    );
    const silent = new Trainer(
      new (class extends Judge {
        override forward() {
          return { lastHiddenState: x } as never;
        }
      })(),
      { optimizer: optim.sgd({ lr: 0.1 }) },
    );
    await expect(silent.predict([{ inputs: x }]).next()).rejects.toThrow(
      'predict: forward() must give a tensor or { logits }, found { lastHiddenState } for a batch with the fields inputs',
    );
  });
});
