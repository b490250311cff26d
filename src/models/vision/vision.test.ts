/** @file Image networks against torchvision: outputs, gradients, running statistics, keys. */
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Module } from '../../nn/index.ts';
import { fromData, noGrad, realize, type Tensor } from '../../tensor/index.ts';
import * as zoo from './index.ts';

type Network = Module & { forward(x: Tensor): Tensor };

interface Golden {
  readonly classes: number;
  readonly size: number;
  readonly batch: number;
  readonly cases: readonly {
    readonly name: string;
    /** Which of the inputs: one that lies near no kink. */
    readonly draw: number;
    /** By how much PyTorch's own float32 gradients miss those of float64. */
    readonly precision: number;
    readonly evaluated: readonly number[];
    readonly trained: readonly number[];
    /** Norm, and product with a drawn vector. */
    readonly grads: Readonly<Record<string, readonly [number, number]>>;
    readonly stats: Readonly<Record<string, number>>;
  }[];
}

const path = new URL('../../../test/golden/torchvision_models.json', import.meta.url);
const golden: Golden = JSON.parse(readFileSync(path, 'utf8'));
const { size, batch } = golden;
const options = { numClasses: golden.classes };
const vgg = { ...options, hidden: 32, dropout: 0 };
const still = { ...options, dropout: 0 };
const networks: Readonly<Record<string, () => Network>> = {
  vgg11: () => zoo.vgg11(vgg),
  vgg11_bn: () => zoo.vgg11Bn(vgg),
  vgg13: () => zoo.vgg13(vgg),
  vgg13_bn: () => zoo.vgg13Bn(vgg),
  vgg16: () => zoo.vgg16(vgg),
  vgg16_bn: () => zoo.vgg16Bn(vgg),
  vgg19: () => zoo.vgg19(vgg),
  vgg19_bn: () => zoo.vgg19Bn(vgg),
  resnet18: () => zoo.resnet18(options),
  resnet34: () => zoo.resnet34(options),
  resnet50: () => zoo.resnet50(options),
  mobilenet_v2: () => zoo.mobilenetV2(still),
  mobilenet_v3_small: () => zoo.mobilenetV3Small(still),
  mobilenet_v3_large: () => zoo.mobilenetV3Large(still),
  efficientnet_b0: () => zoo.efficientnetB0({ ...still, stochasticDepthProb: 0 }),
  unet: () => new zoo.UNet({ ...options, width: 8, depth: 3 }),
};

/** The generator's hash of (key, index): uniform in [-0.5, 0.5). */
function drawn(key: string, shape: readonly number[], map: (u: number) => number = (u) => u): Float32Array {
  const seed = crc32(key);
  const drawn = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < drawn.length; i++) {
    let x = (i + seed) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    drawn[i] = map(((x ^ (x >>> 16)) >>> 0) / 2 ** 32 - 0.5);
  }
  return drawn;
}

function weight(key: string, shape: readonly number[]): Float32Array {
  if (key.endsWith('running_var')) return drawn(key, shape, (u) => 1 + u);
  if (key.endsWith('running_mean')) return drawn(key, shape, (u) => 0.2 * u);
  if (shape.length <= 1) return drawn(key, shape, (u) => (key.includes('.weight') ? 1 + 0.2 * u : 0.2 * u));
  const deviation = Math.sqrt(24 / shape.slice(1).reduce((a, b) => a * b, 1));
  return drawn(key, shape, (u) => u * deviation);
}

const input = (draw: number) =>
  fromData(
    drawn(`input ${draw}`, [batch, 3, size, size], (u) => 2 * u),
    [batch, 3, size, size],
  );

/** Largest difference, in units of the expected vector's norm. */
function distance(found: readonly number[], expected: readonly number[]): number {
  const norm = Math.hypot(...expected);
  return Math.max(...expected.map((v, i) => Math.abs(found[i] - v))) / norm;
}

const some = (name: string, values: ArrayLike<number>) =>
  Array.from(values).filter((_, i) => name !== 'unet' || i % 97 === 0);

