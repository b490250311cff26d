/** @file Llama with heads. */
import { Linear } from '../../nn/linear.ts';
import type { Tensor } from '../../tensor/index.ts';
import { type ConfigDefinition, numLabels } from '../config.ts';
import { type CausalInputs, type DecoderState, lastTokenState } from '../generation/attention.ts';
import { CausalLM, type CausalLMOutput, type DecoderShape } from '../generation/causal.ts';
import { causalLoss, sequenceClassificationLoss } from '../losses.ts';
import { PreTrainedModel } from '../pretrained-model.ts';
import { headSize, type LlamaConfig, llamaConfig, windowOf } from './config.ts';
import { isStoredAngle, LlamaModel } from './model.ts';

/** Llama that predicts the next token (transformers.LlamaForCausalLM). */
export class LlamaForCausalLM extends CausalLM<LlamaConfig> {
  static readonly definition: ConfigDefinition<LlamaConfig> = llamaConfig;
  override readonly baseModelPrefix = 'model';
  model: LlamaModel;
  lmHead: Linear;

  constructor(config: LlamaConfig) {
    super(config);
    this.model = new LlamaModel(config);
    this.lmHead = new Linear(config.hiddenSize, config.vocabSize, { bias: false });
    if (config.tieWordEmbeddings) this.lmHead.weight = this.model.embedTokens.weight;
  }

  override get decoderShape(): DecoderShape {
    const { numHiddenLayers, numAttentionHeads, numKeyValueHeads, vocabSize, maxPositionEmbeddings } = this.config;
    return {
      layers: numHiddenLayers,
      heads: numKeyValueHeads ?? numAttentionHeads,
      features: headSize(this.config),
      vocabSize,
      maxPositions: Math.min(maxPositionEmbeddings, windowOf(this.config) ?? maxPositionEmbeddings),
    };
  }

  override tiedKeys(): Readonly<Record<string, string>> {
    return this.config.tieWordEmbeddings ? { 'lm_head.weight': 'model.embed_tokens.weight' } : {};
  }

  protected override ignoredKey(key: string): boolean {
    return isStoredAngle(key);
  }

  /** @param inputs.labels int64 [batch, sequence], the input ids themselves; -100 is ignored. */
  override forward({ labels, ...inputs }: CausalInputs & { labels?: Tensor }): CausalLMOutput {
    const logits = this.lmHead.forward(this.model.forward(inputs).lastHiddenState);
    return labels ? { logits, loss: causalLoss(logits, labels) } : { logits };
  }

  override nextLogits(inputIds: Tensor, state: DecoderState): Tensor {
    const hidden = this.model.decode(inputIds, state);
    return this.lmHead.forward(hidden.select(1, hidden.size(1) - 1));
  }
}

/** Llama with a classifier of the last token (transformers.LlamaForSequenceClassification). */
export class LlamaForSequenceClassification extends PreTrainedModel<LlamaConfig> {
  static readonly definition: ConfigDefinition<LlamaConfig> = llamaConfig;
  override readonly baseModelPrefix = 'model';
  model: LlamaModel;
  score: Linear;

  constructor(config: LlamaConfig) {
    super(config);
    this.model = new LlamaModel(config);
    this.score = new Linear(config.hiddenSize, numLabels(config), { bias: false });
  }

  protected override ignoredKey(key: string): boolean {
    return isStoredAngle(key);
  }

  /**
   * @param inputs.labels int64 [batch], or float32 [batch, labels]; see `sequenceClassificationLoss`.
   * @throws ShapeError for several texts without `padTokenId` in the config: their last tokens cannot be told from padding.
   */
  override forward({ labels, ...inputs }: CausalInputs & { labels?: Tensor }): CausalLMOutput {
    const { lastHiddenState } = this.model.forward(inputs);
    const logits = this.score.forward(lastTokenState(lastHiddenState, inputs.inputIds, this.config.padTokenId));
    return labels ? { logits, loss: sequenceClassificationLoss(this.config, logits, labels) } : { logits };
  }
}
