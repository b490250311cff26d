/** @file The families of models. A new one is a folder beside this file and a line here. */
import { bert } from './bert/family.ts';
import { distilbert } from './distilbert/family.ts';
import type { Family } from './family.ts';
import { gpt2 } from './gpt2/family.ts';
import { llama, mistral, qwen2 } from './llama/family.ts';
import { roberta } from './roberta/family.ts';
import { t5 } from './t5/family.ts';
import { vit } from './vit/family.ts';

export const families: readonly Family[] = [bert, distilbert, roberta, vit, gpt2, llama, mistral, qwen2, t5];
