import { describe, expect, it } from 'vitest';
import { grad } from '../../src/autograd/grad.ts';
import { GradientError } from '../../src/ir/errors.ts';
import type { Value } from '../../src/ir/graph.ts';
import { add, sub } from '../../src/ops/arithmetic.ts';
import { apply } from '../../src/ops/define.ts';
import { reshape, transpose } from '../../src/ops/movement.ts';
import { gru, lstm, rnn } from '../../src/ops/recurrent.ts';
import { pad, slice } from '../../src/ops/slice.ts';
import { checkDifferences, evaluate, expectClose, noise, testGolden } from './nn-harness.ts';

describe('golden', () => testGolden(['LSTM', 'GRU', 'RNN'], 2e-5));

describe('derivatives by differences, first and second', () => {
  const shapes = (gates: number) => [
    { shape: [2, 1, 2] },
    { shape: [1, gates * 2, 2] },
    { shape: [1, gates * 2, 2] },
    { shape: [1, gates * 4] },
  ];
  const options = { second: true, tolerance: 1e-2 };
  it('LSTM', async () => {
    await checkDifferences((v) => lstm(...v, { hidden_size: 2 }), shapes(4), options);
  });
  it('GRU', async () => {
    for (const linear_before_reset of [0, 1])
      await checkDifferences((v) => gru(...v, { hidden_size: 2, linear_before_reset }), shapes(3), options);
  });
  it('RNN', async () => {
    await checkDifferences((v) => rnn(...v, { hidden_size: 2 }), shapes(1), options);
  });
});

describe('outputs', () => {
  it('differentiates each output alone', async () => {
    const inputs = [noise([3, 2, 2], 1), noise([1, 8, 2], 2), noise([1, 8, 2], 3)];
    const all = lstm(...inputs, { hidden_size: 2 });
    const seeds = all.map((y, i) => noise(y.shape, 10 + i, false));
    const together = grad(all, inputs, { gradOutputs: seeds }) as Value[];
    const alone = all.map((y, i) => grad([y], inputs, { gradOutputs: [seeds[i]] }) as Value[]);
    const found = await evaluate([...together, ...alone.flat()]);
    for (let k = 0; k < 3; k++) {
      const sum = found[k].map((_, j) => found[3 + k][j] + found[6 + k][j] + found[9 + k][j]);
      expectClose(found[k], sum, `input ${k}`);
    }
  });

  it('gives the gradients of some steps as those of all steps with zeros elsewhere', async () => {
    const kinds = [
      [lstm, 4],
      [gru, 3],
      [rnn, 1],
    ] as const;
    for (const [operator, gates] of kinds) {
      const leaves = [noise([4, 3, 2], 1), noise([1, gates * 2, 2], 2), noise([1, gates * 2, 2], 3)];
      const [y] = operator(...leaves, { hidden_size: 2 });
      for (const [first, after] of [
        [3, 4],
        [0, 1],
        [1, 3],
      ]) {
        const seed = noise([3, after - first, 2], 4, false);
        // As a model with the batch first does it: all steps transposed, then some taken.
        const some = slice(transpose(reshape(y, [4, 3, 2]), { perm: [1, 0, 2] }), [first], [after], [1]);
        const padded = pad(transpose(seed, { perm: [1, 0, 2] }), [first, 0, 0], [4 - after, 0, 0]);
        const zeros = add(reshape(padded, [4, 1, 3, 2]), noise([4, 1, 3, 2], 5, false));
        const taken = grad([some], leaves, { gradOutputs: [seed] }) as Value[];
        const whole = grad([y], leaves, { gradOutputs: [sub(zeros, noise([4, 1, 3, 2], 5, false))] }) as Value[];
        const found = await evaluate([...taken, ...whole]);
        for (let k = 0; k < 3; k++)
          expectClose(found[k], [...found[3 + k]], `input ${k} of ${operator.definition.type}`);
      }
    }
  });

  it('takes the batch first with layout 1', async () => {
    const [x, w, r] = [noise([3, 2, 2], 1), noise([1, 8, 2], 2), noise([1, 8, 2], 3)];
    const [h0, c0] = [noise([1, 2, 2], 4), noise([1, 2, 2], 5)];
    const plain = lstm(x, w, r, null, null, h0, c0, { hidden_size: 2 });
    const swap = (v: Value) => transpose(v, { perm: [1, 0, 2] });
    const first = lstm(swap(x), w, r, null, null, swap(h0), swap(c0), { hidden_size: 2, layout: 1 });
    expect(first.map((v) => v.shape)).toEqual([
      [2, 3, 1, 2],
      [2, 1, 2],
      [2, 1, 2],
    ]);
    const [y, h, c, y1, h1, c1] = await evaluate([
      transpose(plain[0], { perm: [2, 0, 1, 3] }),
      swap(plain[1]),
      swap(plain[2]),
      ...first,
    ]);
    expect([y1, h1, c1]).toEqual([y, h, c]);
  });
});

describe('errors', () => {
  const [x, w, r] = [noise([3, 2, 2], 1), noise([1, 8, 2], 2), noise([1, 8, 2], 3)];
  it('refuses to differentiate what its formulas do not cover, but runs it', async () => {
    const cases: [string, readonly Value[]][] = [
      ['clip', lstm(x, w, r, { hidden_size: 2, clip: 1 })],
      ['peepholes', apply(lstm.definition, [x, w, r, null, null, null, null, noise([1, 6], 4)], { hidden_size: 2 })],
      ['activations', lstm(x, w, r, { hidden_size: 2, activations: ['Sigmoid', 'Relu', 'Tanh'] })],
    ];
    for (const [what, outputs] of cases) {
      expect((await evaluate(outputs))[0].length).toBe(12);
      expect(() => grad([outputs[0]], [x], { gradOutputs: [noise(outputs[0].shape, 0, false)] })).toThrow(
        GradientError,
      );
      expect(() => grad([outputs[0]], [x], { gradOutputs: [noise(outputs[0].shape, 0, false)] })).toThrow(what);
    }
  });
  it('names what does not fit', () => {
    expect(() => lstm(x, w, noise([1, 6, 2], 0))).toThrow(/r must have shape \[1, 8, 2\]/);
    expect(() => lstm(x, w, r, noise([1, 8], 0))).toThrow(/the bias must have shape \[1, 16\]/);
    expect(() => lstm(x, w, r, { direction: 'bidirectional' })).toThrow(/needs 2 set\(s\) of weights, found 1/);
    expect(() => lstm(x, w, r, { direction: 'sideways' })).toThrow(/direction must be/);
  });
});
