/** @file Sentences of words with a label each, as token ids whose labels stand at the first token of their word. */
import { Dataset } from '../data/dataset.ts';
import { DataLoader } from '../data/index.ts';
import type { Tokenizer } from '../hub/tokenizer/index.ts';
import { ArgumentError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import { checkWhole } from '../ir/options.ts';
import {
  bucketSampler,
  padRows,
  padTokens,
  type TextLoaderOptions,
  type TokenLengths,
  usualMultiple,
} from './tokenized-texts.ts';

/** One sentence. */
export interface TokenizedSentence {
  readonly inputIds: Int32Array;
  readonly tokenTypeIds?: Int32Array;
  /** For each token the class of the word that it begins, else -100; undefined without labels. */
  readonly labels?: Int32Array;
}

/** Token ids of many sentences. */
export class TokenizedWords extends Dataset<TokenizedSentence> implements TokenLengths {
  readonly maxLength: number;
  readonly padTokenId: number;
  readonly lengths: Uint32Array;
  /** Words that were cut off with the ends of long sentences. */
  readonly lostWords: number;
  readonly #sentences: readonly TokenizedSentence[];

  /** Made by `tokenizeWords`. */
  constructor(
    sentences: readonly TokenizedSentence[],
    { maxLength, padTokenId, lostWords }: { maxLength: number; padTokenId: number; lostWords: number },
  ) {
    super();
    this.#sentences = sentences;
    this.maxLength = maxLength;
    this.padTokenId = padTokenId;
    this.lostWords = lostWords;
    this.lengths = Uint32Array.from(sentences, ({ inputIds }) => inputIds.length);
  }

  get length(): number {
    return this.#sentences.length;
  }

  get(index: number): TokenizedSentence {
    const sentence = this.#sentences[index];
    if (!sentence)
      throw new ArgumentError(`sentence ${index} does not exist: there are ${this.length}, counted from 0`);
    return sentence;
  }
}

export interface TokenizeWordsOptions {
  /** Class index of each word of each sentence; -100 for words that are not to be learnt. */
  readonly labels?: readonly ArrayLike<number>[];
  /** Tokens at most, special ones included; longer sentences lose their end. Default 256. */
  readonly maxLength?: number;
}

/**
 * Encodes sentences that are split into words. The words are joined by spaces; a word's label stands at its first token,
 * -100 at its further tokens and at special ones, as in transformers' run_ner.py.
 * @throws ArgumentError for what are no words, and where there are not as many labels as words, naming the sentence.
 */
export async function tokenizeWords(
  tokenizer: Tokenizer,
  sentences: readonly (readonly string[])[],
  { labels, maxLength = 256 }: TokenizeWordsOptions = {},
): Promise<TokenizedWords> {
  checkWhole('tokenizeWords: maxLength', maxLength, 3);
  if (labels && labels.length !== sentences.length)
    throw new ArgumentError(`tokenizeWords: ${labels.length} lists of labels for ${sentences.length} sentences`);
  let lostWords = 0;
  const rows = sentences.map((words, i): TokenizedSentence => {
    if (!Array.isArray(words) || !words.every((word) => typeof word === 'string'))
      throw new ArgumentError(`sentence ${i} is no list of words`);
    const mine = labels?.[i];
    if (mine && mine.length !== words.length)
      throw new ArgumentError(`sentence ${i} has ${words.length} words and ${mine.length} labels`);
    const encoding = tokenizer.encode(words.join(' '), { truncation: true, maxLength, returnOffsetsMapping: true });
    const { inputIds, tokenTypeIds, sequenceIds, offsetMapping = [] } = encoding;
    const first = firstTokens(words, sequenceIds, offsetMapping);
    lostWords += first.filter((at) => at === undefined).length;
    const targets = new Int32Array(inputIds.length).fill(-100);
    for (const [word, at] of first.entries()) if (mine && at !== undefined) targets[at] = mine[word];
    return {
      inputIds: Int32Array.from(inputIds),
      ...(tokenTypeIds ? { tokenTypeIds: Int32Array.from(tokenTypeIds) } : {}),
      ...(mine ? { labels: targets } : {}),
    };
  });
  return new TokenizedWords(rows, { maxLength, padTokenId: tokenizer.padTokenId ?? 0, lostWords });
}

/** The first token of each word; undefined for words that have none. */
function firstTokens(
  words: readonly string[],
  sequenceIds: readonly (0 | 1 | null)[],
  offsets: readonly (readonly [number, number])[],
): (number | undefined)[] {
  let token = 0;
  let start = 0;
  return words.map((word) => {
    const end = start + word.length;
    // A token that begins with the space before its word ends within the word.
    while (token < offsets.length && (sequenceIds[token] === null || offsets[token][1] <= start)) token++;
    const found = token < offsets.length && offsets[token][0] < end ? token : undefined;
    start = end + 1;
    return found;
  });
}

/** Batches of similar length: int64 `inputIds`, `attentionMask`, `tokenTypeIds`, `labels` [batch, sequence]. */
export function wordLoader(
  words: TokenizedWords,
  { batchSize = 16, shuffle = false, seed = 0, multipleOf = usualMultiple(words) }: TextLoaderOptions = {},
) {
  return new DataLoader<TokenizedSentence, ReturnType<typeof padTokens> & { labels?: NDArray }>(words, {
    batchSize,
    sampler: bucketSampler(words, { batchSize, shuffle, seed }),
    seed,
    collate: (samples) => {
      const padding = { ...words, multipleOf };
      const labels = samples.flatMap((sample) => (sample.labels ? [sample.labels] : []));
      const targets = labels.length === samples.length ? { labels: padRows(labels, -100, padding) } : {};
      return { ...padTokens(samples, padding), ...targets };
    },
  });
}
