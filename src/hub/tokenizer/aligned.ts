/** @file Text that knows where in the original each of its UTF-16 units comes from (tokenizers' NormalizedString). */

/** Start and end in the original of each unit of a text that was changed. */
interface Origin {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** A part of a text, changed or not. Without an origin, unit `i` is unit `shift + i` of the original. */
export class Aligned {
  readonly text: string;
  readonly origin: Origin | undefined;
  readonly shift: number;

  constructor(text: string, shift = 0, origin?: Origin) {
    this.text = text;
    this.shift = shift;
    this.origin = origin;
  }

  slice(start: number, end: number): Aligned {
    return new Aligned(this.text.slice(start, end), this.shift + start, this.origin);
  }

  /** Where unit `i` begins in the original. */
  start(i: number): number {
    return this.origin ? this.origin.starts[this.shift + i] : this.shift + i;
  }

  /** Where unit `i` ends in the original. */
  end(i: number): number {
    return this.origin ? this.origin.ends[this.shift + i] : this.shift + i + 1;
  }
}

/** Builds changed text: pieces in order, each with the units of `source` that it stands for. */
export class AlignedBuilder {
  readonly #source: Aligned;
  readonly #parts: string[] = [];
  #starts: Int32Array;
  #ends: Int32Array;
  #length = 0;

  constructor(source: Aligned) {
    this.#source = source;
    this.#starts = new Int32Array(source.text.length + 16);
    this.#ends = new Int32Array(source.text.length + 16);
  }

  /** Adds text that stands as a whole for units `start` to `end` (exclusive, at least one) of the source. */
  add(text: string, start: number, end: number): void {
    if (text === '') return;
    this.#reserve(text.length);
    this.#parts.push(text);
    const length = this.#length + text.length;
    this.#starts.fill(this.#source.start(start), this.#length, length);
    this.#ends.fill(this.#source.end(end - 1), this.#length, length);
    this.#length = length;
  }

  /** Adds text of equal length, unit by unit, for the units of the source from `start` on. */
  copy(text: string, start: number): void {
    this.#reserve(text.length);
    this.#parts.push(text);
    for (let i = 0; i < text.length; i++, this.#length++) {
      this.#starts[this.#length] = this.#source.start(start + i);
      this.#ends[this.#length] = this.#source.end(start + i);
    }
  }

  finish(): Aligned {
    return new Aligned(this.#parts.join(''), 0, { starts: this.#starts, ends: this.#ends });
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#starts.length) return;
    const grow = (old: Int32Array) => {
      const grown = new Int32Array((this.#length + count) * 2);
      grown.set(old);
      return grown;
    };
    this.#starts = grow(this.#starts);
    this.#ends = grow(this.#ends);
  }
}

/** Code points of a text with their places. */
export function* codePoints(text: string): Generator<readonly [char: string, start: number, end: number]> {
  let at = 0;
  for (const char of text) {
    yield [char, at, at + char.length];
    at += char.length;
  }
}
