/** @file Tokenizers. */
export { AutoTokenizer } from './auto-tokenizer.ts';
export type { SpecialTokens } from './special-tokens.ts';
export { type BatchOptions, type DecodeOptions, Tokenizer, type TokenizerOptions } from './tokenizer.ts';
export { type TrainTokenizerOptions, trainTokenizer } from './train-tokenizer.ts';
export type {
  BatchEncoding,
  EncodeOptions,
  Encoding,
  Offset,
  Padding,
  Truncation,
  WindowedBatchEncoding,
} from './types.ts';
