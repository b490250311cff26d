import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ArgumentError, NumericError, ShapeError } from '../../ir/errors.ts';
import { fromNested, type NDArray } from '../../ir/ndarray.ts';
import { averagePrecision, type Metric, mae, mean, ndcg, perplexity, r2, rmse, rocAuc } from './index.ts';

const golden = JSON.parse(fs.readFileSync('test/golden/metrics.json', 'utf8'));

/** Feeds rows in batches of 7: results must not depend on the cut. */
function run<R>(metric: Metric<NDArray, NDArray, R>, output: number[] | number[][], target: number[] | number[][]): R {
  metric.update(fromNested(output.slice(0, 1), 'float64'), fromNested(target.slice(0, 1), 'float64'));
  metric.reset();
  for (let at = 0; at < output.length; at += 7)
    metric.update(fromNested(output.slice(at, at + 7), 'float64'), fromNested(target.slice(at, at + 7), 'float64'));
  return metric.compute();
}

describe('rocAuc and averagePrecision against scikit-learn', () => {
  const { scores, target } = golden.binary;

  it('binary scores with ties', () => {
    expect(run(rocAuc(), scores, target)).toBeCloseTo(golden.binary.rocAuc, 12);
    expect(run(averagePrecision(), scores, target)).toBeCloseTo(golden.binary.averagePrecision, 12);
    const pairs = scores.map((s: number) => [0, s]);
    expect(run(rocAuc(), pairs, target)).toBeCloseTo(golden.binary.rocAuc, 12);
    expect(run(averagePrecision({ fromLogits: false }), pairs, target)).toBeCloseTo(golden.binary.averagePrecision, 12);
  });

  it('one class against the rest', () => {
    const { logits, target } = golden.plain;
    expect(run(rocAuc(), logits, target)).toBeCloseTo(golden.multi.rocAuc, 12);
    expect(run(averagePrecision(), logits, target)).toBeCloseTo(golden.multi.averagePrecision, 12);
    const each = Object.values(run(rocAuc({ average: 'none' }), logits, target));
    for (const [c, value] of each.entries()) expect(value).toBeCloseTo(golden.multi.rocAucEach[c], 12);
  });

  it('any number of labels per sample', () => {
    for (const { scores, target, ...want } of golden.labels) {
      expect(run(rocAuc(), scores, target)).toBeCloseTo(want.rocAuc, 12);
      expect(run(averagePrecision(), scores, target)).toBeCloseTo(want.averagePrecision, 12);
      const each = Object.values(run(rocAuc({ average: 'none' }), scores, target));
      for (const [c, value] of each.entries()) expect(value).toBeCloseTo(want.rocAucEach[c], 12);
      const resumed = rocAuc();
      const metric = rocAuc();
      metric.update(fromNested(scores), fromNested(target));
      resumed.loadStateDict?.(JSON.parse(JSON.stringify(metric.stateDict?.())));
      expect(resumed.compute()).toBe(metric.compute());
    }
    const metric = rocAuc();
    metric.update(fromNested([[0.3, -1]]), fromNested([[1, 1]]));
    expect(() => metric.update(fromNested([[1, 2]]), fromNested([1]))).toThrow(
      'metric roc_auc: 2 classes now, but 2 columns of scores (a target for each) before',
    );
    expect(() => metric.update(fromNested([[1, 2]]), fromNested([[2, 0]]))).toThrow(
      'expected a class index from 0 to 1',
    );
  });

  it('has no value where a class has no positives or negatives, and leaves it out of the mean', () => {
    expect(run(rocAuc(), [0.1, 0.9], [1, 1])).toBeNaN();
    expect(run(averagePrecision(), [0.1, 0.9], [0, 0])).toBe(0);
    const probabilities = [
      [0.7, 0.2, 0.1],
      [0.2, 0.7, 0.1],
      [0.6, 0.3, 0.1],
    ];
    expect(run(rocAuc({ fromLogits: false }), probabilities, [0, 1, 0])).toBe(1);
    expect(rocAuc().compute()).toBeNaN();
    expect(run(averagePrecision(), [], [])).toBeNaN();
  });

  it('refuses wrong input', () => {
    const metric = rocAuc();
    expect(() => metric.update(fromNested([1, Number.NaN]), fromNested([0, 1]))).toThrow(NumericError);
    expect(() => metric.update(fromNested([[1, 2, 3]]), fromNested([[0, 1]]))).toThrow(ShapeError);
    expect(() => metric.update(fromNested([1]), fromNested([2]))).toThrow(ArgumentError);
    const square = fromNested([
      [0, 1],
      [0, 1],
    ]);
    expect(() => metric.update(fromNested([1, 2, 3, 4]), square)).toThrow(ShapeError);
    expect(metric.compute()).toBeNaN();
    // @ts-expect-error An average that there is not.
    expect(() => rocAuc({ average: 'weighted' })).toThrow("average 'weighted', expected macro, none");
    const infinite = fromNested([
      [1, 2, 3],
      [1, Number.POSITIVE_INFINITY, 3],
    ]);
    expect(() => metric.update(infinite, fromNested([2, 1]))).toThrow('metric roc_auc: softmax of infinite logits');
    expect(metric.compute()).toBeNaN();
    metric.update(fromNested([[1, 2, 3]]), fromNested([2]));
    expect(() => metric.update(fromNested([1]), fromNested([1]))).toThrow(
      'metric roc_auc: 1 classes now, but 3 columns of scores before',
    );
  });
});

