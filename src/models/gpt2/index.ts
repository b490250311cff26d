/** @file The GPT-2 family. */
import type { Family } from '../family.ts';
import { gpt2Config } from './config.ts';
import { GPT2ForSequenceClassification, GPT2LMHeadModel } from './heads.ts';
import { GPT2Model } from './model.ts';

export { type GPT2Config, gpt2Config } from './config.ts';
export { GPT2ForSequenceClassification, GPT2LMHeadModel } from './heads.ts';
export { GPT2Model } from './model.ts';

export const gpt2: Family = {
  config: gpt2Config,
  models: {
    base: GPT2Model,
    sequenceClassification: GPT2ForSequenceClassification,
    causalLM: GPT2LMHeadModel,
  },
};
