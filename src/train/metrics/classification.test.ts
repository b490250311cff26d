import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ArgumentError, NumericError, ShapeError } from '../../ir/errors.ts';
import { fromNested, type NDArray } from '../../ir/ndarray.ts';
import {
  accuracy,
  type ConfusionMatrix,
  classificationReport,
  confusionMatrix,
  confusionTable,
  f1,
  type Metric,
  meanIoU,
  precision,
  recall,
  topKAccuracy,
} from './index.ts';

const golden = JSON.parse(fs.readFileSync('test/golden/metrics.json', 'utf8'));

/** Feeds rows in batches of 7: results must not depend on the cut. */
function run<R>(metric: Metric<NDArray, NDArray, R>, output: NDArray, target: NDArray): R {
  metric.update(sliceRowRange(output, 0, 1), sliceRowRange(target, 0, 1));
  metric.reset();
  for (let at = 0; at < output.shape[0]; at += 7)
    metric.update(sliceRowRange(output, at, at + 7), sliceRowRange(target, at, at + 7));
  return metric.compute();
}

function sliceRowRange(a: NDArray, from: number, to: number): NDArray {
  const rows = Math.min(to, a.shape[0]) - from;
  const size = a.data.length / a.shape[0];
  return { ...a, data: a.data.slice(from * size, (from + rows) * size), shape: [rows, ...a.shape.slice(1)] };
}

describe.each(['plain', 'gaps'])('against scikit-learn: %s', (name) => {
  const want = golden[name];
  const logits = fromNested(want.logits);
  const target = fromNested(want.target, 'int64');

  it('accuracy, confusion matrix, mean IoU', () => {
    expect(run(accuracy(), logits, target)).toBeCloseTo(want.accuracy, 12);
    expect(run(confusionMatrix(), logits, target).counts).toEqual(want.confusion);
    expect(run(meanIoU(), logits, target)).toBeCloseTo(want.jaccard, 12);
  });

  it.each([
    ['precision', precision],
    ['recall', recall],
    ['f1', f1],
  ] as const)('%s', (key, make) => {
    for (const average of ['macro', 'micro', 'weighted'] as const)
      expect(run(make({ average }), logits, target), average).toBeCloseTo(want[key][average], 12);
    const each = Object.values(run(make({ average: 'none' }), logits, target));
    expect(each).toHaveLength(want[key].none.length);
    for (const [i, value] of each.entries()) expect(value).toBeCloseTo(want[key].none[i], 12);
    expect(run(make(), logits, target)).toBeCloseTo(want[key].macro, 12);
  });

  it('classification report, to the letter', () => {
    expect(classificationReport(run(confusionMatrix(), logits, target), { digits: 3 })).toBe(want.report);
  });

  it('the same from predicted classes as from logits', () => {
    const classes = want.logits.map((row: number[]) => row.indexOf(Math.max(...row)));
    const predicted = fromNested(classes, 'int32');
    expect(run(f1(), predicted, target)).toBeCloseTo(want.f1.macro, 12);
  });
});

it('classification report rounds halves to even and counts characters, as Python does', () => {
  const { target, predicted, names, ...reports } = golden.halves;
  const metric = confusionMatrix({ labels: names });
  metric.update(fromNested(predicted, 'int64'), fromNested(target, 'int64'));
  for (const [digits, want] of Object.entries(reports))
    expect(classificationReport(metric.compute(), { digits: Number(digits) })).toBe(want);
  expect(() => classificationReport(metric.compute(), { digits: 101 })).toThrow(ArgumentError);
});

it('several labels count as samples of their own', () => {
  // scikit-learn: f1_score(average='micro') 2 * 2 / (2 * 2 + 1 + 1), and 1 - hamming_loss.
  const scores = fromNested([
    [1, -1, 2],
    [-3, 4, -1],
  ]);
  const target = fromNested(
    [
      [1, 0, 0],
      [0, 1, 1],
    ],
    'uint8',
  );
  expect(run(f1({ average: 'binary' }), scores, target)).toBeCloseTo(2 / 3, 12);
  expect(run(accuracy(), scores, target)).toBeCloseTo(4 / 6, 12);
});

it('topKAccuracy against scikit-learn', () => {
  for (const [k, want] of Object.entries(golden.topK)) {
    const metric = topKAccuracy({ k: Number(k) });
    expect(metric.name).toBe(`top${k}_accuracy`);
    expect(run(metric, fromNested(golden.plain.logits), fromNested(golden.plain.target, 'int32'))).toBeCloseTo(
      want as number,
      12,
    );
  }
});

describe('binary tasks', () => {
  const scores = fromNested(golden.binary.scores);
  const target = fromNested(golden.binary.target, 'uint8');

  it('takes one logit per sample, of shape [N] or [N, 1]', () => {
    for (const output of [scores, { ...scores, shape: [scores.data.length, 1] }]) {
      expect(run(precision({ average: 'binary' }), output, target)).toBeCloseTo(golden.binary.precision, 12);
      expect(run(recall({ average: 'binary' }), output, target)).toBeCloseTo(golden.binary.recall, 12);
      expect(run(f1({ average: 'binary' }), output, target)).toBeCloseTo(golden.binary.f1, 12);
    }
    expect(run(accuracy({ threshold: 0.5 }), fromNested([0.4, 0.6, 0.5]), fromNested([0, 1, 0], 'bool'))).toBe(1);
  });

  it('refuses more than two classes', () => {
    const metric = f1({ average: 'binary' });
    metric.update(fromNested([[1, 2, 3]]), fromNested([2], 'int32'));
    expect(() => metric.compute()).toThrow("metric f1: average 'binary' of 3 classes, expected 2; use 'macro'");
  });
});

