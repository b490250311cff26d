/** @file Tables from the command line: train, evaluate, predict; interruption and exact resume. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { gradus, here, temporary } from './run.ts';
import { tableText } from './samples.ts';

const folder = await temporary();
const data = join(folder, 'things.csv');

beforeAll(async () => await writeFile(data, tableText(240)));

describe('classification', () => {
  const run = join(folder, 'kinds');

  it('describes the columns, trains and tests', async () => {
    const { code, stdout, stderr } = await here([
      'train',
      '--data',
      data,
      '--target',
      'kind',
      '--ignore',
      'price',
      '--out',
      run,
    ]);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/id +left out \(numbering\) +0 +240/);
    expect(stdout).toMatch(/size +numeric +14 /);
    expect(stdout).toMatch(/colour +categorical +0 +3/);
    expect(stdout).toMatch(/flag +boolean/);
    expect(stdout).toMatch(/kind +target/);
    expect(stdout).toMatch(/price +left out/);
    expect(stdout).toContain('task: tabular-classification (decided by the data)');
    expect(stdout).toContain('192 samples to train on, 24 for validation, 24 for the test');
    const record = JSON.parse(await readFile(join(run, 'run.json'), 'utf8'));
    expect(record.results.test.accuracy).toBeGreaterThan(0.85);
    expect(record.preprocess.encoder.columns.map((c: { name: string }) => c.name)).toEqual(['size', 'colour', 'flag']);
    const again = await here(['evaluate', run, '--json', '-q']);
    expect(JSON.parse(again.stdout).metrics.accuracy).toBe(record.results.test.accuracy);
  });

  it('predicts typed rows and files, tells unseen categories, and adds the answer to a CSV', async () => {
    const row = await here(['predict', run, '{"size": 9, "colour": "mauve", "flag": true}', '--json']);
    expect(row.code, row.stderr).toBe(0);
    expect(row.stderr).toContain("column 'colour': 1 row with categories that were not in the training data (mauve)");
    expect(JSON.parse(row.stdout)).toMatchObject({ input: 'row', top: [{ class: expect.any(String) }, {}] });
    const strict = await here(['predict', run, '{"size": 9, "colour": "mauve", "flag": true}', '--strict']);
    expect(strict.code).toBe(1);
    expect(strict.stderr).toContain('known are blue, green, red');
    const absent = await here(['predict', run, '{"size": 9}']);
    expect(absent.stderr).toContain('lacks the columns colour, flag, which the model was trained on; it has: size');
    const out = join(folder, 'answers.csv');
    const written = await here(['predict', run, data, '--out', out]);
    expect(written.stdout).toContain('240 predictions written');
    const lines = (await readFile(out, 'utf8')).split('\n');
    expect(lines[0]).toBe('id,size,colour,flag,kind,price,prediction,probability');
    expect(lines[1]).toMatch(/^1000,.*,(big|small),[01]\.\d{6}$/);
  });
});

describe('regression', () => {
  it('answers in the units of the target', async () => {
    const run = join(folder, 'prices');
    const args = [
      'train',
      'tabular-regression',
      '--data',
      data,
      '--target',
      'price',
      '--ignore',
      'kind',
      '--out',
      run,
      '-q',
      '--json',
    ];
    const { code, stdout, stderr } = await here(args);
    expect(code, stderr).toBe(0);
    const { metrics } = JSON.parse(stdout);
    expect(metrics.r2).toBeGreaterThan(0.85);
    const row = await here(['predict', run, '[{"size": 8, "colour": "blue", "flag": 0}]', '--json']);
    expect(JSON.parse(row.stdout).prediction).toBeGreaterThan(28);
    expect(JSON.parse(row.stdout).prediction).toBeLessThan(40);
  });
});

describe('Ctrl-C', () => {
  it('keeps a checkpoint, ends with 130, and --resume ends in the same weights as a run that was not interrupted', async () => {
    const args = ['train', '--data', data, '--target', 'kind', '-e', '40', '--patience', '0', '--seed', '3'];
    const [whole, parts] = [join(folder, 'whole'), join(folder, 'parts')];
    expect((await gradus([...args, '--out', whole])).code).toBe(0);
    const first = await gradus([...args, '--out', parts], { interruptAt: 'epoch  4/40' });
    expect(first.code, first.stderr).toBe(130);
    expect(first.stderr).toMatch(
      /interrupted after step \d+; its checkpoint is kept\. Go on with:\n {2}npx gradus train --resume --out /,
    );
    const status = await here(['inspect', parts]);
    expect(status.stdout).toMatch(/status +interrupted; go on with: npx gradus train --resume/);
    const early = await here(['predict', parts, data]);
    expect(early.stderr).toContain('its training has not finished; go on with');
    const second = await gradus(['train', '--resume', '--out', parts]);
    expect(second.code, second.stderr).toBe(0);
    expect(second.stdout).not.toContain('epoch  2/40');
    const weights = await Promise.all([whole, parts].map((run) => readFile(join(run, 'model.safetensors'))));
    expect(weights[1].equals(weights[0])).toBe(true);
    const third = await here(['train', '--resume', '--out', parts]);
    expect(third.code).toBe(1);
    expect(third.stderr).toContain(
      'has finished its training (40 epochs); to train longer say --epochs with more than 40',
    );
    const changed = await here(['train', '--resume', '--out', parts, '--lr', '1']);
    expect(changed.stderr).toContain(
      '--resume goes on with the options of the run; only --epochs, --data, --device and --workers may be given, not --lr',
    );
  });
});
