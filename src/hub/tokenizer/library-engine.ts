/** @file Hugging Face's own JavaScript tokenizers: the parts of one, opened from tokenizer.json. */
import { Tokenizer } from '@huggingface/tokenizers';
import { FormatError } from '../../ir/errors.ts';
import { adjustedNormalizer, adjustedPreTokenizer, beforeMarks, markOf, partsOf } from './adjust.ts';
import type { Spelling } from './align-tokens.ts';
import { checkedModel } from './check-model.ts';
import type { Json } from './json.ts';
import type { TokenTable } from './vocabulary.ts';

/** What we use of the library, whose own types are not found by Node's rules. */
interface LibraryTokenizer {
  readonly normalizer: LibraryNormalizer | null;
  readonly pre_tokenizer: LibraryPreTokenizer | null;
  readonly model: LibraryModel;
  readonly decoder: LibraryDecoder | null;
}

export interface LibraryNormalizer {
  normalize(text: string): string;
  readonly config: { readonly type: string; readonly prepend?: string; readonly content?: string };
  /** Of a sequence. */
  readonly normalizers?: readonly (LibraryNormalizer | null)[];
  /** Of what replaces. */
  readonly pattern?: RegExp | null;
}

interface LibraryPreTokenizer {
  pre_tokenize(text: string, options: { section_index: number }): string[];
  readonly byte_encoder?: Readonly<Record<number, string>>;
}

interface LibraryModel {
  (words: string[]): string[];
  readonly tokens_to_ids: ReadonlyMap<string, number>;
  readonly unk_token_id?: number | null;
}

export interface LibraryDecoder {
  decode_chain(tokens: readonly string[]): string[];
  /** Of one for bytes: what is no bytes. */
  added_tokens?: readonly { readonly content: string }[];
  /** Of one for tokens of single bytes. */
  text_decoder?: { decode(bytes: Uint8Array): string };
  /** Of a sequence. */
  readonly decoders?: readonly LibraryDecoder[];
  readonly config?: Record<string, Json>;
}

/** Character of each byte in byte-level tokens (bytes_to_unicode of GPT-2). */
export const byteChars: readonly string[] = (() => {
  const none = { normalizer: null, post_processor: null, decoder: null, added_tokens: [] };
  const json = { ...none, pre_tokenizer: { type: 'ByteLevel' }, model: { type: 'BPE', vocab: {}, merges: [] } };
  const library: LibraryTokenizer = new Tokenizer(json, {});
  return Array.from({ length: 256 }, (_, byte) => library.pre_tokenizer?.byte_encoder?.[byte] ?? '');
})();

/** The library's tokenizer with what we must know of it. */
export interface Library {
  readonly tokenizer: LibraryTokenizer;
  readonly spelling: Spelling;
  /** Tokens for bytes of unknown characters, where the library's model does not know of them. */
  readonly byteFallback: boolean;
  /** A text may be cut before a space between two letters without changing its tokens. */
  readonly cutsAtSpaces: boolean;
  /** Whether spaces before punctuation may be removed on request: those of BPE were in the text, as transformers says. */
  readonly cleansDecoded: boolean;
}

/** @throws FormatError for a tokenizer.json that is broken or that the library does not know, UnsupportedError. */
export function openLibrary(
  json: Readonly<Record<string, Json>>,
  config: Readonly<Record<string, Json>>,
  table: TokenTable,
): Library {
  const model = checkedModel(json.model, table);
  const normalizer = adjustedNormalizer(json.normalizer);
  const whole = json.pre_tokenizer === null || json.pre_tokenizer === undefined;
  const cut = whole && model.type === 'BPE' && !model.end_of_word_suffix && !model.ignore_merges && onlyBegins(table);
  const splits = [...partsOf(json.pre_tokenizer, 'pre_tokenizer')];
  const bytes = splits.some((part) => part.type === 'ByteLevel') ? byteChars : undefined;
  const marking = splits.find((part) => part.type === 'Metaspace');
  const adjusted = {
    decoder: json.decoder ?? null,
    post_processor: null,
    added_tokens: table.added.map(({ singleWord, ...token }) => ({ ...token, single_word: singleWord })),
    normalizer,
    pre_tokenizer: cut ? beforeMarks : adjustedPreTokenizer(json.pre_tokenizer),
    model,
  };
  const tokenizer = open(adjusted, {
    ...config,
    ...(model.type === 'WordLevel' ? { unk_token: model.unk_token } : {}),
  });
  return {
    tokenizer,
    cleansDecoded:
      model.type !== 'BPE' || config.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output === true,
    byteFallback: model.type === 'Unigram' && model.byte_fallback === true,
    cutsAtSpaces: splitsAtSpaces(splits[0]) && [...partsOf(normalizer, 'normalizer')].every(keepsSpaces),
    spelling: {
      ...(bytes ? { bytes, mark: bytes[0x20] } : {}),
      ...(marking ? { mark: markOf(marking, 'pre_tokenizer') } : {}),
      marksSpaces: splits[0] === marking,
      prefix: model.type === 'WordPiece' ? String(model.continuing_subword_prefix) : '',
      suffix: typeof model.end_of_word_suffix === 'string' ? model.end_of_word_suffix : '',
      fuses: model.fuse_unk === true,
    },
  };
}

function open(json: Record<string, Json>, config: Readonly<Record<string, Json>>): LibraryTokenizer {
  try {
    return new Tokenizer(json, config);
  } catch (error) {
    throw new FormatError(`tokenizer.json: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

/** Whether ▁ is a token and only begins tokens: then no merge crosses the place before a run of them. */
function onlyBegins({ ids }: TokenTable): boolean {
  if (!ids.has('▁')) return false;
  for (const token of ids.keys()) if (/[^▁]▁/.test(token) && !/^<.*>$/.test(token)) return false;
  return true;
}

const spaced = ['BertPreTokenizer', 'Whitespace', 'WhitespaceSplit'];

function splitsAtSpaces(first: Record<string, Json> | undefined): boolean {
  if (typeof first?.type !== 'string') return false;
  if (first.type === 'ByteLevel') return first.use_regex !== false;
  return first.type === 'Metaspace' ? first.split !== false : spaced.includes(first.type);
}

const perCharacter = ['BertNormalizer', 'Lowercase', 'StripAccents', 'NFC', 'NFD', 'NFKC', 'NFKD', 'Precompiled'];

/** Whether a normaliser does the same to the parts of a text that is cut between a letter and a space. */
function keepsSpaces({ type, pattern }: Record<string, Json>): boolean {
  if (typeof type !== 'string') return false;
  if (type !== 'Replace') return perCharacter.includes(type);
  // Our own, of single characters.
  return (
    typeof pattern === 'object' && pattern !== null && 'Regex' in pattern && /^(Σ|\[[^\]]*\])$/.test(`${pattern.Regex}`)
  );
}
