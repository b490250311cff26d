/** @file Layers computed again in the backward pass: the same losses and gradients. */
import { describe, expect, it } from 'vitest';
import { Linear } from '../nn/linear.ts';
import { fromData, manualSeed } from '../tensor/index.ts';
import { bertConfig } from './bert/config.ts';
import { gradientCheckpointing } from './gradient-checkpointing.ts';
import { BertForSequenceClassification } from './index.ts';

describe('gradientCheckpointing', () => {
  it('gives equal losses and gradients, with dropout', async () => {
    const gradients = async (set: (model: BertForSequenceClassification) => void) => {
      manualSeed(5);
      const config = bertConfig.create({
        vocabSize: 20,
        hiddenSize: 8,
        numHiddenLayers: 2,
        numAttentionHeads: 2,
        intermediateSize: 8,
      });
      const model = new BertForSequenceClassification(config);
      set(model);
      const inputIds = fromData(Float64Array.of(1, 5, 3, 2, 9, 4), [2, 3], { dtype: 'int64' });
      const labels = fromData(Float64Array.of(1, 0), [2], { dtype: 'int64' });
      const { loss } = model.forward({ inputIds, labels });
      loss?.backward();
      const found = await Promise.all(model.parameters().map(async (p) => Array.from((await p.grad?.data()) ?? [])));
      return [[await loss?.item()], ...found] as number[][];
    };
    const plain = await gradients(() => {});
    const isHooked = (model: BertForSequenceClassification) =>
      model.modules().some((module) => Object.hasOwn(module, 'forward'));
    for (const [isOn, set] of [
      [true, (model) => gradientCheckpointing(gradientCheckpointing(model))],
      [true, (model) => model.gradientCheckpointingEnable()],
      [false, (model) => gradientCheckpointing(gradientCheckpointing(model)).gradientCheckpointingDisable()],
    ] satisfies [boolean, (model: BertForSequenceClassification) => void][]) {
      const again = await gradients((model) => {
        set(model);
        expect(isHooked(model)).toBe(isOn);
      });
      expect(again.length).toBe(plain.length);
      plain.forEach((values, i) => {
        values.forEach((v, j) => {
          expect(again[i][j]).toBeCloseTo(v, 6);
        });
      });
    }
  });

  it('says what it needs', () => {
    expect(() => gradientCheckpointing(new Linear(2, 2))).toThrow(/Linear has no ModuleList of layers/);
  });
});
