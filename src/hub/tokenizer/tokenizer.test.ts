/** @file A tokenizer's options, errors and files; agreement with Python is in test/golden. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AutoTokenizer } from './auto-tokenizer.ts';
import type { Tokenizer } from './tokenizer.ts';

let folder: string;
let tokenizer: Tokenizer;
const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'good', 'film', '##s', 'bad', '.', '!'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-'));
  await writeFile(join(folder, 'vocab.txt'), `${words.join('\n')}\n`);
  await writeFile(join(folder, 'tokenizer_config.json'), '{"tokenizer_class": "BertTokenizer", "model_max_length": 8}');
  tokenizer = await AutoTokenizer.fromPretrained(folder, { padToken: '[PAD]', clsToken: '[CLS]', sepToken: '[SEP]' });
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('Tokenizer', () => {
  it('reads a folder that has only vocab.txt', async () => {
    expect(tokenizer.encode('A good film!')).toEqual({
      inputIds: [2, 5, 6, 7, 11, 3],
      attentionMask: [1, 1, 1, 1, 1, 1],
      tokenTypeIds: [0, 0, 0, 0, 0, 0],
      sequenceIds: [null, 0, 0, 0, 0, null],
    });
    expect(tokenizer.vocabSize).toBe(12);
    expect(tokenizer.padTokenId).toBe(0);
    expect(tokenizer.tokenize('Bad films')).toEqual(['bad', 'film', '##s']);
    expect(tokenizer.decode([2, 5, 6, 7, 8, 11, 3], { skipSpecialTokens: true })).toBe('a good films!');
  });

  it('makes padded int64 tensors of a batch', async () => {
    const { inputIds, attentionMask, tokenTypeIds } = tokenizer.batch(['good', 'a bad film'], {
      textPair: ['film', 'a'],
      padToMultipleOf: 4,
    });
    expect(inputIds.dtype).toBe('int64');
    expect(await inputIds.array()).toEqual([
      [2, 6, 3, 7, 3, 0, 0, 0],
      [2, 5, 9, 7, 3, 5, 3, 0],
    ]);
    expect(await attentionMask.array()).toEqual([
      [1, 1, 1, 1, 1, 0, 0, 0],
      [1, 1, 1, 1, 1, 1, 1, 0],
    ]);
    expect(await tokenTypeIds?.array()).toEqual([
      [0, 0, 0, 1, 1, 0, 0, 0],
      [0, 0, 0, 0, 0, 1, 1, 0],
    ]);
  });

  it('refuses what is no text and options that cannot be met', () => {
    expect(() => tokenizer.encode(5 as never)).toThrow('expected a text, found number');
    expect(() => tokenizer.encode(['a'] as never)).toThrow('a list (use batch or encodeBatch)');
    expect(() => tokenizer.batch(['a'], { textPair: [] })).toThrow('1 texts, but 0 second texts');
    expect(() => tokenizer.encode('a', { maxLength: 1 })).toThrow('no room for the 2 special tokens');
    expect(() => tokenizer.batch(['a', 'a a'], { padding: false })).toThrow("use padding: 'longest'");
    expect(() => tokenizer.convertIdsToTokens([12])).toThrow('ids go from 0 to 11');
  });

  it('writes its files as they were', async () => {
    const target = join(folder, 'copy');
    await (await AutoTokenizer.fromPretrained(folder)).savePretrained(target);
    for (const file of ['vocab.txt', 'tokenizer_config.json'])
      expect(await readFile(join(target, file), 'utf8')).toBe(await readFile(join(folder, file), 'utf8'));
    expect(JSON.parse(await readFile(join(target, 'tokenizer.json'), 'utf8')).model.vocab.good).toBe(6);
  });

  it('keeps changed options, and is made of files in memory', () => {
    const files = Object.fromEntries(tokenizer.toFiles());
    expect(JSON.parse(new TextDecoder().decode(files['tokenizer_config.json']))).toMatchObject({
      model_max_length: 8,
      pad_token: '[PAD]',
    });
    const copy = AutoTokenizer.fromFiles(files, { paddingSide: 'left', truncationSide: 'left' });
    expect(copy.encode('a good film .', { maxLength: 4 }).inputIds).toEqual([2, 7, 10, 3]);
    expect(copy.encode('good', { padding: 'maxLength' }).inputIds).toEqual([0, 0, 0, 0, 0, 2, 6, 3]);
  });
});
