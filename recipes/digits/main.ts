/** @file Trains a convolutional network on handwritten digits, tests it, keeps it, and predicts with the kept ONNX file. */
import { join } from 'node:path';
import {
  accuracy,
  classificationReport,
  confusionMatrix,
  confusionTable,
  DataLoader,
  earlyStopping,
  exportOnnx,
  F,
  manualSeed,
  OnnxModel,
  optim,
  saveModel,
  Trainer,
  tensor,
} from 'gradus';
import { classes, loadDigits } from './data.ts';
import { DigitNet } from './model.ts';
import { drawRun, type Mistake } from './picture.ts';

const out = process.argv[2] ?? 'runs/digits';
const seed = 1;
const epochs = Number(process.argv[3] ?? 12);
const start = performance.now();

const { train, validation, test } = await loadDigits(seed);
console.log(`${train.length} digits to train on, ${validation.length} to validate, ${test.length} to test`);

manualSeed(seed);
const model = new DigitNet();
const trainer = new Trainer(model, {
  loss: F.crossEntropy,
  optimizer: optim.adamw({ lr: 1e-3 }),
  schedule: (optimizer, total) => optim.oneCycleLR(optimizer, { maxLr: 3e-3, totalSteps: total }),
  metrics: [accuracy()],
  callbacks: [earlyStopping({ monitor: 'val_loss', patience: 5 })],
  seed,
  out,
  progress: true,
});
const { history, bestEpoch, stopped } = await trainer.fit(
  new DataLoader(train, { batchSize: 64, shuffle: true, seed }),
  {
    epochs,
    validation: new DataLoader(validation, { batchSize: 200 }),
  },
);
console.log(`${stopped ? `stopped early: ${stopped}; ` : ''}weights of epoch ${bestEpoch} restored`);

const matrix = confusionMatrix({ labels: classes });
const mistakes: Mistake[] = [];
const testLoader = new DataLoader(test, { batchSize: 200 });
let position = 0;
for await (const output of trainer.predict(testLoader)) {
  const predicted = await output.argmax(1).data();
  const samples = await Promise.all(Array.from(predicted, async (_, i) => await test.get(position + i)));
  const targets = Float64Array.from(samples, ({ y }) => y);
  matrix.update(
    { data: await output.data(), shape: [...output.shape], dtype: output.dtype },
    { data: targets, shape: [targets.length], dtype: 'int64' },
  );
  samples.forEach(({ x, y }, i) => {
    if (predicted[i] !== y) mistakes.push({ image: x, actual: y, predicted: predicted[i] });
  });
  position += samples.length;
}
const result = matrix.compute();
const testAccuracy = 1 - mistakes.length / test.length;
console.log(`\n${classificationReport(result, { digits: 4 })}\n${confusionTable(result)}`);
console.log(`test accuracy ${testAccuracy.toFixed(4)} (${mistakes.length} of ${test.length} wrong)`);

await saveModel(model, out, { config: { model: 'DigitNet', classes } });
await exportOnnx(model, join(out, 'model.onnx'), { inputs: [[2, 1, 28, 28]], input: ['batch'] });
await drawRun(join(out, 'report.svg'), history, result, mistakes, testAccuracy);

const reloaded = await OnnxModel.load(join(out, 'model.onnx'));
const few = await Promise.all([0, 1, 2, 3, 4].map(async (i) => await test.get(i)));
const pixels = few.flatMap(({ x }) => Array.from(x.data));
const logits = reloaded.forward(tensor(Float32Array.from(pixels), { shape: [few.length, 1, 28, 28] }));
const answers = await logits.argmax(1).data();
console.log(`model.onnx, read back, takes the digits ${few.map(({ y }) => y).join(' ')} for ${[...answers].join(' ')}`);
console.log(`kept in ${out}/; ${((performance.now() - start) / 1000).toFixed(1)} s in all`);
