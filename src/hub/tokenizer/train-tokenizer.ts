/** @file Training a vocabulary on a corpus: WordPiece as BERT's, byte-level BPE as GPT-2's. */
import { ArgumentError } from '../../ir/errors.ts';
import { tokenizerFiles } from './files.ts';
import type { Json } from './json.ts';
import { byteChars, openLibrary } from './library-engine.ts';
import { Pipeline } from './pipeline.ts';
import { Tokenizer } from './tokenizer.ts';
import { learnMerges, type MergeCorpus } from './train-merges.ts';
import { TokenTable } from './vocabulary.ts';
import { bertTokenizer } from './wordpiece-vocab.ts';

export interface TrainTokenizerOptions {
  /** `wordpiece` as BERT's, or `bpe` on bytes as GPT-2's, which knows every text. */
  readonly type: 'wordpiece' | 'bpe';
  /** Number of tokens, special ones and the alphabet included. */
  readonly vocabSize: number;
  /** A pair of tokens must come this often to become one. Default 2. */
  readonly minFrequency?: number;
  /** Tokens that get the first ids. Default: those of BERT, or `<|endoftext|>`. */
  readonly specialTokens?: readonly string[];
  /** WordPiece: lower-case, without accents. Default true. */
  readonly lowercase?: boolean;
  /** WordPiece: keep only so many different characters, the most frequent. Default 1000. */
  readonly limitAlphabet?: number;
  /** Longest input of the model, kept in the tokenizer's files. */
  readonly modelMaxLength?: number;
}

const bertTokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
const gptTokens = ['<|endoftext|>'];

/** What special tokens are for, by the names that are usual. */
const roles: Readonly<Record<string, readonly string[]>> = {
  pad_token: ['[PAD]', '<pad>', '<|endoftext|>'],
  unk_token: ['[UNK]', '<unk>'],
  cls_token: ['[CLS]'],
  sep_token: ['[SEP]'],
  mask_token: ['[MASK]', '<mask>'],
  bos_token: ['<s>', '<bos>', '<|endoftext|>'],
  eos_token: ['</s>', '<eos>', '<|endoftext|>'],
};

/**
 * Trains a tokenizer. The same corpus and options give the same tokenizer; its files load in Python's transformers.
 * @throws ArgumentError for options that cannot be met, and for an item of the corpus that is no string.
 */
