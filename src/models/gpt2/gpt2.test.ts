import { describe, expect, it } from 'vitest';
import { testGoldenForward } from '../../../test/golden/decoders.ts';
import { tensor, zeros } from '../../tensor/index.ts';
import { AutoModelForCausalLM, AutoModelForSequenceClassification } from '../auto.ts';
import { GPT2LMHeadModel, gpt2Config } from './index.ts';

describe('GPT2LMHeadModel', () => {
  testGoldenForward('GPT2LMHeadModel', AutoModelForCausalLM);
});

describe('GPT2ForSequenceClassification', () => {
  testGoldenForward('GPT2ForSequenceClassification', AutoModelForSequenceClassification);
});

const tiny = { vocabSize: 11, nPositions: 6, nEmbd: 4, nLayer: 1, nHead: 2 };

it('has the state-dict keys and weights [in, out] of transformers', () => {
  const model = new GPT2LMHeadModel(gpt2Config.create(tiny));
  const state = model.stateDict();
  expect(Object.keys(state)).toEqual([
    'transformer.wte.weight',
    'transformer.wpe.weight',
    ...['ln_1', 'attn.c_attn', 'attn.c_proj', 'ln_2', 'mlp.c_fc', 'mlp.c_proj'].flatMap((name) => [
      `transformer.h.0.${name}.weight`,
      `transformer.h.0.${name}.bias`,
    ]),
    'transformer.ln_f.weight',
    'transformer.ln_f.bias',
    'lm_head.weight',
  ]);
  expect(state['transformer.h.0.attn.c_attn.weight'].shape).toEqual([4, 12]);
  expect(state['lm_head.weight']).toBe(state['transformer.wte.weight']);
});

it('draws new weights as GPT-2: smaller where a branch joins the residual stream', async () => {
  const json = { model_type: 'gpt2', vocab_size: 50, n_embd: 64, n_layer: 8, n_head: 2, n_positions: 8 };
  const state = AutoModelForCausalLM.fromConfig(json).stateDict();
  const std = async (key: string) => await state[key].std().item();
  expect(await std('transformer.h.3.attn.c_attn.weight')).toBeCloseTo(0.02, 2);
  expect(await std('transformer.h.3.mlp.c_proj.weight')).toBeCloseTo(0.005, 3);
  expect(await std('transformer.wte.weight')).toBeCloseTo(0.02, 2);
});

it('refuses texts longer than its positions, and batches to classify without a padding token', () => {
  const model = new GPT2LMHeadModel(gpt2Config.create(tiny));
  expect(() => model.forward({ inputIds: zeros([1, 7], { dtype: 'int64' }) })).toThrow(
    'inputIds: expected [batch, sequence] with at most 6 tokens, found [1, 7]',
  );
  const classifier = AutoModelForSequenceClassification.fromConfig({
    model_type: 'gpt2',
    vocab_size: 11,
    n_embd: 4,
    n_layer: 1,
    n_head: 2,
  });
  const inputIds = tensor([[1], [2]], { dtype: 'int64' });
  expect(() => (classifier.forward as (inputs: object) => unknown)({ inputIds })).toThrow(
    'a batch of 2 texts needs padTokenId in the config',
  );
});

it('refuses a width that its heads cannot share', () => {
  expect(() => new GPT2LMHeadModel(gpt2Config.create({ ...tiny, nHead: 3 }))).toThrow(
    'config.json: "n_embd": 4 is no multiple of n_head, 3',
  );
});
