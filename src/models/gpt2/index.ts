/** @file The GPT-2 family. */
export { type GPT2Config, gpt2Config } from './config.ts';
export { GPT2ForSequenceClassification, GPT2LMHeadModel } from './heads.ts';
export { GPT2Model } from './model.ts';
