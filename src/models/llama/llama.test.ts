import { describe, expect, it } from 'vitest';
import { testGoldenForward } from '../../../test/golden/decoders.ts';
import { zeros } from '../../tensor/index.ts';
import { AutoModelForCausalLM, AutoModelForSequenceClassification } from '../auto.ts';
import { rotaryFrequencies } from './config.ts';
import { LlamaForCausalLM, llamaConfig, MistralForCausalLM, mistralConfig } from './index.ts';

describe.each(['LlamaForCausalLM', 'MistralForCausalLM', 'Qwen2ForCausalLM'])('%s', (op) => {
  testGoldenForward(op, AutoModelForCausalLM);
});

describe('LlamaForSequenceClassification', () => {
  testGoldenForward('LlamaForSequenceClassification', AutoModelForSequenceClassification);
});

const tiny = { vocabSize: 11, hiddenSize: 8, intermediateSize: 4, numHiddenLayers: 1, numAttentionHeads: 2 };

describe('configuration', () => {
  it('reads theta and scaling as older and as newer files have them', () => {
    const older = llamaConfig.fromJson({
      rope_theta: 500,
      rope_scaling: { type: 'linear', factor: 2 },
      model_type: 'llama',
    });
    const newer = llamaConfig.fromJson({
      model_type: 'llama',
      rope_parameters: { rope_type: 'linear', factor: 2, rope_theta: 500 },
    });
    expect(rotaryFrequencies(older)).toEqual(rotaryFrequencies(newer));
    expect(rotaryFrequencies(older)[0]).toBe(0.5);
    expect(llamaConfig.toJson(newer).rope_parameters).toEqual({ rope_type: 'linear', factor: 2, rope_theta: 500 });
  });

  it('names what it cannot do', () => {
    const scaled = (ropeScaling: { rope_type: string; factor?: number; partial_rotary_factor?: number }) =>
      new LlamaForCausalLM(llamaConfig.create({ ...tiny, ropeScaling }));
    expect(() => scaled({ rope_type: 'yarn', factor: 2 })).toThrow(
      "rope scaling 'yarn' is not known; there are default, linear and llama3",
    );
    expect(() => scaled({ rope_type: 'default', partial_rotary_factor: 0.5 })).toThrow(
      'only whole heads can be turned',
    );
    expect(() => scaled({ rope_type: 'linear' })).toThrow(`rope scaling 'linear' needs "factor"`);
    expect(() => new LlamaForCausalLM(llamaConfig.create({ ...tiny, numKeyValueHeads: 3 }))).toThrow(
      '"num_key_value_heads": 3 cannot be shared by num_attention_heads, 2',
    );
    expect(() => new LlamaForCausalLM(llamaConfig.create({ ...tiny, hiddenSize: 10 }))).toThrow(
      'gives 2 heads of 5 features, expected an even number',
    );
  });

  it('refuses texts beyond a sliding window instead of looking past it', () => {
    const model = new MistralForCausalLM(mistralConfig.create({ ...tiny, numKeyValueHeads: 1, slidingWindow: 4 }));
    expect(() => model.forward({ inputIds: zeros([1, 5], { dtype: 'int64' }) })).toThrow('with at most 4 tokens');
  });
});
