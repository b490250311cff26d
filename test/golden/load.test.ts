/** @file The golden files are whole: every tensor has the data its shape promises, every name is unique. */
import { describe, expect, it } from 'vitest';
import { sizeOf } from '../../src/ir/shape.ts';
import { isGoldenTensor, loadGolden, namedOutputs } from './load.ts';

describe.each(['functional', 'losses', 'layers'] as const)('%s.json', (name) => {
  const file = loadGolden(name);

  it('records what made it', () => {
    expect(file.generator).toBe(`test/golden/${name}.py`);
    expect(file.torch).toMatch(/^2\./);
  });

  it('has unique case names', () => {
    expect(new Set(file.cases.map((c) => c.name)).size).toBe(file.cases.length);
  });

  it('has complete tensors, and gradients shaped as what they belong to', () => {
    for (const c of file.cases) {
      for (const t of [...Object.values(c.args), ...Object.values(namedOutputs(c.output))])
        expect(t.data.length, c.name).toBe(sizeOf(t.shape));
      for (const [key, t] of Object.entries(c.grads ?? {})) expect(t.shape, c.name).toEqual(c.args[key].shape);
    }
  });
});

describe('optim.json and models.json', () => {
  it('hold ten steps for each optimiser and finite learning rates for each schedule', () => {
    for (const c of loadGolden('optim').cases) {
      if (c.kind === 'schedule') expect(c.lr.every(Number.isFinite), c.name).toBe(true);
      else if (c.kind === 'clip') expect(Object.keys(c.after), c.name).toEqual(Object.keys(c.grads));
      else expect([c.grads.length, c.after.length], c.name).toEqual([10, 10]);
    }
  });

  it('hold a gradient for each parameter and losses that fall', () => {
    for (const c of loadGolden('models').cases) {
      for (const [key, t] of Object.entries(c.grads)) expect(t.shape, key).toEqual(c.state[key].shape);
      expect(c.losses).toEqual(c.losses.toSorted((a, b) => b - a));
    }
  });
});

describe('loadGolden', () => {
  it('reads float32 numbers exactly, and NaN and the infinities', () => {
    const special = loadGolden('functional').cases.find((c) => c.name === 'exp of special numbers')!;
    expect(isGoldenTensor(special.output)).toBe(true);
    expect([...special.args.x.data]).toEqual([Infinity, -Infinity, NaN, 0, -0, Math.fround(1e30)]);
    expect([...namedOutputs(special.output).output.data]).toEqual([Infinity, 0, NaN, 1, 1, Infinity]);
  });
});
