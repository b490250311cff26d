import { beforeEach, describe, expect, it } from 'vitest';
import { manualSeed, type Tensor, zeros as zerosTensor } from '../tensor/index.ts';
import { init } from './index.ts';

beforeEach(() => manualSeed(7));

const make = (...shape: number[]) => zerosTensor(shape);

async function statistics(t: Tensor) {
  const data = [...(await t.data())];
  const mean = data.reduce((a, b) => a + b) / data.length;
  const std = Math.sqrt(data.reduce((a, b) => a + (b - mean) ** 2, 0) / data.length);
  return { mean, std, min: Math.min(...data), max: Math.max(...data) };
}

/** Mean and standard deviation of 40,000 draws agree with theory to within five standard errors. */
async function expectDistribution(t: Tensor, { mean = 0, std, bound }: { mean?: number; std: number; bound?: number }) {
  const s = await statistics(t);
  expect(Math.abs(s.mean - mean)).toBeLessThan((5 * std) / Math.sqrt(t.numel()));
  expect(Math.abs(s.std / std - 1)).toBeLessThan(0.02);
  if (bound !== undefined) {
    expect(Math.max(-s.min, s.max)).toBeLessThanOrEqual(bound);
    expect(Math.max(-s.min, s.max)).toBeGreaterThan(0.99 * bound);
  }
}

describe('random initialisation', () => {
  const uniformOf = (bound: number) => ({ std: bound / Math.sqrt(3), bound });

  it('uniform and normal', async () => {
    await expectDistribution(init.uniform(make(200, 200), { a: 1, b: 3 }), { mean: 2, std: 1 / Math.sqrt(3) });
    await expectDistribution(init.normal(make(200, 200), { mean: -1, std: 0.5 }), { mean: -1, std: 0.5 });
  });

  it('xavier: fan in and fan out of the whole field', async () => {
    // [out 20, in 50, 5 x 8]: fan in 2000, fan out 800.
    await expectDistribution(init.xavierUniform(make(20, 50, 5, 8)), uniformOf(Math.sqrt(6 / 2800)));
    await expectDistribution(init.xavierNormal(make(20, 50, 5, 8), { gain: 2 }), { std: 2 * Math.sqrt(2 / 2800) });
  });

  it('kaiming: mode and nonlinearity', async () => {
    const t = () => make(20, 50, 5, 8);
    await expectDistribution(init.kaimingUniform(t()), uniformOf(Math.sqrt(6 / 2000)));
    await expectDistribution(init.kaimingUniform(t(), { a: Math.sqrt(5) }), uniformOf(1 / Math.sqrt(2000)));
    await expectDistribution(init.kaimingNormal(t(), { mode: 'fanOut', nonlinearity: 'relu' }), {
      std: Math.sqrt(2 / 800),
    });
    expect(init.kaimingNormal(make(0, 3)).numel()).toBe(0);
  });

  it('truncated normal, near the mean and in the tail', async () => {
    const near = await statistics(init.truncNormal(make(200, 200), { std: 0.02, a: -0.04, b: 0.04 }));
    expect(near.max).toBeLessThanOrEqual(Math.fround(0.04));
    expect(near.std).toBeCloseTo(0.02 * 0.8796, 3);
    const narrow = await statistics(init.truncNormal(make(200, 200), { a: -0.5, b: 0.5 }));
    expect(narrow.std).toBeCloseTo(0.2839, 2);
    const tail = await statistics(init.truncNormal(make(100, 100), { a: 3, b: 5 }));
    expect(tail.min).toBeGreaterThanOrEqual(3);
    expect(tail.mean).toBeCloseTo(3.2813, 1);
    expect(() => init.truncNormal(make(2), { a: 1, b: 1 })).toThrow('a must be below b, found 1 and 1');
  });

  it('orthogonal: rows or columns, whichever are fewer', async () => {
    for (const [rows, columns] of [
      [6, 10],
      [10, 6],
      [8, 8],
    ]) {
      const w = init.orthogonal(make(rows, columns), { gain: 2 });
      const gram = rows <= columns ? w.matmul(w.t()) : w.t().matmul(w);
      const data = await gram.data();
      const n = Math.min(rows, columns);
      data.forEach((x, i) => {
        expect(x).toBeCloseTo(Math.floor(i / n) === i % n ? 4 : 0, 5);
      });
    }
    expect(init.orthogonal(make(4, 2, 3)).shape).toEqual([4, 2, 3]);
    expect(() => init.orthogonal(make(4))).toThrow('two or more dimensions, found shape [4]');
  });

  it('sparse: as many zeros in each column', async () => {
    const data = await init.sparse(make(20, 30), { sparsity: 0.25 }).data();
    for (let c = 0; c < 30; c++) expect(data.filter((x, i) => i % 30 === c && x === 0)).toHaveLength(5);
  });

  it('is the same for the same seed', async () => {
    const draw = async () => {
      manualSeed(3);
      return [...(await init.kaimingNormal(make(5, 5)).data())];
    };
    expect(await draw()).toEqual(await draw());
  });
});

describe('fixed initialisation', () => {
  it('constant, zeros, ones, eye', async () => {
    expect([...(await init.constant(make(2), 0.5).data())]).toEqual([0.5, 0.5]);
    expect([...(await init.ones(make(2)).data())]).toEqual([1, 1]);
    expect([...(await init.zeros(init.ones(make(2))).data())]).toEqual([0, 0]);
    expect(await init.eye(make(2, 3)).array()).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ]);
    expect(() => init.eye(make(2))).toThrow('init.eye needs a matrix, found shape [2]');
  });

  it('dirac passes the channels through, per group', async () => {
    const w = await init.dirac(make(4, 2, 3), { groups: 2 }).array();
    const [first, second, none] = [
      [0, 1, 0],
      [0, 1, 0],
      [0, 0, 0],
    ];
    expect(w).toEqual([
      [first, none],
      [none, second],
      [first, none],
      [none, second],
    ]);
    expect(() => init.dirac(make(3, 2, 3), { groups: 2 })).toThrow('divisible by groups (2), found shape [3, 2, 3]');
  });

  it('gains are those of PyTorch', () => {
    expect(init.calculateGain('relu')).toBe(Math.SQRT2);
    expect(init.calculateGain('tanh')).toBe(5 / 3);
    expect(init.calculateGain('leakyRelu', 0.2)).toBeCloseTo(1.3867504905630728, 12);
    expect(init.calculateGain('selu')).toBe(0.75);
    expect(init.calculateGain('conv2d')).toBe(1);
    expect(() => init.calculateFanInAndFanOut([3])).toThrow('two or more dimensions, found [3]');
  });
});
