/** @file generation_config.json: read, used, overridden, kept. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { manualSeed } from '../../tensor/index.ts';
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from '../auto.ts';
import type { GenerativeModel } from './index.ts';

const tiny = { vocab_size: 30, n_positions: 64, n_embd: 8, n_layer: 1, n_head: 2, initializer_range: 0.6 };
const gpt2 = { model_type: 'gpt2', ...tiny, bos_token_id: 1, eos_token_id: 2 };
let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-generation-'));
  file = join(folder, 'generation_config.json');
  manualSeed(1);
  await AutoModelForCausalLM.fromConfig(gpt2).savePretrained(folder);
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

const withFile = async (json: unknown): Promise<GenerativeModel> => {
  await writeFile(file, JSON.stringify(json));
  return await AutoModelForCausalLM.fromPretrained(folder);
};
const width = async (model: GenerativeModel, prompt: number[], options = {}) =>
  (await model.generate(prompt, { eosTokenId: null, ...options })).shape[1];

it('gives the defaults of generate, lengths with and without the prompt', async () => {
  const model = await withFile({ max_length: 12, do_sample: null, temperature: 0, transformers_version: '4.0' });
  expect(await width(model, [3, 4, 5])).toBe(12);
  expect(await width(model, [3, 4, 5], { maxNewTokens: 4 })).toBe(7);
  await expect(model.generate(Array(12).fill(3))).rejects.toThrow('allows 12 tokens in all, and the prompt has 12');
  expect(await width(await withFile({ max_new_tokens: 5, max_length: 99 }), [3, 4])).toBe(7);
  const sampling = await withFile({ do_sample: true, temperature: 2, top_k: 0, max_new_tokens: 30 });
  const texts = await Promise.all([1, 2].map(async (seed) => await (await sampling.generate([3], { seed })).data()));
  expect(texts[0]).not.toEqual(texts[1]);
});

it('names the end of texts', async () => {
  const model = await withFile({ max_new_tokens: 10 });
  const free = Array.from(await (await model.generate([3], { eosTokenId: null })).data());
  model.generationConfig = { max_new_tokens: 10, eos_token_id: [29, free[4], 900], pad_token_id: 0 };
  const ended = Array.from(await (await model.generate([3])).data());
  expect(ended).toEqual(free.slice(0, free.indexOf(free[4], 1) + 1));
  model.generationConfig = { max_new_tokens: 10, eos_token_id: free[4], min_new_tokens: 8 };
  expect((await model.generate([3])).shape[1]).toBeGreaterThanOrEqual(9);
});

it('is kept as it is, and config.json counts without it', async () => {
  const json = { max_length: 9, suppress_tokens: [1, 2], _from_model_config: true, no_repeat_ngram_size: 0 };
  const model = await withFile(json);
  await model.savePretrained(folder);
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(json);
  manualSeed(1);
  expect(await width(AutoModelForCausalLM.fromConfig({ ...gpt2, max_length: 8 }), [3])).toBe(8);
  const t5 = { model_type: 't5', vocab_size: 20, d_model: 8, d_kv: 4, d_ff: 16, num_layers: 1, num_heads: 2 };
  expect(await width(AutoModelForSeq2SeqLM.fromConfig({ ...t5, max_length: 6 }), [3, 4, 5, 6, 7, 8, 9])).toBe(6);
});

it('refuses entries of another type', async () => {
  await expect(withFile({ top_k: 'many' })).rejects.toThrow(/generation_config\.json: "top_k": .*expected number/);
  await expect(withFile([1])).rejects.toThrow('generation_config.json: expected a JSON object, found [1]');
});
