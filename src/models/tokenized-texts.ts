/** @file Texts as token ids held in memory, what is known of their lengths, and loaders that pad little. */

import { Dataset } from '../data/dataset.ts';
import { DataLoader } from '../data/index.ts';
import { padArrays } from '../data/pad-collate.ts';
import { LengthBucketSampler, type Sampler } from '../data/sampler.ts';
import type { Tokenizer } from '../hub/tokenizer/index.ts';
import { ArgumentError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import { checkWhole } from '../ir/options.ts';
import type { Tensor } from '../tensor/index.ts';

/** One text as token ids, cut to the longest length. */
export interface TokenizedText {
  readonly inputIds: Int32Array;
  /** Of models that tell two texts of a pair apart. */
  readonly tokenTypeIds?: Int32Array;
  /** Class index. */
  readonly labels?: number;
}

export interface TokenizeOptions {
  /** Tokens at most, special ones included; longer texts lose their end. Default 256. */
  readonly maxLength?: number;
  /** Class index of each text. */
  readonly labels?: ArrayLike<number>;
  /** Second text of each pair. */
  readonly textPairs?: readonly string[];
  /** Called with the number of texts done, a few times a second. */
  readonly onProgress?: (done: number) => void;
}

/** Lengths in tokens, before texts were cut. */
export interface LengthStatistics {
  readonly texts: number;
  readonly tokens: number;
  readonly median: number;
  /** 95 of 100 texts are not longer. */
  readonly p95: number;
  readonly longest: number;
  /** Share of the texts that were cut. */
  readonly truncated: number;
}

/** Tokens of each text. */
export interface TokenLengths {
  readonly lengths: Uint32Array;
}

/** Token ids of many texts. */
export class TokenizedTexts extends Dataset<TokenizedText> {
  readonly maxLength: number;
  readonly padTokenId: number;
  /** Class index of each text; empty without labels. */
  readonly labels: Float64Array;
  /** Tokens of each text after it was cut. */
  readonly lengths: Uint32Array;
  readonly #fullLengths: Uint32Array;
  readonly #texts: readonly TokenizedText[];

  /** Made by `tokenizeTexts`. */
  constructor(
    texts: readonly TokenizedText[],
    fullLengths: Uint32Array,
    { maxLength, padTokenId }: { maxLength: number; padTokenId: number },
  ) {
    super();
    this.#texts = texts;
    this.#fullLengths = fullLengths;
    this.maxLength = maxLength;
    this.padTokenId = padTokenId;
    this.lengths = Uint32Array.from(texts, ({ inputIds }) => inputIds.length);
    this.labels = Float64Array.from(
      texts.every(({ labels }) => labels !== undefined) ? texts : [],
      (t) => t.labels ?? 0,
    );
  }

  get length(): number {
    return this.#texts.length;
  }

  get(index: number): TokenizedText {
    const text = this.#texts[index];
    if (!text) throw new ArgumentError(`text ${index} does not exist: there are ${this.length}, counted from 0`);
    return text;
  }

  /** Some of the texts. */
  pick(indices: ArrayLike<number>): TokenizedTexts {
    const chosen = Array.from(indices);
    return new TokenizedTexts(
      chosen.map((i) => this.get(i)),
      Uint32Array.from(chosen, (i) => this.#fullLengths[i]),
      this,
    );
  }

  /** Lengths before texts were cut. */
  statistics(): LengthStatistics {
    const sorted = this.#fullLengths.slice().sort();
    const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
    const cut = sorted.reduce((n, length) => n + (length > this.maxLength ? 1 : 0), 0);
    return {
      texts: sorted.length,
      tokens: sorted.reduce((sum, n) => sum + n, 0),
      median: at(0.5),
      p95: at(0.95),
      longest: at(1),
      truncated: sorted.length ? cut / sorted.length : 0,
    };
  }
}

/** Characters of a text that are read per token of `maxLength`; what follows could not be seen anyway. */
const charactersPerToken = 64;
/** Time between two calls of `onProgress`, in milliseconds. */
const tick = 200;

/**
 * Encodes texts. The event loop gets a turn a few times a second. Of a text of many megabytes only the beginning is read,
 * 64 characters for each token of `maxLength` (at least 65,536): lengths beyond count as that long.
 * @throws ArgumentError for a text that is no string, naming it.
 */
export async function tokenizeTexts(
  tokenizer: Tokenizer,
  texts: readonly string[],
  { maxLength = 256, labels, textPairs, onProgress }: TokenizeOptions = {},
): Promise<TokenizedTexts> {
  checkWhole('tokenizeTexts: maxLength', maxLength, 3);
  for (const [name, list] of Object.entries({ labels, textPairs }))
    if (list && list.length !== texts.length)
      throw new ArgumentError(`tokenizeTexts: ${list.length} ${name} for ${texts.length} texts`);
  const most = Math.max(65_536, charactersPerToken * maxLength);
  const clip = (text: unknown, i: number): string => {
    if (typeof text !== 'string')
      throw new ArgumentError(`text ${i} is ${text === null ? 'null' : typeof text}, not text`);
    return text.length > most ? text.slice(0, most) : text;
  };
  const out: TokenizedText[] = [];
  const fullLengths = new Uint32Array(texts.length);
  let last = performance.now();
  for (const [i, text] of texts.entries()) {
    const pair = textPairs ? { textPair: clip(textPairs[i], i) } : {};
    const whole = tokenizer.encode(clip(text, i), pair);
    fullLengths[i] = whole.inputIds.length;
    const isLong = whole.inputIds.length > maxLength;
    const encoding = isLong ? tokenizer.encode(clip(text, i), { truncation: true, maxLength, ...pair }) : whole;
    out.push({
      inputIds: Int32Array.from(encoding.inputIds),
      ...(encoding.tokenTypeIds ? { tokenTypeIds: Int32Array.from(encoding.tokenTypeIds) } : {}),
      ...(labels ? { labels: labels[i] } : {}),
    });
    if (performance.now() - last < tick) continue;
    onProgress?.(i + 1);
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  }
  return new TokenizedTexts(out, fullLengths, { maxLength, padTokenId: tokenizer.padTokenId ?? 0 });
}

export interface TextLoaderOptions {
  /** Texts per batch; default 16. */
  readonly batchSize?: number;
  /** A new order each epoch in which the texts of a batch are of similar length. Default: sorted by length. */
  readonly shuffle?: boolean;
  readonly seed?: number;
  /**
   * Batches are padded to a multiple of this, since every distinct [batch, sequence] is a program to compile. Default: what
   * gives at most 8 lengths.
   */
  readonly multipleOf?: number;
}

/** A batch for a model: int64 [batch, sequence], labels int64 [batch]. */
export interface TextBatch {
  inputIds: Tensor;
  attentionMask: Tensor;
  tokenTypeIds?: Tensor;
  labels?: Tensor;
}

type Arrays = { [K in keyof TextBatch]: NDArray };

/** Batches of similar length, padded to few distinct lengths. */
export function textLoader(
  texts: TokenizedTexts,
  { batchSize = 16, shuffle = false, seed = 0, multipleOf = usualMultiple(texts) }: TextLoaderOptions = {},
) {
  return new DataLoader<TokenizedText, Arrays>(texts, {
    batchSize,
    sampler: bucketSampler(texts, { batchSize, shuffle, seed }),
    seed,
    collate: (samples) => collate(samples, { ...texts, multipleOf }),
  });
}

/** The order of a loader whose batches hold texts of similar length: a new one each epoch, or long ones first. */
export function bucketSampler(
  texts: TokenLengths,
  { batchSize, shuffle, seed }: { batchSize: number; shuffle: boolean; seed: number },
): Sampler {
  if (shuffle) return new LengthBucketSampler(texts.lengths, { batchSize, seed });
  const order = orderByLength(texts);
  return { length: order.length, indices: () => order };
}

/** The order in which `textLoader` gives texts without `shuffle`: long ones first, so that memory is at its highest at once. */
export function orderByLength({ lengths }: TokenLengths): Uint32Array {
  return Uint32Array.from(lengths, (_, i) => i).sort((a, b) => lengths[b] - lengths[a] || a - b);
}

/** Share of padding in what a model computes for one epoch of `textLoader`'s batches. */
export function paddingShare(
  texts: TokenLengths & { readonly maxLength: number },
  { batchSize = 16, shuffle = false, seed = 0, multipleOf = usualMultiple(texts) }: TextLoaderOptions = {},
): number {
  const { lengths, maxLength } = texts;
  const order = shuffle ? new LengthBucketSampler(lengths, { batchSize, seed }).indices(0) : orderByLength(texts);
  let [real, computed] = [0, 0];
  for (let start = 0; start < order.length; start += batchSize) {
    const batch = Array.from(
      { length: Math.min(batchSize, order.length - start) },
      (_, i) => lengths[order[start + i]],
    );
    real += batch.reduce((sum, n) => sum + n, 0);
    computed += batch.length * Math.min(maxLength, Math.ceil(Math.max(...batch) / multipleOf) * multipleOf);
  }
  return computed === 0 ? 0 : 1 - real / computed;
}

/** The smallest power of two that makes at most 8 lengths of those there are. */
export function usualMultiple({ lengths }: { readonly lengths: Uint32Array | readonly number[] }): number {
  let longest = 1;
  for (const length of lengths) longest = Math.max(longest, length);
  let multiple = 8;
  while (multiple * 8 < longest) multiple *= 2;
  return multiple;
}

/** How rows are padded. */
export interface RowPadding {
  readonly maxLength: number;
  readonly padTokenId: number;
  readonly multipleOf: number;
}

const int64 = (values: ArrayLike<number>): NDArray => ({
  data: Float64Array.from(values),
  shape: [values.length],
  dtype: 'int64',
});

/** Rows of numbers as int64 [rows, length], padded on the right. */
export function padRows(
  rows: readonly ArrayLike<number>[],
  value: number,
  { multipleOf, maxLength }: RowPadding,
): NDArray {
  return padArrays(rows.map(int64), { value, multipleOf, maxLength }).array;
}

/** One number for each row, int64 [rows]. */
export const column = int64;

/** Token ids, mask and, where there are any, token types of several texts. */
export function padTokens(
  samples: readonly Pick<TokenizedText, 'inputIds' | 'tokenTypeIds'>[],
  padding: RowPadding,
): Omit<Arrays, 'labels'> {
  const ids = samples.map(({ inputIds }) => inputIds);
  const masks = ids.map((row) => new Int32Array(row.length).fill(1));
  const types = samples.flatMap(({ tokenTypeIds }) => (tokenTypeIds ? [tokenTypeIds] : []));
  return {
    inputIds: padRows(ids, padding.padTokenId, padding),
    attentionMask: padRows(masks, 0, padding),
    ...(types.length === samples.length ? { tokenTypeIds: padRows(types, 0, padding) } : {}),
  };
}

function collate(samples: readonly TokenizedText[], padding: RowPadding): Arrays {
  const labels = samples.flatMap((sample) => (sample.labels === undefined ? [] : [sample.labels]));
  return { ...padTokens(samples, padding), ...(labels.length === samples.length ? { labels: column(labels) } : {}) };
}
