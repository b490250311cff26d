/** @file Vocabularies: text to token numbers by words, characters or a pattern, fitted on the training split. */
import { ArgumentError, FormatError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { type PadOptions, padArrays } from '../pad-collate.ts';

/** How text is split: at white space, into Unicode characters, or into the matches of a pattern (regular expression). */
export type TokenRule = 'whitespace' | 'char' | RegExp;

/** Options of `Vocabulary.fit`. */
export interface VocabularyOptions {
  /** Default 'whitespace'. `/\w+|[^\w\s]/u` keeps words and punctuation apart. */
  readonly tokens?: TokenRule;
  /** Lower-case first. Default false. */
  readonly lowercase?: boolean;
  /** Leave out tokens that come less often. Default 1. */
  readonly minCount?: number;
  /** Most tokens, special ones included; the most frequent are kept. Default: no limit. */
  readonly maxSize?: number;
  /** Tokens that get the first numbers; must contain pad and unknown. Default ['<pad>', '<unk>']. */
  readonly special?: readonly string[];
  readonly pad?: string;
  readonly unknown?: string;
}

/** Plain JSON of a vocabulary. */
export interface VocabularyJSON {
  readonly kind: 'Vocabulary';
  readonly tokens: readonly string[];
  readonly rule: 'whitespace' | 'char' | { readonly pattern: string; readonly flags: string };
  readonly lowercase: boolean;
  readonly pad: string;
  readonly unknown: string;
}

/**
 * Tokens and their numbers.
 * @example
 * const vocabulary = Vocabulary.fit(trainTexts, { tokens: /\w+/gu, lowercase: true, maxSize: 20_000 });
 * vocabulary.encode('a lovely film')   // [4, 1, 17]: 1 is unknown
 */
export class Vocabulary {
  /** Token of each number. */
  readonly tokens: readonly string[];
  readonly padId: number;
  readonly unknownId: number;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #rule: TokenRule;
  readonly #lowercase: boolean;

  private constructor(tokens: readonly string[], rule: TokenRule, lowercase: boolean, pad: string, unknown: string) {
    this.tokens = tokens;
    this.#ids = new Map(tokens.map((t, i) => [t, i]));
    this.#rule = rule;
    this.#lowercase = lowercase;
    this.padId = this.#ids.get(pad) ?? -1;
    this.unknownId = this.#ids.get(unknown) ?? -1;
    if (this.padId < 0 || this.unknownId < 0)
      throw new ArgumentError(
        `Vocabulary: special tokens [${tokens.slice(0, 8).join(', ')}] must contain pad '${pad}' and unknown '${unknown}'`,
      );
  }

  /** Number of tokens, special ones included. */
  get size(): number {
    return this.tokens.length;
  }

  /** Counts tokens and numbers them by falling frequency, ties in order of first appearance. */
  static fit(texts: Iterable<string>, options: VocabularyOptions = {}): Vocabulary {
    const {
      tokens: rule = 'whitespace',
      lowercase = false,
      minCount = 1,
      maxSize = Number.POSITIVE_INFINITY,
    } = options;
    const { pad = '<pad>', unknown = '<unk>', special = [pad, unknown] } = options;
    if (special.length > maxSize)
      throw new ArgumentError(`Vocabulary: maxSize ${maxSize} is below the ${special.length} special tokens`);
    const counts = new Map<string, number>();
    for (const text of texts)
      for (const token of split(text, rule, lowercase)) counts.set(token, (counts.get(token) ?? 0) + 1);
    for (const token of special) counts.delete(token);
    const kept = [...counts].filter(([, n]) => n >= minCount).sort((a, b) => b[1] - a[1]);
    const tokens = [...new Set(special), ...kept.map(([token]) => token)].slice(0, maxSize);
    return new Vocabulary(tokens, rule, lowercase, pad, unknown);
  }

  /** The tokens of a text, whether known or not. */
  split(text: string): string[] {
    return split(text, this.#rule, this.#lowercase);
  }

  /** Token numbers of a text; unknown tokens get `unknownId`. */
  encode(text: string): number[] {
    return this.split(text).map((token) => this.#ids.get(token) ?? this.unknownId);
  }

  /** Token numbers of texts, padded to one length [texts, length] int64, and their lengths. */
  encodeBatch(texts: readonly string[], options: Omit<PadOptions, 'value'> = {}): { ids: NDArray; lengths: number[] } {
    const rows = texts.map((text): NDArray => {
      const ids = this.encode(text);
      return { data: Float64Array.from(ids), shape: [ids.length], dtype: 'int64' };
    });
    const { array, lengths } = padArrays(rows, { ...options, value: this.padId });
    return { ids: array, lengths };
  }

  /** Number of a token, `unknownId` if it is not known. */
  id(token: string): number {
    return this.#ids.get(token) ?? this.unknownId;
  }

  /** Text of token numbers, padding left out; words joined by a space, characters by nothing. */
  decode(ids: ArrayLike<number>): string {
    const out: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const token = this.tokens[ids[i]];
      if (token === undefined)
        throw new ArgumentError(
          `Vocabulary.decode: token number ${ids[i]} at position ${i} is outside of 0 to ${this.size - 1}`,
        );
      if (ids[i] !== this.padId) out.push(token);
    }
    return out.join(this.#rule === 'char' ? '' : ' ');
  }

  toJSON(): VocabularyJSON {
    const rule = this.#rule instanceof RegExp ? { pattern: this.#rule.source, flags: this.#rule.flags } : this.#rule;
    return {
      kind: 'Vocabulary',
      tokens: this.tokens,
      rule,
      lowercase: this.#lowercase,
      pad: this.tokens[this.padId],
      unknown: this.tokens[this.unknownId],
    };
  }

  /** @throws FormatError when the JSON is not of a vocabulary. */
  static fromJSON(json: unknown): Vocabulary {
    const { kind, tokens, rule, lowercase, pad, unknown } = (json ?? {}) as Partial<VocabularyJSON>;
    const texts =
      Array.isArray(tokens) && tokens.every((t) => typeof t === 'string') && new Set(tokens).size === tokens.length;
    if (kind !== 'Vocabulary' || !texts || typeof pad !== 'string' || typeof unknown !== 'string')
      throw new FormatError(
        `Vocabulary.fromJSON: expected what toJSON makes, found ${JSON.stringify(json)?.slice(0, 80)}`,
      );
    try {
      const parsed =
        typeof rule === 'object' ? new RegExp(rule.pattern, rule.flags) : rule === 'char' ? 'char' : 'whitespace';
      return new Vocabulary(tokens, parsed, lowercase === true, pad, unknown);
    } catch (cause) {
      throw new FormatError(`Vocabulary.fromJSON: ${(cause as Error).message}`, { cause });
    }
  }
}

function split(text: string, rule: TokenRule, lowercase: boolean): string[] {
  const source = lowercase ? text.toLowerCase() : text;
  if (rule === 'char') return [...source];
  if (rule === 'whitespace') return source.split(/\s+/u).filter((t) => t !== '');
  const global = rule.global ? rule : new RegExp(rule.source, `${rule.flags}g`);
  return [...source.matchAll(global)].map((m) => m[0]).filter((t) => t !== '');
}
