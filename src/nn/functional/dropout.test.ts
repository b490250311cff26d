/** @file Dropout: how many elements it drops, that it repeats with the seed, and that its gradient is its mask. */
import { describe, expect, it } from 'vitest';
import { eye, grad, manualSeed, ones, randn, type Tensor } from '../../tensor/index.ts';
import * as F from './index.ts';

const count = async (x: Tensor) => (await x.eq(0).sum().item()) / x.numel();

describe('dropout', () => {
  it('drops a share p, scales the rest, and keeps the mean', async () => {
    manualSeed(1);
    const y = F.dropout(ones([200, 200]), { p: 0.3 });
    const values = new Set(Array.from(await y.data(), (v) => v.toFixed(4)));
    expect([...values].sort()).toEqual(['0.0000', (1 / 0.7).toFixed(4)]);
    expect(Math.abs((await count(y)) - 0.3)).toBeLessThan(0.01);
  });

  it('repeats with the seed and differs from call to call', async () => {
    const draw = async () => Array.from(await F.dropout(ones([64])).data());
    manualSeed(7);
    const [a, b] = [await draw(), await draw()];
    manualSeed(7);
    expect(await draw()).toEqual(a);
    expect(b).not.toEqual(a);
  });

  it('lets the gradient through where it kept', async () => {
    const x = ones([50], { requiresGrad: true });
    const y = F.dropout(x, { p: 0.5 });
    const dx = grad(y.sum(), x);
    expect(Array.from(await dx.data())).toEqual(Array.from(await y.data()));
  });

  it('is x itself when not training or with p = 0, and 0 with p = 1', async () => {
    const x = ones([3]);
    expect(F.dropout(x, { training: false })).toBe(x);
    expect(F.dropout(x, { p: 0 })).toBe(x);
    expect(await F.dropout(x, { p: 1 }).array()).toEqual([0, 0, 0]);
    expect(() => F.dropout(x, { p: 1.5 })).toThrow(/p must be in \[0, 1\], found 1.5/);
  });

  it('drops whole channels', async () => {
    const y = F.dropout2d(ones([4, 8, 3, 3]));
    const perChannel = await y.eq(0).float().mean([2, 3]).data();
    expect(new Set(perChannel)).toEqual(new Set([0, 1]));
  });

  it('keeps mean and variance of normal numbers, the SELU way', async () => {
    manualSeed(3);
    const y = F.alphaDropout(randn([200, 200]), { p: 0.2 });
    expect(Math.abs(await y.mean().item())).toBeLessThan(0.03);
    expect(Math.abs((await y.var().item()) - 1)).toBeLessThan(0.05);
  });

  it('drops attention weights', async () => {
    const q = ones([4, 64, 8]);
    // With the identity as value the result is the dropped weights themselves, 1 / 64 or twice that.
    const weights = F.scaledDotProductAttention(q, q, eye(64).expand([4, 64, 64]), { dropoutP: 0.5 });
    const values = new Set(Array.from(await weights.data(), (v) => v.toFixed(5)));
    expect(values).toEqual(new Set(['0.00000', (2 / 64).toFixed(5)]));
    expect(Math.abs((await count(weights)) - 0.5)).toBeLessThan(0.03);
  });
});
