import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { readCsv } from 'gradus/data/node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { banking, writeTinyBert } from '../../test/cli/tiny-bert.ts';
import { runRecipe } from '../run.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-imdb-'));
  await writeTinyBert(join(folder, 'bert'));
  await mkdir(join(folder, 'imdb'));
  for (const part of ['train', 'test'] as const) {
    const rows = (await readCsv(banking[part])).map(({ text, intent }) => ({ text, label: Number(intent > 'f') }));
    const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    await writeFile(join(folder, `imdb/${part}.jsonl.gz`), gzipSync(lines));
  }
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

// A tiny BERT tells two pairs of intents of bank customers apart: the recipe itself takes an hour.
it('fine-tunes, tests and keeps a classifier', { timeout: 120_000 }, async () => {
  const out = join(folder, 'run');
  const small = ['--epochs', '6', '--lr', '3e-3', '--length', '32'];
  const stdout = await runRecipe('imdb/main.ts', [
    '--model',
    join(folder, 'bert'),
    '--data',
    folder,
    '--out',
    out,
    ...small,
  ]);
  expect(stdout).toContain('280 reviews to train on, 100 to test');
  expect(Number(/test accuracy ([\d.]+)/.exec(stdout)?.[1])).toBeGreaterThan(0.85);
  expect(stdout).toMatch(/(positive|negative) \d\.\d{3} {2}A slow start/);
  expect(JSON.parse(await readFile(join(out, 'config.json'), 'utf8')).id2label).toEqual({
    0: 'negative',
    1: 'positive',
  });
  expect(await readdir(out)).toEqual(expect.arrayContaining(['model.onnx', 'onnx', 'tokenizer.json', 'metrics.jsonl']));
});
