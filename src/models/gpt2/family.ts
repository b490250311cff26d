/** @file What the GPT-2 family is made of, for the Auto classes. */
import type { Family } from '../family.ts';
import { gpt2Config } from './config.ts';
import { GPT2ForSequenceClassification, GPT2LMHeadModel } from './heads.ts';
import { GPT2Model } from './model.ts';

export const gpt2: Family = {
  config: gpt2Config,
  models: {
    base: GPT2Model,
    sequenceClassification: GPT2ForSequenceClassification,
    causalLM: GPT2LMHeadModel,
  },
};
