/** @file Trains a U-Net to name every pixel of road scenes; reports mean IoU, draws overlays, keeps the network. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DataLoader, exportOnnx, F, manualSeed, meanIoU, optim, saveModel, Trainer, tensor, UNet } from 'gradus';
import { classes, classWeights, findScenes, mirrored, readScenes, unlabelled } from './data.ts';
import { drawReport, type Predicted } from './picture.ts';

const { values: given } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string', default: 'runs/segmentation' },
    epochs: { type: 'string', default: '20' },
    batch: { type: 'string', default: '8' },
    width: { type: 'string', default: '16' },
    depth: { type: 'string', default: '3' },
    every: { type: 'string', default: '1' },
    limit: { type: 'string' },
    lr: { type: 'string', default: '0.004' },
    seed: { type: 'string', default: '1' },
  },
});
const [epochs, batchSize, width, depth, every, lr, seed] = [
  given.epochs,
  given.batch,
  given.width,
  given.depth,
  given.every,
  given.lr,
  given.seed,
].map(Number);
const limit = given.limit === undefined ? undefined : Number(given.limit);
const out = given.out;
await mkdir(out, { recursive: true });

const { source, step } = await findScenes(given.data);
const options = { every: every * step, limit, multiple: 2 ** depth };
const [scenes, validation, test] = await Promise.all(
  (['train', 'val', 'test'] as const).map(async (split) => await readScenes(source, { split, ...options })),
);
const train = scenes.map((scene, random) => (random.bernoulli(0.5) ? mirrored(scene) : scene));
console.log(`${train.length} scenes to train on, ${validation.length} to validate, ${test.length} to test`);

manualSeed(seed);
const model = new UNet({ numClasses: classes.length, width, depth });
const weight = tensor(await classWeights(scenes));
const trainer = new Trainer(model, {
  loss: (logits, y) => F.crossEntropy(logits, y, { weight, ignoreIndex: unlabelled }),
  optimizer: optim.adamw({ lr, weightDecay: 0.01 }),
  schedule: (optimizer, totalSteps) => optim.oneCycleLR(optimizer, { maxLr: lr, totalSteps: totalSteps ?? 1 }),
  metrics: [meanIoU({ ignoreIndex: unlabelled })],
  seed,
  out,
  progress: true,
});
const start = performance.now();
const { history, bestEpoch } = await trainer.fit(
  new DataLoader(train, { batchSize, shuffle: true, seed, dropLast: true }),
  {
    epochs,
    validation: new DataLoader(validation, { batchSize }),
    monitor: 'val_mean_iou',
  },
);
const seconds = (performance.now() - start) / 1000;

const score = meanIoU({ perClass: true, labels: classes, ignoreIndex: unlabelled });
const shown: Predicted[] = [];
const steps = Math.max(1, Math.floor(test.length / 4));
let position = 0;
for await (const logits of trainer.predict(new DataLoader(test, { batchSize }))) {
  const labels = await logits.argmax(1).data();
  const output = await logits.data();
  const size = labels.length / logits.shape[0];
  const each = output.length / logits.shape[0];
  for (let i = 0; i < logits.shape[0]; i++, position++) {
    const scene = await test.get(position);
    const own = output.slice(i * each, (i + 1) * each);
    score.update(
      { data: own, shape: [1, ...logits.shape.slice(1)], dtype: 'float32' },
      { ...scene.y, shape: [1, ...scene.y.shape] },
    );
    if (position % steps === 0 && shown.length < 4)
      shown.push({ scene, labels: labels.slice(i * size, (i + 1) * size) });
  }
}
const result = score.compute() as Record<string, number>;
const perClass = classes.map((name) => result[`mean_iou/${name}`]);
console.log(classes.map((name, i) => `${name.padStart(12)} ${perClass[i].toFixed(3)}`).join('\n'));
console.log(
  `test mean IoU ${result.mean_iou.toFixed(4)}; weights of epoch ${bestEpoch}, ${seconds.toFixed(0)} s of training`,
);

await saveModel(model, out, { config: { model: 'UNet', width, depth, classes } });
const { x } = await test.get(0);
await exportOnnx(model, join(out, 'model.onnx'), { inputs: [['batch', ...x.shape]] });
await drawReport(join(out, 'report.svg'), {
  history,
  perClass,
  shown,
  subtitle: `test mean IoU ${result.mean_iou.toFixed(4)}, ${history.length} epochs`,
});
console.log(`kept in ${out}/`);
