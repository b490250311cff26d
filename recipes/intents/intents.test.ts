import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { banking, writeTinyBert } from '../../test/cli/tiny-bert.ts';
import { runRecipe } from '../run.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-intents-'));
  await writeTinyBert(join(folder, 'bert'));
  await mkdir(join(folder, 'banking77'));
  for (const part of ['train', 'test'] as const) {
    const text = (await readFile(banking[part], 'utf8')).replace('text,intent', 'text,category');
    await writeFile(join(folder, `banking77/${part}.csv.gz`), gzipSync(text));
  }
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

// Four intents and a tiny BERT.
it('trains by the command line and shows what went wrong', { timeout: 120_000 }, async () => {
  const args = ['--model', join(folder, 'bert'), '--data', folder, '--out', join(folder, 'run'), '--epochs', '1'];
  const stdout = await runRecipe('intents/main.ts', args);
  expect(stdout).toContain("4 classes in 'category'");
  expect(stdout).toContain('Result on test data (100 texts)');
  expect(stdout).toMatch(
    /wrong answers among the first 500 test questions\n {2}.*\n {4}is \w+, taken for \w+ \(0\.\d\d/,
  );
});
