/** @file Pre-tokenisers of tokenizer.json (tokenizers/src/pre_tokenizers): where texts are split into words. */
import { UnsupportedError } from '../../ir/errors.ts';
import { Aligned } from './aligned.ts';
import { type Json, list, record, string } from './json.ts';
import { prepend } from './normalizers.ts';
import { patternOf } from './pattern.ts';

/** Splits a part of a text into words. `first`: it is at the very beginning of the text. */
type Split = (piece: Aligned, first: boolean) => Aligned[];

export interface PreTokenizer {
  readonly split: Split;
  /** Words are to be seen as bytes (GPT-2). */
  readonly byteLevel: boolean;
  /** A text may be cut before a space between two letters without changing the words. */
  readonly splitsAtSpaces: boolean;
}

const ws = '\\p{White_Space}';
const punctuation = '\\p{P}!-\\/:-@\\[-`{-~';
/** GPT-2's words. */
const words = new RegExp(
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${ws}\\p{L}\\p{N}]+|${ws}+(?!\\P{White_Space})|${ws}+`,
  'gu',
);
const word = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d';

/** @throws UnsupportedError for unknown types. */
export function preTokenizerOf(json: Json, where = 'pre_tokenizer'): PreTokenizer {
  const plain = { byteLevel: false, splitsAtSpaces: false };
  if (json === null || json === undefined) return { ...plain, split: (piece) => [piece] };
  const config = record(json, where);
  const spaced = (pattern: string): PreTokenizer => ({
    byteLevel: false,
    splitsAtSpaces: true,
    split: matches(new RegExp(pattern, 'gu')),
  });
  switch (config.type) {
    case 'Sequence':
      return sequence(list(config.pretokenizers, `${where}.pretokenizers`), where);
    case 'BertPreTokenizer':
      return spaced(`[^${ws}${punctuation}]+|[${punctuation}]`);
    case 'Whitespace':
      return spaced(`[${word}]+|[^${word}${ws}]+`);
    case 'WhitespaceSplit':
      return spaced(`[^${ws}]+`);
    case 'CharDelimiterSplit':
      return { ...plain, split: behaving(patternOf({ String: config.delimiter }, where), 'removed', false) };
    case 'Punctuation':
      return { ...plain, split: behaving(new RegExp(`[${punctuation}]`, 'gu'), behavior(config.behavior), false) };
    case 'Digits':
      return {
        ...plain,
        split: behaving(/\p{N}/gu, config.individual_digits === true ? 'isolated' : 'contiguous', false),
      };
    case 'Split':
      return {
        ...plain,
        split: behaving(patternOf(config.pattern, where), behavior(config.behavior), config.invert === true),
      };
    case 'Metaspace':
      return metaspace(config, where);
    case 'ByteLevel': {
      const prefix = config.add_prefix_space !== false;
      const regex = config.use_regex !== false;
      const byWords = matches(words);
      return {
        byteLevel: true,
        splitsAtSpaces: regex,
        split: (piece, first) => {
          const spacedPiece = prefix && !piece.text.startsWith(' ') ? prepend(piece, ' ') : piece;
          return regex ? byWords(spacedPiece, first) : [spacedPiece];
        },
      };
    }
    default:
      throw new UnsupportedError(`${where}: unknown type ${JSON.stringify(config.type)}`);
  }
}

function sequence(items: readonly Json[], where: string): PreTokenizer {
  const all = items.map((item, i) => preTokenizerOf(item, `${where}[${i}]`));
  const bytes = all.findIndex((p) => p.byteLevel);
  if (bytes >= 0 && bytes < all.length - 1)
    throw new UnsupportedError(`${where}: ByteLevel is not the last of the pre-tokenisers`);
  return {
    byteLevel: bytes >= 0,
    splitsAtSpaces: all[0]?.splitsAtSpaces ?? false,
    split: (piece, first) =>
      all.reduce<Aligned[]>(
        (pieces, { split }) => pieces.flatMap((part, i) => (part.text === '' ? [] : split(part, first && i === 0))),
        [piece],
      ),
  };
}

/** The matches are the words. */
function matches(pattern: RegExp): Split {
  return (piece) => {
    const found: Aligned[] = [];
    pattern.lastIndex = 0;
    for (let match = pattern.exec(piece.text); match; match = pattern.exec(piece.text))
      found.push(piece.slice(match.index, pattern.lastIndex));
    return found;
  };
}

type Behavior = 'removed' | 'isolated' | 'mergedwithprevious' | 'mergedwithnext' | 'contiguous';

function behavior(json: Json): Behavior {
  const name = (typeof json === 'string' ? json : 'isolated').toLowerCase().replaceAll('_', '');
  if (['removed', 'isolated', 'mergedwithprevious', 'mergedwithnext', 'contiguous'].includes(name))
    return name as Behavior;
  throw new UnsupportedError(`pre_tokenizer: unknown behavior ${JSON.stringify(json)}`);
}

/** Splits at the matches, which go where `how` says. */
function behaving(pattern: RegExp, how: Behavior, invert: boolean): Split {
  return (piece) => {
    const parts = partsOf(piece.text, pattern, invert);
    const ranges: [number, number][] = [];
    let previousIsMatch: boolean | undefined;
    for (const [start, end, isMatch] of parts) {
      const last = ranges.at(-1);
      const joins =
        (how === 'contiguous' && isMatch === previousIsMatch) ||
        (how === 'mergedwithprevious' && isMatch && previousIsMatch === false) ||
        (how === 'mergedwithnext' && !isMatch && previousIsMatch === true);
      if (how === 'removed' && isMatch) continue;
      if (joins && last) last[1] = end;
      else ranges.push([start, end]);
      previousIsMatch = isMatch;
    }
    return ranges.map(([start, end]) => piece.slice(start, end));
  };
}

function partsOf(text: string, pattern: RegExp, invert: boolean): [start: number, end: number, isMatch: boolean][] {
  const parts: [number, number, boolean][] = [];
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    if (match[0] === '') continue;
    if (match.index > at) parts.push([at, match.index, invert]);
    at = match.index + match[0].length;
    parts.push([match.index, at, !invert]);
  }
  if (at < text.length) parts.push([at, text.length, invert]);
  return parts;
}

function metaspace(config: Record<string, Json>, where: string): PreTokenizer {
  const mark = string(config.replacement ?? '▁', `${where}.replacement`);
  const scheme = config.prepend_scheme ?? (config.add_prefix_space === false ? 'never' : 'always');
  const splitting = config.split !== false;
  const byMarks = behaving(patternOf({ String: mark }, where), 'mergedwithnext', false);
  return {
    byteLevel: false,
    splitsAtSpaces: splitting,
    split: (piece, first) => {
      const marked = new Aligned(piece.text.replaceAll(' ', mark), piece.shift, piece.origin);
      const needs = scheme === 'always' || (scheme === 'first' && first);
      const whole = needs && !marked.text.startsWith(mark) ? prepend(marked, mark) : marked;
      return splitting ? byMarks(whole, first) : [whole];
    },
  };
}
