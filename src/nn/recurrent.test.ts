import { describe, expect, it } from 'vitest';
import { type LayerKind, testGoldenLayers } from '../../test/functional/layers.ts';
import { loadGolden } from '../../test/golden/load.ts';
import { grad, randn, realize, type Tensor, tensor } from '../tensor/index.ts';
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
    const lengths = (...values: number[]) => ({ lengths: tensor(values, { dtype: 'int64' }) });
    expect(() => layer.forward(x, null, lengths(2, 6))).toThrow('from 1 to 5, found 6 at position 1');
    expect(() => layer.forward(x, null, lengths(0, 5))).toThrow('from 1 to 5, found 0 at position 0');
    expect(() => layer.forward(x, null, lengths(5))).toThrow('from 1 to 5, found shape [1]');
    expect(() => layer.forward(randn([5, 3]), null, { lengths: [5] })).toThrow(
      'lengths need a batch of sequences, found [5, 3]',
    );
    expect(() => layer.forward(randn([0, 2, 3]))).toThrow('a sequence needs at least one step, found [0, 2, 3]');
    const cell = new nn.GRUCell(3, 4);
    expect(() => cell.forward(randn([2, 4]))).toThrow('GRUCell: expected [batch, 3] or [3], found [2, 4]');
    expect(() => cell.forward(randn([2, 3]), randn([1, 4]))).toThrow(
      'a state must have shape [2, 4] for an input of [2, 3], found [1, 4]',
    );
    expect(() => new nn.LSTM(0, 4)).toThrow('LSTM: inputSize must be a whole number above 0, found 0');
    expect(() => new nn.LSTM(3, 4, { projSize: 4 })).toThrow(
      'projSize must be a whole number below hiddenSize (4), found 4',
    );
    expect(() => new nn.RNN(3, 4, { dropout: 2 })).toThrow('dropout must be in [0, 1]');
  });

  it.each([
    ['LSTM', new nn.LSTM(3, 4, { numLayers: 2, bidirectional: true })],
    ['GRU', new nn.GRU(3, 4, { numLayers: 2, bias: false })],
    ['RNN', new nn.RNN(3, 4, { nonlinearity: 'relu', batchFirst: true })],
  ])('%s in float64, step by step, as in float32 by its operator', async (_, layer) => {
    const x = randn([5, 2, 3]);
    const lengths = layer.batchFirst ? [1, 2, 2, 1, 2] : [5, 3];
    const run = async (input: Tensor) => {
      const [y, last] = layer.forward(input, null, { lengths });
      const loss = y
        .square()
        .sum()
        .add((Array.isArray(last) ? last[1] : last).sum());
      const found = [y, ...grad(loss, [input, ...layer.parameters()])];
      await realize(...found);
      return await Promise.all(found.map(async (t) => [t.dtype, await t.data()] as const));
    };
    const single = await run(new nn.Parameter(x));
    const names = Object.keys(layer).filter((k) => Reflect.get(layer, k) instanceof nn.Parameter);
    for (const name of names) Reflect.set(layer, name, new nn.Parameter(layer.weight(name).to('float64')));
    const double = await run(new nn.Parameter(x.to('float64')));
    single.forEach(([, expected], i) => {
      const [dtype, found] = double[i];
      expect(dtype).toBe('float64');
      expected.forEach((v, k) => {
        expect(Math.abs(found[k] - v)).toBeLessThan(1e-5 * Math.max(1, Math.abs(v)));
      });
    });
  });

  it('may be an empty batch', async () => {
    const layer = new nn.LSTM(3, 4, { numLayers: 2, bidirectional: true });
    const [output, [hN, cN]] = layer.forward(randn([5, 0, 3]));
    await realize(output, hN, cN);
    expect([output.shape, hN.shape, cN.shape]).toEqual([
      [5, 0, 8],
      [4, 0, 4],
      [4, 0, 4],
    ]);
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
