/** @file Texts to token ids: added tokens, then the library's normaliser, pre-tokeniser and model, in parts. */
import { FormatError } from '../../ir/errors.ts';
import { type Splitter, splitterOf } from './added-tokens.ts';
import { alignNormalized } from './align-normalized.ts';
import { WordFinder } from './align-tokens.ts';
import { Aligned } from './aligned.ts';
import type { Library } from './library-engine.ts';
import type { TokenSequence } from './types.ts';
import type { TokenTable } from './vocabulary.ts';

/** Parts of this many units keep the memory for a long text small. */
const partLength = 65_536;
/** A place where words certainly end: before a single space between two letters. */
const seam = /(?<=[a-zA-Z]) (?=[a-zA-Z])/g;
/** Longer parts of a text are not copies: as keys they would keep the whole text in memory. */
const maxKey = 12;
const maxEntries = 100_000;

interface Part {
  readonly start: number;
  readonly end: number;
  /** Of an added token. */
  readonly id?: number;
}

interface Word {
  readonly tokens: readonly string[];
  readonly ids: readonly number[];
}

/** Encodes texts, one at a time. */
export class Pipeline {
  readonly #library: Library;
  readonly #foreign: ReadonlySet<number>;
  /** Added tokens that are looked for in the text as it is, and in the normalised one. */
  readonly #original: Splitter;
  readonly #changed: Splitter;
  /** Most words of a language come again and again. */
  readonly #words = new Map<string, Word>();

  constructor(library: Library, table: TokenTable) {
    this.#library = library;
    this.#foreign = table.foreign;
    const isNormalized = (normalized: boolean) => table.added.filter((t) => t.normalized === normalized);
    const { normalizer } = library.tokenizer;
    this.#original = splitterOf(isNormalized(false), (t) => t.content);
    this.#changed = splitterOf(isNormalized(true), (t) => normalizer?.normalize(t.content) ?? t.content);
  }

  /**
   * Tokens of a text, at least the first `limit` of them where there are as many.
   * @param places whether to look for their places in the text.
   */
  encode(text: string, places: boolean, limit = Number.POSITIVE_INFINITY): TokenSequence {
    const found: TokenSequence = { text, ids: [], starts: [], ends: [] };
    for (const part of this.#parts(text, limit)) {
      if (found.ids.length >= limit) break;
      if (part.id === undefined) this.#stretch(part, places, limit, found);
      else push(found, part.id, part.start, part.end);
    }
    return found;
  }

  /** The words that the library splits a text without added tokens into. */
  words(text: string): string[] {
    const { normalizer } = this.#library.tokenizer;
    const normalized = normalizer?.normalize(text) ?? text;
    return normalized === '' ? [] : this.#split(normalized, true);
  }

  #split(text: string, first: boolean): string[] {
    const { pre_tokenizer: splitter } = this.#library.tokenizer;
    return splitter?.pre_tokenize(text, { section_index: first ? 0 : 1 }) ?? [text];
  }

  *#parts(text: string, limit: number): Generator<Part> {
    const size = Math.min(partLength, Math.max(256, limit * 8));
    for (const { start, end, token } of this.#original(text)) {
      if (token || !this.#library.cutsAtSpaces || end - start <= size * 2) {
        yield { start, end, id: token?.id };
        continue;
      }
      for (let at = start; at < end; ) {
        seam.lastIndex = at + size;
        const next = seam.exec(text);
        const stop = next && next.index < end ? next.index : end;
        yield { start: at, end: stop };
        at = stop;
      }
    }
  }

  /** Adds the tokens of what lies between added tokens. */
  #stretch({ start, end }: Part, places: boolean, limit: number, found: TokenSequence): void {
    const { tokenizer, spelling } = this.#library;
    const source = found.text.slice(start, end);
    const piece = places ? alignNormalized(tokenizer.normalizer, new Aligned(source, start)) : undefined;
    const text = piece?.text ?? tokenizer.normalizer?.normalize(source) ?? source;
    for (const part of this.#changed(text)) {
      if (part.token) {
        push(found, part.token.id, piece?.start(part.start) ?? 0, piece?.end(part.end - 1) ?? 0);
        continue;
      }
      const words = this.#split(text.slice(part.start, part.end), start === 0 && part.start === 0);
      const finder = piece && new WordFinder(piece.slice(part.start, part.end), spelling);
      for (const word of words) {
        if (found.ids.length >= limit) return;
        const { ids, tokens } = this.#word(word);
        for (const id of ids) found.ids.push(id);
        finder?.next(word, tokens).forEach((at, i) => void (i % 2 === 0 ? found.starts : found.ends).push(at));
      }
    }
  }

  #word(word: string): Word {
    const known = this.#words.get(word);
    if (known) return known;
    const tokens = this.#tokens(word);
    const made = { tokens, ids: tokens.map((token) => this.#idOf(token)) };
    if (word.length <= maxKey) {
      if (this.#words.size >= maxEntries) this.#words.clear();
      this.#words.set(word, made);
    }
    return made;
  }

  #tokens(word: string): string[] {
    const { tokenizer, byteFallback } = this.#library;
    const { model } = tokenizer;
    // Word by word, as unknown characters of two words are not to become one token.
    const tokens: string[] = word === '' ? [] : model([word]);
    if (!byteFallback) return tokens;
    return tokens.flatMap((token) => {
      if (model.tokens_to_ids.has(token)) return token;
      const bytes = Array.from(
        new TextEncoder().encode(token),
        (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
      );
      return bytes.every((byte) => model.tokens_to_ids.has(byte)) ? bytes : token;
    });
  }

  #idOf(token: string): number {
    const { tokens_to_ids: ids, unk_token_id: unknown } = this.#library.tokenizer.model;
    const found = ids.get(token);
    const id = found === undefined || this.#foreign.has(found) ? unknown : found;
    if (typeof id === 'number') return id;
    throw new FormatError('tokenizer: model.unk_id is missing, and a text has unknown characters');
  }
}

function push({ ids, starts, ends }: TokenSequence, id: number, start: number, end: number): void {
  ids.push(id);
  starts.push(start);
  ends.push(end);
}
