/** @file Attention and rotary position embedding. */
export { attention } from './attention/attention.ts';
export { rotaryEmbedding } from './attention/rotary.ts';
