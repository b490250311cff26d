/** @file Checkpoints whose tied weights are there twice, differ, or are missing; padding before a first token. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import { manualSeed, type Tensor, tensor } from '../tensor/index.ts';
import { loadSafetensors, saveSafetensors } from '../train/safetensors.ts';
import {
  AutoModelForCausalLM,
  AutoModelForMaskedLM,
  AutoModelForSeq2SeqLM,
  BertForMaskedLM,
  bertConfig,
  GPT2LMHeadModel,
  gpt2Config,
  LlamaForCausalLM,
  llamaConfig,
  type PreTrainedModel,
  T5ForConditionalGeneration,
  t5Config,
} from './index.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-tied-'));
  manualSeed(1);
});
afterAll(async () => await rm(folder, { recursive: true }));

/** Saves a model and changes its tensors. */
async function saved(model: PreTrainedModel, change: (tensors: Map<string, NDArray>) => void = () => {}) {
  await model.savePretrained(folder);
  const path = join(folder, 'model.safetensors');
  const { tensors } = await loadSafetensors(path);
  change(tensors);
  await saveSafetensors(path, tensors);
  return new Set(tensors.keys());
}

const get = (map: ReadonlyMap<string, NDArray>, key: string): NDArray => {
  const found = map.get(key);
  if (!found) throw new Error(key);
  return found;
};
const changed = ({ data, ...rest }: NDArray): NDArray => ({ ...rest, data: Float32Array.from(data, (v) => v + 1) });

const gpt2 = gpt2Config.create({ vocabSize: 11, nPositions: 6, nEmbd: 4, nLayer: 2, nHead: 2 });
const t5 = { vocabSize: 11, dModel: 4, dKv: 2, dFf: 6, numLayers: 1, numHeads: 2 };
const bert = { vocabSize: 11, hiddenSize: 4, numHiddenLayers: 1, numAttentionHeads: 2, intermediateSize: 6 };

