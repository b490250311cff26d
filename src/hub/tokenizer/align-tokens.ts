/** @file Where the tokens of a text lie: words found in order in the normalised text, tokens in order in each word. */
import { Aligned, AlignedBuilder, codePoints } from './aligned.ts';

/** How the tokens of a tokenizer show the characters of a word. */
export interface Spelling {
  /** Characters for bytes, by byte, in byte-level tokenizers. */
  readonly bytes?: readonly string[];
  /** What stands for a space, and may be put before a word. */
  readonly mark?: string;
  /** Whether marks are made of spaces, or only put before words that were split at spaces. */
  readonly marksSpaces: boolean;
  /** ## before tokens that go on with a word. */
  readonly prefix: string;
  /** </w> after the last token of a word. */
  readonly suffix: string;
  /** Unknown characters in a row are one token. */
  readonly fuses: boolean;
}

const encoder = new TextEncoder();

/** Finds the words of one text in order, as the pre-tokeniser gives them. */
export class WordFinder {
  readonly #piece: Aligned;
  readonly #spelling: Spelling;
  #at = 0;

  constructor(piece: Aligned, spelling: Spelling) {
    this.#piece = spelled(piece, spelling);
    this.#spelling = spelling;
  }

  /** Places in the original of the next word's tokens: start and end of each in a row. */
  next(word: string, tokens: readonly string[]): number[] {
    const { text } = this.#piece;
    if (text === '') return tokens.flatMap(() => [this.#piece.shift, this.#piece.shift]);
    const { mark, marksSpaces } = this.#spelling;
    let start = text.startsWith(word, this.#at) ? this.#at : text.indexOf(word, this.#at);
    // A mark that the text does not have was put before the word, and has the place of its first character.
    let put = 0;
    // One that is a word by itself was a space, but at the beginning.
    const wasSpace = marksSpaces && word === mark && this.#at > 0;
    if (start !== this.#at && mark && word.startsWith(mark) && !wasSpace) {
      const bare = text.indexOf(word.slice(mark.length), this.#at);
      if (start < 0 || bare < start + mark.length) {
        start = bare;
        put = mark.length;
      }
    }
    if (start < 0) start = this.#at;
    this.#at = Math.min(start + word.length - put, text.length);
    const unit = (i: number) => Math.min(Math.max(start + i - put, start), text.length - 1);
    // A token of nothing but what was put there has the whole first character.
    const first = (text.codePointAt(start) ?? 0) > 0xffff ? start + 1 : start;
    return tokensIn(word, tokens, this.#spelling).map((at, i) =>
      i % 2 === 0 ? this.#piece.start(unit(at)) : this.#piece.end(at <= put ? first : unit(at - 1)),
    );
  }
}

/** A text as the words show it: with marks for spaces, or with a character for each byte. */
function spelled(piece: Aligned, { bytes, mark, marksSpaces }: Spelling): Aligned {
  if (!bytes)
    return mark && marksSpaces ? new Aligned(piece.text.replaceAll(' ', mark), piece.shift, piece.origin) : piece;
  const shown = (text: string) => Array.from(encoder.encode(text), (byte) => bytes[byte]).join('');
  if (!/[^\0-\x7f]/.test(piece.text)) return new Aligned(shown(piece.text), piece.shift, piece.origin);
  const builder = new AlignedBuilder(piece);
  for (const [char, start, end] of codePoints(piece.text)) builder.add(shown(char), start, end);
  return builder.finish();
}

/** Units of a word that its tokens cover: start and end of each in a row. */
function tokensIn(word: string, tokens: readonly string[], spelling: Spelling): number[] {
  if (tokens.length === 1) return [0, word.length];
  const literal = (i: number): string | undefined => {
    let token = tokens[i];
    if (i > 0 && token?.startsWith(spelling.prefix)) token = token.slice(spelling.prefix.length);
    return i === tokens.length - 1 && spelling.suffix && token?.endsWith(spelling.suffix)
      ? token.slice(0, -spelling.suffix.length)
      : token;
  };
  const places: number[] = [];
  let at = 0;
  let bytesLeft = 0;
  for (let i = 0; i < tokens.length; i++) {
    const text = literal(i) ?? '';
    const char = at < word.length ? String.fromCodePoint(word.codePointAt(at) ?? 0) : '';
    let end = at + text.length;
    if (bytesLeft > 0 || !word.startsWith(text, at)) {
      end = at + char.length;
      if (/^<0x[0-9A-F]{2}>$/.test(text)) {
        // One of the bytes of a character: each has the place of all.
        if (bytesLeft === 0) bytesLeft = encoder.encode(char).length;
        places.push(at, end);
        if (--bytesLeft > 0) continue;
        at = end;
        continue;
      }
      // An unknown character, or all up to the next token that is known.
      if (spelling.fuses) {
        const next = literal(i + 1);
        const known = next === undefined ? word.length : word.indexOf(next, end);
        if (known >= 0) end = known;
      }
    }
    places.push(at, end);
    at = end;
  }
  return places;
}
