/** @file What the Llama family is made of, for the Auto classes. */
import type { Family } from '../family.ts';
import { llamaConfig, mistralConfig, qwen2Config } from './config.ts';
import { LlamaForCausalLM, LlamaForSequenceClassification } from './heads.ts';
import { LlamaModel } from './model.ts';
import {
  MistralForCausalLM,
  MistralForSequenceClassification,
  MistralModel,
  Qwen2ForCausalLM,
  Qwen2ForSequenceClassification,
  Qwen2Model,
} from './relatives.ts';

export const llama: Family = {
  config: llamaConfig,
  models: {
    base: LlamaModel,
    sequenceClassification: LlamaForSequenceClassification,
    causalLM: LlamaForCausalLM,
  },
};

export const mistral: Family = {
  config: mistralConfig,
  models: {
    base: MistralModel,
    sequenceClassification: MistralForSequenceClassification,
    causalLM: MistralForCausalLM,
  },
};

export const qwen2: Family = {
  config: qwen2Config,
  models: {
    base: Qwen2Model,
    sequenceClassification: Qwen2ForSequenceClassification,
    causalLM: Qwen2ForCausalLM,
  },
};
