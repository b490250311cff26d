/** @file GPT-2 with heads. */
import { Linear } from '../../nn/linear.ts';
import type { Module } from '../../nn/module.ts';
import type { Tensor } from '../../tensor/index.ts';
import { numLabels } from '../config.ts';
import { type CausalInputs, type DecoderState, lastTokenState } from '../generation/attention.ts';
import { CausalLM, type CausalLMOutput, type DecoderShape } from '../generation/causal.ts';
import { causalLoss, sequenceClassificationLoss } from '../losses.ts';
import { PreTrainedModel } from '../pretrained-model.ts';
import { type GPT2Config, gpt2Config } from './config.ts';
import { GPT2Model, initGPT2, isStoredMask } from './model.ts';

/** GPT-2 that predicts the next token, with the embedding's weights (transformers.GPT2LMHeadModel). */
export class GPT2LMHeadModel extends CausalLM<GPT2Config> {
  static readonly definition = gpt2Config;
  override readonly baseModelPrefix = 'transformer';
  transformer: GPT2Model;
  lmHead: Linear;

  constructor(config: GPT2Config) {
    super(config);
    this.transformer = new GPT2Model(config);
    this.lmHead = new Linear(config.nEmbd, config.vocabSize, { bias: false });
    if (config.tieWordEmbeddings) this.lmHead.weight = this.transformer.wte.weight;
  }

  override get decoderShape(): DecoderShape {
    const { nLayer, nHead, nEmbd, vocabSize, nPositions } = this.config;
    return { layers: nLayer, heads: nHead, features: nEmbd / nHead, vocabSize, maxPositions: nPositions };
  }

  override tiedKeys(): Readonly<Record<string, string>> {
    return this.config.tieWordEmbeddings ? { 'lm_head.weight': 'transformer.wte.weight' } : {};
  }

  override initWeights(module: Module): void {
    if (!initGPT2(module, this.config)) super.initWeights(module);
  }

  protected override ignoredKey(key: string): boolean {
    return isStoredMask(key);
  }

  /** @param inputs.labels int64 [batch, sequence], the input ids themselves; -100 is ignored. */
  override forward({ labels, ...inputs }: CausalInputs & { labels?: Tensor }): CausalLMOutput {
    const logits = this.lmHead.forward(this.transformer.forward(inputs).lastHiddenState);
    return labels ? { logits, loss: causalLoss(logits, labels) } : { logits };
  }

  override nextLogits(inputIds: Tensor, state: DecoderState): Tensor {
    const hidden = this.transformer.decode(inputIds, state);
    return this.lmHead.forward(hidden.select(1, hidden.size(1) - 1));
  }
}

/** GPT-2 with a classifier of the last token (transformers.GPT2ForSequenceClassification). */
export class GPT2ForSequenceClassification extends PreTrainedModel<GPT2Config> {
  static readonly definition = gpt2Config;
  override readonly baseModelPrefix = 'transformer';
  transformer: GPT2Model;
  score: Linear;

  constructor(config: GPT2Config) {
    super(config);
    this.transformer = new GPT2Model(config);
    this.score = new Linear(config.nEmbd, numLabels(config), { bias: false });
  }

  override initWeights(module: Module): void {
    if (!initGPT2(module, this.config)) super.initWeights(module);
  }

  protected override ignoredKey(key: string): boolean {
    return isStoredMask(key);
  }

  /**
   * @param inputs.labels int64 [batch], or float32 [batch, labels]; see `sequenceClassificationLoss`.
   * @throws ShapeError for several texts without `padTokenId` in the config: their last tokens cannot be told from padding.
   */
  override forward({ labels, ...inputs }: CausalInputs & { labels?: Tensor }): CausalLMOutput {
    const { lastHiddenState } = this.transformer.forward(inputs);
    const logits = this.score.forward(lastTokenState(lastHiddenState, inputs.inputIds, this.config.padTokenId));
    return labels ? { logits, loss: sequenceClassificationLoss(this.config, logits, labels) } : { logits };
  }
}
