/** @file Fine-tunes a pretrained Transformer on IMDb's film reviews, tests it on all 25,000 others, keeps it for other programs. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  AutoModelForSequenceClassification,
  AutoTokenizer,
  accuracy,
  classificationReport,
  confusionMatrix,
  confusionTable,
  decayGroups,
  hubDatasetFiles,
  manualSeed,
  optim,
  saveForInference,
  TextClassifier,
  Trainer,
  textLoader,
  tokenizeTexts,
} from 'gradus';
import { readJsonl, readParquet } from 'gradus/data/node';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    model: { type: 'string', default: 'sentence-transformers/all-MiniLM-L6-v2' },
    out: { type: 'string', default: 'runs/imdb' },
    epochs: { type: 'string', default: '1' },
    lr: { type: 'string', default: '1e-4' },
    length: { type: 'string', default: '256' },
    limit: { type: 'string', default: '25000' },
    seed: { type: 'string', default: '1' },
  },
});
const [epochs, lr, maxLength, limit, seed] = [values.epochs, values.lr, values.length, values.limit, values.seed].map(
  Number,
);
const labels = ['negative', 'positive'];
const start = performance.now();

/** Reviews with label 0 (negative) or 1: JSON lines of a folder, or the hub's data set. `limit` takes every n-th. */
async function reviews(part: 'train' | 'test') {
  const folder = values.data ?? process.env.GRADUS_DATA;
  const rows = folder
    ? await readJsonl(join(folder, `imdb/${part}.jsonl.gz`))
    : await readParquet((await hubDatasetFiles('stanfordnlp/imdb', { split: part })).paths[0]);
  const every = Math.ceil(rows.length / limit);
  return (rows as { text: string; label: number }[]).filter((_, i) => i % every === 0);
}

const tokenizer = await AutoTokenizer.fromPretrained(values.model, { modelMaxLength: maxLength });
const encode = async (rows: Awaited<ReturnType<typeof reviews>>) =>
  await tokenizeTexts(
    tokenizer,
    rows.map(({ text }) => text),
    { labels: rows.map(({ label }) => Number(label)), maxLength },
  );
const train = await encode(await reviews('train'));
const test = await encode(await reviews('test'));
const { median, p95, truncated } = train.statistics();
console.log(
  `${train.length} reviews to train on, ${test.length} to test; tokens: median ${median}, 95 of 100 up to ${p95}, ${(100 * truncated).toFixed(1)} % cut at ${maxLength}`,
);

manualSeed(seed);
const model = await AutoModelForSequenceClassification.fromPretrained(values.model, { labels });
const trainer = new Trainer(model, {
  optimizer: optim.adamw(decayGroups(model, 0.01), { lr }),
  schedule: (optimizer, total = 1) =>
    optim.linearWithWarmup(optimizer, { numWarmupSteps: Math.round(total / 10), numTrainingSteps: total }),
  metrics: [accuracy()],
  clipNorm: 1,
  seed,
  out: values.out,
  progress: true,
});
await trainer.fit(textLoader(train, { batchSize: 16, shuffle: true, seed }), { epochs });
await saveForInference(model, tokenizer, values.out);

const classifier = await TextClassifier.fromPretrained(values.out);
const matrix = confusionMatrix({ labels });
matrix.update(await classifier.logits(test), { data: test.labels, shape: [test.length], dtype: 'int64' });
const result = matrix.compute();
const right = result.counts.reduce((sum, row, i) => sum + row[i], 0);
console.log(`\n${classificationReport(result, { digits: 4 })}\n${confusionTable(result)}`);
console.log(`test accuracy ${(right / test.length).toFixed(4)} (${test.length - right} of ${test.length} wrong)`);
for (const text of ['A slow start, but the last hour is magnificent.', 'Two hours that I will never get back.']) {
  const [[{ label, score }]] = await classifier.classify([text]);
  console.log(`${label} ${score.toFixed(3)}  ${text}`);
}
console.log(`kept in ${values.out}/; ${((performance.now() - start) / 1000).toFixed(1)} s in all`);
