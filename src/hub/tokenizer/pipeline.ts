/** @file Texts to token ids with positions: added tokens, normaliser, pre-tokeniser, model, as tokenizers runs them. */
import { type Splitter, splitterOf } from './added-tokens.ts';
import { Aligned } from './aligned.ts';
import type { Json } from './json.ts';
import { modelOf, type WordModel } from './model.ts';
import { type Normalizer, normalizerOf } from './normalizers.ts';
import { type PreTokenizer, preTokenizerOf } from './pre-tokenizers.ts';
import type { TokenEngine, TokenSequence } from './types.ts';
import type { TokenTable } from './vocabulary.ts';

/** Parts of this many units keep the memory for a long text small. */
const partLength = 65_536;

/** A place where words certainly end: before a single space between two letters. */
const seam = /(?<=[a-zA-Z]) (?=[a-zA-Z])/g;

/** @throws UnsupportedError for a tokenizer.json with parts that Gradus does not know, FormatError for a broken one. */
export function pipelineEngine(tokenizer: Readonly<Record<string, Json>>, table: TokenTable): TokenEngine {
  const normalize = normalizerOf(tokenizer.normalizer);
  const preTokenizer = preTokenizerOf(tokenizer.pre_tokenizer);
  const model = modelOf(tokenizer.model, table, preTokenizer.byteLevel);
  const isNormalized = (normalized: boolean) => table.added.filter((t) => t.normalized === normalized);
  const original = splitterOf(isNormalized(false), (t) => t.content);
  const changed = splitterOf(isNormalized(true), (t) => normalize?.(new Aligned(t.content), true).text ?? t.content);
  const run = new Pipeline(normalize, preTokenizer, model, changed);
  return {
    hasOffsets: true,
    encode(text, limit = Number.POSITIVE_INFINITY) {
      const found: TokenSequence = { text, ids: [], starts: [], ends: [] };
      for (const part of stretches(text, original, preTokenizer.splitsAtSpaces, limit)) {
        if (found.ids.length >= limit) break;
        if (part.id === undefined)
          run.encode(new Aligned(text.slice(part.start, part.end), part.start), part.first, found);
        else push(found, part.id, part.start, part.end);
      }
      return found;
    },
  };
}

interface Part {
  readonly start: number;
  readonly end: number;
  /** Of an added token. */
  readonly id?: number;
  /** Whether it begins a stretch between added tokens. */
  readonly first: boolean;
}

function* stretches(text: string, split: Splitter, cuts: boolean, limit: number): Generator<Part> {
  const size = Math.min(partLength, Math.max(256, limit * 8));
  for (const { start, end, token } of split(text)) {
    if (token || !cuts || end - start <= size * 2) {
      yield { start, end, id: token?.id, first: true };
      continue;
    }
    for (let at = start; at < end; ) {
      seam.lastIndex = at + size;
      const next = seam.exec(text);
      const stop = next && next.index < end ? next.index : end;
      yield { start: at, end: stop, first: at === start };
      at = stop;
    }
  }
}

function push({ ids, starts, ends }: TokenSequence, id: number, start: number, end: number): void {
  ids.push(id);
  starts.push(start);
  ends.push(end);
}

class Pipeline {
  readonly #normalize: Normalizer | undefined;
  readonly #preTokenizer: PreTokenizer;
  readonly #model: WordModel;
  readonly #split: Splitter;

  constructor(normalize: Normalizer | undefined, preTokenizer: PreTokenizer, model: WordModel, split: Splitter) {
    this.#normalize = normalize;
    this.#preTokenizer = preTokenizer;
    this.#model = model;
    this.#split = split;
  }

  /** Adds the tokens of a stretch between added tokens. */
  encode(piece: Aligned, first: boolean, found: TokenSequence): void {
    const normalized = this.#normalize?.(piece, first) ?? piece;
    for (const { start, end, token } of this.#split(normalized.text)) {
      if (token) push(found, token.id, normalized.start(start), normalized.end(end - 1));
      else {
        const part = start === 0 && end === normalized.text.length ? normalized : normalized.slice(start, end);
        for (const word of this.#preTokenizer.split(part, part.start(0) === 0)) this.#word(word, found);
      }
    }
  }

  #word(word: Aligned, found: TokenSequence): void {
    if (word.text === '') return;
    const tokens = this.#model(word.text);
    for (let i = 0; i < tokens.length; i += 3)
      push(found, tokens[i], word.start(tokens[i + 1]), word.end(tokens[i + 2] - 1));
  }
}
