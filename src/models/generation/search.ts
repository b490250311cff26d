/** @file Greedy search, sampling and beam search over the logits of a DecodingRun. */
import { argmax, bestOf, drawToken, logSoftmax, processScores } from './logits.ts';
import type { GenerationPlan } from './options.ts';

/** A model that has read its prompts. Rows are the prompts, each as often as there are beams. */
export interface DecodingRun {
  /** Logits of the token after the prompts, [rows * vocabulary]. */
  first(): Promise<Float32Array>;
  /** Logits of the token after these, where row i goes on from what row parents[i] was (null: from itself). */
  next(tokens: readonly number[], parents: readonly number[] | null): Promise<Float32Array>;
}

const rowOf = (logits: Float32Array, row: number, width: number) => logits.slice(row * width, (row + 1) * width);

/** Where texts begin: tokens, of which the first are padding. */
export interface Beginning {
  readonly tokens: readonly number[];
  readonly padding: number;
}

/** Appends tokens to `rows` one by one, yielding each step's; ends when all rows have ended. */
export async function* sampleTokens(
  run: DecodingRun,
  beginnings: readonly Beginning[],
  rows: number[][],
  vocabSize: number,
  plan: GenerationPlan,
): AsyncGenerator<readonly number[]> {
  const ended = rows.map(() => false);
  for (let step = 0, logits = await run.first(); ; ) {
    const tokens = rows.map((row, i) => {
      if (ended[i]) return plan.pad ?? 0;
      const scores = rowOf(logits, i, vocabSize);
      processScores(scores, row.slice(beginnings[i].padding), step, plan);
      return plan.doSample ? drawToken(scores, plan.random) : argmax(scores);
    });
    tokens.forEach((token, i) => {
      rows[i].push(token);
      if (plan.eos.includes(token)) ended[i] = true;
    });
    yield tokens;
    step++;
    if (step === plan.maxNewTokens || ended.every(Boolean) || plan.stop?.aborted) return;
    logits = await run.next(tokens, null);
  }
}

interface Beam {
  readonly tokens: readonly number[];
  /** Sum of log-probabilities; of complete texts divided by the length penalty. */
  readonly score: number;
  readonly generated: number;
}

/** What makes a beam never win, as transformers has it. */
const hopeless = -1e9;

/** One prompt's beams (transformers.GenerationMixin._beam_search). */
class BeamGroup {
  running: Beam[];
  complete: Beam[] = [];
  /** Whether a running beam may still beat the complete ones. */
  isOpen = true;
  readonly padding: number;
  readonly #plan: GenerationPlan;

  constructor({ tokens, padding }: Beginning, plan: GenerationPlan) {
    this.#plan = plan;
    this.padding = padding;
    // All beams are equal at first; only one may be continued.
    this.running = Array.from({ length: plan.numBeams }, (_, i) => ({
      tokens,
      score: i ? hopeless : 0,
      generated: 0,
    }));
  }

  get isFull(): boolean {
    return this.complete.length === this.#plan.numBeams;
  }

  /** Takes the log-probabilities of each beam's next token. @returns the beams that those now running go on from. */
  advance(logProbabilities: readonly Float32Array[], isLast: boolean): number[] {
    const { numBeams, eos, doSample, random, lengthPenalty, earlyStopping } = this.#plan;
    const width = logProbabilities[0].length;
    const scores = new Float64Array(numBeams * width);
    logProbabilities.forEach((row, beam) => {
      for (let i = 0; i < width; i++) scores[beam * width + i] = row[i] + this.running[beam].score;
    });
    // As many as are needed to go on with if the best of each all end.
    const count = Math.max(2, 1 + eos.length) * numBeams;
    const candidates = bestOf(scores, count, doSample ? random : undefined).map((at) => {
      const parent = Math.floor(at / width);
      const token = at % width;
      const { tokens, generated } = this.running[parent];
      const ends = isLast || eos.includes(token);
      return { parent, ends, beam: { tokens: [...tokens, token], score: scores[at], generated: generated + 1 } };
    });
    if (this.isOpen && !(this.isFull && earlyStopping === true)) {
      const finished = candidates
        .slice(0, numBeams)
        .filter(({ ends }) => ends)
        .map(({ beam }) => ({ ...beam, score: beam.score / beam.generated ** lengthPenalty }));
      this.complete = [...this.complete, ...finished].sort((a, b) => b.score - a.score).slice(0, numBeams);
    }
    const left = candidates
      .map((c) => ({ ...c, beam: c.ends ? { ...c.beam, score: c.beam.score + hopeless } : c.beam }))
      .sort((a, b) => b.beam.score - a.beam.score)
      .slice(0, numBeams);
    this.running = left.map(({ beam }) => beam);
    return left.map(({ parent }) => parent);
  }

  /** Looks whether going on can help. */
  review(): void {
    const { earlyStopping, lengthPenalty, maxNewTokens, numBeams } = this.#plan;
    const [{ score, generated }] = this.running;
    const length = earlyStopping === 'never' && lengthPenalty > 0 ? maxNewTokens : generated;
    const worst = this.complete.length === numBeams ? this.complete[numBeams - 1].score : hopeless;
    if (!(score / length ** lengthPenalty > worst)) this.isOpen = false;
  }
}

/** The best text of each prompt, with the prompt. */
export async function searchBeams(
  run: DecodingRun,
  beginnings: readonly Beginning[],
  vocabSize: number,
  plan: GenerationPlan,
): Promise<number[][]> {
  const { numBeams, maxNewTokens, earlyStopping } = plan;
  const groups = beginnings.map((beginning) => new BeamGroup(beginning, plan));
  let logits = await run.first();
  for (let step = 1; ; step++) {
    const isLast = step === maxNewTokens || plan.stop?.aborted === true;
    const parents = groups.flatMap((group, g) => {
      const rows = group.running.map(({ tokens, generated }, i) => {
        const scores = logSoftmax(rowOf(logits, g * numBeams + i, vocabSize));
        processScores(scores, tokens.slice(group.padding), generated, plan);
        return scores;
      });
      return group.advance(rows, isLast).map((parent) => g * numBeams + parent);
    });
    for (const group of groups) group.review();
    const allFull = groups.every((group) => group.isFull);
    if (isLast || !groups.some((group) => group.isOpen) || (earlyStopping === true && allFull)) break;
    const tokens = groups.flatMap((group) => group.running.map((beam) => beam.tokens[beam.tokens.length - 1]));
    logits = await run.next(tokens, parents);
  }
  return groups.map(({ complete, running }) => [...(complete[0] ?? running[0]).tokens]);
}
