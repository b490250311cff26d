/** @file Every metric goes on from a checkpoint within an epoch as if nothing had happened. */
import { describe, expect, it } from 'vitest';
import { fromNested } from '../../ir/ndarray.ts';
import type { Json } from '../callback.ts';
import * as metrics from './index.ts';
import type { Metric } from './metric.ts';

const scores = (rows: number[][]) => fromNested(rows);
const box = (x: number): metrics.Box => [x, 0, x + 2, 2];
const objects = (x: number): metrics.Objects => ({ boxes: [box(x), box(9)], labels: [1, 0], ignore: [false, true] });
const found = (x: number, score: number): metrics.Detections => ({
  boxes: [box(x), box(9)],
  scores: [score, 0.3],
  labels: [1, 0],
});

/** A metric, two batches of output and target. */
function of<O, T, R>(make: () => Metric<O, T, R>, ...batches: [O, T][]): [string, () => unknown[]] {
  const run = () => {
    const whole = make();
    const before = make();
    for (const [output, target] of batches) whole.update(output, target);
    before.update(...batches[0]);
    const state = JSON.parse(JSON.stringify(before.stateDict?.())) as Json;
    const after = make();
    // What was there is replaced.
    after.update(...batches[1]);
    after.loadStateDict?.(state);
    for (const [output, target] of batches.slice(1)) after.update(output, target);
    return [after.compute(), whole.compute(), before.compute()];
  };
  return [make().name, run];
}

const classes: [ReturnType<typeof scores>, ReturnType<typeof fromNested>][] = [
  [
    scores([
      [0.1, 2, -1],
      [3, 0.5, 0.2],
    ]),
    fromNested([1, 2]),
  ],
  [
    scores([
      [1, 0.3, 4],
      [0.2, 0.1, 0.9],
      [1, 5, 0],
    ]),
    fromNested([2, 0, 1]),
  ],
];
const pairs: typeof classes = [
  [fromNested([0.9, Number.POSITIVE_INFINITY, 0.4, 0.1]), fromNested([1, 0, 1, 0])],
  [fromNested([0.8, 0.35, 0.7]), fromNested([1, 0, 0])],
];
const values: typeof classes = [
  [fromNested([1, 2]), fromNested([1.5, 4])],
  [fromNested([0.1, 7, 3]), fromNested([0.3, 5, 3])],
];
const queries: typeof classes = [
  [scores([[1, 2, 3]]), scores([[0, 1, 1]])],
  [scores([[3, 2, 1]]), scores([[0, 1, 2]])],
];
const words: [string[], string[]][] = [
  [
    ['a b c d e', 'x y'],
    ['a b c d f', 'x z'],
  ],
  [['one two three four five'], ['one two tree four five six']],
];

const all = [
  of(metrics.accuracy, ...classes),
  of(() => metrics.topKAccuracy({ k: 2 }), ...classes),
  of(metrics.f1, ...classes),
  of(metrics.precision, ...classes),
  of(metrics.recall, ...classes),
  of(metrics.confusionMatrix, ...classes),
  of(metrics.meanIoU, ...classes),
  of(metrics.perplexity, ...classes),
  of(metrics.bitsPerCharacter, ...classes),
  of(metrics.rocAuc, ...classes),
  of(metrics.averagePrecision, ...classes),
  of(metrics.rocAuc, ...pairs),
  of(metrics.averagePrecision, ...pairs),
  of(metrics.equalErrorRate, ...pairs),
  of(metrics.mae, ...values),
  of(metrics.rmse, ...values),
  of(metrics.r2, ...values),
  of(metrics.ndcg, ...queries),
  of(metrics.bleu, ...words),
  of(metrics.wer, ...words),
  of(metrics.cer, ...words),
  of(
    metrics.meanAveragePrecision,
    [[found(1, 0.8)], [objects(1)]],
    [
      [found(4, 0.9), found(6, 0.2)],
      [objects(1), objects(6)],
    ],
  ),
];

describe('state of metrics', () => {
  it.each(all)('%s', (_, run) => {
    const [resumed, whole, before] = run();
    expect(resumed).toEqual(whole);
    expect(resumed).not.toEqual(before);
  });

  it('keeps infinities, which JSON lacks', () => {
    for (const make of [metrics.perplexity, metrics.bitsPerCharacter]) {
      const [metric, resumed] = [make(), make()];
      metric.update(scores([[0, Number.NEGATIVE_INFINITY]]), fromNested([1]));
      resumed.loadStateDict?.(JSON.parse(JSON.stringify(metric.stateDict?.())));
      expect(resumed.compute()).toBe(Number.POSITIVE_INFINITY);
    }
  });
});
