/** @file Byte-pair encoding: the merge learnt first is done first (tokenizers/src/models/bpe). */
import { FormatError } from '../../ir/errors.ts';
import { byteChars } from './bytes.ts';
import { type Json, list, string } from './json.ts';
import { MinHeap } from './min-heap.ts';
import type { WordModel } from './model.ts';
import type { TokenTable } from './vocabulary.ts';

/** A word while it is merged: a token, and the units it covers, per symbol. */
interface Symbols {
  readonly ids: number[];
  readonly starts: number[];
  readonly ends: number[];
}

/** @throws FormatError for merges of tokens that are not in the vocabulary. */
export function bpe(config: Record<string, Json>, { ids }: TokenTable, byteLevel: boolean): WordModel {
  const prefix = string(config.continuing_subword_prefix ?? '', 'model.continuing_subword_prefix');
  const suffix = string(config.end_of_word_suffix ?? '', 'model.end_of_word_suffix');
  const unkToken = config.unk_token === null || config.unk_token === undefined ? undefined : config.unk_token;
  const unk = unkToken === undefined ? undefined : ids.get(string(unkToken, 'model.unk_token'));
  const { ranks, results } = mergeTable(list(config.merges, 'model.merges'), ids, prefix);
  const byteTokens = byteLevel ? byteChars.map((char) => ids.get(char)) : fallbackTokens(config, ids);
  const encoder = new TextEncoder();
  const initial = (word: string): Symbols => {
    const symbols: Symbols = { ids: [], starts: [], ends: [] };
    let unknown = false;
    const add = (id: number, start: number, end: number, isUnknown = false) => {
      if (isUnknown && unknown && config.fuse_unk === true) {
        symbols.ends[symbols.ends.length - 1] = end;
        return;
      }
      unknown = isUnknown;
      symbols.ids.push(id);
      symbols.starts.push(start);
      symbols.ends.push(end);
    };
    for (let start = 0; start < word.length; ) {
      const code = word.codePointAt(start) ?? 0;
      const end = start + (code > 0xffff ? 2 : 1);
      const char = word.slice(start, end);
      const name = (start > 0 ? prefix : '') + char + (end === word.length ? suffix : '');
      const bytes = byteLevel || !ids.has(name) ? byteTokens && encoder.encode(char) : undefined;
      const id = byteLevel ? undefined : ids.get(name);
      if (id !== undefined) add(id, start, end);
      else if (bytes && byteTokens && Array.from(bytes).every((byte) => byteTokens[byte] !== undefined))
        for (const byte of bytes) add(byteTokens[byte] ?? 0, start, end);
      else if (unk !== undefined) add(unk, start, end, true);
      start = end;
    }
    return symbols;
  };
  const whole = config.ignore_merges === true ? ids : undefined;
  const nameOf = (word: string) =>
    byteLevel ? Array.from(encoder.encode(word), (byte) => byteChars[byte]).join('') : word;
  // Where ▁ only begins tokens, no merge crosses the place before it: longer texts are words in a row.
  const cut = !byteLevel && !prefix && !suffix && cutsBeforeMarks(ids);
  const encodeWord = (word: string): number[] => {
    const id = whole?.get(nameOf(word));
    if (id !== undefined) return [id, 0, word.length];
    const symbols = initial(word);
    merge(symbols, ranks, results);
    return symbols.ids.flatMap((token, i) => [token, symbols.starts[i], symbols.ends[i]]);
  };
  if (!cut) return encodeWord;
  return (text) => {
    if (text.length <= 64 || whole) return encodeWord(text);
    const found: number[] = [];
    for (const { 0: part, index } of text.matchAll(/▁*[^▁]*/g)) {
      if (part === '') continue;
      const tokens = encodeWord(part);
      for (let i = 0; i < tokens.length; i += 3) found.push(tokens[i], tokens[i + 1] + index, tokens[i + 2] + index);
    }
    return found;
  };
}

/** Two token ids as one number. */
const pairKey = (left: number, right: number) => left * 2 ** 26 + right;

