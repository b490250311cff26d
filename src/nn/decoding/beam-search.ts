/** @file Greedy and beam search: the likeliest sequences of a model that gives the next token's scores. */
import { ArgumentError, NumericError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { formatShape } from '../../ir/shape.ts';
import { Tensor } from '../../tensor/index.ts';
import { largest, logSoftmaxRow } from './scores.ts';

/**
 * Scores of the next token: logits or log-probabilities [rows, vocabulary], one row per hypothesis; the number of rows
 * never changes. `tokens` holds each row's newest token. `origins[i]` is the row of the last call that row i goes on from:
 * a step with state of its own (hidden states, key-value caches) first reorders it by `origins`, with
 * `state.indexSelect(dim, origins)`. `prefixes` are the whole sequences, start token
 * first, all of one length, for steps without state; ended ones go on with `end`.
 */
export type DecoderStep = (
  tokens: readonly number[],
  origins: readonly number[],
  prefixes: readonly (readonly number[])[],
) => Tensor | NDArray | Promise<Tensor | NDArray>;

export interface SearchOptions {
  /** Sequences to make at once. */
  readonly batch: number;
  /** First token of all sequences. */
  readonly start: number;
  /** Token that ends a sequence. */
  readonly end: number;
  /** Most tokens of a result, `end` not counted. */
  readonly maxLength: number;
}

export interface BeamSearchOptions extends SearchOptions {
  /** Hypotheses kept per sequence; default 4. */
  readonly beams?: number;
  /**
   * A hypothesis scores its log-probability over (tokens + 1)^lengthPenalty, `end` counted: 0 prefers short ones, 1
   * (default) compares means, more prefers long ones.
   */
  readonly lengthPenalty?: number;
}

export interface Hypothesis {
  /** Without start and end. */
  readonly tokens: readonly number[];
  /** Log-probability, that of `end` included if it was reached. */
  readonly logProbability: number;
  /** What hypotheses are ranked by: the log-probability with the length penalty. */
  readonly score: number;
}

function check(name: string, { batch, maxLength }: SearchOptions, beams = 1): void {
  for (const [what, value] of Object.entries({ batch, maxLength, beams }))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`${name}: ${what} must be a whole number above 0, found ${value}`);
}

/** Runs a step; its rows as log-probabilities. */
async function rowsOf(name: string, step: DecoderStep, args: Parameters<DecoderStep>): Promise<Float64Array[]> {
  const result = await step(...args);
  const data = result instanceof Tensor ? await result.data() : result.data;
  const [rows, vocabulary, ...more] = result.shape;
  if (rows !== args[0].length || vocabulary === undefined || more.length)
    throw new ShapeError(
      `${name}: the step must give scores [${args[0].length}, vocabulary], found ${formatShape(result.shape)}`,
    );
  return args[0].map((_, r) => {
    const row = logSoftmaxRow(data, r * vocabulary, vocabulary);
    if (row.some(Number.isNaN))
      throw new NumericError(`${name}: the step's scores of row ${r} are NaN or all -Infinity`);
    return row;
  });
}

/** The likeliest token at every step. @returns the tokens of each sequence, without start and end. */
export async function greedySearch(step: DecoderStep, options: SearchOptions): Promise<number[][]> {
  check('greedySearch', options);
  const { batch, start, end, maxLength } = options;
  const rows = Array.from({ length: batch }, (_, i) => i);
  const prefixes = rows.map(() => [start]);
  const open = new Set(rows);
  for (let length = 0; length < maxLength && open.size; length++) {
    const scores = await rowsOf('greedySearch', step, [prefixes.map((p) => p[p.length - 1]), rows, prefixes]);
    // Sequences that have ended go on with `end`, so that the rows stay the same.
    for (const row of rows) {
      const [best] = open.has(row) ? largest(scores[row], 1) : [end];
      prefixes[row].push(best);
      if (best === end) open.delete(row);
    }
  }
  return prefixes.map((p) => {
    const at = p.indexOf(end, 1);
    return p.slice(1, at < 0 ? undefined : at);
  });
}

interface Beam {
  readonly prefix: readonly number[];
  readonly logProbability: number;
  readonly origin: number;
}

/** The search of one sequence of the batch. */
class Search {
  readonly finished: Hypothesis[] = [];
  done = false;
  live: Beam[];
  readonly #beams: number;
  readonly #options: BeamSearchOptions;

