/** @file T5: encoder, encoder with decoder, and the model that answers texts with texts. */
import { ArgumentError } from '../../ir/errors.ts';
import { Embedding } from '../../nn/embedding.ts';
import * as init from '../../nn/init.ts';
import { Linear } from '../../nn/linear.ts';
import type { Module } from '../../nn/module.ts';
import { arange, cat, full, type Tensor, where } from '../../tensor/index.ts';
import { causalMask, type KeyValueCache } from '../generation/attention.ts';
import type { DecoderOutput, DecoderShape } from '../generation/causal.ts';
import type { KeyValueMemory } from '../generation/memory.ts';
import { Seq2SeqLM, type Seq2SeqStep } from '../generation/seq2seq.ts';
import { tokenLoss } from '../losses.ts';
import { attentionMaskOf } from '../masks.ts';
import { type LoadReport, PreTrainedModel } from '../pretrained-model.ts';
import { isTied, startToken, type T5Config, t5Config } from './config.ts';
import { T5Attention, T5Dense, T5Stack, type T5State } from './layers.ts';

/** Texts for the encoder. */
export interface T5EncoderInputs {
  /** int64 [batch, sequence]. */
  inputIds: Tensor;
  /** 1 at tokens, 0 at padding; int64 [batch, sequence]. Default: no padding. */
  attentionMask?: Tensor;
}

/** Texts and the beginnings of their answers. */
export interface T5Inputs extends T5EncoderInputs {
  /** int64 [batch, target], beginning with the start token. */
  decoderInputIds?: Tensor;
  decoderAttentionMask?: Tensor;
}

export interface T5Output extends DecoderOutput {
  /** [batch, sequence, dModel]. */
  encoderLastHiddenState: Tensor;
}

export interface T5LMOutput {
  /** [batch, target, vocabulary]. */
  logits: Tensor;
  encoderLastHiddenState: Tensor;
  /** Scalar, where labels were given. */
  loss?: Tensor;
}

/** New weights as T5 has them: standard deviations follow from the widths, since scores are not scaled. */
function initT5(module: Module, config: T5Config): void {
  const { initializerFactor: factor, dModel, dKv, dFf, numHeads } = config;
  const normal = (layer: { weight: Tensor } | null, width: number) => {
    if (layer) init.normal(layer.weight, { std: factor * width ** -0.5 });
  };
  if (module instanceof T5Attention) {
    normal(module.q, dModel * dKv);
    normal(module.k, dModel);
    normal(module.v, dModel);
    normal(module.o, numHeads * dKv);
    normal(module.relativeAttentionBias, dModel);
  } else if (module instanceof T5Dense) {
    for (const layer of [module.wi, module.wi_0, module.wi_1]) normal(layer, dModel);
    normal(module.wo, dFf);
  }
}

const isUnused = (key: string) => key === 'decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight';

const relative = (queries: Tensor, keys: Tensor) => keys.unsqueeze(0).sub(queries.unsqueeze(1));

function encode(encoder: T5Stack, { inputIds, attentionMask }: T5EncoderInputs): Tensor {
  const positions = arange(inputIds.size(1));
  const bias = encoder.bias(relative(positions, positions));
  return encoder.forward(inputIds, { mask: attentionMask ? bias.add(attentionMaskOf(attentionMask)) : bias });
}

function decode(decoder: T5Stack, inputs: T5Inputs & { decoderInputIds: Tensor }, encoded: Tensor): Tensor {
  const { decoderInputIds, decoderAttentionMask, attentionMask } = inputs;
  const length = decoderInputIds.size(1);
  const positions = arange(length);
  const state: T5State = {
    mask: decoder.bias(relative(positions, positions)).add(causalMask(length, decoderAttentionMask)),
    cross: (_, attention) => attention.keysAndValues(encoded),
    crossMask: attentionMask ? attentionMaskOf(attentionMask) : null,
  };
  return decoder.forward(decoderInputIds, state);
}

/** T5's encoder alone (transformers.T5EncoderModel). */
export class T5EncoderModel extends PreTrainedModel<T5Config> {
  static readonly definition = t5Config;
  shared: Embedding;
  encoder: T5Stack;

  constructor(config: T5Config) {
    super(config);
    this.shared = new Embedding(config.vocabSize, config.dModel);
    this.encoder = new T5Stack(config, this.shared, 'encoder');
  }

  override tiedKeys(): Readonly<Record<string, string>> {
    return { 'encoder.embed_tokens.weight': 'shared.weight' };
  }

  override initWeights(module: Module): void {
    if (module === this.shared) init.normal(this.shared.weight, { std: this.config.initializerFactor });
    else initT5(module, this.config);
  }

  override forward(inputs: T5EncoderInputs): DecoderOutput {
    return { lastHiddenState: encode(this.encoder, inputs) };
  }
}

const tiedEmbeddings = {
  'encoder.embed_tokens.weight': 'shared.weight',
  'decoder.embed_tokens.weight': 'shared.weight',
};

/** T5 without a head (transformers.T5Model). */
export class T5Model extends PreTrainedModel<T5Config> {
  static readonly definition = t5Config;
  shared: Embedding;
  encoder: T5Stack;
  decoder: T5Stack;

  constructor(config: T5Config) {
    super(config);
    this.shared = new Embedding(config.vocabSize, config.dModel);
    this.encoder = new T5Stack(config, this.shared, 'encoder');
    this.decoder = new T5Stack(config, this.shared, 'decoder');
  }

