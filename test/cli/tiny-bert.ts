/** @file A tiny BERT with random weights and a vocabulary of its own, as a folder that `--model` takes. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AutoModel } from '../../src/models/index.ts';
import { manualSeed } from '../../src/tensor/index.ts';

/** 280 and 100 customers' questions of four intents (Banking77, PolyAI, CC BY 4.0). */
export const banking = {
  train: resolve(import.meta.dirname, '../fixtures/banking-train.csv'),
  test: resolve(import.meta.dirname, '../fixtures/banking-test.csv'),
};

/** Writes config.json, model.safetensors, vocab.txt and tokenizer_config.json. Positions: 64. */
export async function writeTinyBert(folder: string, config: Readonly<Record<string, unknown>> = {}): Promise<void> {
  await mkdir(folder, { recursive: true });
  const words = (await readFile(banking.train, 'utf8')).toLowerCase().match(/[a-z]+|[^\sa-z]/g) ?? [];
  const letters = 'abcdefghijklmnopqrstuvwxyz'.split('');
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
  const vocabulary = [...new Set([...special, ...letters, ...letters.map((c) => `##${c}`), ...words])];
  await writeFile(join(folder, 'vocab.txt'), `${vocabulary.join('\n')}\n`);
  const roles = Object.fromEntries(special.map((token) => [`${token.slice(1, -1).toLowerCase()}_token`, token]));
  const tokenizer = { tokenizer_class: 'BertTokenizer', do_lower_case: true, model_max_length: 64, ...roles };
  await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(tokenizer));
  manualSeed(3);
  const model = AutoModel.fromConfig({
    model_type: 'bert',
    vocab_size: vocabulary.length,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 64,
    max_position_embeddings: 64,
    ...config,
  });
  await model.savePretrained(folder);
}
