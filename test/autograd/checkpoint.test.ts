import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { checkpoint, grad, randn, realize, type Tensor, uniform } from '../../src/tensor/index.ts';

const run = async (remat: boolean) => {
  const args = [
    '-C',
    'gradus-source',
    '--import',
    'tsx',
    join(import.meta.dirname, 'memory-child.ts'),
    remat ? '1' : '0',
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as { megabytes: number; gradient: number };
};

describe('checkpoint', () => {
  it('gives the same gradients', async () => {
    const w = randn([8, 8], { requiresGrad: true });
    const v = randn([8, 8], { requiresGrad: true });
    const x = randn([4, 8]);
    const layer = (h: Tensor) => h.matmul(w).tanh().matmul(v).sigmoid();
    const plain = grad(layer(layer(x)).square().sum(), [w, v]);
    const again = grad(checkpoint(layer, checkpoint(layer, x)).square().sum(), [w, v]);
    await realize(...plain, ...again);
    for (const [i, g] of plain.entries()) expect(await again[i].array()).toEqual(await g.array());
  });

  it('draws the same dropout mask both times', async () => {
    const x = uniform([64], 1, 2, { requiresGrad: true });
    const y = checkpoint((h: Tensor) => h.mul(2).tanh(), x);
    const g = grad(y.sum(), x);
    await realize(y, g);
    const [out, slope] = [await y.data(), await g.data()];
    for (let i = 0; i < 64; i++) expect(slope[i]).toBeCloseTo(2 * (1 - out[i] ** 2), 5);
  });

  it('lowers the peak memory: the engine does not undo it', async () => {
    const [plain, again] = [await run(false), await run(true)];
    expect(again.gradient).toBeCloseTo(plain.gradient, 6);
    // 8 blocks of 24 activations of 4 MB: 768 MB kept, against 8 block inputs and one block at a time.
    expect(plain.megabytes - again.megabytes).toBeGreaterThan(300);
  });
});
