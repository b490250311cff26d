/** @file Exact match and F1 of answers, by the rules of SQuAD's official evaluation. */
import { ArgumentError } from '../ir/errors.ts';

/** ASCII punctuation: Python's string.punctuation. */
const punctuation = /[!-/:-@[-`{-~]/g;
/** Articles as words of their own; a word is what Python's regular expressions take for one. */
const articles = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;
/** What Python's str.split() takes for a space. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: Python splits at separators of files and records, too
const spaces = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

/** Words of an answer in lower case, without punctuation and articles. */
function wordsOf(text: string): string[] {
  const plain = text.toLowerCase().replace(punctuation, '').replace(articles, ' ');
  return plain.split(spaces).filter((word) => word !== '');
}

/** An answer in lower case, without punctuation, articles and superfluous spaces (normalize_answer of SQuAD's evaluation). */
export function normalizeAnswer(text: string): string {
  return wordsOf(text).join(' ');
}

/** How well one answer fits one other: F1 of their words, each counted as often as it occurs. */
function overlap(found: readonly string[], expected: readonly string[]): number {
  // As in version 2.0, where no answer is an answer: what is empty equals only what is empty.
  if (!found.length || !expected.length) return Number(found.length === expected.length);
  const left = new Map<string, number>();
  for (const word of expected) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of found) {
    const count = left.get(word) ?? 0;
    if (count > 0) common++;
    left.set(word, count - 1);
  }
  if (common === 0) return 0;
  const [precision, recall] = [common / found.length, common / expected.length];
  return (2 * precision * recall) / (precision + recall);
}

/** Scores of answers, from 0 to 1 (the official program prints them times 100). */
export interface SquadScores {
  /** Share of the questions whose answer is one of the expected ones, after normalisation. */
  readonly exactMatch: number;
  /** Mean over the questions of the best F1 of words. */
  readonly f1: number;
  readonly questions: number;
}

/**
 * Exact match and F1 of answers (evaluate-v1.1.py, evaluate-v2.0.py of SQuAD): for every question the best of the expected
 * answers counts. An empty list of expected answers, or only empty ones, means that there is none: the answer is to be ''.
 * @throws ArgumentError where there are not as many lists of expected answers as answers, or no answers.
 */
export function squadScores(answers: readonly string[], expected: readonly (readonly string[])[]): SquadScores {
  if (answers.length !== expected.length || answers.length === 0)
    throw new ArgumentError(
      `squadScores: ${answers.length} answers and ${expected.length} lists of expected ones; give one list for each answer, and at least one`,
    );
  let [exact, f1] = [0, 0];
  for (const [i, answer] of answers.entries()) {
    const found = wordsOf(answer);
    const given = expected[i].map(wordsOf).filter((words) => words.length > 0);
    const right = given.length ? given : [[]];
    if (right.some((words) => words.join(' ') === found.join(' '))) exact++;
    f1 += Math.max(...right.map((words) => overlap(found, words)));
  }
  return { exactMatch: exact / answers.length, f1: f1 / answers.length, questions: answers.length };
}
