/** @file Parameter-efficient fine-tuning: LoRA in the format of Python's peft. */
export { type LoraConfig, type LoraOptions, loraConfig } from './config.ts';
export { getPeftModel, type PeftFromPretrainedOptions, PeftModel } from './peft-model.ts';
