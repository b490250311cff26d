/** @file Who speaks: embeddings of the digit clips, and the equal error rate of telling whether two clips are of one person. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  compile,
  equalErrorRate,
  exportOnnx,
  F,
  manualSeed,
  noGrad,
  optim,
  saveModel,
  type Tensor,
  Trainer,
  zeros,
} from 'gradus';
import { lineChart } from 'gradus/plot';
import { batches, type Clip, loadClips, sampleRate } from './data.ts';
import { SpeakerNet } from './model.ts';

const { values: given } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string', default: 'runs/speaker' },
    epochs: { type: 'string', default: '15' },
    hidden: { type: 'string', default: '96' },
    batch: { type: 'string', default: '24' },
    lr: { type: 'string', default: '0.002' },
    seed: { type: 'string', default: '1' },
    /** Speakers kept out of training, `theo,lucas`: all their clips are for the test. */
    unseen: { type: 'string', default: '' },
  },
});
const { out } = given;
const [epochs, hidden, batch, lr, seed] = [given.epochs, given.hidden, given.batch, given.lr, given.seed].map(Number);
const start = performance.now();

const { clips } = await loadClips(given.data);
const unseen = given.unseen.split(',').filter(Boolean);
const isUnseen = (c: Clip) => unseen.includes(c.speaker);
const train = clips.filter((c) => !c.isTest && !isUnseen(c));
const test = clips
  .filter((c) => c.isTest && (unseen.length === 0 || isUnseen(c)))
  .sort((a, b) => a.samples.shape[0] - b.samples.shape[0]);
const speakers = [...new Set(train.map((c) => c.speaker))].sort();
console.log(`${train.length} clips of ${speakers.join(', ')} to train on, ${test.length} to test`);

manualSeed(seed);
const model = new SpeakerNet(hidden, speakers.length);
const trainer = new Trainer(model, {
  step: (m, { x, lengths, speaker }) => {
    const { logits } = m.forward({ x: x as Tensor, lengths: lengths as Tensor });
    return { loss: F.crossEntropy(logits, speaker as Tensor, { labelSmoothing: 0.05 }) };
  },
  optimizer: optim.adamw({ lr }),
  schedule: (optimizer, total) => optim.oneCycleLR(optimizer, { maxLr: lr, totalSteps: total, pctStart: 0.2 }),
  seed,
  out,
  progress: true,
});
const { history } = await trainer.fit(batches(train, speakers, batch, seed), { epochs });

model.eval();
const embed = compile((x: Tensor, lengths: Tensor) => noGrad(() => model.forward({ x, lengths }).embedding));
const embeddings: number[][] = [];
for await (const { x, lengths } of batches(test, speakers, 20))
  embeddings.push(...((await (await embed(x, lengths)).array()) as number[][]));

/** Cosines of all pairs of test clips, and whether they are of one speaker. */
const scores: number[] = [];
const same: number[] = [];
embeddings.forEach((a, i) => {
  for (let j = 0; j < i; j++) {
    scores.push(a.reduce((sum, v, k) => sum + v * embeddings[j][k], 0));
    same.push(Number(test[i].speaker === test[j].speaker));
  }
});
const eer = equalErrorRate();
const array = (values: readonly number[]) =>
  ({ data: Float64Array.from(values), shape: [values.length], dtype: 'float64' }) as const;
eer.update(array(scores), array(same));
console.log(
  `equal error rate ${(100 * eer.compute()).toFixed(2)} % over ${scores.length} pairs, ${same.filter(Boolean).length} of one speaker`,
);

await saveModel(model, out, { config: { hidden, speakers, sampleRate } });
const chart = lineChart({
  title: 'Loss',
  xLabel: 'epoch',
  series: [{ name: 'training', y: history.map((h) => h.loss) }],
});
await writeFile(join(out, 'loss.svg'), chart);
await exportOnnx(model, join(out, 'model.onnx'), {
  inputs: { x: zeros([1, sampleRate]), lengths: zeros([1], { dtype: 'int64' }).add(sampleRate) },
  dynamicAxes: { x: ['batch', 'samples'], lengths: ['batch'] },
});
console.log(`kept in ${out}/; ${((performance.now() - start) / 1000).toFixed(1)} s in all`);
