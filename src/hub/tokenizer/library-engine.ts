/** @file Hugging Face's own JavaScript tokenizers: decoding, and encoding with parts that our pipeline lacks. */
import { Tokenizer } from '@huggingface/tokenizers';
import { FormatError } from '../../ir/errors.ts';
import { type Json, record } from './json.ts';
import type { TokenEngine } from './types.ts';

/** What we use of the library. */
export interface Library {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string;
  readonly decoder: LibraryDecoder | null;
  readonly pre_tokenizer: { readonly pattern?: RegExp | null } | null;
}

interface LibraryDecoder {
  text_decoder?: { decode(bytes: Uint8Array): string };
  readonly decoders?: readonly LibraryDecoder[];
  readonly config?: { readonly type?: string };
}

/** Bytes as tokenizers' ByteFallback reads them: a byte order mark stays, and of what is no UTF-8 each byte is U+FFFD. */
const fallbackBytes = {
  decode(bytes: Uint8Array): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return '\ufffd'.repeat(bytes.length);
    }
  },
};

/** @throws FormatError for a tokenizer.json that the library does not understand. */
export function openLibrary(
  tokenizer: Readonly<Record<string, Json>>,
  config: Readonly<Record<string, Json>>,
): Library {
  const defaults = { decoder: null, post_processor: null, pre_tokenizer: null, normalizer: null, added_tokens: [] };
  try {
    return new Tokenizer({ ...defaults, ...tokenizer }, config);
  } catch (error) {
    throw new FormatError(`tokenizer.json: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

/** The library for decoding only, so that the other parts need not be known to it. */
export function openDecoder(
  tokenizer: Readonly<Record<string, Json>>,
  config: Readonly<Record<string, Json>>,
  vocab: ReadonlyMap<string, number>,
): Library {
  const { decoder = null, added_tokens = [] } = tokenizer;
  const { unk_token, end_of_word_suffix } = record(tokenizer.model, 'model');
  const model = { type: 'BPE', vocab: Object.fromEntries(vocab), merges: [], unk_token, end_of_word_suffix };
  const library = openLibrary({ decoder, added_tokens, model }, config);
  for (const part of [library.decoder, ...(library.decoder?.decoders ?? [])])
    if (part?.config?.type === 'ByteFallback') part.text_decoder = fallbackBytes;
  return library;
}

/** Encoding by the library: ids only, without positions. */
export function libraryEngine(library: Library): TokenEngine {
  return {
    hasOffsets: false,
    encode: (text) => ({ text, ids: library.encode(text, { add_special_tokens: false }).ids, starts: [], ends: [] }),
  };
}

/** A regular expression of Oniguruma in JavaScript's syntax. @throws FormatError where there is no translation. */
export function translatePattern(regex: string, where: string): RegExp {
  const split = { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false };
  const library = openLibrary({ pre_tokenizer: split, model: { type: 'BPE', vocab: {}, merges: [] } }, {});
  const pattern = library.pre_tokenizer?.pattern;
  if (!pattern) throw new FormatError(`${where}: cannot read the pattern ${regex}`);
  return pattern;
}
