/** @file Normalisers of tokenizer.json (tokenizers/src/normalizers), with positions kept. */
import { UnsupportedError } from '../../ir/errors.ts';
import { Aligned, AlignedBuilder, codePoints } from './aligned.ts';
import { type Json, list, record, string } from './json.ts';
import { patternOf } from './pattern.ts';
import { precompiled } from './precompiled.ts';

/** Changes a part of a text. `first` is false where another part of the same stretch of text comes before it. */
export type Normalizer = (piece: Aligned, first: boolean) => Aligned;

/** @returns undefined for "no normaliser". @throws UnsupportedError for unknown types. */
export function normalizerOf(json: Json, where = 'normalizer'): Normalizer | undefined {
  if (json === null || json === undefined) return undefined;
  const config = record(json, where);
  switch (config.type) {
    case 'Sequence': {
      const all = list(config.normalizers, `${where}.normalizers`).map((n, i) => normalizerOf(n, `${where}[${i}]`));
      return (piece, first) => all.reduce((p, normalize) => normalize?.(p, first) ?? p, piece);
    }
    case 'BertNormalizer':
      return bert(config);
    case 'Lowercase':
      return lowercase;
    case 'StripAccents':
      return (piece) => (/\p{M}/u.test(piece.text) ? perCharacter(piece, (c) => (/\p{M}/u.test(c) ? '' : c)) : piece);
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return unicode(config.type);
    case 'Strip':
      return strip(config.strip_left !== false, config.strip_right !== false);
    case 'Prepend': {
      const text = string(config.prepend, `${where}.prepend`);
      return (piece, first) => (first ? prepend(piece, text) : piece);
    }
    case 'Replace':
      return replace(patternOf(config.pattern, where), string(config.content, `${where}.content`));
    case 'Precompiled':
      return precompiled(config.precompiled_charsmap, where);
    case 'Nmt':
      return nmt;
    default:
      throw new UnsupportedError(`${where}: unknown type ${JSON.stringify(config.type)}`);
  }
}

const isAscii = (text: string) => !/[^\0-\x7f]/.test(text);

function perCharacter(piece: Aligned, change: (char: string) => string): Aligned {
  const builder = new AlignedBuilder(piece);
  for (const [char, start, end] of codePoints(piece.text)) builder.add(change(char), start, end);
  return builder.finish();
}

/** Each character on its own: no final sigma. */
function lowercase(piece: Aligned): Aligned {
  if (isAscii(piece.text)) return new Aligned(piece.text.toLowerCase(), piece.shift, piece.origin);
  return perCharacter(piece, (char) => char.toLowerCase());
}

/** Text with something in front, which takes the place of the first character. */
export function prepend(piece: Aligned, text: string): Aligned {
  if (piece.text === '') return piece;
  const length = (piece.text.codePointAt(0) ?? 0) > 0xffff ? 2 : 1;
  const builder = new AlignedBuilder(piece);
  builder.add(text, 0, length);
  builder.copy(piece.text, 0);
  return builder.finish();
}

function strip(left: boolean, right: boolean): Normalizer {
  return (piece, first) => {
    const { text } = piece;
    const start = left && first ? (/^\p{White_Space}+/u.exec(text)?.[0].length ?? 0) : 0;
    let end = text.length;
    if (right) while (end > start && /\p{White_Space}/u.test(text[end - 1])) end--;
    return start === 0 && end === text.length ? piece : piece.slice(start, end);
  };
}

function replace(pattern: RegExp, content: string): Normalizer {
  return (piece) => {
    let builder: AlignedBuilder | undefined;
    let at = 0;
    for (const match of piece.text.matchAll(pattern)) {
      const [found] = match;
      builder ??= new AlignedBuilder(piece);
      builder.copy(piece.text.slice(at, match.index), at);
      at = match.index + found.length;
      // What comes instead stands at the last character of what was found.
      const last = [...codePoints(found)].at(-1);
      if (last) builder.add(content, match.index + last[1], at);
    }
    builder?.copy(piece.text.slice(at), at);
    return builder?.finish() ?? piece;
  };
}

