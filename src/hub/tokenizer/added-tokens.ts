/** @file Finding added tokens such as [MASK] in a text (tokenizers/src/tokenizer/added_vocabulary.rs). */
import { escaped } from './adjust.ts';
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

/**
 * The library's own splitter takes no account of whole words, and loses the white space that a token takes in.
 * @param content how the text shows a token: normalised or not.
 */
export function splitterOf(tokens: readonly AddedToken[], content: (token: AddedToken) => string): Splitter {
  const byText = new Map(tokens.map((token) => [content(token), token]));
  byText.delete('');
  if (byText.size === 0) return (text) => (text === '' ? [] : [{ start: 0, end: text.length }]);
  const longestFirst = [...byText.keys()].sort((a, b) => b.length - a.length);
  const firsts = new Set(longestFirst.map((text) => `\\u{${text.codePointAt(0)?.toString(16)}}`));
  const pattern = new RegExp(`(?=[${[...firsts].join('')}])(?:${longestFirst.map(escaped).join('|')})`, 'gu');
  return (text) => {
    const stretches: Stretch[] = [];
    let done = 0;
    for (const { 0: found, index } of text.matchAll(pattern)) {
      const token = byText.get(found);
      if (!token || index < done) continue;
      let start = index;
      let end = index + found.length;
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
