/** @file Gradients through rounding and signs are zeros, as in PyTorch, not missing. */
import { describe, expect, it } from 'vitest';
import { GradientError } from '../ir/errors.ts';
import { grad, type Tensor, tensor } from '../tensor/index.ts';

describe('backward through', () => {
  it.each([
    ['round', (x: Tensor) => x.round()],
    ['floor', (x: Tensor) => x.floor()],
    ['ceil', (x: Tensor) => x.ceil()],
    ['sign', (x: Tensor) => x.sign().mul(3)],
  ] as const)('only %s gives zeros', async (_, f) => {
    const x = tensor([1.4, -2.6], { requiresGrad: true });
    const y = f(x);
    expect(y.requiresGrad).toBe(true);
    y.sum().backward();
    expect(await x.grad?.array()).toEqual([0, 0]);
    expect(await grad(f(x).sum(), x).array()).toEqual([0, 0]);
  });

  it('rounding beside another path takes nothing from it, and what is not used has no gradient still', async () => {
    const x = tensor([1.4, -2.6], { requiresGrad: true });
    const other = tensor([1], { requiresGrad: true });
    expect(await grad(x.mul(x.round()).sum(), x).array()).toEqual([1, -3]);
    expect(() => grad(x.round().sum(), [x, other])).toThrow(GradientError);
    x.round().sum().backward();
    expect(other.grad).toBeNull();
  });
});

describe('shrinking', () => {
  it("keeps NaN, and has PyTorch's gradients", async () => {
    const x = tensor([Number.NaN, 0.5, -0.5, 0.75, -2, 0], { requiresGrad: true });
    const soft = [Number.NaN, 0, 0, 0.25, -1.5, 0];
    expect(((await x.softshrink().array()) as number[]).map((v) => v + 0)).toEqual(soft);
    expect(await x.hardshrink().array()).toEqual([Number.NaN, 0, 0, 0.75, -2, 0]);
    expect(((await grad(x.softshrink().nanToNum().sum(), x).array()) as number[]).slice(1)).toEqual([0, 0, 1, 1, 0]);
  });
});
