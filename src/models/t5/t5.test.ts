import { describe, expect, it } from 'vitest';
import { decoderCases, testGoldenForward } from '../../../test/golden/decoders.ts';
import { zeros } from '../../tensor/index.ts';
import { AutoModel, AutoModelForSeq2SeqLM } from '../auto.ts';
import { T5EncoderModel, T5ForConditionalGeneration, t5Config } from './index.ts';
import { distanceBuckets } from './layers.ts';

describe('T5ForConditionalGeneration', () => {
  testGoldenForward('T5ForConditionalGeneration', AutoModelForSeq2SeqLM);
});

describe('T5EncoderModel', () => {
  testGoldenForward('T5EncoderModel', { fromConfig: (json) => new T5EncoderModel(t5Config.fromJson(json)) });
});

it('sorts distances into the buckets of transformers', () => {
  for (const { bidirectional, buckets, maxDistance, output } of decoderCases('buckets')) {
    const own = bidirectional ? buckets / 2 : buckets;
    const table = distanceBuckets(own, maxDistance);
    const bucket = (relative: number) => {
      const distance = Math.min(bidirectional ? Math.abs(relative) : Math.max(-relative, 0), maxDistance);
      return table[distance] + (bidirectional && relative > 0 ? own : 0);
    };
    expect(Array.from({ length: 601 }, (_, i) => bucket(i - 300))).toEqual(Array.from(output.data));
  }
});

const tiny = { vocabSize: 11, dModel: 4, dKv: 2, dFf: 6, numLayers: 1, numHeads: 2 };

it('has tied embeddings in T5 1.0, a head of its own in 1.1', () => {
  const keys = (model: T5ForConditionalGeneration) =>
    Object.keys(model.stateDict()).filter((key) => !(key in model.tiedKeys()));
  const first = new T5ForConditionalGeneration(t5Config.create(tiny));
  expect(keys(first)).not.toContain('lm_head.weight');
  expect(first.lmHead.weight).toBe(first.shared.weight);
  const second = t5Config.create({ ...tiny, tieWordEmbeddings: false, feedForwardProj: 'gated-gelu' });
  expect(keys(new T5ForConditionalGeneration(second))).toContain('lm_head.weight');
  expect(keys(new T5ForConditionalGeneration(second))).toContain('encoder.block.0.layer.1.DenseReluDense.wi_1.weight');
});

it('says what is missing', () => {
  const ids = zeros([1, 3], { dtype: 'int64' });
  const model = new T5ForConditionalGeneration(t5Config.create(tiny));
  expect(() => model.forward({ inputIds: ids })).toThrow('needs labels or decoderInputIds');
  const base = AutoModel.fromConfig(t5Config.toJson(t5Config.create(tiny)));
  expect(() => (base.forward as (inputs: object) => unknown)({ inputIds: ids })).toThrow('needs decoderInputIds');
  expect(() => new T5ForConditionalGeneration(t5Config.create({ ...tiny, feedForwardProj: 'gated-x-y' }))).toThrow(
    `"feed_forward_proj": expected an activation such as 'relu' or 'gated-gelu', found 'gated-x-y'`,
  );
});