describe('regression against scikit-learn', () => {
  const { output, target, ...want } = golden.regression;
  const first = (rows: number[][]) => rows.map((row) => row[0]);

  it('rmse, mae, r2', () => {
    expect(run(r2(), output, target)).toBeCloseTo(want.r2, 12);
    expect(run(r2(), first(output), first(target))).toBeCloseTo(want.r2First, 12);
    expect(run(mae(), output, target)).toBeCloseTo(want.mae, 12);
    expect(run(rmse(), first(output), first(target))).toBeCloseTo(want.rmseFirst, 12);
  });

  it('constant targets, single samples, far offsets', () => {
    expect(run(r2(), [2, 2, 1], [2, 2, 2])).toBe(want.r2Constant);
    expect(run(r2(), [2, 2, 2], [2, 2, 2])).toBe(want.r2Exact);
    expect(run(r2(), [1], [2])).toBeNaN();
    const far = first(target).map((v) => v + 1e8);
    expect(
      run(
        r2(),
        first(output).map((v) => v + 1e8),
        far,
      ),
    ).toBeCloseTo(want.r2First, 6);
  });

  it('takes [N, 1] against [N] and refuses other shapes and NaN', () => {
    expect(run(mae(), [[1], [2]], [1, 4])).toBe(1);
    expect(() => mae().update(fromNested([1, 2]), fromNested([1]))).toThrow(
      'metric mae: output [2] and target [1] must have the same shape',
    );
    expect(() => rmse().update(fromNested([Number.NaN]), fromNested([1]))).toThrow(NumericError);
    expect(rmse().compute()).toBeNaN();
    const metric = r2();
    expect(() => metric.update(fromNested([[1, 2, 3]]), fromNested([1, 2, 3]))).toThrow(ShapeError);
    metric.update(fromNested([1, 2, 4]), fromNested([1, 2, 3]));
    expect(metric.compute()).toBe(0.5);
    expect(() => metric.update(fromNested([[1, 2]]), fromNested([[1, 2]]))).toThrow(
      'metric r2: 2 columns now, but 1 before',
    );
  });
});

it('ndcg against scikit-learn, with ties', () => {
  const { scores, relevance } = golden.ndcg;
  expect(run(ndcg(), scores, relevance)).toBeCloseTo(golden.ndcg.all, 12);
  expect(run(ndcg({ k: 3 }), scores, relevance)).toBeCloseTo(golden.ndcg[3], 12);
  expect(run(ndcg({ k: 1 }), scores, relevance)).toBeCloseTo(golden.ndcg[1], 12);
  expect(ndcg({ k: 3 }).name).toBe('ndcg@3');
  expect(() => ndcg().update(fromNested([[1]]), fromNested([[-1]]))).toThrow('element 0 of the target is -1');
});

it('perplexity is exp of the cross entropy, without padding', () => {
  const { logits, target } = golden.plain;
  expect(run(perplexity(), logits, target)).toBeCloseTo(Math.exp(golden.logLoss), 10);
  const metric = perplexity();
  metric.update(
    fromNested([
      [
        [0, 1000],
        [5, 5],
      ],
    ]),
    fromNested([[1, -100]]),
  );
  expect(metric.compute()).toBe(1);
  metric.reset();
  metric.update(fromNested([[[3, 3, 3, 3]]]), fromNested([[2]]));
  expect(metric.compute()).toBeCloseTo(4, 12);
  expect(() => metric.update(fromNested([1]), fromNested([1]))).toThrow(ArgumentError);
  const refused = fromNested([
    [5, 5],
    [5, 5],
  ]);
  expect(() => metric.update(refused, fromNested([0, 2]))).toThrow(ArgumentError);
  expect(metric.compute()).toBeCloseTo(4, 12);
});

it('mean weighs batches and refuses NaN', () => {
  const metric = mean();
  expect(metric.compute()).toBeNaN();
  metric.update(1, 3);
  metric.update(fromNested([[2, 4]]), 1);
  metric.update(9, 0);
  expect(metric.compute()).toBe(1.5);
  expect(() => metric.update(Number.NaN)).toThrow('metric loss: value NaN with weight 1');
  expect(() => metric.update(fromNested([], 'float32'))).toThrow(ArgumentError);
  metric.reset();
  metric.update(7);
  expect(metric.compute()).toBe(7);
});
