/** @file The families of models. A new one is a folder beside this file and a line here. */
import { bert } from './bert/index.ts';
import { distilbert } from './distilbert/index.ts';
import type { Family } from './family.ts';
import { gpt2 } from './gpt2/index.ts';
import { llama, mistral, qwen2 } from './llama/index.ts';
import { roberta } from './roberta/index.ts';
import { t5 } from './t5/index.ts';
import { vit } from './vit/index.ts';

export const families: readonly Family[] = [bert, distilbert, roberta, vit, gpt2, llama, mistral, qwen2, t5];
