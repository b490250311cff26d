/** @file Trained tokenizers: what Python makes of their files, and what its trainers learn. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { corpus, trainedFile } from '../../../test/golden/tokenizers_trained.ts';
import { trainTokenizer } from './train-tokenizer.ts';

interface Golden {
  readonly ids: number[][];
  readonly offsets: [number, number][][];
  readonly vocab: string[];
  readonly merges: [string, string][];
}

const golden: { texts: string[]; wordpiece: Golden; bpe: Golden } = JSON.parse(
  readFileSync(new URL('../../../test/golden/tokenizers_trained.json', import.meta.url), 'utf8'),
);

describe.each(['wordpiece', 'bpe'] as const)('trainTokenizer: %s', (type) => {
  it('gives a file from which Python makes the same ids', async () => {
    const [tokenizer] = await trainedFile(type);
    expect(golden.texts.map((text) => tokenizer.encode(text).inputIds)).toEqual(golden[type].ids);
  });

  it('gives the same file again', async () => {
    expect((await trainedFile(type))[1]).toBe((await trainedFile(type))[1]);
  });
});

describe('trainTokenizer', () => {
  it('learns the same merges as BpeTrainer', async () => {
    const { model } = JSON.parse((await trainedFile('bpe'))[1]);
    expect(model.merges).toEqual(golden.bpe.merges);
    expect(model.vocab).toEqual(Object.fromEntries(golden.bpe.vocab.map((token, id) => [token, id])));
  });

  it('learns nearly the same tokens as WordPieceTrainer, which breaks ties by chance', async () => {
    const [tokenizer] = await trainedFile('wordpiece');
    const ours = new Set(tokenizer.getVocab().keys());
    const common = golden.wordpiece.vocab.filter((token) => ours.has(token)).length;
    expect(ours.size).toBe(golden.wordpiece.vocab.length);
    expect(common / ours.size).toBeGreaterThan(0.9);
  });

  it('decodes what bytes encode', async () => {
    const tokenizer = await trainTokenizer(corpus, { type: 'bpe', vocabSize: 300 });
    const text = 'Any text: ß, 漢字, 👩‍👧, \u0000 \n\t !';
    expect(tokenizer.decode(tokenizer.encode(text).inputIds)).toBe(text);
    expect(tokenizer.padToken).toBe('<|endoftext|>');
    expect(tokenizer.vocabSize).toBe(300);
  });

  it('reads asynchronous corpora and keeps to minFrequency', async () => {
    async function* lines() {
      yield 'ab ab ab cd';
      yield 'ab cd';
    }
    const tokenizer = await trainTokenizer(lines(), { type: 'wordpiece', vocabSize: 100, minFrequency: 3 });
    const tokens = [...tokenizer.getVocab().keys()];
    expect(tokens).toEqual(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'b', 'c', 'd', '##b', '##d', 'ab']);
  });

  it('refuses what cannot be', async () => {
    const train = (options: object, texts: unknown = ['a']) =>
      trainTokenizer(texts as string[], { type: 'bpe', vocabSize: 300, ...options });
    await expect(train({ vocabSize: 100 })).rejects.toThrow('at least 257, found 100');
    await expect(train({ type: 'unigram' })).rejects.toThrow("type must be 'wordpiece' or 'bpe'");
    await expect(train({ type: 'wordpiece', specialTokens: ['[UNK]'] })).rejects.toThrow(
      'needs the special tokens [CLS], [SEP]',
    );
    await expect(train({}, ['a', 5])).rejects.toThrow('item 1 of the corpus is no string, but number');
  });
});
