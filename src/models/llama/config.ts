/** @file Configurations of Llama and of the families that differ from it by their configuration only. */
import { z } from 'zod';
import { FormatError, UnsupportedError } from '../../ir/errors.ts';
import { defineConfig } from '../config.ts';

/** rope_scaling of older files, rope_parameters of newer ones; kept with the file's own keys. */
const rope = z
  .looseObject({
    rope_type: z.string().optional(),
    /** The first name of rope_type. */
    type: z.string().optional(),
    rope_theta: z.number().positive().optional(),
    factor: z.number().positive().optional(),
    low_freq_factor: z.number().positive().optional(),
    high_freq_factor: z.number().positive().optional(),
    original_max_position_embeddings: z.number().positive().optional(),
    /** Share of a head's features that is turned. */
    partial_rotary_factor: z.number().optional(),
  })
  .nullish();

const count = (value: number) => z.number().int().positive().default(value);
const token = z.number().int().nullish();
const tokens = z.union([z.number().int(), z.array(z.number().int())]).nullish();

/** Defaults in which the families differ. */
interface Defaults {
  readonly vocabSize: number;
  readonly intermediateSize: number;
  readonly numKeyValueHeads: number | null;
  readonly maxPositionEmbeddings: number;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
  readonly slidingWindow: number | null;
}

function llamaLike(modelType: string, defaults: Defaults) {
  return defineConfig(modelType, {
    vocabSize: count(defaults.vocabSize),
    hiddenSize: count(4096),
    intermediateSize: count(defaults.intermediateSize),
    numHiddenLayers: count(32),
    numAttentionHeads: count(32),
    /** Heads of keys and values, each shared by several heads of queries; as many as those without. */
    numKeyValueHeads: z.number().int().positive().nullish().default(defaults.numKeyValueHeads),
    /** Features of a head; hiddenSize / numAttentionHeads without. */
    headDim: z.number().int().positive().nullish(),
    hiddenAct: z.string().default('silu'),
    maxPositionEmbeddings: count(defaults.maxPositionEmbeddings),
    rmsNormEps: z.number().positive().default(1e-6),
    tieWordEmbeddings: z.boolean().default(false),
    attentionBias: z.boolean().default(false),
    attentionDropout: z.number().min(0).max(1).default(0),
    mlpBias: z.boolean().default(false),
    ropeTheta: z.number().positive().optional(),
    ropeScaling: rope,
    ropeParameters: rope,
    slidingWindow: z.number().int().positive().nullish().default(defaults.slidingWindow),
    useSlidingWindow: z.boolean().optional(),
    bosTokenId: token.default(defaults.bosTokenId),
    eosTokenId: tokens.default(defaults.eosTokenId),
  });
}

/** Keys and defaults of transformers.LlamaConfig. */
export const llamaConfig = llamaLike('llama', {
  vocabSize: 32000,
  intermediateSize: 11008,
  numKeyValueHeads: null,
  maxPositionEmbeddings: 2048,
  bosTokenId: 1,
  eosTokenId: 2,
  slidingWindow: null,
});

/** Keys and defaults of transformers.MistralConfig. */
export const mistralConfig = llamaLike('mistral', {
  vocabSize: 32000,
  intermediateSize: 14336,
  numKeyValueHeads: 8,
  maxPositionEmbeddings: 4096 * 32,
  bosTokenId: 1,
  eosTokenId: 2,
  slidingWindow: 4096,
});

/** Keys and defaults of transformers.Qwen2Config; queries, keys and values have biases. */
export const qwen2Config = llamaLike('qwen2', {
  vocabSize: 151936,
  intermediateSize: 22016,
  numKeyValueHeads: 32,
  maxPositionEmbeddings: 32768,
  bosTokenId: null,
  eosTokenId: null,
  slidingWindow: 4096,
});

export type LlamaConfig = ReturnType<typeof llamaConfig.create>;

/** Features of one head. @throws FormatError where heads do not fit. */
export function headSize(config: LlamaConfig): number {
  const { hiddenSize, numAttentionHeads, numKeyValueHeads } = config;
  const size = config.headDim ?? hiddenSize / numAttentionHeads;
  if (!Number.isInteger(size / 2))
    throw new FormatError(
      `config.json: "hidden_size": ${hiddenSize} gives ${numAttentionHeads} heads of ${size} features, expected an even number`,
    );
  if (numAttentionHeads % (numKeyValueHeads ?? numAttentionHeads) !== 0)
    throw new FormatError(
      `config.json: "num_key_value_heads": ${numKeyValueHeads} cannot be shared by num_attention_heads, ${numAttentionHeads}`,
    );
  return size;
}

/** Tokens that a token sees, itself included; null for all before it. */
export function windowOf(config: LlamaConfig): number | null {
  const isOff = config.modelType === 'qwen2' ? config.useSlidingWindow !== true : config.modelType === 'llama';
  return isOff ? null : (config.slidingWindow ?? null);
}

/**
 * Angle per position of each pair of features (Su et al. 2021; transformers.modeling_rope_utils): all as they are, divided
 * by a factor (`linear`), or divided where the wave is long (`llama3`).
 * @throws UnsupportedError for other kinds of scaling, FormatError for one that lacks a number.
 */
export function rotaryFrequencies(config: LlamaConfig): Float32Array {
  const parameters = config.ropeParameters ?? config.ropeScaling ?? {};
  const theta = parameters.rope_theta ?? config.ropeTheta ?? 10000;
  const size = headSize(config);
  const base = Float32Array.from({ length: size / 2 }, (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / size)));
  const type = parameters.rope_type ?? parameters.type ?? 'default';
  const need = (key: 'factor' | 'low_freq_factor' | 'high_freq_factor') => {
    const value = parameters[key];
    if (value === undefined) throw new FormatError(`config.json: rope scaling '${type}' needs "${key}"`);
    return value;
  };
  if ((parameters.partial_rotary_factor ?? 1) !== 1)
    throw new UnsupportedError(
      `config.json: "partial_rotary_factor": ${parameters.partial_rotary_factor}; only whole heads can be turned`,
    );
  if (type === 'default') return base;
  if (type === 'linear') return base.map((f) => f / need('factor'));
  if (type !== 'llama3')
    throw new UnsupportedError(
      `config.json: rope scaling '${type}' is not known; there are default, linear and llama3. An ONNX export of the model can be loaded with OnnxModel.load`,
    );
  const [factor, low, high] = [need('factor'), need('low_freq_factor'), need('high_freq_factor')];
  const context = parameters.original_max_position_embeddings ?? config.maxPositionEmbeddings;
  return base.map((f) => {
    const wave = (2 * Math.PI) / f;
    if (wave < context / high) return f;
    if (wave > context / low) return f / factor;
    const smooth = (context / wave - low) / (high - low);
    return ((1 - smooth) * f) / factor + smooth * f;
  });
}
