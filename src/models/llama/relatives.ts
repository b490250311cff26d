/** @file Families that are Llama with other configurations: Mistral, Qwen2. */
import { mistralConfig, qwen2Config } from './config.ts';
import { LlamaForCausalLM, LlamaForSequenceClassification } from './heads.ts';
import { LlamaModel } from './model.ts';

/** Mistral without a head (transformers.MistralModel). */
export class MistralModel extends LlamaModel {
  static override readonly definition = mistralConfig;
}

/** Mistral that predicts the next token (transformers.MistralForCausalLM). */
export class MistralForCausalLM extends LlamaForCausalLM {
  static override readonly definition = mistralConfig;
}

/** Mistral with a classifier of the last token (transformers.MistralForSequenceClassification). */
export class MistralForSequenceClassification extends LlamaForSequenceClassification {
  static override readonly definition = mistralConfig;
}

/** Qwen2 without a head (transformers.Qwen2Model). */
export class Qwen2Model extends LlamaModel {
  static override readonly definition = qwen2Config;
}

/** Qwen2 that predicts the next token (transformers.Qwen2ForCausalLM). */
export class Qwen2ForCausalLM extends LlamaForCausalLM {
  static override readonly definition = qwen2Config;
}

/** Qwen2 with a classifier of the last token (transformers.Qwen2ForSequenceClassification). */
export class Qwen2ForSequenceClassification extends LlamaForSequenceClassification {
  static override readonly definition = qwen2Config;
}
