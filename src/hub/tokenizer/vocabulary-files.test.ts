/** @file Folders with a vocabulary and no tokenizer.json: special tokens and ids of Python's transformers 5.23 (checked by hand). */
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../ir/errors.ts';
import { AutoTokenizer } from './auto-tokenizer.ts';

const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'good', 'film', '##s', 'caf', '##e', '!', '.'];
const type = (name: string) => JSON.stringify({ model_type: name });

/** The letters that stand for the 256 bytes, in the order of the bytes. */
function letters(): string[] {
  const own = [...Array(256).keys()].filter((b) => (b > 32 && b < 127) || (b > 160 && b !== 173));
  let next = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCodePoint(own.includes(b) ? b : next++));
}
const merges = ['g o', 'o d', 'go od', 'Ġ good', 'f i', 'fi l', 'fil m', 'Ġ film'];
const pieces = [...letters(), ...merges.map((pair) => pair.replace(' ', ''))];
const vocabulary = (before: string[], after: string[]) =>
  JSON.stringify(Object.fromEntries([...before, ...pieces, ...after].map((token, id) => [token, id])));
const text = `#version: 0.2\n${merges.join('\n')}\n`;
const gpt2 = { 'vocab.json': vocabulary([], ['<|endoftext|>']), 'merges.txt': text };
const roberta = { 'vocab.json': vocabulary(['<s>', '<pad>', '</s>', '<unk>'], ['<mask>']), 'merges.txt': text };

describe('folders with a vocabulary alone', () => {
  it.each([
    ['with its model type', { 'config.json': type('bert') }],
    ['with nothing else', {}],
    ['with the name of a class', { 'tokenizer_config.json': '{"tokenizer_class": "BertTokenizer"}' }],
  ])('BERT, %s', (_, more) => {
    const tokenizer = AutoTokenizer.fromFiles({ 'vocab.txt': `${words.join('\n')}\n`, ...more });
    const { padToken, unkToken, clsToken, sepToken, maskToken, vocabSize } = tokenizer;
    expect([padToken, unkToken, clsToken, sepToken, maskToken]).toEqual(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']);
    expect(vocabSize).toBe(13);
    expect(tokenizer.encode('A good film!').inputIds).toEqual([2, 5, 6, 7, 11, 3]);
    expect(tokenizer.encode('good films <mask> . [MASK] <|endoftext|>').inputIds).toEqual([
      2, 6, 7, 8, 1, 1, 1, 12, 4, 1, 1, 1, 1, 1, 3,
    ]);
    expect(tokenizer.encode('good', { textPair: 'film' }).tokenTypeIds).toEqual([0, 0, 0, 1, 1]);
    expect(tokenizer.batch(['good', 'a film'], {}).inputIds.shape).toEqual([2, 4]);
    // As written, without config.json.
    const again = AutoTokenizer.fromFiles(Object.fromEntries(tokenizer.toFiles()));
    expect([again.padTokenId, again.maskTokenId]).toEqual([0, 4]);
    expect([...tokenizer.toFiles().keys()]).not.toContain('config.json');
  });

  it('DistilBERT reads no token types', () => {
    const tokenizer = AutoTokenizer.fromFiles({ 'vocab.txt': words.join('\n'), 'config.json': type('distilbert') });
    expect(tokenizer.encode('good').tokenTypeIds).toBeUndefined();
    expect(tokenizer.padToken).toBe('[PAD]');
  });

  it.each<Record<string, string>>([{ 'config.json': type('gpt2') }, {}])('GPT-2 %j', (more) => {
    const tokenizer = AutoTokenizer.fromFiles({ ...gpt2, ...more });
    const { special, vocabSize } = tokenizer;
    expect(special).toEqual({ bosToken: '<|endoftext|>', eosToken: '<|endoftext|>', unkToken: '<|endoftext|>' });
    expect(vocabSize).toBe(265);
    expect(tokenizer.encode('good films <mask> . [MASK] <|endoftext|>').inputIds).toEqual([
      258, 263, 115, 32, 60, 109, 97, 115, 107, 62, 32, 46, 32, 91, 77, 65, 83, 75, 93, 32, 264,
    ]);
    expect(tokenizer.decode(tokenizer.encode('A good film!').inputIds)).toBe('A good film!');
    const again = AutoTokenizer.fromFiles(Object.fromEntries(tokenizer.toFiles()));
    expect(again.eosTokenId).toBe(264);
  });

  it.each<Record<string, string>>([{ 'config.json': type('roberta') }, {}])('RoBERTa %j', (more) => {
    const tokenizer = AutoTokenizer.fromFiles({ ...roberta, ...more });
    const { padTokenId, maskTokenId, vocabSize, special } = tokenizer;
    expect([padTokenId, maskTokenId, vocabSize]).toEqual([1, 268, 269]);
    expect([special.bosToken, special.clsToken, special.sepToken]).toEqual(['<s>', '<s>', '</s>']);
    // The mask takes in the space before it, as in the tokenizer.json of roberta-base; 5.23 forgets it without that file.
    expect(tokenizer.encode('good films <mask> . [MASK] <|endoftext|>').inputIds).toEqual([
      0, 262, 267, 119, 268, 36, 50, 36, 95, 81, 69, 87, 79, 97, 36, 64, 128, 105, 114, 104, 115, 106, 120, 105, 124,
      120, 128, 66, 2,
    ]);
    expect(tokenizer.encode('good', { textPair: 'film' })).toMatchObject({ inputIds: [0, 262, 2, 2, 266, 2] });
    expect(tokenizer.encode('good').tokenTypeIds).toBeUndefined();
  });

  it('say otherwise in their files', () => {
    const config = '{"tokenizer_class": "BertTokenizer", "pad_token": "a", "mask_token": null}';
    const tokenizer = AutoTokenizer.fromFiles({ 'vocab.txt': words.join('\n'), 'tokenizer_config.json': config });
    expect([tokenizer.padTokenId, tokenizer.maskToken, tokenizer.clsToken]).toEqual([5, undefined, '[CLS]']);
    const map = '{"pad_token": "film"}';
    const other = AutoTokenizer.fromFiles({ 'vocab.txt': words.join('\n'), 'special_tokens_map.json': map });
    expect([other.padTokenId, other.maskToken]).toEqual([7, '[MASK]']);
  });

  it.each([
    [{ 'vocab.json': '{"a": 0}', 'merges.txt': '' }, 'holds no tokenizer.json (found: vocab.json, merges.txt)'],
    [{ ...gpt2, 'merges.txt': 'a b c' }, 'expected two parts in a line, found "a b c"'],
    [
      { ...roberta, 'vocab.json': '{"a": 0}', 'config.json': type('roberta') },
      "roberta's tokenizer needs the token </s>",
    ],
    [{ ...gpt2, 'vocab.json': '{"<|endoftext|>": -1}' }, 'expected a token id'],
  ])('refuses %#', (files, message) => {
    expect(() => AutoTokenizer.fromFiles(files as Record<string, string>)).toThrow(FormatError);
    expect(() => AutoTokenizer.fromFiles(files as Record<string, string>)).toThrow(message);
  });
});
