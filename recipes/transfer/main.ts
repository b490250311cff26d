/** @file Pretrains a backbone on five classes of CIFAR-10 and moves it to the other five with few labels: frozen, then unfrozen, against training from scratch. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { accuracy, DataLoader, F, loadModel, manualSeed, nn, optim, saveModel, Trainer } from 'gradus';
import { bars } from 'gradus/plot';
import cifar, { classes, findCifar } from '../cifar10/data.ts';
import { SmallNet } from '../cifar10/networks.ts';

const { values: given } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string', default: 'runs/transfer' },
    'pretrain-epochs': { type: 'string', default: '10' },
    epochs: { type: 'string', default: '20' },
    labels: { type: 'string', default: '250' },
    'pretrain-limit': { type: 'string' },
    'test-limit': { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});
const [epochs, labels, seed] = [given.epochs, given.labels, given.seed].map(Number);
const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
const out = given.out;
await mkdir(out, { recursive: true });

/** Things that are known, and things that are new: animals and vehicles in both. */
const known = ['automobile', 'bird', 'cat', 'horse', 'ship'];
const fresh = ['airplane', 'deer', 'dog', 'frog', 'truck'];
const numbers = (names: readonly string[]) => names.map((name) => classes.indexOf(name));
const source = await findCifar(given.data);

interface Plan {
  readonly epochs: number;
  readonly lr: number;
}

/** Trains what is not frozen, without early stopping: a validation set would need labels, too. */
async function train(model: SmallNet, only: readonly number[], limit: number | undefined, plan: Plan): Promise<void> {
  const data = await cifar({ source, part: 'train', augment: 'shift', only, limit });
  const trainer = new Trainer(model, {
    loss: F.crossEntropy,
    optimizer: optim.adamw({ lr: plan.lr, weightDecay: 0.02 }),
    schedule: (optimizer, totalSteps) => optim.oneCycleLR(optimizer, { maxLr: plan.lr, totalSteps: totalSteps ?? 1 }),
    seed,
  });
  const batchSize = Math.min(50, data.length);
  await trainer.fit(new DataLoader(data, { batchSize, shuffle: true, seed, dropLast: true }), { epochs: plan.epochs });
}

async function test(model: SmallNet, only: readonly number[]): Promise<number> {
  const data = await cifar({ source, part: 'test', only, limit: number(given['test-limit']) });
  const metrics = [accuracy()];
  const trainer = new Trainer(model, { loss: F.crossEntropy, optimizer: optim.sgd({ lr: 0 }), metrics, seed });
  return (await trainer.evaluate(new DataLoader(data, { batchSize: 250 }))).accuracy;
}

const results: [string, number][] = [];
const record = async (name: string, model: SmallNet) => {
  const score = await test(model, numbers(fresh));
  results.push([name, score]);
  console.log(`${name}: test accuracy ${score.toFixed(4)}`);
};

manualSeed(seed);
const backbone = new SmallNet(known.length);
await train(backbone, numbers(known), number(given['pretrain-limit']), {
  epochs: Number(given['pretrain-epochs']),
  lr: 6e-3,
});
await saveModel(backbone, join(out, 'backbone'));
console.log(`backbone on ${known.join(', ')}: test accuracy ${(await test(backbone, numbers(known))).toFixed(4)}`);
console.log(`now ${fresh.join(', ')} with ${labels} labelled images`);

manualSeed(seed);
const scratch = new SmallNet(fresh.length);
await train(scratch, numbers(fresh), labels, { epochs: 2 * epochs, lr: 6e-3 });
await record('from scratch', scratch);

manualSeed(seed);
const model = new SmallNet(known.length);
await loadModel(model, join(out, 'backbone'));
model.head = new nn.Linear(model.head.inFeatures, fresh.length);
model.freeze('features');
await train(model, numbers(fresh), labels, { epochs, lr: 1e-2 });
await record('backbone frozen, new head', model);
model.unfreeze();
await train(model, numbers(fresh), labels, { epochs, lr: 1e-3 });
await record('then all unfrozen', model);

const gain = Math.max(results[1][1], results[2][1]) - results[0][1];
console.log(`gain over training from scratch: ${gain.toFixed(4)}`);
const values = results.map(([, score]) => score);
const title = `Accuracy on new classes with ${labels} labelled images`;
await writeFile(
  join(out, 'accuracy.svg'),
  bars({ title, labels: results.map(([name]) => name), series: [{ name: 'accuracy', values }], max: 1 }),
);
await saveModel(model, out, { config: { classes: fresh } });
await writeFile(
  join(out, 'result.json'),
  `${JSON.stringify({ labels, results: Object.fromEntries(results), gain }, null, 2)}\n`,
);
