/** @file The metric `bleu` of machine translation, as sacreBLEU defines it. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import { checkChoice, type Metric, numbersState } from './metric.ts';
import { splitWords, trimEnd } from './words.ts';

export interface BleuOptions {
  /** `13a`: the tokeniser of WMT (mteval-v13a); `none`: the texts are already tokenised by spaces. Default `13a`. */
  readonly tokenize?: '13a' | 'none';
  readonly lowercase?: boolean;
  readonly name?: string;
}

const order = 4;

/**
 * Corpus BLEU in percent: geometric mean of 1- to 4-gram precisions, times the brevity penalty (Papineni et al. 2002),
 * with the definitions and defaults of sacreBLEU: 13a tokens, exponential smoothing, closest reference length.
 * `update(hypotheses, references)`; a reference may be a list of alternatives.
 * @throws On update: ShapeError for lists of different length, ArgumentError for an empty list of alternatives.
 */
export function bleu({
  tokenize = '13a',
  lowercase = false,
  name = 'bleu',
}: BleuOptions = {}): Metric<readonly string[], readonly (string | readonly string[])[], number> {
  checkChoice(name, 'tokenize', tokenize, ['13a', 'none']);
  const matches = new Float64Array(order);
  const totals = new Float64Array(order);
  let sentences = 0;
  let hypothesisLength = 0;
  let referenceLength = 0;
  const tokens = (text: string) => {
    const line = trimEnd(lowercase ? text.toLowerCase() : text);
    return splitWords(tokenize === '13a' ? tokenize13a(line) : line);
  };
  return {
    name,
    reset() {
      matches.fill(0);
      totals.fill(0);
      sentences = 0;
      hypothesisLength = 0;
      referenceLength = 0;
    },
    ...numbersState(
      () => [sentences, hypothesisLength, referenceLength, ...matches, ...totals],
      ([lines, hypotheses, references, ...counts]) => {
        sentences = lines;
        hypothesisLength = hypotheses;
        referenceLength = references;
        matches.set(counts.slice(0, order));
        totals.set(counts.slice(order));
      },
    ),
    update(hypotheses, references) {
      if (hypotheses.length !== references.length)
        throw new ShapeError(`metric ${name}: ${hypotheses.length} hypotheses, but ${references.length} references`);
      const lists = references.map((reference) => (typeof reference === 'string' ? [reference] : reference));
      const bare = lists.findIndex((list) => list.length === 0);
      if (bare >= 0) throw new ArgumentError(`metric ${name}: sentence ${bare} has no reference`);
      for (const [i, hypothesis] of hypotheses.entries()) {
        sentences++;
        const alternatives = lists[i].map(tokens);
        const words = tokens(hypothesis);
        hypothesisLength += words.length;
        referenceLength += alternatives
          .map((a) => a.length)
          .reduce((best, n) => {
            const gain = Math.abs(best - words.length) - Math.abs(n - words.length);
            return gain > 0 || (gain === 0 && n < best) ? n : best;
          });
        for (let n = 1; n <= order; n++) {
          const limits = new Map<string, number>();
          for (const alternative of alternatives)
            for (const [gram, count] of ngrams(alternative, n))
              limits.set(gram, Math.max(count, limits.get(gram) ?? 0));
          for (const [gram, count] of ngrams(words, n)) {
            totals[n - 1] += count;
            matches[n - 1] += Math.min(count, limits.get(gram) ?? 0);
          }
        }
      }
    },
    compute() {
      if (sentences === 0) return Number.NaN;
      if (matches.every((m) => m === 0) || totals.includes(0)) return 0;
      let smoothing = 1;
      let logs = 0;
      for (let n = 0; n < order; n++) {
        if (matches[n] === 0) smoothing *= 2;
        const precision = matches[n] === 0 ? 1 / (smoothing * totals[n]) : matches[n] / totals[n];
        logs += Math.log(precision) / order;
      }
      const brevity = hypothesisLength < referenceLength ? Math.exp(1 - referenceLength / hypothesisLength) : 1;
      return 100 * brevity * Math.exp(logs);
    },
  };
}

function ngrams(tokens: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= tokens.length; i++) {
    const gram = tokens.slice(i, i + n).join(' ');
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
}

/** The language-independent tokenisation of mteval-v13a, in sacreBLEU's reading of it. */
function tokenize13a(text: string): string {
  let line = text.replaceAll('<skipped>', '').replaceAll('-\n', '').replaceAll('\n', ' ');
  if (line.includes('&'))
    line = line.replaceAll('&quot;', '"').replaceAll('&amp;', '&').replaceAll('&lt;', '<').replaceAll('&gt;', '>');
  return ` ${line} `
    .replace(/([{-~[-` -&(-+:-@/])/gu, ' $1 ')
    .replace(/([^0-9])([.,])/gu, '$1 $2 ')
    .replace(/([.,])([^0-9])/gu, ' $1 $2')
    .replace(/([0-9])(-)/gu, '$1 $2 ');
}
