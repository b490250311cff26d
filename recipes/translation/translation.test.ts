import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ArgumentError, OnnxModel, tensor } from 'gradus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runRecipe } from '../run.ts';
import { batches, longest, parallel, readCorpus, sourceIds } from './data.ts';
import { AttentionLstm, end, SmallTransformer, start } from './models.ts';
import { countedThings, inWords } from './numbers.ts';
import { attentionTo } from './picture.ts';
import { Subwords } from './subwords.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-translation-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

// Generated sentences about counted things in place of Multi30k: 2,000 to learn from, 200 new ones to translate.
const small = '--corpus numbers --vocabulary 400 --layers 1 --dropout 0 --lr 0.006 --beams 3 --epochs 5'.split(' ');
const kinds: [string, string[]][] = [
  ['lstm', ['--width', '96', '--batch', '16']],
  ['transformer', ['--width', '64', '--batch', '32']],
];

describe('short runs', () => {
  it.each(kinds)('%s: BLEU of greedy and beam search, an ONNX file', { timeout: 240_000 }, async (kind, sizes) => {
    const out = join(folder, kind);
    const stdout = await runRecipe('translation/main.ts', ['--model', kind, '--out', out, ...small, ...sizes]);
    const scores = [...stdout.matchAll(/BLEU ([\d.]+) with/g)].map((m) => Number(m[1]));
    expect(scores).toHaveLength(2);
    for (const score of scores) expect(score).toBeGreaterThan(80);
    expect((await readFile(join(out, 'test.de'), 'utf8')).trim().split('\n')).toHaveLength(200);
    expect(await readFile(join(out, 'attention.svg'), 'utf8')).toContain('looked at');
    const model = await OnnxModel.load(join(out, 'model.onnx'));
    const ids = (values: number[]) => tensor([values, values], { dtype: 'int64' });
    const logits = model.forward({ source: ids([5, 6, 7, 8, end]), target: ids([start, 9, 10]) });
    expect(logits.shape).toEqual([2, 3, 400]);
  });
});

describe('texts', () => {
  it('numbers and sentences in both languages', () => {
    expect([2, 16, 30, 41, 99].map(inWords)).toEqual([
      ['two', 'zwei'],
      ['sixteen', 'sechzehn'],
      ['thirty', 'dreißig'],
      ['forty-one', 'einundvierzig'],
      ['ninety-nine', 'neunundneunzig'],
    ]);
    const pairs = countedThings(300, 1);
    expect(new Set(pairs.map(([english]) => english)).size).toBe(300);
    expect(countedThings(300, 1)).toEqual(pairs);
    for (const [english, german] of pairs) {
      expect(english).toMatch(/^(There are|I see) [a-z -]+(, but no [a-z]+)?\.$/);
      expect(german).toMatch(/^(Es sind|Ich sehe) [A-Za-zäöüß -]+(, aber keine [A-Za-zäöüß]+)?\.$/);
    }
  });

  it('subwords know every text, the empty one, and no special token by its spelling', async () => {
    const subwords = await Subwords.learn(countedThings(200, 2).flat(), 320);
    for (const text of ['There are two cats.', 'Zürich – 東京 🙂', ''])
      expect(subwords.decode(subwords.encode(text))).toBe(text);
    expect(subwords.encode('')).toEqual(subwords.encode('  '));
    expect(subwords.encode('</s> <pad>').every((id) => id > end)).toBe(true);
    expect(sourceIds('', subwords).at(-1)).toBe(end);
    expect(sourceIds('z'.repeat(500), subwords)).toHaveLength(longest + 1);
  });

  it('batches for teacher forcing', async () => {
    const subwords = await Subwords.learn(countedThings(200, 2).flat(), 320);
    const pairs = [
      ['two', 'zwei'],
      ['two cats', 'zwei Katzen'],
    ] as const;
    const first = (await batches(pairs, subwords, 2)[Symbol.asyncIterator]().next()).value;
    if (!first) throw new Error('no batch');
    const [target, next] = [await first.target.array(), await first.next.array()] as number[][][];
    expect(first.target.shape[1] % 8).toBe(0);
    for (const row of [0, 1]) {
      expect(target[row][0]).toBe(start);
      const length = next[row].indexOf(end);
      expect(target[row].slice(1, length + 1)).toEqual(next[row].slice(0, length));
      expect(next[row].slice(length + 1).every((id) => id === 0)).toBe(true);
    }
  });

  it.each(['lstm', 'transformer'])('%s says where it looks: not at padding, and as a part of 1', async (kind) => {
    const subwords = await Subwords.learn(countedThings(200, 2).flat(), 320);
    const sizes = { vocabulary: 320, width: 16, layers: 2, dropout: 0.5 };
    const model = (kind === 'lstm' ? new AttentionLstm(sizes) : new SmallTransformer(sizes)).eval();
    const { weights, rows, columns } = await attentionTo(model, subwords, ['two cats', 'zwei Katzen']);
    expect([rows.at(-1), columns.at(-1)]).toEqual(['</s>', '</s>']);
    expect(columns.join('')).toContain('two');
    expect([weights.length, weights[0].length]).toEqual([rows.length, columns.length]);
    for (const row of weights) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    const ids = (values: number[]) => tensor([values], { dtype: 'int64' });
    const source = ids([5, 6, end, 0, 0]);
    const target = ids([start, 9, 10]);
    const padded = await model.attention(target, model.encode(source), source).squeeze(0).array();
    for (const row of padded as number[][]) expect(row.slice(3)).toEqual([0, 0]);
    // Asking leaves the model as it was.
    const plain = model.decode(target, model.encode(source), source);
    expect(plain.shape).toEqual([1, 3, 16]);
  });

  it('refuses texts of different length and leaves empty lines out', () => {
    expect(() => parallel(['a', 'b'], ['c'])).toThrow(ArgumentError);
    expect(parallel(['a', ' ', 'b '], ['c', 'd', ''])).toEqual([['a', 'c']]);
  });

  it('reads files of other texts: an empty line at the end of one language, Windows line ends', async () => {
    const data = join(folder, 'data');
    await mkdir(join(data, 'multi30k'), { recursive: true });
    for (const split of ['train', 'val', 'test_2016_flickr'])
      for (const [language, text] of [
        ['en', 'one\r\ntwo\r\nthree\r\n'],
        ['de', 'eins\nzwei\n\n'],
      ])
        await writeFile(join(data, 'multi30k', `${split}.${language}.gz`), gzipSync(text));
    const corpus = await readCorpus('multi30k', data);
    expect(corpus.train).toEqual([
      ['one', 'eins'],
      ['two', 'zwei'],
    ]);
  });
});
