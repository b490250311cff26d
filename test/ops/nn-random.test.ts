import { describe, expect, it } from 'vitest';
import { grad } from '../../src/autograd/grad.ts';
import { constant, type Value } from '../../src/ir/graph.ts';
import { apply } from '../../src/ops/define.ts';
import { dropout, onnxDropout, setSeedSource } from '../../src/ops/dropout.ts';
import { dropoutMask, hashNormal, hashUniform } from '../../src/ops/hash-random.ts';
import { evaluate, expectClose, leaf, noise } from './nn-harness.ts';

const seedOf = (seed: number) => leaf(Uint32Array.of(seed), [], 'uint32');

/** Chi-square against equal frequencies in 256 cells. */
function chiSquare(u: ArrayLike<number>): number {
  const cells = new Float64Array(256);
  for (let i = 0; i < u.length; i++) cells[Math.floor(u[i] * 256)]++;
  const expected = u.length / 256;
  return cells.reduce((total, n) => total + (n - expected) ** 2 / expected, 0);
}

function correlation(a: ArrayLike<number>, b: ArrayLike<number>, lag = 0): number {
  const n = a.length - lag;
  let [sa, sb, saa, sbb, sab] = [0, 0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [x, y] = [a[i], b[i + lag]];
    sa += x;
    sb += y;
    saa += x * x;
    sbb += y * y;
    sab += x * y;
  }
  return (n * sab - sa * sb) / Math.sqrt((n * saa - sa * sa) * (n * sbb - sb * sb));
}

describe('RandomUniform', () => {
  it('is uniform, without correlation between neighbours or between seeds', async () => {
    const shape = [4, 512, 128];
    const [a, b] = await evaluate([hashUniform(seedOf(1), { shape }), hashUniform(seedOf(2), { shape })]);
    // 255 degrees of freedom: mean 255, standard deviation 22.6.
    for (const u of [a, b]) {
      expect(Math.min(...u.slice(0, 1000))).toBeGreaterThanOrEqual(0);
      expect(Math.abs(chiSquare(u) - 255)).toBeLessThan(4 * 22.6);
    }
    for (const lag of [1, 2, 64, 128, 512, 4096]) expect(Math.abs(correlation(a, a, lag))).toBeLessThan(0.01);
    expect(Math.abs(correlation(a, b))).toBeLessThan(0.01);
  });

  it('gives the same bits for the same seed, computed or folded, and other bits for another', async () => {
    const attrs = { shape: [3, 67] };
    const [a] = await evaluate([hashUniform(seedOf(77), attrs)]);
    const [b] = await evaluate([hashUniform(constant(77, 'uint32'), attrs)]);
    const [c] = await evaluate([hashUniform(seedOf(78), attrs)]);
    expect(b).toEqual(a);
    expect(c).not.toEqual(a);
    expect(Array.from(a.slice(0, 4))).toMatchInlineSnapshot(`
      [
        0,
        0.7004585862159729,
        0.30848878622055054,
        0.44789230823516846,
      ]
    `);
  });

  it('refuses seeds of another type', () => {
    expect(() => hashUniform(constant(1, 'int64'), { shape: [2] })).toThrow(/seed must be uint32, found int64/);
  });
});

describe('RandomNormal', () => {
  it('has mean 0, variance 1, no skew and the kurtosis 3', async () => {
    const [z] = await evaluate([hashNormal(seedOf(5), { shape: [100001] })]);
    const moment = (k: number) => Array.from(z).reduce((n, v) => n + v ** k, 0) / z.length;
    const found = [1, 2, 3, 4].map(moment);
    // Four standard errors of each moment.
    [0, 1, 0, 3].forEach((expected, i) => {
      expect(Math.abs(found[i] - expected)).toBeLessThan([0.013, 0.018, 0.05, 0.13][i]);
    });
    expect(z.every(Number.isFinite)).toBe(true);
  });
});

describe('dropout', () => {
  it('keeps the wanted share, scales it up, and multiplies the gradient by the same mask', async () => {
    const x = leaf(
      Float32Array.from({ length: 64 * 333 }, (_, i) => 1 + (i % 7)),
      [64, 333],
      'float32',
      true,
    );
    for (const ratio of [0.1, 0.5]) {
      const y = dropout(x, seedOf(9), { ratio });
      const dy = noise(x.shape, 2, false);
      const [dx] = grad([y], [x], { gradOutputs: [dy] }) as [Value];
      const [xd, yd, dyd, dxd] = await evaluate([x, y, dy, dx]);
      const kept = Array.from(yd, (v): number => (v === 0 ? 0 : 1));
      const share = kept.reduce((n, k) => n + k, 0) / kept.length;
      expect(Math.abs(share - (1 - ratio))).toBeLessThan(0.012);
      expectClose(
        yd,
        Array.from(xd, (v, i) => (kept[i] * v) / (1 - ratio)),
        'y',
        1e-4,
      );
      expectClose(
        dxd,
        Array.from(dyd, (v, i) => (kept[i] * v) / (1 - ratio)),
        'dx',
        1e-4,
      );
    }
  });

  it('drops nothing at ratio 0 and everything at ratio 1', async () => {
    const x = noise([5], 1);
    expect(dropout(x, seedOf(1), { ratio: 0 })).toBe(x);
    const [y] = await evaluate([dropout(x, seedOf(1), { ratio: 1 })]);
    expect(y.every((v) => v === 0)).toBe(true);
    expect(() => dropoutMask(seedOf(1), { shape: [2], ratio: 1.5 })).toThrow(/must lie in \[0, 1\], found 1.5/);
  });

  it('decides neighbours independently, also within one random word', async () => {
    const [m] = await evaluate([dropoutMask(seedOf(3), { shape: [2, 40000], ratio: 0.5 })]);
    for (const lag of [1, 2, 40000]) expect(Math.abs(correlation(m, m, lag))).toBeLessThan(0.02);
  });
});

describe('Dropout of imported graphs', () => {
  it('is the identity in evaluation and drops while training', async () => {
    const x = noise([1000], 1);
    const [same, all] = outputsOfDropout(x, 0.25, false);
    expect(same).toBe(x);
    expect((await evaluate([all]))[0].every((v) => v === 1)).toBe(true);
    setSeedSource(() => seedOf(4));
    const [xd, y, mask] = await evaluate([x, ...outputsOfDropout(x, 0.25, true)]);
    expectClose(
      y,
      Array.from(xd, (v, i) => (mask[i] * v) / 0.75),
      'y',
      1e-4,
    );
    expect(Math.abs(Array.from(mask).reduce((n, v) => n + v, 0) - 750)).toBeLessThan(60);
  });
});

function outputsOfDropout(x: Value, ratio: number, training: boolean): readonly Value[] {
  return apply(onnxDropout.definition, [x, constant(ratio, 'float32'), constant(training ? 1 : 0, 'bool')], {});
}
