/** @file The Llama family, with Mistral and Qwen2. */
export { type LlamaConfig, llamaConfig, mistralConfig, qwen2Config } from './config.ts';
export { LlamaForCausalLM, LlamaForSequenceClassification } from './heads.ts';
export { LlamaModel } from './model.ts';
export * from './relatives.ts';
