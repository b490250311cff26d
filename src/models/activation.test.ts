/** @file Activations of config.json against transformers.activations.ACT2FN. */
import { expect, it } from 'vitest';
import { FormatError } from '../ir/errors.ts';
import { tensor } from '../tensor/index.ts';
import { activation } from './activation.ts';

/** transformers 5.23, float64, at these points. */
const points = [-12, -3, -0.5, 0, 0.7, 12];
const golden: Readonly<Record<string, readonly number[]>> = {
  gelu: [0, -0.00405, -0.154269, 0.0, 0.530625, 12.0],
  gelu_10: [0, -0.00405, -0.154269, 0.0, 0.530625, 10.0],
  gelu_fast: [0, -0.003637, -0.154286, 0.0, 0.53057, 12.0],
  gelu_new: [0, -0.003637, -0.154286, 0.0, 0.53057, 12.0],
  gelu_python: [0, -0.00405, -0.154269, 0.0, 0.530625, 12.0],
  gelu_pytorch_tanh: [0, -0.003637, -0.154286, 0.0, 0.53057, 12.0],
  gelu_python_tanh: [0, -0.003637, -0.154286, 0.0, 0.53057, 12.0],
  gelu_accurate: [0, -0.003637, -0.154286, 0.0, 0.53057, 12.0],
  hardswish: [0, 0, -0.208333, 0.0, 0.431667, 12.0],
  leaky_relu: [-0.12, -0.03, -0.005, 0.0, 0.7, 12.0],
  linear: [-12.0, -3.0, -0.5, 0.0, 0.7, 12.0],
  mish: [-7.4e-5, -0.145647, -0.220744, 0.0, 0.561148, 12.0],
  quick_gelu: [0, -0.018071, -0.149612, 0.0, 0.536894, 12.0],
  relu: [0.0, 0.0, 0.0, 0.0, 0.7, 12.0],
  relu2: [0.0, 0.0, 0.0, 0.0, 0.49, 144.0],
  relu6: [0.0, 0.0, 0.0, 0.0, 0.7, 6.0],
  sigmoid: [6e-6, 0.047426, 0.377541, 0.5, 0.668188, 0.999994],
  silu: [-7.4e-5, -0.142278, -0.18877, 0.0, 0.467731, 11.999926],
  swish: [-7.4e-5, -0.142278, -0.18877, 0.0, 0.467731, 11.999926],
  tanh: [-1.0, -0.995055, -0.462117, 0.0, 0.604368, 1.0],
};

for (const [name, wanted] of Object.entries(golden))
  it(`${name} has transformers' values`, async () => {
    const found = await activation(name)(tensor(points)).data();
    wanted.forEach((value, i) => {
      expect(Math.abs(found[i] - value)).toBeLessThan(2e-6 * Math.max(1, Math.abs(value)));
    });
  });

it('refuses others by name', () => {
  expect(() => activation('laplace')).toThrow(FormatError);
  expect(() => activation('constructor')).toThrow("activation 'constructor' is not known; there are gelu,");
});