  override tiedKeys(): Readonly<Record<string, string>> {
    return tiedEmbeddings;
  }

  override initWeights(module: Module): void {
    if (module === this.shared) init.normal(this.shared.weight, { std: this.config.initializerFactor });
    else initT5(module, this.config);
  }

  protected override ignoredKey(key: string): boolean {
    return isUnused(key);
  }

  /** @throws ArgumentError without decoderInputIds. */
  override forward(inputs: T5Inputs): T5Output {
    const { decoderInputIds } = inputs;
    if (!decoderInputIds) throw new ArgumentError('T5Model needs decoderInputIds beside inputIds');
    const encoderLastHiddenState = encode(this.encoder, inputs);
    const lastHiddenState = decode(this.decoder, { ...inputs, decoderInputIds }, encoderLastHiddenState);
    return { lastHiddenState, encoderLastHiddenState };
  }
}

/** T5 that answers texts with texts (transformers.T5ForConditionalGeneration); also T5 1.1 and Flan-T5. */
export class T5ForConditionalGeneration extends Seq2SeqLM<T5Config> {
  static readonly definition = t5Config;
  shared: Embedding;
  encoder: T5Stack;
  decoder: T5Stack;
  lmHead: Linear;

  constructor(config: T5Config) {
    super(config);
    this.shared = new Embedding(config.vocabSize, config.dModel);
    this.encoder = new T5Stack(config, this.shared, 'encoder');
    this.decoder = new T5Stack(config, this.shared, 'decoder');
    this.lmHead = new Linear(config.dModel, config.vocabSize, { bias: false });
    if (isTied(config)) this.lmHead.weight = this.shared.weight;
  }

  override get decoderShape(): DecoderShape {
    const { numDecoderLayers, numLayers, numHeads, dKv, vocabSize } = this.config;
    return { layers: numDecoderLayers ?? numLayers, heads: numHeads, features: dKv, vocabSize, maxPositions: null };
  }

  override get startToken(): number {
    return startToken(this.config);
  }

  override tiedKeys(): Readonly<Record<string, string>> {
    return this.lmHead.weight === this.shared.weight
      ? { ...tiedEmbeddings, 'lm_head.weight': 'shared.weight' }
      : tiedEmbeddings;
  }

  /** Whatever the config says, logits come from the embeddings where the file has no matrix of their own, as in Python. */
  override async loadCheckpoint(...args: Parameters<Seq2SeqLM['loadCheckpoint']>): Promise<LoadReport> {
    if (!args[0].has('lm_head.weight')) this.lmHead.weight = this.shared.weight;
    return await super.loadCheckpoint(...args);
  }

  override initWeights(module: Module): void {
    const { initializerFactor: std } = this.config;
    if (module === this.shared) init.normal(this.shared.weight, { std });
    else if (module === this.lmHead) init.normal(this.lmHead.weight, { std });
    else initT5(module, this.config);
  }

  protected override ignoredKey(key: string): boolean {
    return isUnused(key);
  }

  /**
   * @param inputs.labels int64 [batch, target]; -100 is ignored. Without decoderInputIds they are also the answer so far,
   *   moved on by one.
   * @throws ArgumentError without both.
   */
  override forward({ labels, ...inputs }: T5Inputs & { labels?: Tensor }): T5LMOutput {
    const decoderInputIds = inputs.decoderInputIds ?? (labels && this.shiftRight(labels));
    if (!decoderInputIds)
      throw new ArgumentError('T5ForConditionalGeneration needs labels or decoderInputIds; generate() needs neither');
    const encoderLastHiddenState = encode(this.encoder, inputs);
    const hidden = decode(this.decoder, { ...inputs, decoderInputIds }, encoderLastHiddenState);
    const logits = this.#logits(hidden);
    const output = { logits, encoderLastHiddenState };
    return labels ? { ...output, loss: tokenLoss(logits, labels) } : output;
  }

  #logits(hidden: Tensor): Tensor {
    return this.lmHead.forward(isTied(this.config) ? hidden.mul(this.config.dModel ** -0.5) : hidden);
  }

  /** Labels behind a start token, without the last; -100 becomes padding. */
  shiftRight(labels: Tensor): Tensor {
    const [batch, length] = labels.shape;
    const start = full([batch, 1], this.startToken, { dtype: 'int64' });
    const shifted = cat([start, labels.narrow(1, 0, length - 1)], 1);
    return where(shifted.eq(-100), this.config.padTokenId ?? 0, shifted);
  }

  override remember(inputIds: Tensor, attentionMask: Tensor, memory: KeyValueCache): Tensor {
    const encoded = encode(this.encoder, { inputIds, attentionMask });
    [...this.decoder.block].forEach((block, layer) => {
      const pair = block.crossAttention?.keysAndValues(encoded);
      if (pair) memory.update(layer, ...pair);
    });
    return attentionMask.sum();
  }

  override nextLogits(inputIds: Tensor, { slot, length, cache, encoded, encoderMask }: Seq2SeqStep): Tensor {
    const keys = arange(length);
    const future = where(keys.le(slot), 0, -1e30);
    const hidden = this.decoder.forward(inputIds, {
      mask: this.decoder.bias(relative(slot.reshape([1]), keys)).add(future),
      cache,
      cross: (layer) => pairOf(encoded, layer),
      crossMask: attentionMaskOf(encoderMask),
    });
    return this.#logits(hidden.select(1, 0));
  }
}

const pairOf = (memory: KeyValueMemory, layer: number) => [memory.keys[layer], memory.values[layer]] as const;
