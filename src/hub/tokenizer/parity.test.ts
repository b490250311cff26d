/** @file Small cases in which Python's fast tokenizers (transformers 5.23, tokenizers 0.23.3) gave the values. */
import { describe, expect, it } from 'vitest';
import { tokenizerFiles } from './files.ts';
import { Tokenizer } from './tokenizer.ts';

const open = (json: Record<string, unknown>, config: Record<string, unknown> = {}) => {
  const bytes = (part: unknown) => new TextEncoder().encode(JSON.stringify(part));
  const none = { added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  const raw = new Map([
    ['tokenizer.json', bytes({ ...none, ...json })],
    ['tokenizer_config.json', bytes(config)],
  ]);
  return new Tokenizer(tokenizerFiles('x', raw));
};

const scores = { '<unk>': 0, '▁': -1, a: -2, '▁a': -2, ガ: -2, 가: -2, '😀': -2 };
const unigram = (scheme: string) => {
  const marking = { type: 'Metaspace', replacement: '▁', prepend_scheme: scheme, split: true };
  const model = { type: 'Unigram', unk_id: 0, byte_fallback: false, vocab: Object.entries(scores) };
  return open({ normalizer: { type: 'NFKC' }, pre_tokenizer: marking, decoder: marking, model });
};

const wordpiece = (config: Record<string, unknown> = {}) =>
  open(
    {
      added_tokens: [
        { id: 0, content: '[UNK]', special: true, normalized: false },
        { id: 3, content: 'New', special: false, normalized: true },
      ],
      normalizer: { type: 'Lowercase' },
      pre_tokenizer: { type: 'Whitespace' },
      decoder: { type: 'WordPiece', prefix: '##', cleanup: false },
      model: { type: 'WordPiece', unk_token: '[UNK]', vocab: { '[UNK]': 0, a: 1, '.': 2 } },
    },
    config,
  );

const bpe = (config: Record<string, unknown> = {}) =>
  open(
    {
      pre_tokenizer: { type: 'Whitespace' },
      post_processor: { type: 'RobertaProcessing', sep: ['</s>', 3], cls: ['<s>', 2], add_prefix_space: false },
      model: { type: 'BPE', vocab: { a: 0, '.': 1, '<s>': 2, '</s>': 3 }, merges: [], unk_token: null },
    },
    config,
  );

describe('decode', () => {
  it.each([
    ['always', ['a a', ' a', ' a']],
    ['first', ['a a', ' a', ' a']],
    ['never', [' a a', '  a', '  a']],
  ])('drops the marks of the first token unless the prepend scheme is never: %s', (scheme, texts) => {
    const ids = [
      [3, 3],
      [1, 3],
      [1, 1, 2],
    ];
    expect(unigram(scheme).batchDecode(ids)).toEqual(texts);
  });

  it('writes added tokens as the normaliser left them, and removes spaces on request', () => {
    const tokenizer = wordpiece();
    const { inputIds } = tokenizer.encode('a NEW .');
    expect(inputIds).toEqual([1, 3, 2]);
    expect(tokenizer.convertIdsToTokens(inputIds)).toEqual(['a', 'New', '.']);
    expect(tokenizer.decode(inputIds)).toBe('a new .');
    expect(tokenizer.decode(inputIds, { cleanUpTokenizationSpaces: true })).toBe('a new.');
    expect(wordpiece({ clean_up_tokenization_spaces: true }).decode(inputIds)).toBe('a new.');
  });

  it('keeps the spaces of BPE, which were in the text', () => {
    expect(bpe().decode([0, 1], { cleanUpTokenizationSpaces: true })).toBe('a .');
    const config = { clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output: true };
    expect(bpe(config).decode([0, 1], { cleanUpTokenizationSpaces: true })).toBe('a.');
  });
});

describe('places', () => {
  it.each([
    [
      '😀a',
      ['▁', '😀', 'a'],
      [
        [0, 2],
        [0, 2],
        [2, 3],
      ],
    ],
    [
      'a ｶﾞａ',
      ['▁a', '▁', 'ガ', 'a'],
      [
        [0, 1],
        [1, 2],
        [2, 3],
        [4, 5],
      ],
    ],
    [
      'ㄱㅏa',
      ['▁', '가', 'a'],
      [
        [0, 1],
        [0, 1],
        [2, 3],
      ],
    ],
  ])('of marks before characters of two units and of characters that NFKC joins: %s', (text, tokens, places) => {
    const tokenizer = unigram('always');
    const { inputIds, offsetMapping } = tokenizer.encode(text, { returnOffsetsMapping: true });
    expect(tokenizer.convertIdsToTokens(inputIds)).toEqual(tokens);
    expect(offsetMapping).toEqual(places);
  });
});

describe('truncation', () => {
  it.each(['onlyFirst', 'onlySecond', 'longestFirst'] as const)(
    'to the special tokens alone empties both texts: %s',
    (truncation) => {
      const options = { textPair: 'a', truncation, maxLength: 4, returnOverflowingTokens: true } as const;
      const { inputIds, overflowing = [] } = bpe().encode('aa', options);
      expect(inputIds).toEqual([2, 3, 3, 3]);
      expect(overflowing.map((window) => window.inputIds)).toEqual([
        [2, 0, 0, 3, 3, 3],
        [2, 0, 0, 3, 3, 0, 3],
        [2, 3, 3, 0, 3],
      ]);
    },
  );
});

describe('splitting and unknown words', () => {
  const only = (pre_tokenizer: unknown, more: Record<string, unknown> = {}) =>
    open({ pre_tokenizer, model: { type: 'WordPiece', unk_token: 'u', vocab: { u: 0, a: 1 } }, ...more });
  const places = (tokenizer: Tokenizer, text: string) =>
    tokenizer.encode(text, { returnOffsetsMapping: true }).offsetMapping;

  it.each([
    [
      'MergedWithPrevious',
      [
        [0, 3],
        [3, 5],
        [5, 6],
        [6, 7],
      ],
      [
        [0, 2],
        [2, 4],
      ],
    ],
    [
      'MergedWithNext',
      [
        [0, 1],
        [1, 3],
        [3, 5],
        [5, 7],
      ],
      [
        [0, 3],
        [3, 4],
      ],
    ],
  ])('%s takes patterns of any length', (behavior, first, second) => {
    const tokenizer = only({ type: 'Split', pattern: { Regex: '[0-9]+|ab' }, behavior, invert: false });
    expect(places(tokenizer, 'x12ab3y')).toEqual(first);
    expect(places(tokenizer, '45x6')).toEqual(second);
    expect(places(tokenizer, 'xy')).toEqual([[0, 2]]);
  });

  it('a word that looks like an added token, but is not found as one, is unknown', () => {
    const tokenizer = open({
      added_tokens: [{ id: 2, content: '<X>', special: false, normalized: false, single_word: true }],
      model: { type: 'Unigram', unk_id: 0, byte_fallback: false, vocab: Object.entries({ u: 0, a: -1 }) },
    });
    expect(tokenizer.encode('a<X>a').inputIds).toEqual([1, 0, 1]);
    expect(tokenizer.encode('a <X> a').inputIds).toEqual([1, 0, 2, 0, 1]);
  });

  it('a mark that is a word by itself has the place of its space', () => {
    const marking = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: false };
    const tokenizer = only({ type: 'Sequence', pretokenizers: [marking, { type: 'BertPreTokenizer' }] });
    expect(places(tokenizer, 'a \n !')).toEqual([
      [0, 2],
      [3, 4],
      [4, 5],
    ]);
    expect(places(tokenizer, '! a')).toEqual([
      [0, 1],
      [0, 1],
      [1, 3],
    ]);
  });

  it('an unknown word keeps the spaces of its place when those of tokens are trimmed', () => {
    const tokenizer = only(
      { type: 'Punctuation', behavior: 'Isolated' },
      {
        added_tokens: [{ id: 0, content: 'u', special: true, normalized: false }],
        post_processor: { type: 'RobertaProcessing', sep: ['a', 1], cls: ['a', 1], trim_offsets: true },
      },
    );
    expect(tokenizer.encode('a! x !').inputIds).toEqual([1, 1, 0, 0, 0, 1]);
    expect(places(tokenizer, 'a! x !')).toEqual([
      [0, 0],
      [0, 1],
      [1, 2],
      [2, 5],
      [5, 6],
      [0, 0],
    ]);
  });
});
