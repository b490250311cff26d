import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runRecipe } from '../run.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-shakespeare-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

// 100,000 characters and a small network, for a few seconds.
const excerpt = join(import.meta.dirname, '..', 'char-lm', 'excerpt.txt');
const small = '--epochs 1 --steps 150 --layers 2 --heads 2 --width 64 --block 32 --batch 16 --lr 5e-3'.split(' ');

it('learns more than single characters, writes, and keeps what goes on alike', { timeout: 120_000 }, async () => {
  const stdout = await runRecipe('shakespeare-gpt/main.ts', ['--data', excerpt, '--out', folder, ...small]);
  // Frequencies of single characters give 3.3 nats.
  expect(Number(/validation ([\d.]+) nats/.exec(stdout)?.[1])).toBeLessThan(2.55);
  expect(stdout).toContain('goes on as the model: true');
  expect(await readFile(join(folder, 'sample.txt'), 'utf8')).toMatch(/^ROMEO:[\s\S]{300,}/);
  expect(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))).toMatchObject({
    architectures: ['GPT2LMHeadModel'],
  });
});
