/** @file The families of models. A new one is a folder beside this file and a line here. */
import { bert } from './bert/index.ts';
import type { Family } from './family.ts';
import { gpt2 } from './gpt2/index.ts';

export const families: readonly Family[] = [bert, gpt2];
