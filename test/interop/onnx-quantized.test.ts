/** @file ONNX files in float16, 8 and 4 bits, as the hub keeps them: the same outputs as ONNX Runtime, what trains, what cannot and why. */
import { fileURLToPath } from 'node:url';
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { inspectOnnx, OnnxModel } from '../../src/hub/onnx/index.ts';
import { sgd } from '../../src/optim/index.ts';
import { noGrad, type Tensor, tensor } from '../../src/tensor/index.ts';

const pathOf = (name: string) => fileURLToPath(new URL(`../golden/onnx_quantized/${name}.onnx`, import.meta.url));
const ids = [
  [2, 3, 4, 5],
  [6, 7, 8, 1],
];
const mask = [
  [1, 1, 1, 1],
  [1, 1, 1, 0],
];
const int64 = (rows: number[][]) => tensor(rows, { dtype: 'int64' });
const inputs = () => ({ input_ids: int64(ids), attention_mask: int64(mask) });

async function runtime(model: string | Uint8Array): Promise<Float32Array> {
  const session = await (typeof model === 'string'
    ? ort.InferenceSession.create(model)
    : ort.InferenceSession.create(model));
  const feed = (rows: number[][]) => new ort.Tensor('int64', BigInt64Array.from(rows.flat().map(BigInt)), [2, 4]);
  const results = await session.run({ input_ids: feed(ids), attention_mask: feed(mask) });
  return results[session.outputNames[0]].data as Float32Array;
}

async function difference(y: Tensor, expected: Float32Array): Promise<number> {
  const data = await y.data();
  expect(data.length).toBe(expected.length);
  return Math.max(...Array.from(data, (v, i) => Math.abs(v - expected[i])));
}

const loss = (net: OnnxModel) => net.forward(inputs()).pow(2).mean();

describe('quantised files', () => {
  it.each([
    ['model_fp16', 40, 5e-3],
    ['model_quantized', 1, 1e-5],
    ['model_q4', 28, 1e-5],
    ['model_q4_zeros', 28, 1e-5],
  ])('%s: outputs, training of what is floating point, writing back', async (name, count, tolerance) => {
    const net = (await OnnxModel.load(pathOf(name))).eval();
    expect(await difference(net.forward(inputs()), await runtime(pathOf(name)))).toBeLessThan(tolerance);
    const trained = net.parameters().filter((p) => p.requiresGrad);
    expect(trained).toHaveLength(count);
    const before = await loss(net).item();
    const optimizer = sgd(trained, { lr: 0.05 });
    for (let i = 0; i < 3; i++) {
      optimizer.zeroGrad();
      loss(net).backward();
      for (const p of trained) expect(p.grad?.shape).toEqual(p.shape);
      await optimizer.step();
    }
    expect(await loss(net).item()).toBeLessThan(before);
    expect(await difference(net.forward(inputs()), await runtime(await net.save(null)))).toBeLessThan(tolerance);
  });

  it.each(['model_q4', 'model_q4_zeros'])('%s: gradients pass the 4-bit products', async (name) => {
    const net = (await OnnxModel.load(pathOf(name))).eval();
    const [, weight] = net.namedParameters().find(([key]) => key.endsWith('layer.0.sa_layer_norm.weight')) ?? [];
    if (!weight) throw new Error('no weight');
    loss(net).backward();
    const gradient = Array.from((await weight.grad?.data()) ?? []);
    const start = Array.from(await weight.data());
    const at = async (i: number, change: number) => {
      noGrad(() => weight.assign(tensor(start.with(i, start[i] + change))));
      return await loss(net).item();
    };
    for (const i of [0, 7]) {
      const slope = ((await at(i, 1e-2)) - (await at(i, -1e-2))) / 2e-2;
      expect(Math.abs(slope - gradient[i])).toBeLessThan(2e-2 * Math.abs(slope) + 1e-4);
    }
  });

  it('8 bits: inspection says why the layers do not train', async () => {
    const found = await inspectOnnx(pathOf('model_quantized'));
    expect(found.problems).toEqual([]);
    const norm = found.parameters.find((p) => p.name.endsWith('layer.0.sa_layer_norm.weight'));
    expect(norm).toMatchObject({ trainable: false, role: 'blocked' });
    expect(norm?.reason).toMatch(
      /^operator (DynamicQuantizeLinear|MatMulInteger) \(node '.*'\) works on rounded integers and has no gradient: train a file of the model in float32/,
    );
  });
});
