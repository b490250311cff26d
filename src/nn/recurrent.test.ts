import { describe, expect, it } from 'vitest';
import { type LayerKind, testGoldenLayers } from '../../test/functional/layers.ts';
import { loadGolden } from '../../test/golden/load.ts';
import { randn, type Tensor } from '../tensor/index.ts';
import * as nn from './index.ts';

const { cases } = loadGolden('layers');

type Output = [Tensor, Tensor | [Tensor, Tensor]];
const call: LayerKind['call'] = (layer, { x, h0, c0, lengths }) => {
  const [output, state]: Output = layer.forward(x, c0 ? [h0, c0] : h0, { lengths });
  const states: Record<string, Tensor> = Array.isArray(state) ? { hN: state[0], cN: state[1] } : { hN: state };
  return { output, ...states };
};
const sizes =
  (kind: new (inputSize: number, hiddenSize: number, options: object) => nn.Module): LayerKind['build'] =>
  ({ inputSize, hiddenSize, ...options }) =>
    new kind(inputSize, hiddenSize, options);

describe('recurrent layers', () => {
  testGoldenLayers(cases, {
    RNN: { build: sizes(nn.RNN), call },
    LSTM: { build: sizes(nn.LSTM), call },
    GRU: { build: sizes(nn.GRU), call },
    RNNCell: { build: sizes(nn.RNNCell) },
    GRUCell: { build: sizes(nn.GRUCell) },
    LSTMCell: {
      build: sizes(nn.LSTMCell),
      call: (layer, { x, h, c }) => {
        const [hNext, cNext]: [Tensor, Tensor] = layer.forward(x, [h, c]);
        return { h: hNext, c: cNext };
      },
    },
  });
});

describe('their inputs', () => {
  it('may have lengths as plain numbers', async () => {
    const layer = new nn.LSTM(3, 4, { batchFirst: true });
    const x = randn([2, 5, 3]);
    const [output, [hN]] = layer.forward(x, null, { lengths: [2, 5] });
    const [alone] = layer.forward(x.narrow(0, 0, 1).narrow(1, 0, 2));
    const beyond = await output.narrow(0, 0, 1).narrow(1, 2, 3).data();
    expect([...beyond]).toEqual(Array(12).fill(0));
    const expected = await alone.narrow(1, 1, 1).data();
    (await hN.narrow(1, 0, 1).data()).forEach((v, i) => {
      expect(v).toBeCloseTo(expected[i], 6);
    });
  });

  it('may have lengths and directions with a projection too', async () => {
    const layer = new nn.LSTM(3, 4, { batchFirst: true, projSize: 2, bidirectional: true, numLayers: 2 });
    const x = randn([2, 5, 3]);
    const [output, [hN, cN]] = layer.forward(x, null, { lengths: [3, 5] });
    expect([output.shape, hN.shape, cN.shape]).toEqual([
      [2, 5, 4],
      [4, 2, 2],
      [4, 2, 4],
    ]);
    const [alone, [hAlone]] = layer.forward(x.narrow(0, 0, 1).narrow(1, 0, 3));
    const [padded, own] = [await output.narrow(0, 0, 1).data(), await alone.data()];
    own.forEach((v, i) => {
      expect(padded[i]).toBeCloseTo(v, 6);
    });
    expect([...padded.slice(own.length)]).toEqual(Array(8).fill(0));
    const [last, lastAlone] = [await hN.narrow(1, 0, 1).data(), await hAlone.data()];
    lastAlone.forEach((v, i) => {
      expect(last[i]).toBeCloseTo(v, 6);
    });
  });

  it('are checked', () => {
    const layer = new nn.GRU(3, 4, { numLayers: 2 });
    const x = randn([5, 2, 3]);
    expect(() => layer.forward(randn([5, 2, 4]))).toThrow('GRU: expected [steps, batch, 3], found [5, 2, 4]');
    expect(() => layer.forward(x, randn([1, 2, 4]))).toThrow('[layers * directions, batch, hidden] = [2, 2, 4]');
    expect(() => layer.forward(x, null, { lengths: [6, 1] })).toThrow('lengths must be 2 whole numbers from 1 to 5');
    expect(() => new nn.LSTM(0, 4)).toThrow('LSTM: inputSize must be a whole number above 0, found 0');
    expect(() => new nn.LSTM(3, 4, { projSize: 4 })).toThrow(
      'projSize must be a whole number below hiddenSize (4), found 4',
    );
    expect(() => new nn.RNN(3, 4, { dropout: 2 })).toThrow('dropout must be in [0, 1]');
  });

  it('are dropped between layers only while training', async () => {
    const layer = new nn.LSTM(3, 4, { numLayers: 2, dropout: 0.5 });
    const x = randn([5, 2, 3]);
    const run = async () => [...(await layer.forward(x)[0].data())];
    expect(await run()).not.toEqual(await run());
    layer.eval();
    expect(await run()).toEqual(await run());
  });
});
