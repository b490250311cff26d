/** @file What the T5 family is made of, for the Auto classes. */
import type { Family } from '../family.ts';
import { t5Config } from './config.ts';
import { T5ForConditionalGeneration, T5Model } from './model.ts';

export const t5: Family = {
  config: t5Config,
  models: { base: T5Model, seq2seqLM: T5ForConditionalGeneration },
};
