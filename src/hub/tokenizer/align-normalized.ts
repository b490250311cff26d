/** @file Where the units of a text that the library normalised come from, found step by step from its normalisers. */
import { Aligned, AlignedBuilder, codePoints } from './aligned.ts';
import type { LibraryNormalizer } from './library-engine.ts';

/** The text that the normaliser makes of a piece, with the place of each unit in the original. */
export function alignNormalized(normalizer: LibraryNormalizer | null, piece: Aligned): Aligned {
  if (normalizer === null) return piece;
  if (normalizer.normalizers) return normalizer.normalizers.reduce((done, next) => alignNormalized(next, done), piece);
  const result = normalizer.normalize(piece.text);
  if (result === piece.text) return piece;
  const aligned = step(normalizer, piece, result);
  return aligned.text === result ? aligned : unexplained(piece, result);
}

function step(normalizer: LibraryNormalizer, piece: Aligned, result: string): Aligned {
  const { config, pattern } = normalizer;
  if (config.type === 'Strip') {
    const start = piece.text.indexOf(result);
    return piece.slice(start, start + result.length);
  }
  if (config.type === 'Prepend') return prepend(piece, config.prepend ?? '');
  if (config.type === 'Replace' && pattern) return replace(piece, pattern, config.content ?? '');
  return byClusters(normalizer, piece, result);
}

/** Text with something in front, which takes the place of the first character. */
function prepend(piece: Aligned, text: string): Aligned {
  if (piece.text === '') return piece;
  const builder = new AlignedBuilder(piece);
  builder.add(text, 0, (piece.text.codePointAt(0) ?? 0) > 0xffff ? 2 : 1);
  builder.copy(piece.text, 0);
  return builder.finish();
}

function replace(piece: Aligned, pattern: RegExp, content: string): Aligned {
  const builder = new AlignedBuilder(piece);
  let at = 0;
  for (const { 0: found, index } of piece.text.matchAll(pattern)) {
    builder.copy(piece.text.slice(at, index), at);
    at = index + found.length;
    // What comes instead stands at the last character of what was found.
    const last = found.length - (/[\ud800-\udbff].$/s.test(found) ? 2 : 1);
    const text = content.replace(/\$([$&])/g, (_, sign) => (sign === '$' ? '$' : found));
    if (found !== '') builder.add(text, index + last, at);
  }
  builder.copy(piece.text.slice(at), at);
  return builder.finish();
}

/** What may join the character before it: marks, Hangul letters, and those of old fonts that become such by NFKC. */
const joining = '\\p{M}\\u1160-\\u11ff\\u3133\\u3135\\u3136\\u313a-\\u313f\\u314f-\\u3163\\uff9e\\uff9f\\uffc2-\\uffdc';
/** ASCII without marks after it, or a character and what may join it. */
const cluster = new RegExp(`[\\0-\\x7f]+(?![${joining}])|[^${joining}][${joining}]*|[${joining}]+`, 'gu');

/** Normalises cluster by cluster, and in a cluster character by character, where that gives the same. */
function byClusters(normalizer: LibraryNormalizer, piece: Aligned, result: string): Aligned {
  const { text } = piece;
  if (result.length === text.length && !/[^\0-\x7f]/.test(text)) return new Aligned(result, piece.shift, piece.origin);
  const memory = new Map<string, string>();
  const changed = (part: string) => {
    const known = memory.get(part) ?? normalizer.normalize(part);
    memory.set(part, known);
    return known;
  };
  const builder = new AlignedBuilder(piece);
  for (const { 0: found, index } of text.matchAll(cluster)) {
    const whole = changed(found);
    if (whole.length === found.length && !/[^\0-\x7f]/.test(found)) builder.copy(whole, index);
    else {
      const parts = [...codePoints(found)];
      const single = parts.map(([char]) => changed(char));
      if (single.join('') === whole)
        parts.forEach(([, start, end], i) => void builder.add(single[i], index + start, index + end));
      // Python counts a character map's clusters so.
      else if (normalizer.config.type === 'Precompiled') builder.add(whole, index + parts[0][1], index + parts[0][2]);
      else addCluster(builder, parts, index, whole);
    }
  }
  return builder.finish();
}

/** The first character takes what was composed or decomposed; the marks after it stay one to one. */
function addCluster(
  builder: AlignedBuilder,
  before: readonly (readonly [char: string, start: number, end: number])[],
  index: number,
  changed: string,
): void {
  const after = [...changed];
  const grown = after.length - before.length;
  after.forEach((char, i) => {
    const from = i === 0 ? 0 : grown > 0 ? Math.max(0, i - grown) : i - grown;
    const [, start, end] = before[Math.min(from, before.length - 1)];
    builder.add(char, index + start, index + end);
  });
}

/** What is equal at both ends stays in its place; all between stands for all that was there. */
function unexplained(piece: Aligned, result: string): Aligned {
  const { text } = piece;
  if (text === '') return piece;
  let head = 0;
  const shorter = Math.min(text.length, result.length);
  while (head < shorter && text[head] === result[head]) head++;
  let tail = 0;
  while (tail < shorter - head && text.at(-1 - tail) === result.at(-1 - tail)) tail++;
  const builder = new AlignedBuilder(piece);
  const from = Math.min(head, text.length - 1);
  builder.copy(result.slice(0, head), 0);
  builder.add(result.slice(head, result.length - tail), from, Math.max(text.length - tail, from + 1));
  builder.copy(result.slice(result.length - tail), text.length - tail);
  return builder.finish();
}
