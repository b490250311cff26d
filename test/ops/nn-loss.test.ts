import { describe, expect, it } from 'vitest';
import { grad } from '../../src/autograd/grad.ts';
import { constant, type Value } from '../../src/ir/graph.ts';
import { negativeLogLikelihoodLoss, softmaxCrossEntropyLoss } from '../../src/ops/loss.ts';
import { checkDecomposition, checkDifferences, evaluate, leaf, noise, testGolden } from './nn-harness.ts';

describe('golden', () => testGolden(['SoftmaxCrossEntropyLoss', 'NegativeLogLikelihoodLoss']));
describe('decompositions', () => checkDecomposition(['SoftmaxCrossEntropyLoss', 'NegativeLogLikelihoodLoss']));

describe('derivatives by differences, first and second', () => {
  const target = constant([1, 0, 2], 'int64');
  const weight = constant([0.5, 1, 2], 'float32');
  it('SoftmaxCrossEntropyLoss', async () => {
    const f = ([x]: readonly Value[]) => softmaxCrossEntropyLoss(x, target, weight, { ignore_index: 0 });
    await checkDifferences(f, [{ shape: [3, 3] }], { second: true });
  });
  it('NegativeLogLikelihoodLoss', async () => {
    const f = ([x]: readonly Value[]) => negativeLogLikelihoodLoss(x, target, { reduction: 'none' });
    await checkDifferences(f, [{ shape: [3, 3] }], { second: true });
  });
});

describe('edges', () => {
  it('stays finite for scores of a thousand, and takes int32 targets', async () => {
    const x = leaf(Float32Array.of(1000, -1000, 0, -1000, 1000, 0), [2, 3], 'float32', true);
    const loss = softmaxCrossEntropyLoss(x, constant([0, 0], 'int32'));
    const [dx] = grad([loss], [x]) as [Value];
    const [value, slope] = await evaluate([loss, dx]);
    expect(Array.from(value)).toEqual([1000]);
    expect(Array.from(slope)).toEqual([0, 0, 0, -0.5, 0.5, 0]);
  });
  it('names what does not fit', () => {
    const x = noise([2, 3, 4], 0);
    expect(() => softmaxCrossEntropyLoss(x, constant(0, 'int64', [2]))).toThrow(
      /need targets \[batch, \.\.\.positions\]/,
    );
    expect(() => softmaxCrossEntropyLoss(x, noise([2, 4], 0))).toThrow(/indices must be int64 or int32/);
    const t = constant(0, 'int64', [2, 4]);
    expect(() => softmaxCrossEntropyLoss(x, t, noise([4], 0))).toThrow(/weights must have shape \[3\]/);
    expect(() => softmaxCrossEntropyLoss(x, t, { reduction: 'batchmean' })).toThrow(/reduction must be/);
  });
});
