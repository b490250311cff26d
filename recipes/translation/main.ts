/** @file English to German: trains a translator with teacher forcing, scores it with BLEU by greedy and beam search, exports it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bleu, exportOnnx, F, manualSeed, optim, saveModel, type Tensor, Trainer, zeros } from 'gradus';
import { lineChart } from 'gradus/plot';
import { batches, readCorpus } from './data.ts';
import { AttentionLstm, pad, SmallTransformer } from './models.ts';
import { drawAttention } from './picture.ts';
import { Subwords } from './subwords.ts';
import { translator } from './translate.ts';

const { values: given } = parseArgs({
  options: {
    model: { type: 'string', default: 'lstm' },
    corpus: { type: 'string', default: 'multi30k' },
    data: { type: 'string' },
    out: { type: 'string' },
    epochs: { type: 'string', default: '10' },
    vocabulary: { type: 'string', default: '4000' },
    width: { type: 'string', default: '256' },
    layers: { type: 'string' },
    dropout: { type: 'string', default: '0.25' },
    batch: { type: 'string', default: '64' },
    lr: { type: 'string' },
    beams: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
  },
});
const isLstm = given.model === 'lstm';
const out = given.out ?? `runs/translation-${given.model}`;
const [epochs, width, batch, seed] = [given.epochs, given.width, given.batch, given.seed].map(Number);
const lr = Number(given.lr ?? (isLstm ? 0.002 : 0.001));
const begin = performance.now();

const { train, validation, test } = await readCorpus(given.corpus, given.data);
const subwords = await Subwords.learn(train.flat(), Number(given.vocabulary));
console.log(`${train.length} pairs to train on, ${test.length} to test; ${subwords.size} subwords for both languages`);

manualSeed(seed);
const sizes = {
  vocabulary: subwords.size,
  width,
  layers: Number(given.layers ?? (isLstm ? 1 : 3)),
  dropout: Number(given.dropout),
};
const model = isLstm ? new AttentionLstm(sizes) : new SmallTransformer(sizes);
console.log(`${given.model}: ${model.parameters().reduce((sum, p) => sum + p.numel(), 0)} weights`);

const trainer = new Trainer(model, {
  step: (m, { source, target, next }) => {
    const logits = m.forward({ source: source as Tensor, target: target as Tensor });
    // The validation loss is the plain cross entropy.
    const labelSmoothing = m.training ? 0.1 : 0;
    return {
      loss: F.crossEntropy(logits.flatten(0, 1), (next as Tensor).flatten(), { ignoreIndex: pad, labelSmoothing }),
    };
  },
  optimizer: optim.adamw({ lr, betas: [0.9, 0.98] }),
  schedule: (optimizer, total) => optim.oneCycleLR(optimizer, { maxLr: lr, totalSteps: total, pctStart: 0.15 }),
  clipNorm: 1,
  seed,
  out,
  progress: true,
});
const { history } = await trainer.fit(batches(train, subwords, Math.min(batch, train.length), seed), {
  epochs,
  validation: batches(validation, subwords, 50),
});

model.eval();
const references = test.map(([, german]) => german);
const scores: Record<string, number> = {};
let translations: string[] = [];
for (const [name, beams] of [
  ['greedy', 1],
  [`beam ${given.beams}`, Number(given.beams)],
] as const) {
  const before = performance.now();
  translations = await translator(model, subwords, { beams })(test.map(([english]) => english));
  const metric = bleu();
  metric.update(translations, references);
  scores[name] = metric.compute();
  console.log(
    `BLEU ${scores[name].toFixed(2)} with ${name} search, ${((performance.now() - before) / 1000).toFixed(1)} s`,
  );
}
for (const [i, [english, german]] of test.slice(0, 3).entries())
  console.log(`${english}\n  -> ${translations[i]}\n     ${german}`);

await saveModel(model, out, { config: { model: given.model, ...sizes, scores } });
await subwords.save(out);
await writeFile(join(out, 'test.de'), `${translations.join('\n')}\n`);
const series = (['loss', 'val_loss'] as const).map((key) => ({ name: key, y: history.map((h) => h[key]) }));
await drawAttention(
  join(out, 'attention.svg'),
  model,
  subwords,
  test.slice(0, 2).map(([english], i) => [english, translations[i]] as const),
);
await writeFile(join(out, 'loss.svg'), lineChart({ title: 'Cross entropy (nats)', xLabel: 'epoch', series }));
await exportOnnx(model, join(out, 'model.onnx'), {
  inputs: { source: zeros([1, 8], { dtype: 'int64' }).add(3), target: zeros([1, 8], { dtype: 'int64' }).add(3) },
  dynamicAxes: { source: ['batch', 'source_length'], target: ['batch', 'target_length'] },
  outputNames: ['logits'],
});
console.log(`kept in ${out}/; ${((performance.now() - begin) / 1000).toFixed(1)} s in all`);
