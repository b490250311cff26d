/** @file The fixtures of test/golden/onnx_models.py. */
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { NumericArray } from '../../src/ir/dtype.ts';
import { fromData, type Tensor } from '../../src/tensor/index.ts';
import { loadSafetensors } from '../../src/train/safetensors.ts';

/** The path of a fixture. */
export const fixture = (file: string) => fileURLToPath(new URL(`../golden/onnx_models/${file}`, import.meta.url));

export interface Fixture {
  array(name: string): NumericArray;
  tensor(name: string): Tensor;
  /** What follows the prefix in the names that begin with it. */
  names(prefix: string): string[];
}

/** Inputs, outputs and gradients of a model. */
export async function loadFixture(name: string): Promise<Fixture> {
  const { tensors } = await loadSafetensors(fixture(`${name}.safetensors`));
  const find = (n: string) => {
    const found = tensors.get(n);
    if (!found) throw new Error(`fixture ${name} holds no ${n}`);
    return found;
  };
  return {
    array: (n) => find(n).data,
    tensor: (n) => fromData(find(n).data.slice(), find(n).shape, { dtype: find(n).dtype }),
    names: (prefix) => [...tensors.keys()].flatMap((n) => (n.startsWith(prefix) ? [n.slice(prefix.length)] : [])),
  };
}

/** Expects every element within `tolerance` of the largest expected magnitude (and of 1e-3 at least). */
export async function closeTo(actual: Tensor, expected: NumericArray, tolerance: number, what: string): Promise<void> {
  const data = await actual.data();
  expect(data.length, what).toBe(expected.length);
  let [scale, worst] = [1e-3, 0];
  expected.forEach((v, i) => {
    scale = Math.max(scale, Math.abs(v));
    worst = Math.max(worst, Math.abs(v - data[i]));
  });
  expect(worst / scale, `${what}: largest difference over largest magnitude`).toBeLessThan(tolerance);
}
