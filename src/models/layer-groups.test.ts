/** @file Groups of parameters by depth. */
import { describe, expect, it } from 'vitest';
import { Linear } from '../nn/linear.ts';
import { adamw } from '../optim/index.ts';
import { bertConfig } from './bert/config.ts';
import { BertForSequenceClassification } from './index.ts';
import { layerwiseGroups } from './layer-groups.ts';

const small = () =>
  new BertForSequenceClassification(
    bertConfig.create({ vocabSize: 20, hiddenSize: 8, numHiddenLayers: 3, numAttentionHeads: 2, intermediateSize: 8 }),
  );

describe('layerwiseGroups', () => {
  it('the head has lr, every layer before it less, the embeddings least', () => {
    const model = small();
    const groups = layerwiseGroups(model, { lr: 1, decay: 0.5 });
    const rateOf = new Map(groups.flatMap(({ params, lr }) => params.map((p) => [p, lr] as const)));
    const rates = Object.fromEntries(model.namedParameters().map(([name, p]) => [name, rateOf.get(p)]));
    expect(rates['classifier.weight']).toBe(1);
    expect(rates['bert.pooler.dense.bias']).toBe(1);
    expect(rates['bert.encoder.layer.2.output.dense.weight']).toBe(0.5);
    expect(rates['bert.encoder.layer.0.attention.self.query.bias']).toBe(0.125);
    expect(rates['bert.embeddings.word_embeddings.weight']).toBe(0.0625);
    expect(groups.map(({ lr }) => lr)).toEqual([1, 0.5, 0.25, 0.125, 0.0625]);
    expect(rateOf.size).toBe(model.parameters().length);
    expect(adamw(groups).groups.map(({ hyper }) => hyper.lr)).toEqual([1, 0.5, 0.25, 0.125, 0.0625]);
  });

  it('leaves frozen parameters out; separates what decays from what does not', () => {
    const model = small();
    model.freeze('bert.embeddings');
    const groups = layerwiseGroups(model, { lr: 1, decay: 0.5, weightDecay: 0.01 });
    expect(groups.length).toBe(8);
    for (const { params, weightDecay } of groups)
      for (const p of params) expect(weightDecay).toBe(p.ndim > 1 ? 0.01 : 0);
  });

  it('says what is wrong', () => {
    expect(() => layerwiseGroups(small(), { lr: 1, decay: 2 })).toThrow(/decay must be in \(0, 1\], found 2/);
    expect(() => layerwiseGroups(new Linear(2, 2), { lr: 1 })).toThrow(/Linear has no numbered layers/);
  });
});
