/** @file Truncation of texts and pairs, with overlapping windows (tokenizers' utils/truncation.rs and Encoding::truncate). */
import { ArgumentError } from '../../ir/errors.ts';
import type { TokenSequence, Truncation } from './types.ts';

/** First token and the one after the last of a part of a text. */
export type Window = readonly [start: number, end: number];

/** How many tokens each text keeps. @throws ArgumentError where the strategy cannot reach `maxLength`. */
export function keptLengths(
  first: number,
  second: number | undefined,
  maxLength: number,
  strategy: Exclude<Truncation, boolean>,
): [number, number] {
  const other = second ?? 0;
  const excess = first + other - maxLength;
  if (excess <= 0) return [first, other];
  // Special tokens alone, whichever text was to be cut: both are empty.
  if (maxLength === 0) return [0, 0];
  if (strategy === 'longestFirst') {
    if (second === undefined) return [maxLength, 0];
    const short = Math.min(first, other);
    // The longer text gives up tokens until both are equal, then both do.
    const long = short > maxLength ? short : Math.max(short, maxLength - short);
    const both = short + long > maxLength;
    const half = Math.floor(maxLength / 2);
    const [a, b] = both ? [half, half + (maxLength % 2)] : [short, long];
    return first > other ? [b, a] : [a, b];
  }
  if (strategy === 'onlySecond' && second === undefined)
    throw new ArgumentError("truncation: 'onlySecond' needs a pair; for single texts use 'onlyFirst'");
  const target = strategy === 'onlyFirst' ? first : other;
  if (target <= excess)
    throw new ArgumentError(
      `truncation: '${strategy}' cannot cut ${excess} tokens from a text of ${target} to reach maxLength; use 'longestFirst' or a larger maxLength`,
    );
  return strategy === 'onlyFirst' ? [first - excess, other] : [first, other - excess];
}

/** Parts of at most `kept` tokens of a text of `length`, each sharing `stride` with the one before. The first is what stays. */
export function windowsOf(length: number, kept: number, stride: number, side: 'left' | 'right'): Window[] {
  if (kept >= length) return [[0, length]];
  if (kept === 0)
    return [
      [0, 0],
      [0, length],
    ];
  if (stride >= kept)
    throw new ArgumentError(`truncation: a stride of ${stride} needs windows of more tokens; these have ${kept}`);
  const windows: Window[] = [];
  const step = kept - stride;
  if (side === 'right')
    for (let start = 0; ; start += step) {
      const end = Math.min(start + kept, length);
      windows.push([start, end]);
      if (end === length) return windows;
    }
  for (let end = length; ; end -= step) {
    const start = Math.max(0, end - kept);
    windows.push([start, end]);
    if (start === 0) return windows;
  }
}

/** A part of a text's tokens. */
export function slice(sequence: TokenSequence, [start, end]: Window): TokenSequence {
  const { text, ids, starts, ends } = sequence;
  if (start === 0 && end === ids.length) return sequence;
  return { text, ids: ids.slice(start, end), starts: starts.slice(start, end), ends: ends.slice(start, end) };
}