describe('layouts', () => {
  // Two images of 1 x 2 pixels, three classes on axis 1.
  const output = fromNested([
    [[[9, 0]], [[0, 9]], [[1, 1]]],
    [[[0, 0]], [[1, 1]], [[9, 0]]],
  ]);
  const target = fromNested([[[0, 1]], [[2, 255]]], 'int64');

  it('takes classes on axis 1 and leaves ignoreIndex out', () => {
    const metric = accuracy({ ignoreIndex: 255 });
    metric.update(output, target);
    expect(metric.compute()).toBe(1);
    const iou = meanIoU({ ignoreIndex: 255, perClass: true, labels: ['sky', 'road', 'tree'] });
    iou.update(output, target);
    expect(iou.compute()).toEqual({ mean_iou: 1, 'mean_iou/sky': 1, 'mean_iou/road': 1, 'mean_iou/tree': 1 });
  });

  it('takes classes on the last axis, and half precision', () => {
    // 0x4000 is 2 as float16, 0xbc00 is -1, 0x0001 the smallest above 0.
    const logits: NDArray = { data: Uint16Array.of(0x4000, 0, 0xbc00, 0x0001), shape: [1, 2, 2], dtype: 'float16' };
    const tokens = fromNested([[0, 1]], 'int64');
    const metric = accuracy({ classAxis: -1 });
    metric.update(logits, tokens);
    expect(metric.compute()).toBe(1);
    // 0x4000 is 2 as bfloat16 as well, 0xbf80 is -1.
    metric.update({ ...logits, data: Uint16Array.of(0x4000, 0, 0xbf80, 0x0001), dtype: 'bfloat16' }, tokens);
    expect(metric.compute()).toBe(1);
    const top = topKAccuracy({ k: 1, classAxis: -1 });
    top.update(logits, tokens);
    expect(top.compute()).toBe(1);
  });
});

describe('edges', () => {
  it('gives NaN without samples', () => {
    for (const metric of [
      accuracy(),
      f1(),
      precision({ average: 'weighted' }),
      recall({ average: 'micro' }),
      meanIoU(),
      topKAccuracy(),
    ])
      expect(metric.compute(), metric.name).toBeNaN();
    expect(confusionMatrix().compute()).toEqual({ labels: [], counts: [] });
  });

  it('forgets the number of classes on reset, and keeps nothing of a refused batch', () => {
    const metric = f1({ average: 'binary' });
    metric.update(fromNested([[1, 2, 3]]), fromNested([2]));
    metric.reset();
    metric.update(fromNested([[1, 2]]), fromNested([1]));
    expect(metric.compute()).toBe(1);
    const two = fromNested([
      [2, 1],
      [1, 2],
    ]);
    for (const each of [accuracy(), topKAccuracy({ k: 1 }), f1()]) {
      expect(() => each.update(two, fromNested([0, 7])), each.name).toThrow(ArgumentError);
      expect(each.compute(), each.name).toBeNaN();
    }
  });

  it.each<[string, () => void, new (m: string) => Error, string | RegExp]>([
    [
      'NaN',
      () => accuracy().update(fromNested([[1, Number.NaN]]), fromNested([0])),
      NumericError,
      'metric accuracy: element 1 of the output is NaN',
    ],
    [
      'shapes',
      () => f1().update(fromNested([[1, 2]]), fromNested([0, 1])),
      ShapeError,
      'metric f1: output [1, 2] does not fit target [2]',
    ],
    [
      'no classes',
      () =>
        accuracy().update({ ...fromNested([0], 'float32'), data: new Float32Array(0), shape: [1, 0] }, fromNested([0])),
      ShapeError,
      'output [1, 0] does not fit target [1]',
    ],
    [
      'class too large',
      () => accuracy().update(fromNested([[1, 2]]), fromNested([2])),
      ArgumentError,
      'element 0 of the target is 2, expected a class index from 0 to 1',
    ],
    [
      'padding',
      () => accuracy().update(fromNested([[1, 2]]), fromNested([-100])),
      ArgumentError,
      /is -100, .*set ignoreIndex/,
    ],
    [
      'fractions',
      () => topKAccuracy().update(fromNested([[1, 2]]), fromNested([0.5])),
      ArgumentError,
      'is 0.5, expected a class index',
    ],
    [
      'NaN target',
      () => accuracy().update(fromNested([[1, 2]]), fromNested([Number.NaN])),
      ArgumentError,
      'is NaN, expected a class index',
    ],
    [
      'more classes than labels',
      () => confusionMatrix({ labels: ['a'] }).update(fromNested([[1, 2]]), fromNested([0])),
      ArgumentError,
      'class 1 appeared, but only 1 labels were given',
    ],
    [
      'absurd class',
      () => confusionMatrix().update(fromNested([1e9], 'int32'), fromNested([0])),
      ArgumentError,
      '1000000001 classes, expected at most 4096',
    ],
    [
      'k',
      () => topKAccuracy({ k: 0 }),
      ArgumentError,
      'metric top0_accuracy: k is 0, expected an integer of at least 1',
    ],
  ])('refuses %s', (_, act, error, message) => {
    expect(act).toThrow(error);
    expect(act).toThrow(message);
  });
});

it('confusionTable lines up', () => {
  const matrix: ConfusionMatrix = {
    labels: ['cat', 'dog', 'crocodile'],
    counts: [
      [1200, 3, 0],
      [0, 950, 1],
      [2, 0, 7],
    ],
  };
  expect(`\n${confusionTable(matrix)}`).toMatchInlineSnapshot(`
    "
    actual \\ predicted |  cat  dog  crocodile
    -------------------+---------------------
                   cat | 1200    3          .
                   dog |    .  950          1
             crocodile |    2    .          7
    "
  `);
});
