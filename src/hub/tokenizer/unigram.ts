/** @file Unigram: the split of greatest likelihood, by Viterbi's algorithm (tokenizers/src/models/unigram). */
import { FormatError } from '../../ir/errors.ts';
import { type Json, list, number, string } from './json.ts';
import type { WordModel } from './model.ts';
import { Trie } from './trie.ts';

/** Unknown characters count as this much less likely than the least likely token. */
const unknownPenalty = 10;

/** @throws FormatError for broken entries. */
export function unigram(config: Record<string, Json>): WordModel {
  const entries = list(config.vocab, 'model.vocab');
  const scores = new Float64Array(entries.length);
  const trie = new Trie();
  const ids = new Map<string, number>();
  entries.forEach((entry, id) => {
    const [token, score] = list(entry, `model.vocab[${id}]`);
    scores[id] = number(score, `model.vocab[${id}]`);
    ids.set(string(token, `model.vocab[${id}]`), id);
  });
  for (const [token, id] of ids) trie.add(token, id);
  const least = scores.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY) - unknownPenalty;
  const unk = config.unk_id;
  const bytes =
    config.byte_fallback === true
      ? Array.from({ length: 256 }, (_, b) => ids.get(`<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`))
      : undefined;
  const encoder = new TextEncoder();
  return (word) => {
    const size = word.length;
    const best = new Float64Array(size + 1);
    const from = new Int32Array(size + 1).fill(-1);
    const token = new Int32Array(size + 1);
    const offer = (start: number, end: number, score: number, id: number) => {
      if (from[end] >= 0 && score <= best[end]) return;
      best[end] = score;
      from[end] = start;
      token[end] = id;
    };
    for (let start = 0; start < size; ) {
      const next = start + ((word.codePointAt(start) ?? 0) > 0xffff ? 2 : 1);
      let single = false;
      let node = 0;
      for (let at = start; at < size; at++) {
        node = trie.next(node, word.charCodeAt(at));
        if (node < 0) break;
        const id = trie.value(node);
        if (id < 0) continue;
        offer(start, at + 1, scores[id] + best[start], id);
        if (at + 1 === next) single = true;
      }
      if (!single) {
        if (typeof unk !== 'number')
          throw new FormatError('tokenizer: model.unk_id is missing, and a text has unknown characters');
        offer(start, next, least + best[start], unk);
      }
      start = next;
    }
    const tokens: (readonly [number, number, number])[] = [];
    for (let end = size; end > 0; end = from[end]) {
      const last = tokens.at(-1);
      // Unknown characters in a row are one token.
      if (last && token[end] === unk && last[0] === unk) tokens[tokens.length - 1] = [unk, from[end], last[2]];
      else tokens.push([token[end], from[end], end]);
    }
    return tokens.reverse().flatMap(([id, start, end]) => {
      const units =
        bytes && id === unk ? Array.from(encoder.encode(word.slice(start, end)), (b) => bytes[b]) : undefined;
      if (!units?.length || units.some((unit) => unit === undefined)) return [id, start, end];
      return units.flatMap((unit) => [unit ?? 0, start, end]);
    });
  };
}
