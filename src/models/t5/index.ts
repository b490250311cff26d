/** @file The T5 family. */
export { type T5Config, t5Config } from './config.ts';
export { T5EncoderModel, T5ForConditionalGeneration, T5Model } from './model.ts';
