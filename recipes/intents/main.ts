/** @file Banking77: which of 77 intents a customer's question has. Runs the command line's own training and shows questions that went wrong. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { TextClassifier } from 'gradus';
import { readCsv } from 'gradus/data/node';
import { dataFile } from '../data.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    model: { type: 'string', default: 'sentence-transformers/all-MiniLM-L6-v2' },
    out: { type: 'string', default: 'runs/intents' },
    epochs: { type: 'string', default: '5' },
    limit: { type: 'string' },
  },
});
const source = 'https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/master/banking_data';
const file = async (part: string) =>
  await dataFile({ name: `banking77/${part}.csv.gz`, url: `${source}/${part}.csv` }, values.data);
const [train, test] = [await file('train'), await file('test')];

const options = ['--epochs', values.epochs, '--batch-size', '32', '--max-length', '64', '--lr', '2e-4', '--seed', '1'];
const limit = values.limit === undefined ? [] : ['--limit', values.limit];
const data = ['--train', train, '--test', test, '--label', 'category'];
const command = ['train', 'text-classification', '--model', values.model, ...data, ...options, ...limit];
const cli = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const { status } = spawnSync(process.execPath, [...process.execArgv, cli, ...command, '--out', values.out], {
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);

const classifier = await TextClassifier.fromPretrained(values.out);
const questions = (await readCsv(test)).slice(0, 500);
const answers = await classifier.classify(
  questions.map(({ text }) => text),
  { topK: 2 },
);
console.log('\nThe most confident wrong answers among the first 500 test questions');
questions
  .map(({ text, category }, i) => ({ text, category, first: answers[i][0], second: answers[i][1] }))
  .filter(({ category, first }) => first.label !== category)
  .sort((a, b) => b.first.score - a.first.score)
  .slice(0, 8)
  .forEach(({ text, category, first, second }) => {
    const next = second.label === category ? ', second guess right' : '';
    console.log(`  ${text}\n    is ${category}, taken for ${first.label} (${first.score.toFixed(2)}${next})`);
  });
