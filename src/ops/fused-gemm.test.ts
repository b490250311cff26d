/** @file FusedGemm against Gemm and the activation in two steps, and its gradient. */
import { describe, expect, it } from 'vitest';
import { UnsupportedError } from '../ir/errors.ts';
import { grad, Tensor, tensor } from '../tensor/index.ts';
import { findOp, fusedGemm, gemm, hardSigmoid, leakyRelu, relu, tanh } from './index.ts';

const a = tensor([
  [1, -2],
  [3, 0.5],
]);
const b = tensor([
  [0.5, -1],
  [2, 1],
]);
const c = tensor([0.25, -3]);
a.requiresGrad = true;
const attrs = { alpha: 0.5, beta: 2, transB: 1 };

describe('FusedGemm', () => {
  it.each([
    ['Relu', {}, relu],
    ['Tanh', {}, tanh],
    ['LeakyRelu', { alpha: 0.25 }, leakyRelu],
    ['HardSigmoid', { alpha: 0.1, beta: 0.4 }, hardSigmoid],
  ] as const)('%s', async (activation, parameters, op) => {
    const fused = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [`activation_${name}`, value]));
    const y = new Tensor(fusedGemm(a.value, b.value, c.value, { ...attrs, activation, ...fused }));
    const want = new Tensor(op(gemm(a.value, b.value, c.value, attrs), parameters));
    expect(await y.array()).toEqual(await want.array());
    const [dy] = grad(y.sum(), [a]);
    const [dwant] = grad(want.sum(), [a]);
    expect(await dy.array()).toEqual(await dwant.array());
  });

  it('is found by the importer, works without C, and names activations that it does not know', async () => {
    expect(findOp('FusedGemm', 'com.microsoft')).toBe(fusedGemm.definition);
    const y = new Tensor(fusedGemm(a.value, b.value, { activation: 'Relu' }));
    expect(await y.array()).toEqual([
      [0, 0],
      [2.5, 0],
    ]);
    expect(() => fusedGemm(a.value, b.value, { activation: 'Mish' })).toThrow(UnsupportedError);
    expect(() => fusedGemm(a.value, b.value, { activation: 'Mish' })).toThrow("activation 'Mish'; supported: Relu");
  });
});
