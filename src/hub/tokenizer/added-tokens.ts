/** @file Finding added tokens such as [MASK] in a text (tokenizers/src/tokenizer/added_vocabulary.rs). */
import { Trie } from './trie.ts';
import type { AddedToken } from './vocabulary.ts';

/** A stretch of a text: an added token, or what lies between two. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly token?: AddedToken;
}

/** Splits a text at the added tokens in it, the longest at each place, from left to right. */
export type Splitter = (text: string) => readonly Stretch[];

const space = /\p{White_Space}/u;
const wordAtEnd = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]$/u;
const wordAtStart = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]/u;

/** @param content how the text shows a token: normalised or not. */
export function splitterOf(tokens: readonly AddedToken[], content: (token: AddedToken) => string): Splitter {
  const trie = new Trie();
  const firsts = new Set<number>();
  tokens.forEach((token, i) => {
    const text = content(token);
    if (text === '') return;
    trie.add(text, i);
    firsts.add(text.charCodeAt(0));
  });
  if (firsts.size === 0) return (text) => (text === '' ? [] : [{ start: 0, end: text.length }]);
  const longest = (text: string, at: number): [end: number, token: AddedToken] | undefined => {
    let found: [number, AddedToken] | undefined;
    for (let node = 0, i = at; i < text.length; ) {
      node = trie.next(node, text.charCodeAt(i++));
      if (node < 0) break;
      const value = trie.value(node);
      if (value >= 0) found = [i, tokens[value]];
    }
    return found;
  };
  return (text) => {
    const stretches: Stretch[] = [];
    let done = 0;
    for (let i = 0; i < text.length; i++) {
      if (i < done || !firsts.has(text.charCodeAt(i))) continue;
      const match = longest(text, i);
      if (!match) continue;
      let [end, token] = match;
      let start = i;
      i = end - 1;
      if (
        token.singleWord &&
        (wordAtEnd.test(text.slice(0, start).slice(-2)) || wordAtStart.test(text.slice(end, end + 2)))
      )
        continue;
      if (token.lstrip) while (start > done && space.test(text[start - 1])) start--;
      if (token.rstrip) while (end < text.length && space.test(text[end])) end++;
      if (start > done) stretches.push({ start: done, end: start });
      stretches.push({ start, end, token });
      done = end;
    }
    if (done < text.length) stretches.push({ start: done, end: text.length });
    return stretches;
  };
}
