/** @file Hugging Face's own JavaScript tokenizers: decoding, and encoding with parts that our pipeline lacks. */
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { FormatError } from '../../ir/errors.ts';
import type { Json } from './json.ts';
import type { TokenEngine } from './types.ts';

/** @throws FormatError for a tokenizer.json that the library does not understand. */
export function openLibrary(
  tokenizer: Readonly<Record<string, Json>>,
  config: Readonly<Record<string, Json>>,
): Library {
  const defaults = { decoder: null, post_processor: null, pre_tokenizer: null, normalizer: null, added_tokens: [] };
  try {
    return new Library({ ...defaults, ...tokenizer }, config);
  } catch (error) {
    throw new FormatError(`tokenizer.json: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

/** Encoding by the library: ids only, without positions. */
export function libraryEngine(library: Library): TokenEngine {
  return {
    hasOffsets: false,
    encode: (text) => ({ ids: library.encode(text, { add_special_tokens: false }).ids, starts: [], ends: [] }),
  };
}