export async function trainTokenizer(
  corpus: Iterable<string> | AsyncIterable<string>,
  options: TrainTokenizerOptions,
): Promise<Tokenizer> {
  const { type, vocabSize, minFrequency = 2, lowercase = true, limitAlphabet = 1000 } = options;
  if (type !== 'wordpiece' && type !== 'bpe')
    throw new ArgumentError(`trainTokenizer: type must be 'wordpiece' or 'bpe', found ${JSON.stringify(type)}`);
  const special = [...new Set(options.specialTokens ?? (type === 'bpe' ? gptTokens : bertTokens))];
  const missing = type === 'wordpiece' ? bertTokens.slice(1, 4).filter((token) => !special.includes(token)) : [];
  if (missing.length)
    throw new ArgumentError(`trainTokenizer: wordpiece needs the special tokens ${missing.join(', ')}`);
  const least = special.length + (type === 'bpe' ? 256 : 1);
  if (!Number.isInteger(vocabSize) || vocabSize < least)
    throw new ArgumentError(
      `trainTokenizer: vocabSize must be a whole number of at least ${least}, found ${vocabSize}`,
    );
  const make = type === 'bpe' ? bpeJson : (v: Vocab, s: readonly string[]) => wordpieceJson(v, s, lowercase);
  const counts = await countWords(corpus, make({ tokens: special, merges: [] }, special));
  const learnt = type === 'bpe' ? bytesOf(counts, special) : piecesOf(counts, special, limitAlphabet);
  const merges = learnMerges(learnt, vocabSize, minFrequency, type === 'bpe' ? '' : '##');
  const config: Record<string, Json> = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_input_names: ['input_ids', ...(type === 'wordpiece' ? ['token_type_ids'] : []), 'attention_mask'],
    clean_up_tokenization_spaces: false,
    ...(options.modelMaxLength === undefined ? {} : { model_max_length: options.modelMaxLength }),
  };
  for (const [role, names] of Object.entries(roles)) {
    const token = names.find((name) => special.includes(name));
    if (token !== undefined) config[role] = token;
  }
  const bytes = (json: Json) => new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`);
  const tokenizer = make({ tokens: learnt.tokens, merges }, special);
  const raw = new Map([
    ['tokenizer.json', bytes(tokenizer)],
    ['tokenizer_config.json', bytes(config)],
  ]);
  return new Tokenizer(tokenizerFiles('the trained tokenizer', raw));
}

interface Vocab {
  readonly tokens: readonly string[];
  readonly merges: readonly (readonly [string, string])[];
}

const idsOf = (tokens: readonly string[]) => Object.fromEntries(tokens.map((token, id) => [token, id]));
const added = (special: readonly string[]) => special.map((content, id) => ({ content, id }));

function wordpieceJson({ tokens }: Vocab, special: readonly string[], lowercase: boolean): Record<string, Json> {
  const options = { unk: '[UNK]', sep: '[SEP]', cls: '[CLS]', lowercase, stripAccents: null, chinese: true };
  return bertTokenizer(idsOf(tokens), added(special), options);
}

function bpeJson({ tokens, merges }: Vocab, special: readonly string[]): Record<string, Json> {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added(special).map(({ content, id }) => ({ id, content, ...flags })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: { ...byteLevel, trim_offsets: false },
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: idsOf(tokens),
      merges,
    },
  };
}

/** Words of the corpus, split as the tokenizer will split them, with how often each comes. */
async function countWords(
  corpus: Iterable<string> | AsyncIterable<string>,
  tokenizer: Record<string, Json>,
): Promise<Map<string, number>> {
  const table = new TokenTable(tokenizer);
  const pipeline = new Pipeline(openLibrary(tokenizer, {}, table), table);
  const counts = new Map<string, number>();
  let index = 0;
  for await (const text of corpus) {
    if (typeof text !== 'string')
      throw new ArgumentError(`trainTokenizer: item ${index} of the corpus is no string, but ${typeof text}`);
    for (const word of pipeline.words(text.replace(/\p{Surrogate}/gu, '\ufffd')))
      counts.set(word, (counts.get(word) ?? 0) + 1);
    index++;
  }
  return counts;
}

function bytesOf(counts: ReadonlyMap<string, number>, special: readonly string[]): MergeCorpus {
  const tokens = [...special, ...[...byteChars].sort()];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const words = Array.from(counts.keys(), (word) => Array.from(word, (byte) => ids.get(byte) ?? 0));
  return { words, counts: [...counts.values()], tokens };
}

function piecesOf(counts: ReadonlyMap<string, number>, special: readonly string[], limit: number): MergeCorpus {
  const frequency = new Map<string, number>();
  for (const [word, count] of counts) for (const char of word) frequency.set(char, (frequency.get(char) ?? 0) + count);
  const byCode = (a: string, b: string) => (a.codePointAt(0) ?? 0) - (b.codePointAt(0) ?? 0);
  const kept = [...frequency].sort(([a, x], [b, y]) => y - x || byCode(a, b)).slice(0, limit);
  const alphabet = kept.map(([char]) => char).sort(byCode);
  const tokens = [...special, ...alphabet];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const idOf = (token: string) => {
    const known = ids.get(token);
    if (known !== undefined) return known;
    ids.set(token, tokens.length);
    return tokens.push(token) - 1;
  };
  const letters = new Set(alphabet);
  const words = Array.from(counts.keys(), (word) =>
    Array.from(word).flatMap((char, i) => (letters.has(char) ? idOf(i > 0 ? `##${char}` : char) : [])),
  );
  return { words, counts: [...counts.values()], tokens };
}
