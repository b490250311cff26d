/** @file Random: determinism, stream independence, distributions, exact resume. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError } from './errors.ts';
import { Random } from './random.ts';

const moments = (values: number[]) => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, variance: values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length };
};

/** Chi-square statistic of counts against equal expectation. */
function chiSquare(counts: number[]): number {
  const expected = counts.reduce((a, b) => a + b, 0) / counts.length;
  return counts.reduce((a, c) => a + (c - expected) ** 2 / expected, 0);
}

describe('Random', () => {
  it('gives fixed numbers for a fixed seed, on every machine', () => {
    const random = new Random(42);
    expect([random.uint32(), random.uint32(), random.uint32()]).toMatchInlineSnapshot(`
      [
        3698568306,
        2207906342,
        961861688,
      ]
    `);
    expect(new Random('run').uint32()).toMatchInlineSnapshot(`3684366219`);
  });

  it('implements xoshiro128** (reference output for state 1, 2, 3, 4)', () => {
    const random = new Random().setState({ key: [0, 0, 0, 0], state: [1, 2, 3, 4], spare: null });
    expect(Array.from({ length: 10 }, () => random.uint32())).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  it('differs between seeds, keys and key order; not by numbers drawn before', () => {
    const root = new Random(7);
    const first = (r: Random) => r.uint32();
    const before = first(root.fork('a', 1));
    root.uint32();
    expect(first(root.fork('a', 1))).toBe(before);
    const seen = new Set<number>();
    for (let seed = 0; seed < 20; seed++)
      for (let i = 0; i < 20; i++) for (let j = 0; j < 20; j++) seen.add(first(new Random(seed).fork(i, j)));
    expect(seen.size).toBeGreaterThan(7990);
    expect(first(root.fork(1, 2))).not.toBe(first(root.fork(2, 1)));
    expect(first(root.fork('1'))).not.toBe(first(root.fork(1)));
    expect(first(root.fork(1).fork(2))).not.toBe(first(root.fork(1, 2)));
  });

  it('has uniform first numbers over forked streams (neighbouring samples are not alike)', () => {
    const root = new Random(3);
    const counts = new Array<number>(64).fill(0);
    for (let i = 0; i < 64_000; i++) counts[Math.floor(root.fork(0, i).uniform() * 64)]++;
    expect(chiSquare(counts)).toBeLessThan(115); // 63 degrees of freedom: p = 0.0001 at 113
  });

  it('uniform, normal, gamma and beta have the right moments', () => {
    const random = new Random(1);
    const n = 60_000;
    const draw = (f: () => number) => moments(Array.from({ length: n }, f));
    const u = draw(() => random.uniform(2, 4));
    expect(u.mean).toBeCloseTo(3, 1);
    expect(u.variance).toBeCloseTo(4 / 12, 1);
    const z = draw(() => random.normal(1, 2));
    expect(Math.abs(z.mean - 1)).toBeLessThan(0.03);
    expect(Math.abs(z.variance - 4)).toBeLessThan(0.1);
    const g = draw(() => random.gamma(2.5));
    expect(Math.abs(g.mean - 2.5)).toBeLessThan(0.03);
    expect(Math.abs(g.variance - 2.5)).toBeLessThan(0.1);
    const b = draw(() => random.beta(0.4, 0.4));
    expect(Math.abs(b.mean - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(b.variance - 0.16 / (0.64 * 1.8))).toBeLessThan(0.01);
  });

  it('int stays in range and is unbiased', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: -1000, max: 1000 }),
        fc.integer({ min: 1, max: 5000 }),
        (s, low, n) => {
          const x = new Random(s).int(low, low + n);
          expect(Number.isInteger(x) && x >= low && x < low + n).toBe(true);
        },
      ),
    );
    const counts = new Array<number>(7).fill(0);
    const random = new Random(11);
    for (let i = 0; i < 70_000; i++) counts[random.int(0, 7)]++;
    expect(chiSquare(counts)).toBeLessThan(30);
    expect(() => random.int(3, 3)).toThrow(ArgumentError);
    expect(() => random.int(0.5, 3)).toThrow('[0.5, 3)');
  });

  it('permutation holds every index once and is unbiased in each place', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(200), (seed, n) => {
        expect([...new Random(seed).permutation(n)].sort((a, b) => a - b)).toEqual(
          Array.from({ length: n }, (_, i) => i),
        );
      }),
    );
    const counts = new Array<number>(25).fill(0);
    for (let s = 0; s < 5000; s++) for (const [i, v] of new Random(s).permutation(5).entries()) counts[i * 5 + v]++;
    expect(chiSquare(counts)).toBeLessThan(60);
  });

  it('continues exactly from a snapshot, also through JSON and in the middle of a normal pair', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(20), (seed, drawn) => {
        const a = new Random(seed).fork('x');
        for (let i = 0; i < drawn; i++) a.normal();
        const b = new Random(99).setState(JSON.parse(JSON.stringify(a.getState())));
        expect([b.normal(), b.normal(), b.uniform(), b.fork(5).uint32()]).toEqual([
          a.normal(),
          a.normal(),
          a.uniform(),
          a.fork(5).uint32(),
        ]);
      }),
    );
    expect(() => new Random().setState({ key: [1], state: [1, 2, 3, 4], spare: null })).toThrow(/'key' must be four/);
  });
});
