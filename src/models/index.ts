/** @file Model families and the Auto classes. */
export * from './auto.ts';
export * from './bert/index.ts';
export type { PretrainedConfig } from './config.ts';
export * from './gpt2/index.ts';
export type { FromPretrainedOptions, LoadReport } from './pretrained-model.ts';
export { PreTrainedModel } from './pretrained-model.ts';
