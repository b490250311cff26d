/** @file Spoken digits: letters by CTC and word error rate; exports sound to log-probabilities as one ONNX file. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  cer,
  compile,
  ctcBeamSearch,
  ctcGreedyDecode,
  exportOnnx,
  F,
  manualSeed,
  noGrad,
  OnnxModel,
  optim,
  saveModel,
  type Tensor,
  Trainer,
  wer,
  zeros,
} from 'gradus';
import { lineChart } from 'gradus/plot';
import { batches, inDictionary, isWord, loadClips, sampleRate, spell } from './data.ts';
import { Recognizer } from './model.ts';

const { values: given } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string', default: 'runs/speech' },
    epochs: { type: 'string', default: '60' },
    hidden: { type: 'string', default: '96' },
    batch: { type: 'string', default: '24' },
    lr: { type: 'string', default: '0.003' },
    seed: { type: 'string', default: '1' },
  },
});
const { out } = given;
const [epochs, hidden, batch, lr, seed] = [given.epochs, given.hidden, given.batch, given.lr, given.seed].map(Number);
const start = performance.now();

const { clips, refused } = await loadClips(given.data);
const train = clips.filter((c) => !c.isTest);
const test = clips.filter((c) => c.isTest).sort((a, b) => a.samples.shape[0] - b.samples.shape[0]);
console.log(`${train.length} clips to train on, ${test.length} to test; ${refused.length} refused`);
for (const reason of refused) console.log(`  ${reason}`);

manualSeed(seed);
const model = new Recognizer(hidden);
const trainer = new Trainer(model, {
  step: (m, { x, lengths, letters, count }) => {
    const { scores, steps } = m.forward({ x: x as Tensor, lengths: lengths as Tensor });
    return { loss: F.ctcLoss(scores, letters as Tensor, steps, count as Tensor, { zeroInfinity: true }) };
  },
  optimizer: optim.adamw({ lr }),
  schedule: (optimizer, total) => optim.oneCycleLR(optimizer, { maxLr: lr, totalSteps: total, pctStart: 0.2 }),
  clipNorm: 5,
  seed,
  out,
  progress: true,
});
const { history } = await trainer.fit(batches(train, [], batch, seed), { epochs });

const recognize = compile((x: Tensor, lengths: Tensor) => noGrad(() => model.forward({ x, lengths })));
model.eval();
const metrics = { greedy: wer(), beam: wer(), dictionary: wer(), letters: cer() };
const mistakes: string[] = [];
let position = 0;
for await (const { x, lengths } of batches(test, [], 20)) {
  const { scores, steps } = await recognize(x, lengths);
  const array = { data: await scores.data(), shape: scores.shape, dtype: scores.dtype };
  const options = { lengths: [...(await steps.data())] };
  const greedy = ctcGreedyDecode(array, options).map(spell);
  const beam = ctcBeamSearch(array, options).map(([best]) => spell(best.labels));
  const known = ctcBeamSearch(array, { ...options, labelScore: inDictionary }).map(
    (all) => all.map((h) => spell(h.labels)).find(isWord) ?? '',
  );
  const words = greedy.map((_, i) => test[position + i].word);
  metrics.greedy.update(greedy, words);
  metrics.beam.update(beam, words);
  metrics.dictionary.update(known, words);
  metrics.letters.update(greedy, words);
  words.forEach((word, i) => {
    if (known[i] !== word)
      mistakes.push(`${test[position + i].name}: ${word} heard as '${greedy[i]}', taken for '${known[i]}'`);
  });
  position += words.length;
}
for (const mistake of mistakes) console.log(mistake);
const rate = (metric: { compute(): number }) => `${(100 * metric.compute()).toFixed(2)} %`;
console.log(
  `word error rate: greedy ${rate(metrics.greedy)}, beam ${rate(metrics.beam)}, with dictionary ${rate(metrics.dictionary)}; letters ${rate(metrics.letters)}`,
);

await saveModel(model, out, { config: { hidden, sampleRate } });
const chart = lineChart({
  title: 'CTC loss',
  xLabel: 'epoch',
  logY: true,
  series: [{ name: 'training', y: history.map((h) => h.loss) }],
});
await writeFile(join(out, 'loss.svg'), chart);
const path = join(out, 'model.onnx');
await exportOnnx(model, path, {
  inputs: { x: zeros([1, sampleRate]), lengths: zeros([1], { dtype: 'int64' }).add(sampleRate) },
  dynamicAxes: { x: ['batch', 'samples'], lengths: ['batch'] },
});
const [clip] = test;
const x = zeros([1, clip.samples.shape[0]]).setData(clip.samples.data);
const lengths = zeros([1], { dtype: 'int64' }).add(clip.samples.shape[0]);
const reloaded = (await OnnxModel.load(path)).forward({ x, lengths });
const heard = ctcGreedyDecode({ data: await reloaded.data(), shape: reloaded.shape, dtype: 'float32' }).map(spell);
console.log(`model.onnx, read back, hears '${heard}' in ${clip.name}`);
console.log(`kept in ${out}/; ${((performance.now() - start) / 1000).toFixed(1)} s in all`);
