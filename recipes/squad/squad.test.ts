import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeTinyBert } from '../../test/cli/tiny-bert.ts';
import { runRecipe } from '../run.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-squad-'));
  // Words that the tiny BERT's vocabulary knows, in articles of one form: who holds which card.
  await writeTinyBert(join(folder, 'bert'), { initializer_range: 0.1 });
  const [cards, people] = [
    ['card', 'money', 'account', 'pin'],
    ['bank', 'app', 'atm', 'store', 'country'],
  ];
  const article = (title: string, at: number) => {
    const paragraphs = cards.map((card, i) => {
      const person = people[(at + i) % people.length];
      const context = `The ${person} has my new ${card} .`;
      const ask = (question: string, text: string) => ({
        id: `${title} ${i} ${text}`,
        question,
        answers: [{ text, answer_start: context.indexOf(text) }],
      });
      return { context, qas: [ask('Who has it ?', person), ask('What is new ?', card)] };
    });
    return { title, paragraphs };
  };
  const json = { version: '1.1', data: Array.from({ length: 10 }, (_, i) => article(`Article ${i}`, i)) };
  await mkdir(join(folder, 'squad'));
  await writeFile(join(folder, 'squad/dev-v1.1.json.gz'), gzipSync(JSON.stringify(json)));
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

// A tiny BERT with random weights learns where such sentences have their answers.
it('trains and answers questions on other articles', { timeout: 120_000 }, async () => {
  const args = ['--model', join(folder, 'bert'), '--data', folder, '--out', join(folder, 'run')];
  const stdout = await runRecipe('squad/main.ts', [...args, '--length', '32', '--lr', '5e-3', '--epochs', '60']);
  expect(stdout).toContain('10 articles; 64 questions to train on, 16 of other articles to test');
  expect(stdout).toContain('64 windows of at most 32 tokens, 64 with an answer');
  const [, exactMatch, f1] = stdout.match(/test of 16 questions: exact match ([\d.]+), F1 ([\d.]+)/) ?? [];
  expect(Number(exactMatch)).toBeGreaterThan(70);
  expect(Number(f1)).toBeGreaterThanOrEqual(Number(exactMatch));
});
