/** @file Trains VGG16, a compact ResNet or a small network on CIFAR-10; reports, draws and keeps it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  ArgumentError,
  accuracy,
  type Callback,
  classificationReport,
  confusionMatrix,
  confusionTable,
  DataLoader,
  earlyStopping,
  exportOnnx,
  F,
  manualSeed,
  optim,
  saveModel,
  Trainer,
} from 'gradus';
import { moduleDataset } from 'gradus/data/node';
import cifar, { type CifarOptions, classes, findCifar, type Picture } from './data.ts';
import { type NetworkName, networks } from './networks.ts';
import { drawPreview, drawReport, type Shown } from './picture.ts';

const { values: given } = parseArgs({
  options: {
    network: { type: 'string', default: 'small' },
    data: { type: 'string' },
    out: { type: 'string' },
    epochs: { type: 'string' },
    batch: { type: 'string', default: '64' },
    lr: { type: 'string' },
    limit: { type: 'string' },
    'stop-after': { type: 'string' },
    workers: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    preview: { type: 'boolean', default: false },
  },
});
const isName = (name: string): name is NetworkName => name in networks;
if (!isName(given.network))
  throw new ArgumentError(`--network ${given.network}: expected one of ${Object.keys(networks).join(', ')}`);
const network = given.network;
const isVgg = network.startsWith('vgg');
const out = given.out ?? `runs/cifar10-${network}`;
const [seed, batchSize, workers] = [given.seed, given.batch, given.workers].map(Number);
const epochs = Number(given.epochs ?? (isVgg ? 50 : 12));
const limit = given.limit === undefined ? undefined : Number(given.limit);
const stopAfter = Number(given['stop-after'] ?? Number.POSITIVE_INFINITY);
await mkdir(out, { recursive: true });

const source = await findCifar(given.data);
const augment = isVgg ? 'classic' : 'shift';
const trainOptions: CifarOptions = { source, part: 'train', augment, limit };
const train = await moduleDataset<Picture>(new URL('./data.ts', import.meta.url), { options: trainOptions });
if (given.preview) {
  const path = join(out, 'preview.png');
  await drawPreview(path, await cifar({ source, part: 'train', limit }), train, seed);
  console.log(
    `${path}: 8 training images, each as it is and as training sees it; look at it, then train without --preview`,
  );
  process.exit(0);
}
const validation = await cifar({ source, part: 'validation', limit: limit && Math.ceil(limit / 8) });
const test = await cifar({ source, part: 'test', limit: limit && Math.ceil(limit / 4) });
console.log(`${train.length} images to train on, ${validation.length} to validate, ${test.length} to test`);

manualSeed(seed);
const model = networks[network](classes.length);
const weights = model.parameters().reduce((sum, p) => sum + p.numel(), 0);
console.log(`${network}: ${weights} weights`);

const seconds: number[] = [];
let first = 0;
let start = performance.now();
const clock: Callback = {
  name: 'clock',
  onFitStart() {
    start = performance.now();
  },
  onStepEnd(context) {
    // The first steps compile.
    if (context.step === 3) first = performance.now();
    if (context.step >= stopAfter) context.stop(`--stop-after ${stopAfter}`);
    if (context.step !== stopAfter) return;
    const step = (performance.now() - first) / (context.step - 3);
    const total = (step * (context.stepsPerEpoch ?? 0) * epochs) / 3.6e6;
    console.log(
      `${step.toFixed(0)} ms a step; ${epochs} epochs of ${context.stepsPerEpoch} steps would take ${total.toFixed(2)} hours`,
    );
  },
  onEpochEnd() {
    seconds.push((performance.now() - start) / 1000);
  },
};
const trainer = new Trainer(model, {
  loss: F.crossEntropy,
  // VGG16 as textbooks train it: Adam with a constant rate. The others: one cycle up and down.
  optimizer: isVgg
    ? optim.adam({ lr: Number(given.lr ?? 1e-4) })
    : optim.adamw({ lr: Number(given.lr ?? 6e-3), weightDecay: 0.02 }),
  ...(isVgg
    ? {}
    : {
        schedule: (optimizer, totalSteps) =>
          optim.oneCycleLR(optimizer, { maxLr: Number(given.lr ?? 6e-3), totalSteps: totalSteps ?? 1, pctStart: 0.25 }),
      }),
  metrics: [accuracy()],
  callbacks: [clock, earlyStopping({ monitor: 'val_loss', patience: 8 })],
  seed,
  out,
  progress: true,
});
const loader = new DataLoader(train, { batchSize, shuffle: true, seed, workers, dropLast: true });
const { history, stopped, bestEpoch } = await trainer.fit(loader, {
  epochs,
  validation: new DataLoader(validation, { batchSize: 200 }),
});
await loader.close();
console.log(`${stopped ? `stopped: ${stopped}; ` : ''}weights of epoch ${bestEpoch} restored`);

const matrix = confusionMatrix({ labels: classes });
const samples: Shown[] = [];
let position = 0;
for await (const logits of trainer.predict(new DataLoader(test, { batchSize: 250 }))) {
  const probabilities = await logits.softmax(1).data();
  const [count] = logits.shape;
  const truth = await Promise.all(Array.from({ length: count }, async (_, i) => await test.get(position + i)));
  matrix.update(
    { data: probabilities, shape: [...logits.shape], dtype: 'float32' },
    { data: Float64Array.from(truth, ({ y }) => y), shape: [count], dtype: 'int64' },
  );
  truth.slice(0, Math.max(0, 32 - samples.length)).forEach(({ x, y }, i) => {
    const row = Array.from(probabilities.slice(i * classes.length, (i + 1) * classes.length));
    const probability = Math.max(...row);
    samples.push({ x, y, predicted: row.indexOf(probability), probability });
  });
  position += count;
}
const result = matrix.compute();
const right = result.counts.reduce((sum, row, i) => sum + row[i], 0);
const score = (right / test.length).toFixed(4);
console.log(`\n${classificationReport(result, { digits: 3 })}\n${confusionTable(result)}`);
console.log(`test accuracy ${score} after ${history.length} epochs, ${seconds.at(-1)?.toFixed(0)} s of training`);

await saveModel(model, out, { config: { model: network, classes } });
await exportOnnx(model, join(out, 'model.onnx'), { inputs: [['batch', 3, 32, 32]] });
const curve = history.map((logs, i) => ({ epoch: i + 1, seconds: seconds[i], ...logs }));
await writeFile(join(out, 'result.json'), `${JSON.stringify({ network, weights, test: score, curve }, null, 2)}\n`);
await drawReport(join(out, 'report.svg'), {
  history,
  seconds,
  matrix: result,
  samples,
  title: `CIFAR-10: ${network}`,
  subtitle: `test accuracy ${score}, ${history.length} epochs`,
});
console.log(`kept in ${out}/`);
