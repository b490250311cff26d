import fs from 'node:fs';
import { expect, it } from 'vitest';
import { ArgumentError, NumericError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { bitsPerCharacter, equalErrorRate, perplexity } from './index.ts';

const golden = JSON.parse(fs.readFileSync('test/golden/audio.json', 'utf8'));
const array = (values: readonly number[], shape = [values.length]): NDArray => ({
  data: Float64Array.from(values),
  shape,
  dtype: 'float64',
});

it('equal error rate as scikit-learn and scipy give it, whatever the batches', () => {
  for (const { scores, same, eer } of golden.eer) {
    const metric = equalErrorRate();
    metric.update(array(scores.slice(0, 7)), array(same.slice(0, 7)));
    metric.update(array(scores.slice(7)), array(same.slice(7)));
    expect(metric.compute()).toBeCloseTo(eer, 9);
  }
});

it('equal error rate: perfect, reversed, all scores equal, one kind only', () => {
  const of = (scores: number[], same: number[]) => {
    const metric = equalErrorRate();
    metric.update(array(scores), array(same));
    return metric.compute();
  };
  expect(of([3, 2, 1, 0], [1, 1, 0, 0])).toBe(0);
  expect(of([3, 2, 1, 0], [0, 0, 1, 1])).toBe(1);
  expect(of([1, 1, 1], [1, 0, 0])).toBe(0.5);
  expect(of([1, 2], [1, 1])).toBeNaN();
  expect(() => of([1], [2])).toThrow(ArgumentError);
  expect(() => of([1], [1, 0])).toThrow(ShapeError);
  expect(() => of([Number.NaN], [1])).toThrow(NumericError);
});

it('bits per character are the base-2 logarithm of the perplexity', () => {
  const [bits, nats] = [bitsPerCharacter(), perplexity()];
  for (const metric of [bits, nats]) {
    metric.update(array([0, 0, 0, 0, Math.log(3), 0, 0, 0], [2, 4]), array([1, 0]));
    metric.update(array([5, 1, 1, 1], [1, 4]), array([-100]));
  }
  expect(bits.compute()).toBeCloseTo((2 + 1) / 2, 12);
  expect(2 ** bits.compute()).toBeCloseTo(nats.compute(), 12);
});
