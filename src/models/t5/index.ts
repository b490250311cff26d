/** @file The T5 family. */
import type { Family } from '../family.ts';
import { t5Config } from './config.ts';
import { T5ForConditionalGeneration, T5Model } from './model.ts';

export { type T5Config, t5Config } from './config.ts';
export { T5EncoderModel, T5ForConditionalGeneration, T5Model } from './model.ts';

export const t5: Family = {
  config: t5Config,
  models: { base: T5Model, seq2seqLM: T5ForConditionalGeneration },
};