  constructor(beams: number, options: BeamSearchOptions) {
    this.#beams = beams;
    this.#options = options;
    // All rows begin alike; only the first counts, or all beams would be one.
    this.live = Array.from({ length: beams }, (_, i) => ({
      prefix: [options.start],
      logProbability: i ? Number.NEGATIVE_INFINITY : 0,
      origin: i,
    }));
  }

  #rank(logProbability: number, tokens: number): number {
    return logProbability / (tokens + 1) ** (this.#options.lengthPenalty ?? 1);
  }

  #finish(prefix: readonly number[], logProbability: number): void {
    const tokens = prefix.slice(1);
    this.finished.push({ tokens, logProbability, score: this.#rank(logProbability, tokens.length) });
    this.finished.sort((a, b) => b.score - a.score).splice(this.#beams);
  }

  /** One `end` more for rows whose search is over, so that all prefixes of a call are equally long. */
  idle(): void {
    this.live = this.live.map((beam, origin) => ({ ...beam, prefix: [...beam.prefix, this.#options.end], origin }));
  }

  /** One token more; `scores` are the rows of the live beams. */
  advance(scores: readonly Float64Array[]): void {
    const { end, maxLength } = this.#options;
    const candidates = this.live.flatMap(({ prefix, logProbability }, origin) =>
      largest(scores[origin], 2 * this.#beams).map((token) => ({
        prefix,
        token,
        origin,
        logProbability: logProbability + scores[origin][token],
      })),
    );
    candidates.sort((a, b) => b.logProbability - a.logProbability);
    const next: Beam[] = [];
    // At most `beams` of the 2 * beams best can end, so that enough are left to go on.
    for (const [rank, { prefix, token, origin, logProbability }] of candidates.slice(0, 2 * this.#beams).entries()) {
      if (token === end) {
        if (rank < this.#beams && logProbability > Number.NEGATIVE_INFINITY) this.#finish(prefix, logProbability);
      } else if (next.length < this.#beams) next.push({ prefix: [...prefix, token], logProbability, origin });
    }
    // A vocabulary smaller than twice the beams may leave rows over: they repeat a beam, without weight.
    const [spare] = next.length ? next : this.live;
    while (next.length < this.#beams) next.push({ ...spare, logProbability: Number.NEGATIVE_INFINITY });
    this.live = next;
    const length = next[0].prefix.length - 1;
    const best = next[0].logProbability;
    if (length >= maxLength) {
      for (const beam of next)
        if (beam.logProbability > Number.NEGATIVE_INFINITY) this.#finish(beam.prefix, beam.logProbability);
      this.done = true;
    } else if (best === Number.NEGATIVE_INFINITY) this.done = true;
    else if (this.finished.length === this.#beams)
      // A live beam can at best end next with certainty, or at full length where length is rewarded.
      this.done =
        this.finished[this.#beams - 1].score >= Math.max(this.#rank(best, length), this.#rank(best, maxLength));
  }
}

/**
 * Beam search (Graves 2012; Sutskever et al. 2014) for a batch of sequences. A search ends when no live hypothesis can
 * still beat the worst of `beams` finished ones, so with enough beams the best result is the exact optimum.
 * @returns the hypotheses of each sequence, best first, at most `beams`.
 * @throws ArgumentError for options out of range, ShapeError and NumericError for scores of a wrong shape or NaN.
 */
export async function beamSearch(step: DecoderStep, options: BeamSearchOptions): Promise<Hypothesis[][]> {
  const { batch, beams = 4, end } = options;
  check('beamSearch', options, beams);
  const searches = Array.from({ length: batch }, () => new Search(beams, options));
  while (searches.some((s) => !s.done)) {
    const live = searches.flatMap((s) => s.live);
    const tokens = live.map(({ prefix }) => prefix.at(-1) ?? end);
    const origins = live.map(({ origin }, i) => Math.floor(i / beams) * beams + origin);
    const scores = await rowsOf('beamSearch', step, [tokens, origins, live.map((b) => b.prefix)]);
    searches.forEach((search, i) => {
      if (search.done) search.idle();
      else search.advance(scores.slice(i * beams, (i + 1) * beams));
    });
  }
  return searches.map((s) => s.finished);
}