/** A character and the marks, or Hangul letters, that may join it. */
const cluster = /[^\p{M}\u1160-\u11ff][\p{M}\u1160-\u11ff]*|[\p{M}\u1160-\u11ff]+/gu;

function unicode(form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): Normalizer {
  return (piece) => {
    if (isAscii(piece.text) || piece.text === piece.text.normalize(form)) return piece;
    const builder = new AlignedBuilder(piece);
    for (const { 0: found, index } of piece.text.matchAll(cluster)) {
      const changed = found.normalize(form);
      if (changed === found) builder.copy(found, index);
      else addCluster(builder, found, index, changed);
    }
    return builder.finish();
  };
}

/** The first character takes what was composed or decomposed; the marks after it stay one to one. */
function addCluster(builder: AlignedBuilder, found: string, index: number, changed: string): void {
  const before = [...codePoints(found)];
  const after = [...changed];
  const grown = after.length - before.length;
  after.forEach((char, i) => {
    const from = i === 0 ? 0 : grown > 0 ? Math.max(0, i - grown) : i - grown;
    const [, start, end] = before[Math.min(from, before.length - 1)];
    builder.add(char, index + start, index + end);
  });
}

const chineseRanges = [
  [0x4e00, 0x9fff],
  [0x3400, 0x4dbf],
  [0x20000, 0x2a6df],
  [0x2a700, 0x2b73f],
  [0x2b740, 0x2b81f],
  [0x2b920, 0x2ceaf],
  [0xf900, 0xfaff],
  [0x2f800, 0x2fa1f],
] as const;

/** BERT's normaliser changes every character on its own, so what becomes of each is remembered. */
function bert(config: Record<string, Json>): Normalizer {
  const clean = config.clean_text !== false;
  const chinese = config.handle_chinese_chars !== false;
  const lower = config.lowercase !== false;
  const accents = typeof config.strip_accents === 'boolean' ? config.strip_accents : lower;
  const change = (char: string): string => {
    if (clean) {
      if (char === '\0' || char === '\ufffd') return '';
      if (!/[\t\n\r]/.test(char) && /[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u.test(char)) return '';
      if (/\p{White_Space}/u.test(char)) return ' ';
    }
    const code = char.codePointAt(0) ?? 0;
    if (chinese && chineseRanges.some(([from, to]) => code >= from && code <= to)) {
      const inner = accents ? char.normalize('NFD') : char;
      return ` ${inner} `;
    }
    let text = char;
    if (accents) text = text.normalize('NFD').replace(/\p{Mn}/gu, '');
    if (lower) text = Array.from(text, (c) => c.toLowerCase()).join('');
    return text;
  };
  const memory = new Map<string, string>();
  const remembered = (char: string) => {
    const known = memory.get(char);
    if (known !== undefined) return known;
    const text = change(char);
    memory.set(char, text);
    return text;
  };
  return (piece) => {
    // Printable ASCII, tabs and line ends: same length, so the same places.
    if (!/[^\t\n\r -~]/.test(piece.text)) {
      const cleaned = clean ? piece.text.replace(/[\t\n\r]/g, ' ') : piece.text;
      return new Aligned(lower ? cleaned.toLowerCase() : cleaned, piece.shift, piece.origin);
    }
    return perCharacter(piece, remembered);
  };
}

/** SentencePiece's white space and controls (tokenizers' Nmt). */
function nmt(piece: Aligned): Aligned {
  return perCharacter(piece, (char) => {
    const code = char.codePointAt(0) ?? 0;
    if ((code >= 1 && code <= 8) || code === 11 || (code >= 14 && code <= 31) || [0x7f, 0x8f, 0x9f].includes(code))
      return '';
    return /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/.test(char) ? ' ' : char;
  });
}
