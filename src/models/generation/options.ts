/** @file What generate() takes, checked. */
import { ArgumentError } from '../../ir/errors.ts';
import { Random } from '../../ir/random.ts';
import type { Tensor } from '../../tensor/index.ts';
import { nextStream } from '../../tensor/random.ts';
import type { PretrainedConfig } from '../config.ts';
import type { GenerationDefaults } from './config.ts';

/** How tokens are chosen; names, meaning and defaults of transformers.GenerationConfig. A model's own come before those. */
export interface GenerationOptions {
  /** Tokens to append at most; default 20. */
  maxNewTokens?: number;
  /** Tokens before which no end is allowed; default 0. */
  minNewTokens?: number;
  /** Draw tokens at random by their probabilities instead of taking the most likely one. */
  doSample?: boolean;
  /** Sampling: logits are divided by it; below 1 is bolder, above 1 more varied. */
  temperature?: number;
  /** Sampling: only the most likely so many tokens; default 50, 0 for all. */
  topK?: number;
  /** Sampling: only the most likely tokens whose probabilities add up to it; default 1, all. */
  topP?: number;
  /** Above 1 makes tokens that were there before, also in the prompt, less likely (Keskar et al. 2019). */
  repetitionPenalty?: number;
  /** Beam search with so many beams; default 1, none. */
  numBeams?: number;
  /** Beam search: scores are divided by length ** lengthPenalty, so above 0 favours longer texts. */
  lengthPenalty?: number;
  /** Beam search: end as soon as there are numBeams complete texts (true), when better ones are unlikely (false), or impossible ('never'). */
  earlyStopping?: boolean | 'never';
  /** Tokens that end a text; default the config's, null for none. */
  eosTokenId?: number | readonly number[] | null;
  /** What follows the end of the shorter texts of a batch; default the config's, else the first end token. */
  padTokenId?: number | null;
  /** Seed of sampling; by default the next of the global generator's streams (`manualSeed`). */
  seed?: number;
  /** Ends early: what there is by then is returned. */
  stop?: AbortSignal;
  /** 1 at the prompt's tokens, 0 at padding; int64 [batch, sequence]. Default: by padTokenId. */
  attentionMask?: Tensor;
  /** Keep keys and values of earlier tokens instead of computing them again; default true. */
  useCache?: boolean;
}

/** Options with everything filled in. @internal */
export interface GenerationPlan {
  readonly maxNewTokens: number;
  readonly minNewTokens: number;
  readonly doSample: boolean;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly repetitionPenalty: number;
  readonly numBeams: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | 'never';
  readonly eos: readonly number[];
  /** Undefined where neither padding nor an end is known. */
  readonly pad: number | undefined;
  readonly random: Random;
  readonly stop: AbortSignal | undefined;
  readonly useCache: boolean;
}

function check(ok: boolean, name: string, expected: string, found: unknown): void {
  if (!ok) throw new ArgumentError(`generate: ${name} must be ${expected}, found ${String(found)}`);
}

const isCount = (n: number, least: number) => Number.isSafeInteger(n) && n >= least;

const listOf = (ids: number | readonly number[] | null | undefined): readonly number[] =>
  ids == null ? [] : typeof ids === 'number' ? [ids] : ids;

/**
 * Tokens to append at most and at least. Defaults may count the prompt (`promptLength` tokens, padding included).
 * @throws ArgumentError naming the option, what was expected and what was found.
 */
export function planLengths(
  options: GenerationOptions,
  defaults: GenerationDefaults,
  promptLength: number,
): Pick<GenerationPlan, 'maxNewTokens' | 'minNewTokens'> {
  const { maxLength, minLength = 0 } = defaults;
  const asked = options.maxNewTokens ?? defaults.maxNewTokens;
  if (asked === undefined && maxLength !== undefined && maxLength <= promptLength)
    throw new ArgumentError(
      `generate: the model's generation_config.json allows ${maxLength} tokens in all, and the prompt has ${promptLength}; pass maxNewTokens`,
    );
  const maxNewTokens = asked ?? (maxLength === undefined ? 20 : maxLength - promptLength);
  check(isCount(maxNewTokens, 1), 'maxNewTokens', 'a whole number of at least 1', maxNewTokens);
  const recommended = Math.min(maxNewTokens, defaults.minNewTokens ?? Math.max(0, minLength - promptLength));
  const { minNewTokens = recommended } = options;
  check(
    isCount(minNewTokens, 0) && minNewTokens <= maxNewTokens,
    'minNewTokens',
    `a whole number from 0 to maxNewTokens (${maxNewTokens})`,
    minNewTokens,
  );
  return { maxNewTokens, minNewTokens };
}

/** @throws ArgumentError naming the option, what was expected and what was found. */
export function planGeneration(
  options: GenerationOptions,
  config: PretrainedConfig,
  vocabSize: number,
  defaults: GenerationDefaults = {},
): GenerationPlan {
  const asked = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const {
    temperature = 1,
    topK = 50,
    topP = 1,
    doSample = false,
    ...rest
  }: GenerationOptions = { ...defaults, ...asked };
  const { repetitionPenalty = 1, numBeams = 1, lengthPenalty = 1, earlyStopping = false, stop, seed } = rest;
  check(temperature > 0 && Number.isFinite(temperature), 'temperature', 'above 0', temperature);
  check(isCount(topK, 0), 'topK', 'a whole number, 0 for all tokens', topK);
  check(topP > 0 && topP <= 1, 'topP', 'above 0 and at most 1', topP);
  check(repetitionPenalty > 0, 'repetitionPenalty', 'above 0', repetitionPenalty);
  check(isCount(numBeams, 1), 'numBeams', 'a whole number of at least 1', numBeams);
  check(Number.isFinite(lengthPenalty), 'lengthPenalty', 'a number', lengthPenalty);
  check(
    typeof earlyStopping === 'boolean' || earlyStopping === 'never',
    'earlyStopping',
    "true, false or 'never'",
    earlyStopping,
  );
  const isToken = (id: number) => isCount(id, 0) && id < vocabSize;
  const given = (name: string, id: number) =>
    check(isToken(id), name, `one of the vocabulary's ${vocabSize} tokens`, id);
  for (const id of listOf(options.eosTokenId)) given('eosTokenId', id);
  for (const id of listOf(options.padTokenId)) given('padTokenId', id);
  // A config may name tokens that a smaller vocabulary lacks, or -1 for none: those never come.
  const eos = listOf(
    options.eosTokenId === undefined ? (defaults.eosTokenId ?? config.eosTokenId) : options.eosTokenId,
  ).filter(isToken);
  const [pad = eos[0]] = listOf(
    options.padTokenId === undefined ? (defaults.padTokenId ?? config.padTokenId) : options.padTokenId,
  ).filter(isToken);
  return {
    ...planLengths(options, defaults, 0),
    doSample,
    temperature,
    topK,
    topP,
    repetitionPenalty,
    numBeams,
    lengthPenalty,
    earlyStopping,
    eos,
    pad,
    random: seed === undefined ? nextStream() : new Random(seed),
    stop,
    useCache: options.useCache ?? true,
  };
}
