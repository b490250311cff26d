/** @file SentencePiece's compiled character map: a double-array trie and the texts it points to (spm_precompiled). */
import { FormatError } from '../../ir/errors.ts';
import { type Aligned, AlignedBuilder, codePoints } from './aligned.ts';
import { type Json, string } from './json.ts';

/** @throws FormatError for a map that is shorter than it says. */
export function precompiled(json: Json, where: string): (piece: Aligned) => Aligned {
  const bytes = base64(string(json ?? '', `${where}.precompiled_charsmap`), where);
  if (bytes.length === 0) return (piece) => piece;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytes.length >= 4 ? view.getUint32(0, true) : -1;
  if (size < 0 || size % 4 || size + 4 > bytes.length)
    throw new FormatError(`${where}: the character map of ${bytes.length} bytes says that it has a trie of ${size}`);
  const trie = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + i * 4, true));
  const blob = bytes.subarray(4 + size);
  const memory = new Map<string, string | undefined>();
  const transform = (text: string): string | undefined => {
    if (memory.has(text)) return memory.get(text);
    const at = firstPrefix(trie, new TextEncoder().encode(text));
    const end = at === undefined ? -1 : blob.indexOf(0, at);
    const found = at === undefined ? undefined : new TextDecoder().decode(blob.subarray(at, end < 0 ? undefined : end));
    if (memory.size > 50_000) memory.clear();
    memory.set(text, found);
    return found;
  };
  const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
  return (piece) => {
    const { text } = piece;
    // Printable ASCII is the same in every map that SentencePiece makes by default; still, look.
    const simple = !/[^\0-\x7f]|\r\n/.test(text);
    if (simple && !changesAscii(text, transform)) return piece;
    const changes = new Changes();
    for (const [grapheme] of simple ? codePoints(text) : graphemes(segmenter, text)) {
      const whole = utf8Length(grapheme) < 6 ? transform(grapheme) : undefined;
      if (whole !== undefined) changes.replace([...grapheme].length, whole);
      else for (const char of grapheme) changes.replace(1, transform(char) ?? char);
    }
    return changes.apply(piece);
  };
}

/**
 * What becomes of the characters of a text, in the form of tokenizers' NormalizedString::transform: each new character
 * with 0 for "in place of the next", 1 for "inserted", -n for "in place of the next, and n more go". Characters that go
 * at the very beginning are not told, so that positions are off by them, as they are in Python.
 */
class Changes {
  readonly #chars: string[] = [];
  readonly #steps: number[] = [];

  replace(before: number, after: string): void {
    let count = 0;
    for (const char of after) {
      this.#chars.push(char);
      this.#steps.push(0);
      count++;
    }
    const steps = this.#steps;
    if (count > before) steps.fill(1, Math.max(0, steps.length - (count - before)));
    else if (steps.length) steps[steps.length - 1] += count - before;
  }

  apply(piece: Aligned): Aligned {
    const before = [...codePoints(piece.text)];
    const builder = new AlignedBuilder(piece);
    let next = 0;
    for (const [i, char] of this.#chars.entries()) {
      const step = this.#steps[i];
      const [, start, end] = before[Math.max(0, Math.min(step > 0 ? next - 1 : next, before.length - 1))];
      builder.add(char, start, end);
      if (step <= 0) next += 1 - step;
    }
    return builder.finish();
  }
}

function changesAscii(text: string, transform: (char: string) => string | undefined): boolean {
  return [...new Set(text)].some((char) => (transform(char) ?? char) !== char);
}

function* graphemes(segmenter: Intl.Segmenter, text: string): Generator<readonly [string, number, number]> {
  for (const { segment, index } of segmenter.segment(text)) yield [segment, index, index + segment.length];
}

const utf8Length = (text: string) => new TextEncoder().encode(text).length;

/** Value of the shortest key that the bytes begin with (darts-clone's common prefix search). */
function firstPrefix(trie: Uint32Array, key: Uint8Array): number | undefined {
  const offset = (unit: number) => (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
  let at = 0;
  let unit = trie[0] ?? 0;
  at ^= offset(unit);
  for (const byte of key) {
    if (byte === 0) return undefined;
    at ^= byte;
    unit = trie[at] ?? 0;
    if ((unit & ((1 << 31) | 0xff)) >>> 0 !== byte) return undefined;
    at ^= offset(unit);
    if ((unit >>> 8) & 1) return (trie[at] ?? 0) & 0x7fffffff;
  }
  return undefined;
}

function base64(text: string, where: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch (error) {
    throw new FormatError(`${where}: the character map is not base64`, { cause: error });
  }
}
