/** @file Trains FCOS to find blood cells; reports mAP@0.5, draws boxes, keeps the network and an ONNX file with its own non-maximum suppression. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type CleanedObjects,
  DataLoader,
  type Detections,
  exportOnnx,
  FCOS,
  fcosLoss,
  manualSeed,
  meanAveragePrecision,
  nonMaxSuppressionTail,
  optim,
  ResNet,
  saveModel,
  stack,
  type Tensor,
  Trainer,
  toTensor,
} from 'gradus';
import { moduleDataset } from 'gradus/data/node';
import { classes, findCells, readAnnotations, readVoc, type Sample, type Scene, type VocOptions } from './data.ts';
import { drawReport } from './picture.ts';

const { values: given } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string', default: 'runs/detection' },
    epochs: { type: 'string', default: '40' },
    batch: { type: 'string', default: '8' },
    width: { type: 'string', default: '32' },
    head: { type: 'string', default: '64' },
    height: { type: 'string', default: '240' },
    limit: { type: 'string' },
    lr: { type: 'string', default: '0.002' },
    workers: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
  },
});
const numbers = [given.epochs, given.batch, given.width, given.head, given.height, given.lr, given.workers, given.seed];
const [epochs, batchSize, width, head, height, lr, workers, seed] = numbers.map(Number);
const size = [height, Math.round((height * 4) / 3 / 32) * 32] as const;
const source = await findCells(given.data);
const out = given.out;
await mkdir(out, { recursive: true });

const limit = given.limit === undefined ? undefined : Number(given.limit);
const options = (part: VocOptions['part'], augment: boolean) => ({ options: { source, part, size, limit, augment } });
const module = new URL('./data.ts', import.meta.url);
const [train, validation] = await Promise.all([
  moduleDataset<Sample>(module, options('train', true)),
  moduleDataset<Sample>(module, options('val', false)),
]);

for (const part of ['train', 'val', 'test'] as const) {
  const pictures = await readAnnotations({ source, part, limit });
  const sum = (count: (objects: CleanedObjects) => number) => pictures.reduce((n, p) => n + count(p.objects), 0);
  console.log(
    `${part}: ${pictures.length} pictures, ${sum((o) => o.boxes.length)} boxes; ${sum((o) => o.dropped)} left out, ${sum((o) => o.clipped)} cut at the border`,
  );
}

manualSeed(seed);
const numClasses = classes.length;
const backbone = new ResNet('basic', [1, 1, 1, 1], { width });
const model = new FCOS({ numClasses, backbone, width: head, depth: 2 });
const trainer = new Trainer(model, {
  step: (net, batch) => {
    const { x, labels, boxes, centerness } = batch as Readonly<Record<string, Tensor>>;
    return fcosLoss(net.forward(x), { labels, boxes, centerness });
  },
  optimizer: optim.adamw({ lr, weightDecay: 0.01 }),
  schedule: (optimizer, totalSteps) => optim.oneCycleLR(optimizer, { maxLr: lr, totalSteps: totalSteps ?? 1 }),
  clipNorm: 5,
  seed,
  out,
  progress: true,
});
const start = performance.now();
const { history, bestEpoch } = await trainer.fit(
  new DataLoader(train, { batchSize, shuffle: true, seed, dropLast: true, workers }),
  { epochs, validation: new DataLoader(validation, { batchSize }), monitor: 'val_loss' },
);
const seconds = (performance.now() - start) / 1000;

/** What the network finds in scenes, in their order. */
async function findIn(scenes: readonly Scene[]): Promise<Detections[]> {
  const found: Detections[] = [];
  for (let i = 0; i < scenes.length; i += batchSize) {
    const images = scenes.slice(i, i + batchSize).map(({ image }) => toTensor(image) as Tensor);
    found.push(...(await model.detect(stack(images).to('float32').div(255))));
  }
  return found;
}

const scenes = await readVoc({ source, part: 'test', size, limit });
const found = await findIn(scenes);
const metric = meanAveragePrecision({ rules: 'voc', iou: 0.5, perClass: true, labels: classes });
metric.update(
  found,
  scenes.map(({ objects }) => objects),
);
const scores = metric.compute();
console.log(
  classes.map((name) => `${name.padStart(12)} AP ${(scores[`mAP/${name}`] ?? Number.NaN).toFixed(3)}`).join('\n'),
);
console.log(
  `test mAP@0.5 ${scores.mAP.toFixed(4)}; weights of epoch ${bestEpoch}, ${seconds.toFixed(0)} s of training`,
);

await saveModel(model, out, { config: { model: 'FCOS', width, head, size, classes } });
await exportOnnx(model, join(out, 'model.onnx'), { inputs: [['batch', 3, ...size]], tail: nonMaxSuppressionTail() });
const shown = [0, 1, 2].flatMap((i) => {
  const at = Math.floor((i * scenes.length) / 3);
  return scenes[at] ? [{ scene: scenes[at], found: found[at] }] : [];
});
await drawReport(join(out, 'report.svg'), {
  history,
  scores,
  shown,
  subtitle: `test mAP@0.5 ${scores.mAP.toFixed(4)}, ${history.length} epochs`,
});
console.log(`kept in ${out}/`);
