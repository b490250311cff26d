/** @file Logits of one row: what is forbidden or made less likely, and a choice (transformers.generation.logits_process). */
import type { Random } from '../../ir/random.ts';
import type { GenerationPlan } from './options.ts';

/** Scores of all tokens in place of logits: log-probabilities. */
export function logSoftmax(scores: Float32Array): Float32Array {
  let max = Number.NEGATIVE_INFINITY;
  for (const score of scores) if (score > max) max = score;
  let sum = 0;
  for (const score of scores) sum += Math.exp(score - max);
  const shift = max + Math.log(sum);
  return scores.map((score) => score - shift);
}

/** Index of the first greatest score. */
export function argmax(scores: Float32Array): number {
  let best = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i] > scores[best]) best = i;
  return best;
}

/** Divides positive and multiplies negative scores of tokens that were there before. */
export function penalizeRepetition(scores: Float32Array, tokens: readonly number[], penalty: number): void {
  for (const token of new Set(tokens))
    scores[token] = scores[token] < 0 ? scores[token] * penalty : scores[token] / penalty;
}

/** Ids of the tokens that are left, by score, ascending; equal ones by id. */
function ascending(scores: Float32Array): Uint32Array {
  const left = Uint32Array.from(scores.keys()).filter((i) => scores[i] !== Number.NEGATIVE_INFINITY);
  return left.sort((a, b) => scores[a] - scores[b] || a - b);
}

/** Keeps the k best scores and those equal to the k-th. */
export function keepTopK(scores: Float32Array, k: number): void {
  if (k <= 0 || k >= scores.length) return;
  const limit = Float32Array.from(scores).sort()[scores.length - k];
  for (let i = 0; i < scores.length; i++) if (scores[i] < limit) scores[i] = Number.NEGATIVE_INFINITY;
}

/** Keeps the best tokens whose probabilities add up to at least p, and at least `keep` of them (nucleus sampling, Holtzman et al. 2020). */
export function keepTopP(scores: Float32Array, p: number, keep = 1): void {
  if (p >= 1) return;
  const order = ascending(scores);
  const logs = logSoftmax(scores);
  let below = 0;
  for (let i = 0; i < order.length - keep; i++) {
    below += Math.exp(logs[order[i]]);
    if (below > 1 - p) return;
    scores[order[i]] = Number.NEGATIVE_INFINITY;
  }
}

/** Applies what the plan says to the scores of one row, in transformers' order; `tokens` are the row's so far. */
export function processScores(
  scores: Float32Array,
  tokens: readonly number[],
  generated: number,
  plan: GenerationPlan,
): void {
  if (plan.repetitionPenalty !== 1) penalizeRepetition(scores, tokens, plan.repetitionPenalty);
  if (generated < plan.minNewTokens) for (const id of plan.eos) scores[id] = Number.NEGATIVE_INFINITY;
  if (!plan.doSample) return;
  const keep = plan.numBeams > 1 ? plan.eos.length + 1 : 1;
  if (plan.temperature !== 1) for (let i = 0; i < scores.length; i++) scores[i] /= plan.temperature;
  if (plan.topK > 0) keepTopK(scores, Math.max(plan.topK, keep));
  keepTopP(scores, plan.topP, keep);
}

/** A token drawn by the probabilities of the scores. */
export function drawToken(scores: Float32Array, random: Random): number {
  const logs = logSoftmax(scores);
  let rest = random.uniform();
  let last = 0;
  for (let i = 0; i < logs.length; i++) {
    if (logs[i] === Number.NEGATIVE_INFINITY) continue;
    last = i;
    rest -= Math.exp(logs[i]);
    if (rest < 0) break;
  }
  return last;
}

/** The k greatest scores, best first; equal ones by index. With `random` k are drawn without replacement (Gumbel top-k). */
export function bestOf(scores: Float64Array, k: number, random?: Random): number[] {
  const keys = random ? scores.map((s) => s - Math.log(-Math.log(1 - random.uniform()))) : scores;
  const best: number[] = [];
  for (let i = 0; i < keys.length; i++) {
    if (best.length === k && !(keys[i] > keys[best[k - 1]])) continue;
    let at = best.length;
    while (at > 0 && keys[i] > keys[best[at - 1]]) at--;
    best.splice(at, 0, i);
    if (best.length > k) best.pop();
  }
  return best;
}