describe('tied weights of a checkpoint', () => {
  it('that are equal stay tied, those that differ become two, as in Python, and are saved as such', async () => {
    const model = GPT2LMHeadModel.fromConfig(gpt2);
    await saved(model, (t) => t.set('lm_head.weight', get(t, 'transformer.wte.weight')));
    const tied = await GPT2LMHeadModel.fromPretrained(folder);
    expect(tied.lmHead.weight).toBe(tied.transformer.wte.weight);
    await saved(model, (t) => t.set('lm_head.weight', changed(get(t, 'transformer.wte.weight'))));
    const two = await GPT2LMHeadModel.fromPretrained(folder);
    const [head, words] = [await two.lmHead.weight.data(), await two.transformer.wte.weight.data()];
    expect(Array.from(words)).toEqual(Array.from(await model.transformer.wte.weight.data()));
    expect(Array.from(head)).toEqual(Array.from(words, (v) => Math.fround(v + 1)));
    expect(await saved(two)).toContain('lm_head.weight');
  });

  it('under two names for one tensor that cannot become two, or for one key, are refused', async () => {
    await saved(T5ForConditionalGeneration.fromConfig(t5Config.create(t5)), (t) =>
      t.set('encoder.embed_tokens.weight', changed(get(t, 'shared.weight'))),
    );
    await expect(AutoModelForSeq2SeqLM.fromPretrained(folder)).rejects.toThrow(
      /tensors '(shared|encoder.embed_tokens).weight' and '.*' differ, but T5ForConditionalGeneration has one tensor/,
    );
    await saved(GPT2LMHeadModel.fromConfig(gpt2), (t) => t.set('wte.weight', get(t, 'transformer.wte.weight')));
    const twice = AutoModelForCausalLM.fromPretrained(folder);
    await expect(twice).rejects.toThrow(FormatError);
    await expect(twice).rejects.toThrow(/'transformer.wte.weight' and 'wte.weight' are both|'wte.weight' and 'transf/);
  });

  it("T5: logits come from the embeddings where the file has no matrix of its own (transformers 5's T5 1.1)", async () => {
    const untied = t5Config.create({ ...t5, scaleDecoderOutputs: false });
    expect(await saved(T5ForConditionalGeneration.fromConfig(untied))).toContain('lm_head.weight');
    const own = await T5ForConditionalGeneration.fromPretrained(folder);
    expect(own.lmHead.weight).not.toBe(own.shared.weight);
    await saved(own, (t) => t.delete('lm_head.weight'));
    const model = await T5ForConditionalGeneration.fromPretrained(folder);
    expect(model.lmHead.weight).toBe(model.shared.weight);
    expect(await saved(model)).not.toContain('lm_head.weight');
  });

  it('BERT without tying: both biases are written, and read apart', async () => {
    const config = bertConfig.create({ ...bert, tieWordEmbeddings: false });
    const keys = ['cls.predictions.bias', 'cls.predictions.decoder.bias', 'cls.predictions.decoder.weight'];
    const written = await saved(BertForMaskedLM.fromConfig(config), (t) => t.set(keys[1], changed(get(t, keys[1]))));
    for (const key of keys) expect(written).toContain(key);
    const state = (await AutoModelForMaskedLM.fromPretrained(folder)).stateDict();
    expect(Array.from(await state[keys[0]].data())).toEqual(Array(11).fill(0));
    expect(Array.from(await state[keys[1]].data())).toEqual(Array(11).fill(1));
    expect([...(await saved(BertForMaskedLM.fromConfig(bertConfig.create(bert))))]).not.toContain(keys[1]);
  });
});

describe('padding on the left', () => {
  /** Weights that Python had, too: sines by element and length of the name, plus 1 for norms. */
  async function sines<M extends PreTrainedModel>(model: M): Promise<M> {
    const fill = (name: string, { shape }: Tensor) => {
      const add = shape.length === 1 && name.endsWith('weight') ? 1 : 0;
      const count = shape.reduce((a, b) => a * b, 1);
      return tensor(
        Float32Array.from({ length: count }, (_, i) => Math.sin(i + name.length) / 2 + add),
        { shape },
      );
    };
    const state = model.namedParameters().map(([name, value]) => [name, fill(name, value)] as const);
    await model.loadStateDict(Object.fromEntries(state), { strict: false });
    return model.eval();
  }

  const inputs = {
    inputIds: tensor([[0, 0, 3, 4], [5, 6, 7, 8]], { dtype: 'int64' }), // biome-ignore format: rows
    attentionMask: tensor([[0, 0, 1, 1], [1, 1, 1, 1]], { dtype: 'int64' }), // biome-ignore format: rows
    labels: tensor([[-100, -100, 3, 4], [5, 6, 7, 8]], { dtype: 'int64' }), // biome-ignore format: rows
  };

  it('gets nothing from attention, so that the loss of the first token is that of transformers 5.23', async () => {
    const gpt = await sines(GPT2LMHeadModel.fromConfig(gpt2));
    expect(await gpt.forward(inputs).loss?.item()).toBeCloseTo(2.6494736671447754, 5);
    const sizes = { vocabSize: 11, hiddenSize: 4, intermediateSize: 6, numHiddenLayers: 2, numAttentionHeads: 2 };
    const llama = await sines(LlamaForCausalLM.fromConfig(llamaConfig.create({ ...sizes, maxPositionEmbeddings: 8 })));
    expect(await llama.forward(inputs).loss?.item()).toBeCloseTo(2.4425208568573, 5);
  });
});

it('Llama counts a negative padding token from the end, as PyTorch does', () => {
  const sizes = { vocabSize: 11, hiddenSize: 4, intermediateSize: 6, numHiddenLayers: 1, numAttentionHeads: 2 };
  const model = LlamaForCausalLM.fromConfig(llamaConfig.create({ ...sizes, padTokenId: -1 }));
  expect(model.model.embedTokens.paddingIdx).toBe(10);
});
