import { describe, expect, it } from 'vitest';
import { camelKeys, decoderCases, goldenModel } from '../../../test/golden/decoders.ts';
import { tensor } from '../../tensor/index.ts';
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from '../auto.ts';
import type { GenerativeModel } from './generative.ts';
import type { GenerationOptions } from './options.ts';

/** Texts up to their end, so that what follows it does not matter. */
async function texts(
  ids: { data(): Promise<ArrayLike<number>>; shape: readonly number[] },
  from: number,
  eos: unknown,
) {
  const data = Array.from(await ids.data());
  const [rows, length] = ids.shape;
  const ends = (id: number) => id === eos || (Array.isArray(eos) && eos.includes(id));
  return Array.from({ length: rows }, (_, i) => {
    const row = data.slice(i * length, (i + 1) * length);
    const end = row.findIndex((id, at) => at >= from && ends(id));
    return end < 0 ? row : row.slice(0, end + 1);
  });
}

const goldenWriter = (family: string) =>
  goldenModel(`${family} writer`, family === 't5' ? AutoModelForSeq2SeqLM : AutoModelForCausalLM);

describe.each(['gpt2', 'llama', 't5'])('%s writes what transformers writes', (family) => {
  let model: GenerativeModel | undefined;
  const own = decoderCases('generate').filter((c) => c.model === `${family} writer`);
  it.each(own.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    model ??= await goldenWriter(family);
    const { input_ids: ids, attention_mask: mask } = c.inputs;
    const shape = ids.shape;
    const inputIds = tensor(ids.data, { shape, dtype: 'int64' });
    const attentionMask = tensor(mask.data, { shape, dtype: 'int64' });
    const options = camelKeys(c.options) as GenerationOptions;
    const from = family === 't5' ? 1 : shape[1];
    const expected = await texts({ data: async () => c.output.data, shape: c.output.shape }, from, options.eosTokenId);
    for (const useCache of [true, false]) {
      const out = await model.generate(inputIds, { ...options, attentionMask, useCache });
      expect(out.dtype).toBe('int64');
      expect(await texts(out, from, options.eosTokenId), `cache ${useCache}`).toEqual(expected);
      if (!options.numBeams) expect(Array.from(await out.data())).toEqual(Array.from(c.output.data));
    }
  });
});
