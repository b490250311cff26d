/** @file What a family of models is made of. */
import type { ConfigDefinition, PretrainedConfig } from './config.ts';
import type { PretrainedClass } from './pretrained-model.ts';

/** What a model is for: one class per family and task. */
export type Task =
  | 'base'
  | 'sequenceClassification'
  | 'tokenClassification'
  | 'questionAnswering'
  | 'multipleChoice'
  | 'maskedLM'
  | 'causalLM'
  | 'seq2seqLM'
  | 'imageClassification';

/** A family: its configuration (with the `model_type` of config.json) and its models. */
export interface Family {
  readonly config: ConfigDefinition<PretrainedConfig>;
  readonly models: Readonly<Partial<Record<Task, PretrainedClass>>>;
}
