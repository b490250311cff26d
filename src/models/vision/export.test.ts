/** @file Image networks as ONNX files with a dynamic batch; options; what only training does; weights from files. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { exportOnnx, loadModel, saveModel } from '../../hub/index.ts';
import { decodeModel } from '../../ir/onnx/decode.ts';
import type { Module } from '../../nn/index.ts';
import { manualSeed, noGrad, ones, randn } from '../../tensor/index.ts';
import { StochasticDepth } from './blocks.ts';
import * as zoo from './index.ts';

const options = { numClasses: 4 };

// Each file is run by ONNX Runtime at two batch sizes and compared with the model before exportOnnx returns.
it.each<[string, Module, readonly (number | string)[]]>([
  ['vgg11Bn', zoo.vgg11Bn({ ...options, hidden: 16, pooled: 1 }), ['batch', 4]],
  ['resnet18', zoo.resnet18({ ...options, stem: 'small' }), ['batch', 4]],
  ['resnet50', zoo.resnet50(options), ['batch', 4]],
  ['mobilenetV2', zoo.mobilenetV2(options), ['batch', 4]],
  ['mobilenetV3Small', zoo.mobilenetV3Small(options), ['batch', 4]],
  ['mobilenetV3Large', zoo.mobilenetV3Large(options), ['batch', 4]],
  ['efficientnetB0', zoo.efficientnetB0(options), ['batch', 4]],
  ['UNet', new zoo.UNet({ ...options, width: 4, depth: 2 }), ['batch', 4, 32, 32]],
])('%s exports with a dynamic batch', async (_, model, shape) => {
  const { graph } = decodeModel(await exportOnnx(model, null, { inputs: [['batch', 3, 32, 32]] }));
  expect(graph.output[0].shape).toEqual(shape);
  expect(graph.node.every((n) => n.domain === '')).toBe(true);
});

it('U-Net says which sizes it takes', async () => {
  const model = new zoo.UNet({ ...options, width: 4, depth: 2 });
  expect(() => model.forward(ones([1, 3, 30, 32]))).toThrow('multiples of 4, found [1, 3, 30, 32]');
  expect(model.forward(ones([1, 3, 12, 8])).shape).toEqual([1, 4, 12, 8]);
});

it('drops whole branches of samples, and keeps their mean', async () => {
  manualSeed(1);
  const depth = new StochasticDepth(0.25);
  const rows = await noGrad(() => depth.forward(ones([400, 2, 1, 1])).flatten(1)).array();
  const values = (rows as number[][]).map(([a, b]) => {
    expect(a).toBe(b);
    return a;
  });
  expect(new Set(values.map((v) => v.toFixed(4)))).toEqual(new Set(['0.0000', (4 / 3).toFixed(4)]));
  expect(values.reduce((a, b) => a + b) / values.length).toBeCloseTo(1, 1);
  const x = ones([3, 2, 1, 1]);
  expect(depth.eval().forward(x)).toBe(x);
  expect(() => new StochasticDepth(2)).toThrow('p must be in [0, 1], found 2');
});

it('refuses options that cannot be', () => {
  expect(() => zoo.resnet18({ numClasses: 0 })).toThrow(
    'ResNet: numClasses must be a whole number of at least 1, found 0',
  );
  expect(() => new zoo.UNet({ depth: 1.5 })).toThrow('UNet: depth must be a whole number');
});

it('takes weights from a file, and a new head for other classes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gradus-zoo-'));
  try {
    const trained = zoo.mobilenetV3Small({ numClasses: 7 });
    await saveModel(trained, folder);
    const model = zoo.mobilenetV3Small({ numClasses: 7 });
    await loadModel(model, join(folder, 'model.safetensors'));
    const x = randn([1, 3, 32, 32]);
    const outputs = await Promise.all(
      [trained, model].map(async (m) => await noGrad(() => m.eval().forward(x)).array()),
    );
    expect(outputs[0]).toEqual(outputs[1]);
    const other = zoo.mobilenetV3Small({ numClasses: 3 });
    await expect(loadModel(other, folder)).rejects.toThrow("'classifier.3.weight'");
    await loadModel(other, folder, { exclude: 'classifier.3' });
    expect(other.eval().forward(x).shape).toEqual([1, 3]);
    const [mine, theirs] = await Promise.all(
      [trained, other].map(async (m) => await noGrad(() => m.features.forward(x)).array()),
    );
    expect(mine).toEqual(theirs);
  } finally {
    await rm(folder, { recursive: true });
  }
});
