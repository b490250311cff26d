/** @file Long, odd and hostile texts and files. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { corpus } from '../../../test/golden/tokenizers_trained.ts';
import { FormatError, GradusError } from '../../ir/errors.ts';
import { tokenizerFiles } from './files.ts';
import { Tokenizer } from './tokenizer.ts';
import { trainTokenizer } from './train-tokenizer.ts';

let wordpiece: Tokenizer;
let bpe: Tokenizer;
beforeAll(async () => {
  wordpiece = await trainTokenizer(corpus, { type: 'wordpiece', vocabSize: 150 });
  bpe = await trainTokenizer(corpus, { type: 'bpe', vocabSize: 320 });
});

const both = () => [wordpiece, bpe];
const bytes = (json: unknown) => new TextEncoder().encode(typeof json === 'string' ? json : JSON.stringify(json));
const fileOf = (json: unknown) => tokenizerFiles('x', new Map([['tokenizer.json', bytes(json)]]));

describe('long texts', () => {
  const text = `${corpus.join(' ')} `.repeat(300);

  it('are the same in parts and when only their beginning is needed', () => {
    for (const tokenizer of both()) {
      const whole = tokenizer.encode(text, { returnOffsetsMapping: true });
      const lines = corpus.map((line) => tokenizer.encode(`${line} `, { addSpecialTokens: false }).inputIds.length);
      expect(whole.inputIds.length).toBeGreaterThan(300 * (Math.max(...lines) - 1));
      for (const maxLength of [8, 100, 3000]) {
        const cut = tokenizer.encode(text, { maxLength, returnOffsetsMapping: true });
        const added = tokenizer.numSpecialTokensToAdd();
        const kept = maxLength - added;
        const start = added ? 1 : 0;
        expect(cut.inputIds.slice(start, start + kept)).toEqual(whole.inputIds.slice(start, start + kept));
        expect(cut.offsetMapping?.slice(start, start + kept)).toEqual(whole.offsetMapping?.slice(start, start + kept));
      }
    }
  });

  it('of ten megabytes take seconds, even as a single word', () => {
    const start = performance.now();
    for (const tokenizer of both()) {
      expect(
        tokenizer.encode(text.repeat(Math.ceil(10_000_000 / text.length)), { maxLength: 512 }).inputIds,
      ).toHaveLength(512);
      tokenizer.encode('x'.repeat(300_000), { maxLength: 512 });
    }
    expect(performance.now() - start).toBeLessThan(30_000);
  });
});

describe('any text', () => {
  it('has positions in order and inside of it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
        for (const tokenizer of both()) {
          let before = 0;
          const { offsetMapping } = tokenizer.encode(text, { returnOffsetsMapping: true, addSpecialTokens: false });
          for (const [start, end] of offsetMapping ?? []) {
            expect(start).toBeGreaterThanOrEqual(0);
            expect(end).toBeGreaterThanOrEqual(start);
            expect(end).toBeLessThanOrEqual(text.length);
            expect(end).toBeGreaterThanOrEqual(before);
            before = start;
          }
        }
      }),
    );
  });

  it('comes back from bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        if (text.includes('<|endoftext|>')) return;
        expect(bpe.decode(bpe.encode(text).inputIds)).toBe(text.replace(/\p{Surrogate}/gu, '\ufffd'));
      }),
    );
  });

  it('may be empty, or half of a character', () => {
    expect(wordpiece.encode('').inputIds).toEqual([2, 3]);
    expect(bpe.encode('').inputIds).toEqual([]);
    expect(bpe.batch(['', 'low']).inputIds.shape).toEqual([2, 2]);
    expect(bpe.batch([]).inputIds.shape).toEqual([0, 0]);
    expect(bpe.decode([])).toBe('');
    expect(bpe.encode('\ud800').inputIds).toEqual(bpe.encode('\ufffd').inputIds);
  });
});

describe('files', () => {
  it('that are no tokenizer are refused', () => {
    expect(() => tokenizerFiles('x', new Map())).toThrow('x holds no tokenizer.json; in Python');
    expect(() => tokenizerFiles('x', new Map([['spiece.model', bytes('')]]))).toThrow('(found: spiece.model)');
    expect(() => tokenizerFiles('x', new Map([['tokenizer.json', Uint8Array.of(0xff, 0x22)]]))).toThrow(
      'x/tokenizer.json is not UTF-8 text',
    );
    expect(() => fileOf('{')).toThrow('x/tokenizer.json is not JSON');
    expect(() => fileOf('[]')).toThrow('expected an object');
    expect(() => tokenizerFiles('x', new Map([['vocab.txt', bytes('a\nb\n')]]))).toThrow(
      "BERT's tokenizer needs the token [UNK]",
    );
  });

  it.each([
    [{}, 'model: expected an object'],
    [{ model: { type: 'WordPiece', vocab: { a: -1 } } }, 'expected a token id'],
    [{ model: { type: 'WordPiece', vocab: { a: 2e9 } } }, 'expected at most 16000000'],
    [{ model: { type: 'WordPiece', vocab: { a: 0 } } }, 'lacks the unknown token [UNK]'],
    [{ model: { type: 'BPE', vocab: { a: 0 }, merges: ['a b'] } }, 'is not in the vocabulary'],
    [{ model: { type: 'Unigram', vocab: [['a', 'x']] } }, 'expected a number'],
    [
      { model: { type: 'BPE', vocab: {}, merges: [] }, added_tokens: [{ id: 1 }] },
      'added_tokens[0].content: expected a string',
    ],
    [
      {
        model: { type: 'BPE', vocab: {}, merges: [] },
        normalizer: { type: 'Precompiled', precompiled_charsmap: '////' },
      },
      'character map',
    ],
    [
      { model: { type: 'BPE', vocab: {}, merges: [] }, pre_tokenizer: { type: 'Split', pattern: { Regex: '(' } } },
      'egular expression',
    ],
    [{ model: { type: 'Nothing', vocab: {} } }, 'unknown type "Nothing"; there are WordPiece'],
  ])('that are broken are refused: %j', (json, message) => {
    expect(() => new Tokenizer(fileOf(json))).toThrow(FormatError);
    expect(() => new Tokenizer(fileOf(json))).toThrow(message);
  });

  it('with any change give a tokenizer or a typed error', () => {
    const json = JSON.stringify({
      model: { type: 'WordPiece', unk_token: 'u', vocab: { u: 0, a: 1, '##b': 2 } },
      pre_tokenizer: { type: 'BertPreTokenizer' },
      post_processor: { type: 'BertProcessing', sep: ['u', 0], cls: ['u', 0] },
    });
    fc.assert(
      fc.property(fc.nat(json.length), fc.nat(4), fc.string({ maxLength: 3 }), (at, cut, put) => {
        try {
          new Tokenizer(fileOf(json.slice(0, at) + put + json.slice(at + cut))).encode('ab ab');
        } catch (error) {
          expect(error).toBeInstanceOf(GradusError);
        }
      }),
      { numRuns: 300 },
    );
  });
});