function mergeTable(merges: readonly Json[], ids: ReadonlyMap<string, number>, prefix: string) {
  const ranks = new Map<number, number>();
  const results = new Int32Array(merges.length);
  merges.forEach((merge, rank) => {
    const where = `model.merges[${rank}]`;
    const pair = Array.isArray(merge) ? merge : string(merge, where).split(' ');
    const [left, right] = [string(pair[0], where), string(pair[1], where)];
    const [a, b, ab] = [ids.get(left), ids.get(right), ids.get(left + right.slice(prefix.length))];
    if (a === undefined || b === undefined || ab === undefined)
      throw new FormatError(`tokenizer: ${where}: "${left} ${right}" or its result is not in the vocabulary`);
    ranks.set(pairKey(a, b), rank);
    results[rank] = ab;
  });
  return { ranks, results };
}

/** <0x00> ... for characters that the vocabulary lacks. */
function fallbackTokens(config: Record<string, Json>, ids: ReadonlyMap<string, number>) {
  if (config.byte_fallback !== true) return undefined;
  return Array.from({ length: 256 }, (_, byte) => ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`));
}

function cutsBeforeMarks(ids: ReadonlyMap<string, number>): boolean {
  for (const token of ids.keys()) if (/[^▁]▁/.test(token) && !/^<.*>$/.test(token)) return false;
  return true;
}

/** Merges neighbours, the pair of lowest rank first and of equal ones the leftmost. */
function merge(symbols: Symbols, ranks: ReadonlyMap<number, number>, results: Int32Array): void {
  if (symbols.ids.length <= 24) mergeShort(symbols, ranks, results);
  else mergeLong(symbols, ranks, results);
}

function mergeShort({ ids, starts, ends }: Symbols, ranks: ReadonlyMap<number, number>, results: Int32Array): void {
  for (;;) {
    let best = Number.POSITIVE_INFINITY;
    let at = -1;
    for (let i = 0; i + 1 < ids.length; i++) {
      const rank = ranks.get(pairKey(ids[i], ids[i + 1])) ?? Number.POSITIVE_INFINITY;
      if (rank < best) {
        best = rank;
        at = i;
      }
    }
    if (at < 0) return;
    ids[at] = results[best];
    ends[at] = ends[at + 1];
    ids.splice(at + 1, 1);
    starts.splice(at + 1, 1);
    ends.splice(at + 1, 1);
  }
}

/** The same in n log n: a heap of candidates, checked again when their turn comes. */
function mergeLong(symbols: Symbols, ranks: ReadonlyMap<number, number>, results: Int32Array): void {
  const { ids, starts, ends } = symbols;
  const count = ids.length;
  const next = Int32Array.from({ length: count }, (_, i) => (i + 1 < count ? i + 1 : -1));
  const previous = Int32Array.from({ length: count }, (_, i) => i - 1);
  const alive = new Uint8Array(count).fill(1);
  const heap = new MinHeap();
  const rankAt = (i: number) => (next[i] < 0 ? undefined : ranks.get(pairKey(ids[i], ids[next[i]])));
  // Rank and place as one number, which orders by rank and then from left to right.
  const push = (i: number) => {
    const rank = i < 0 ? undefined : rankAt(i);
    if (rank !== undefined) heap.push(rank * 2 ** 27 + i);
  };
  for (let i = 0; i < count; i++) push(i);
  for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
    const rank = Math.floor(top / 2 ** 27);
    const at = top - rank * 2 ** 27;
    if (!alive[at] || rankAt(at) !== rank) continue;
    const gone = next[at];
    ids[at] = results[rank];
    ends[at] = ends[gone];
    alive[gone] = 0;
    next[at] = next[gone];
    if (next[at] >= 0) previous[next[at]] = at;
    push(previous[at]);
    push(at);
  }
  let kept = 0;
  for (let i = 0; i >= 0; i = next[i], kept++) {
    ids[kept] = ids[i];
    starts[kept] = starts[i];
    ends[kept] = ends[i];
  }
  ids.length = starts.length = ends.length = kept;
}
