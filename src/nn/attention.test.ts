import { describe, expect, it } from 'vitest';
import { manualSeed, randn, type Tensor, tensor, zeros } from '../tensor/index.ts';
import * as nn from './index.ts';

async function expectEqual(a: Tensor, b: Tensor): Promise<void> {
  const [x, y] = [await a.data(), await b.data()];
  expect(a.shape).toEqual(b.shape);
  x.forEach((v, i) => {
    expect(v).toBeCloseTo(y[i], 5);
  });
}

describe('MultiheadAttention', () => {
  const layer = () => {
    manualSeed(1);
    return new nn.MultiheadAttention(4, 2, { batchFirst: true });
  };

  it('gives the same with and without weights, with and without a batch', async () => {
    const attention = layer();
    const x = randn([1, 3, 4]);
    const [y, weights] = attention.forward(x, x, x, { isCausal: true });
    expect(weights?.shape).toEqual([1, 3, 3]);
    expect((await weights!.data())[1]).toBe(0);
    const [fast, none] = attention.forward(x, x, x, { isCausal: true, needWeights: false });
    expect(none).toBeNull();
    await expectEqual(y, fast);
    const flat = x.squeeze(0);
    const [alone, own] = attention.forward(flat, flat, flat, { isCausal: true });
    expect(own?.shape).toEqual([3, 3]);
    await expectEqual(alone, y.squeeze(0));
  });

  it('gives the bias alone, not NaN, to a query that may see nothing', async () => {
    const attention = layer();
    const x = randn([1, 3, 4]);
    const keyPaddingMask = tensor([[true, true, true]]);
    for (const needWeights of [true, false]) {
      const [y] = attention.forward(x, x, x, { keyPaddingMask, needWeights });
      await expectEqual(y, zeros([1, 3, 4]));
    }
  });

  it('drops weights only while training', async () => {
    const attention = new nn.MultiheadAttention(4, 2, { dropout: 0.5 });
    const x = randn([6, 2, 4]);
    const run = async () => [...(await attention.forward(x, x, x)[0].data())];
    expect(await run()).not.toEqual(await run());
    attention.eval();
    expect(await run()).toEqual(await run());
  });

  it('names masks and inputs that do not fit', () => {
    const attention = layer();
    const x = randn([2, 3, 4]);
    const call = (options: nn.AttentionOptions) => () => attention.forward(x, x, x, options);
    expect(call({ keyPaddingMask: zeros([3, 2]) })).toThrow(
      'keyPaddingMask must be [batch, keys] = [2, 3], found [3, 2]',
    );
    expect(call({ attnMask: zeros([2, 3, 3]) })).toThrow('attnMask must be [3, 3] or [4, 3, 3], found [2, 3, 3]');
    expect(() => attention.forward(x, x, randn([3]))).toThrow('must have 3 dimensions (or 2 without a batch)');
  });
});

describe('transformers', () => {
  it('know causality by a flag or by a mask', async () => {
    const layer = new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 8, dropout: 0 });
    const x = randn([5, 2, 4]);
    const srcMask = nn.Transformer.generateSquareSubsequentMask(5);
    expect((await srcMask.data())[1]).toBe(Number.NEGATIVE_INFINITY);
    const y = layer.forward(x, { isCausal: true });
    await expectEqual(y, layer.forward(x, { srcMask }));
    // What comes later does not matter to what comes before.
    await expectEqual(layer.forward(x.narrow(0, 0, 2), { isCausal: true }), y.narrow(0, 0, 2));
  });

  it('take an activation as a function', async () => {
    const options = { dimFeedforward: 8, dropout: 0 };
    manualSeed(2);
    const named = new nn.TransformerEncoderLayer(4, 2, { ...options, activation: 'gelu' });
    manualSeed(2);
    const given = new nn.TransformerEncoderLayer(4, 2, { ...options, activation: (x) => x.gelu() });
    const x = randn([3, 2, 4]);
    await expectEqual(named.forward(x), given.forward(x));
  });

  it('give every layer of a stack first values of its own', async () => {
    const stack = new nn.TransformerEncoder(new nn.TransformerEncoderLayer(4, 2), 2);
    const [a, b] = await Promise.all([0, 1].map((i) => stack.layers.at(i).linear1.weight.data()));
    expect([...a]).not.toEqual([...b]);
  });

  it('encode positions as sines and cosines', async () => {
    const encoding = new nn.PositionalEncoding(4, { maxLen: 3, batchFirst: true });
    expect(Object.keys(encoding.stateDict())).toEqual([]);
    const y = encoding.eval().forward(zeros([1, 2, 4]));
    const data = await y.data();
    [0, 1, 0, 1, Math.sin(1), Math.cos(1), Math.sin(0.01), Math.cos(0.01)].forEach((v, i) => {
      expect(data[i]).toBeCloseTo(v, 6);
    });
    expect(() => encoding.forward(zeros([1, 4, 4]))).toThrow('a sequence of 4 is longer than maxLen, 3');
  });
});