describe.each(golden.cases.map((c) => [c.name, c] as const))('%s', (name, expected) => {
  it('has the reference’s keys, outputs, gradients and running statistics', async () => {
    const model = networks[name]();
    for (const [key, tensor] of Object.entries(model.stateDict()))
      if (tensor.dtype === 'float32') tensor.setData(weight(key, tensor.shape));
    const parameters = model.namedParameters();
    expect(parameters.map(([key]) => key)).toEqual(Object.keys(expected.grads));
    const evaluated = await noGrad(() => model.eval().forward(input(expected.draw))).data();
    expect(distance(some(name, evaluated), expected.evaluated)).toBeLessThan(2e-5);

    const output = model.train().forward(input(expected.draw));
    const probe = fromData(drawn('output', output.shape), output.shape);
    output.mul(probe).sum().backward();
    const probes = parameters.map(([key, p]) => fromData(drawn(`probe ${key}`, p.shape), p.shape));
    const sums = noGrad(() =>
      parameters.flatMap(([, p], i) => {
        const gradient = p.grad as Tensor;
        return [gradient.square().sum().sqrt(), gradient.mul(probes[i]).sum()];
      }),
    );
    await realize(output, ...sums);
    expect(distance(some(name, await output.data()), expected.trained)).toBeLessThan(1e-4);
    const numbers = await Promise.all(sums.map(async (t) => await t.item()));
    const largest = Math.max(...Object.values(expected.grads).map(([norm]) => norm));
    // One activation on the other side of a kink, in a wide layer of few positions, is worth up to a hundredth.
    const allowed = 1e-2 + 5 * expected.precision;
    for (const [i, [key]] of parameters.entries()) {
      const [norm, product] = expected.grads[key];
      // Biases before a normalisation have a gradient of 0, and only rounding is left of it.
      // Biases before a normalisation have a gradient of 0, and only rounding is left of it.
      // One activation on the other side of a kink, in a wide layer of few positions, is worth a few thousandths.
      const scale = Math.max(norm, 1e-3 * largest);
      expect(Math.abs(numbers[2 * i] - norm) / scale, `norm of ${key}`).toBeLessThan(allowed);
      expect(Math.abs(numbers[2 * i + 1] - product) / scale, `product of ${key}`).toBeLessThan(allowed);
    }
    for (const [key, buffer] of model.namedBuffers())
      if (key in expected.stats) {
        const sum = await buffer.sum().item();
        expect(Math.abs(sum - expected.stats[key]) / (1 + Math.abs(expected.stats[key])), key).toBeLessThan(1e-4);
      }
  });
});

interface OptionsGolden {
  readonly size: readonly [number, number];
  readonly cases: readonly {
    readonly name: keyof typeof withOptions;
    readonly options: { readonly num_classes: number; readonly width_mult?: number; readonly dropout?: number };
    readonly parameters: number;
    readonly evaluated: readonly number[];
  }[];
}

const withOptions = {
  resnet18: zoo.resnet18,
  mobilenet_v2: zoo.mobilenetV2,
  mobilenet_v3_small: zoo.mobilenetV3Small,
  mobilenet_v3_large: zoo.mobilenetV3Large,
  efficientnet_b0: zoo.efficientnetB0,
};
const optionsPath = new URL('../../../test/golden/torchvision_options.json', import.meta.url);
const optionsGolden: OptionsGolden = JSON.parse(readFileSync(optionsPath, 'utf8'));

it.each(optionsGolden.cases)('$name with $options, one picture of an odd size', async (expected) => {
  const { num_classes, width_mult, dropout } = expected.options;
  const model: Network = withOptions[expected.name]({
    numClasses: num_classes,
    ...(width_mult === undefined ? {} : { widthMult: width_mult }),
    ...(dropout === undefined ? {} : { dropout }),
  });
  expect(model.parameters().reduce((sum, p) => sum + p.numel(), 0)).toBe(expected.parameters);
  for (const [key, tensor] of Object.entries(model.stateDict()))
    if (tensor.dtype === 'float32') tensor.setData(weight(key, tensor.shape));
  const shape = [1, 3, ...optionsGolden.size];
  const x = fromData(
    drawn('input', shape, (u) => 2 * u),
    shape,
  );
  const evaluated = await noGrad(() => model.eval().forward(x)).data();
  expect(distance([...evaluated], expected.evaluated)).toBeLessThan(2e-5);
});
