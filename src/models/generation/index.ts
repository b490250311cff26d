/** @file Text generation. */
export { GenerativeModel, type Prompts } from './generative.ts';
export type { GenerationOptions } from './options.ts';
