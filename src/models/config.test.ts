/** @file What config.json may hold. */
import { expect, it } from 'vitest';
import { bertConfig } from './bert/index.ts';
import { numLabels } from './config.ts';

it('takes numbers as names of classes', () => {
  const json = { model_type: 'bert', id2label: { 0: 3, 1: 'x', 2: 4.5 }, label2id: { 3: 0, x: 1, '4.5': 2 } };
  const config = bertConfig.fromJson(json);
  expect(config.id2label).toEqual({ 0: '3', 1: 'x', 2: '4.5' });
  expect(numLabels(config)).toBe(3);
  expect(() => bertConfig.fromJson({ model_type: 'bert', id2label: { 0: null } })).toThrow('"id2label.0"');
});
