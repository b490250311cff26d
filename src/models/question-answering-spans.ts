/** @file From the scores of a window's tokens to passages of its context. */
import type { QuestionWindow } from './question-answering-windows.ts';

/** A passage by its first and last token, counted from the context's first, and its probability. */
export interface TokenSpan {
  readonly first: number;
  readonly last: number;
  readonly score: number;
}

/** What is looked for in a window. */
export interface SpanSearch {
  /** Passages to find, the most probable first. */
  readonly topK: number;
  /** Tokens of a passage at most. */
  readonly maxAnswerLen: number;
}

/** Probabilities of [CLS] and of the context's tokens. */
function probabilities(logits: ArrayLike<number>, { clsIndex, contextStart, starts }: QuestionWindow): Float64Array {
  const scores = Float64Array.from({ length: starts.length + 1 }, (_, i) =>
    i === 0 ? logits[clsIndex] : logits[contextStart + i - 1],
  );
  const top = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = scores.map((x) => Math.exp(x - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

/**
 * The most probable passages of a window, by the rule of transformers' question-answering pipeline: the scores of start
 * and end become probabilities over the context's tokens and [CLS], which stands for "not in this window"; a passage has
 * the product of those of its start and its end.
 * @param startLogits of each token of the window. @param endLogits likewise.
 */
export function bestSpans(
  startLogits: ArrayLike<number>,
  endLogits: ArrayLike<number>,
  window: QuestionWindow,
  { topK, maxAnswerLen }: SpanSearch,
): { spans: TokenSpan[]; nullScore: number } {
  const [start, end] = [probabilities(startLogits, window), probabilities(endLogits, window)];
  const count = window.starts.length;
  const spans: TokenSpan[] = [];
  for (let first = 0; first < count; first++)
    for (let last = first; last < Math.min(count, first + maxAnswerLen); last++) {
      const score = start[first + 1] * end[last + 1];
      if (spans.length === topK && !(score > spans[topK - 1].score)) continue;
      if (spans.length === topK) spans.pop();
      let at = spans.length;
      while (at > 0 && score > spans[at - 1].score) at--;
      spans.splice(at, 0, { first, last, score });
    }
  return { spans, nullScore: start[0] * end[0] };
}

/** Letters, digits and marks of scripts that put spaces between words. */
const inWord = /^[\p{L}\p{M}\p{N}]$/u;
/** Scripts without spaces: every character may stand alone. */
const alone = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]$/u;

/** Whether a place in a text lies within a word. */
export function isWithinWord(text: string, at: number): boolean {
  if (at <= 0 || at >= text.length) return false;
  const before = text.slice(0, at).match(/.$/su)?.[0] ?? '';
  const after = String.fromCodePoint(text.codePointAt(at) ?? 0);
  return [before, after].every((c) => inWord.test(c) && !alone.test(c));
}
