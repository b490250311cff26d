/** @file Truncated backpropagation through time: the state of one piece of a sequence starts the next, across optimiser steps. */
import { describe, expect, it } from 'vitest';
import { manualSeed, nn, optim, randn, type Tensor } from '../index.ts';

type Step = (x: Tensor, state: readonly Tensor[] | null) => [Tensor, Tensor[]];

const kinds: Record<string, () => [nn.Module, Step]> = {
  LSTM: () => {
    const m = new nn.LSTM(2, 3, { numLayers: 2, bidirectional: true });
    return [
      m,
      (x, s) => {
        const [y, last] = m.forward(x, s && [s[0], s[1]]);
        return [y, last];
      },
    ];
  },
  'LSTM with projection': () => {
    const m = new nn.LSTM(2, 3, { projSize: 2 });
    return [
      m,
      (x, s) => {
        const [y, last] = m.forward(x, s && [s[0], s[1]]);
        return [y, last];
      },
    ];
  },
  'LSTM with projection and lengths': () => {
    const m = new nn.LSTM(2, 3, { projSize: 2, bidirectional: true });
    return [
      m,
      (x, s) => {
        const [y, last] = m.forward(x, s && [s[0], s[1]], { lengths: [4, 2] });
        return [y, last];
      },
    ];
  },
  'LSTM with lengths': () => {
    const m = new nn.LSTM(2, 3, { numLayers: 2 });
    return [
      m,
      (x, s) => {
        const [y, last] = m.forward(x, s && [s[0], s[1]], { lengths: [4, 2] });
        return [y, last];
      },
    ];
  },
  GRU: () => {
    const m = new nn.GRU(2, 3);
    return [
      m,
      (x, s) => {
        const [y, h] = m.forward(x, s?.[0]);
        return [y, [h]];
      },
    ];
  },
  RNN: () => {
    const m = new nn.RNN(2, 3, { numLayers: 2, batchFirst: true });
    return [
      m,
      (x, s) => {
        const [y, h] = m.forward(x.transpose(0, 1), s?.[0]);
        return [y, [h]];
      },
    ];
  },
  LSTMCell: () => {
    const m = new nn.LSTMCell(2, 3);
    return [
      m,
      (x, s) => {
        const state = m.forward(x.select(0, 0), s && [s[0], s[1]]);
        return [state[0], state];
      },
    ];
  },
  GRUCell: () => {
    const m = new nn.GRUCell(2, 3);
    return [
      m,
      (x, s) => {
        const h = m.forward(x.select(0, 0), s?.[0]);
        return [h, [h]];
      },
    ];
  },
  RNNCell: () => {
    const m = new nn.RNNCell(2, 3);
    return [
      m,
      (x, s) => {
        const h = m.forward(x.select(0, 0), s?.[0]);
        return [h, [h]];
      },
    ];
  },
};

/** Three steps over pieces of a sequence; `early` reads the state before each optimiser step. */
async function train(kind: string, early: boolean): Promise<number[]> {
  manualSeed(3);
  const [model, forward] = kinds[kind]();
  const optimizer = optim.sgd(model.parameters(), { lr: 0.1 });
  let state: Tensor[] | null = null;
  const losses: number[] = [];
  for (let i = 0; i < 3; i++) {
    optimizer.zeroGrad();
    const [y, next] = forward(randn([4, 2, 2]), state?.map((s) => s.detach()) ?? null);
    state = next;
    const loss = y.square().mean();
    loss.backward();
    if (early) for (const s of state) await s.realize();
    await optimizer.step();
    losses.push(await loss.item());
  }
  for (const s of state ?? []) losses.push(...(await s.data()));
  return losses;
}

describe('a hidden state is readable after the step', () => {
  it.each(Object.keys(kinds))('%s', async (kind) => {
    const late = await train(kind, false);
    const early = await train(kind, true);
    late.forEach((v, i) => {
      expect(v).toBeCloseTo(early[i], 5);
    });
  });
});
