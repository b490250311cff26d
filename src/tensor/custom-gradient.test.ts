import { describe, expect, it } from 'vitest';
import { checkpoint, compile, customGradient, grad, noGrad, type Tensor, tensor } from './index.ts';

const round = customGradient({ forward: (x: Tensor) => x.round(), backward: (dy) => [dy] });

describe('customGradient', () => {
  it('passes the gradient straight through a rounding', async () => {
    const x = tensor([0.2, 1.7], { requiresGrad: true });
    const y = round(x);
    y.mul(tensor([1, 10]))
      .sum()
      .backward();
    expect(await y.array()).toEqual([0, 2]);
    expect(await x.grad?.array()).toEqual([1, 10]);
  });

  it('gives inputs and output to the rule, and second derivatives through it', async () => {
    const exp = customGradient({ forward: (x: Tensor) => x.exp(), backward: (dy, { output }) => [dy.mul(output)] });
    const x = tensor(0.5, { requiresGrad: true });
    const first = grad(exp(x), x, { createGraph: true });
    const second = grad(first, x);
    expect(await first.item()).toBeCloseTo(Math.exp(0.5), 5);
    expect(await second.item()).toBeCloseTo(Math.exp(0.5), 5);
  });

  it('takes several inputs; null means that nothing flows', async () => {
    const mul = customGradient({
      forward: (a: Tensor, b: Tensor) => a.mul(b),
      backward: (dy, { inputs: [, b] }) => [dy.mul(b).neg(), null],
    });
    const a = tensor([2], { requiresGrad: true });
    const b = tensor([3], { requiresGrad: true });
    const [da, db] = grad(mul(a, b).sum(), [a, b], { allowUnused: true });
    expect([await da.array(), await db.array()]).toEqual([[-3], [0]]);
  });

  it('works under noGrad, inside checkpoint and compile', async () => {
    expect(noGrad(() => round(tensor([1], { requiresGrad: true }))).requiresGrad).toBe(false);
    const x = tensor([0.4, 2.6], { requiresGrad: true });
    expect(await grad(checkpoint((v: Tensor) => round(v).square(), x).sum(), x).array()).toEqual([0, 6]);
    const step = compile((v: Tensor) => grad(round(x.mul(v)).sum(), x));
    expect(await (await step(tensor([2, 3]))).array()).toEqual([2, 3]);
    expect(await (await step(tensor([4, 5]))).array()).toEqual([4, 5]);
  });

  it('refuses gradients of other shapes or in another number', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    const wrong = customGradient({ forward: (v: Tensor) => v.mul(2), backward: (dy) => [dy.sum()] });
    expect(() => grad(wrong(x).sum(), x)).toThrow('the gradient of input 0 has shape [], the input [2]');
    const none = customGradient({ forward: (v: Tensor) => v.mul(2), backward: () => [] });
    expect(() => grad(none(x).sum(), x)).toThrow('backward gave 0 gradients for 1 inputs');
  });
});
