/** @file Chest X-rays and digits by the command for any folder of pictures; sensitivity and specificity beside accuracy. Not for clinical use. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { type Counts, findData, writeFolder } from './data.ts';
import { rateOf } from './rates.ts';

const { values: given } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string', default: 'runs/clinical' },
    epochs: { type: 'string', default: '20' },
    'digits-epochs': { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
  },
});
const { out, epochs, seed } = given;
const { archive, digits } = await findData(given.data);

/** What `npx gradus ... --json` prints, from this source tree. */
async function gradus(...args: string[]) {
  console.log(`npx gradus ${args.join(' ')}`);
  const command = ['-C', 'gradus-source', '--import', import.meta.resolve('tsx')];
  const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [...command, main, ...args, '--json'], {
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(stdout) as { metrics: Record<string, number>; confusion: { counts: number[][] } | null };
}

const pictures = join(out, 'pictures');
const counts = await writeFolder(archive, pictures);
const imbalance = (part: keyof Counts) => `${counts[part].normal} normal and ${counts[part].pneumonia} with pneumonia`;
console.log(`to train on: ${imbalance('train')}; validation: ${imbalance('val')}; test: ${imbalance('test')}`);

const task = ['train', 'image-classification'];
const run = join(out, 'pneumonia');
const common = ['--seed', seed, '--overwrite'];
// Small shifts and turns; a mirrored chest would have its heart on the wrong side.
const options = ['--balance', '--augment', 'crop,rotate', '--epochs', epochs];
await gradus(...task, '--data', pictures, '--out', run, ...options, ...common);
const { metrics, confusion } = await gradus('evaluate', run, '--data', join(pictures, 'test'));
const [[healthy, alarms], [missed, ill]] = confusion?.counts ?? [];
const majority = Math.max(healthy + alarms, missed + ill) / (healthy + alarms + missed + ill);
console.log(
  [
    `test accuracy ${metrics.accuracy.toFixed(4)} (always saying the larger class: ${majority.toFixed(4)})`,
    `sensitivity ${rateOf(ill, ill + missed)}: ${missed} of ${ill + missed} with pneumonia missed`,
    `specificity ${rateOf(healthy, healthy + alarms)}: ${alarms} of ${healthy + alarms} normal ones called ill`,
    `ROC AUC ${metrics.roc_auc.toFixed(4)}`,
    'Not for clinical use: pictures of 28 x 28 of children of one hospital, labels of one data set, no validation elsewhere.',
  ].join('\n'),
);

if (digits !== undefined) {
  const digitRun = join(out, 'digits');
  const trained = await gradus(
    ...task,
    '--data',
    digits,
    '--out',
    digitRun,
    '--epochs',
    given['digits-epochs'],
    ...common,
  );
  console.log(
    `digits: test accuracy ${trained.metrics.accuracy.toFixed(4)}, macro F1 ${trained.metrics.f1_macro.toFixed(4)}`,
  );
} else console.log('digits: the folder has no mnist/, left out');
console.log(`kept in ${out}/: pneumonia/ and digits/, each with its report`);
