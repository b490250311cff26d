/** @file Options and results of a tokenizer: transformers' names in camelCase. */
import type { Tensor } from '../../tensor/index.ts';

/** Which of two texts loses tokens: the longer one, token by token, or always the same one. `true` is `longestFirst`. */
export type Truncation = boolean | 'longestFirst' | 'onlyFirst' | 'onlySecond';

/** `true` is `longest`: as long as the longest of the batch; `maxLength`: all as long as `maxLength`. */
export type Padding = boolean | 'longest' | 'maxLength';

/** How texts become token ids (the options of a call of transformers' tokenizers). */
export interface EncodeOptions {
  /** Second text of a pair; for a batch one for each text. */
  readonly textPair?: string;
  /** Add [CLS], [SEP], </s> and the like as the model expects. Default true. */
  readonly addSpecialTokens?: boolean;
  /** Default false for one text, `longest` for tensors. */
  readonly padding?: Padding;
  /** Round the padded length up to a multiple: fewer distinct shapes, so fewer compilations. */
  readonly padToMultipleOf?: number;
  /** Default false; with `maxLength` and no padding to it, true, as in transformers. */
  readonly truncation?: Truncation;
  /** Tokens, special ones included. Default: the model's, where the tokenizer knows it. */
  readonly maxLength?: number;
  /** Tokens that one window of a long text shares with the one before, with `returnOverflowingTokens`. Default 0. */
  readonly stride?: number;
  /** Give the cut-off rest as further windows. Default false. */
  readonly returnOverflowingTokens?: boolean;
  /** Default: whether the model has token types (BERT has, RoBERTa has not). */
  readonly returnTokenTypeIds?: boolean;
  /** Where each token comes from. Default false. */
  readonly returnOffsetsMapping?: boolean;
  /** 1 at tokens that were added, among them padding. Default false. */
  readonly returnSpecialTokensMask?: boolean;
}

/** Start and end of a token in the text, in UTF-16 units as JavaScript counts them: `text.slice(start, end)`. */
export type Offset = readonly [start: number, end: number];

/** One encoded text, pair, or window of one. */
export interface Encoding {
  readonly inputIds: readonly number[];
  /** 0 at padding, else 1. */
  readonly attentionMask: readonly number[];
  readonly tokenTypeIds?: readonly number[];
  readonly specialTokensMask?: readonly number[];
  /** [0, 0] for added tokens. */
  readonly offsetMapping?: readonly Offset[];
  /** Text from which each token comes (0, or 1 for the second of a pair), null for added tokens. */
  readonly sequenceIds: readonly (0 | 1 | null)[];
  /** The other windows of a text that was cut, with `returnOverflowingTokens`. */
  readonly overflowing?: readonly Encoding[];
}

/** An encoded batch: int64 tensors [texts, length], ready for a model. */
export interface BatchEncoding {
  readonly inputIds: Tensor;
  readonly attentionMask: Tensor;
  readonly tokenTypeIds?: Tensor;
  readonly specialTokensMask?: Tensor;
}

/** A batch with all windows of long texts: one row for each. */
export interface WindowedBatchEncoding extends BatchEncoding {
  /** Which text each row comes from. */
  readonly overflowToSampleMapping: readonly number[];
  readonly encodings: readonly Encoding[];
}

/** Tokens of one text before special tokens, truncation and padding. Arrays of equal length. */
export interface TokenSequence {
  readonly text: string;
  readonly ids: number[];
  /** UTF-16 positions in the text; only where they were asked for. */
  readonly starts: number[];
  readonly ends: number[];
}
