/** @file Transformers that PyTorch's two exporters wrote (onnx_transformers.py): outputs, gradients, steps, layers by name, cuts, LoRA. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { inspectOnnx, OnnxModel } from '../../src/hub/onnx/index.ts';
import { getPeftModel, loraConfig } from '../../src/models/peft/index.ts';
import { functional as F, Linear, Module } from '../../src/nn/index.ts';
import { adamw, sgd } from '../../src/optim/index.ts';
import { manualSeed, type Tensor, tensor } from '../../src/tensor/index.ts';
import { closeTo, type Fixture, loadFixture } from './onnx-fixtures.ts';

const folder = '../onnx_transformers/';
const pathOf = (name: string) => fileURLToPath(new URL(`../golden/onnx_transformers/${name}.onnx`, import.meta.url));

const inputsOf = (net: OnnxModel, golden: Fixture) =>
  Object.fromEntries(net.inputNames.map((n) => [n, golden.tensor(`input.${n}`)]));

function lossOf(net: OnnxModel, golden: Fixture, inputs: Record<string, Tensor>): Tensor {
  const outputs = net.forwardAll(inputs);
  const terms = net.outputNames.map((n) => outputs[n].mul(golden.tensor(`probe.${n}`)).mean());
  return terms.reduce((a, b) => a.add(b)).square();
}

const names = [
  'distilbert-torchscript',
  'distilbert-dynamo',
  'gpt2-torchscript',
  'gpt2-dynamo',
  'gpt2-past-torchscript',
  'gpt2-past-dynamo',
  't5-encoder-torchscript',
  'vit-torchscript',
  'vit-dynamo',
];

describe('exports of transformers', () => {
  it.each(names)('%s: outputs, gradients, losses of five steps', async (name) => {
    const golden = await loadFixture(folder + name);
    const net = await OnnxModel.load(pathOf(name));
    net.eval();
    const inputs = inputsOf(net, golden);
    const outputs = net.forwardAll(inputs);
    for (const n of net.outputNames) await closeTo(outputs[n], golden.array(`output.${n}`), 1e-4, n);
    lossOf(net, golden, inputs).backward();
    const parameters = new Map(net.namedParameters());
    for (const n of golden.names('grad.'))
      await closeTo(parameters.get(n)?.grad as Tensor, golden.array(`grad.${n}`), 2e-4, `gradient of ${n}`);
    net.zeroGrad();
    const optimizer = sgd(
      net.parameters().filter((p) => p.requiresGrad),
      { lr: 0.05 },
    );
    const losses: number[] = [];
    for (let i = 0; i < 5; i++) {
      optimizer.zeroGrad();
      const loss = lossOf(net, golden, inputs);
      loss.backward();
      await optimizer.step();
      losses.push(await loss.item());
    }
    Array.from(golden.array('losses')).forEach((expected, i) => {
      expect(Math.abs(losses[i] - expected), `loss ${i}: ${losses[i]}, ${expected}`).toBeLessThan(
        1e-3 * expected + 1e-6,
      );
    });
  });

  it.each([
    ['distilbert', 'model.distilbert.transformer.layer.0.attention.q_lin', 13 + 1],
    ['gpt2', 'model.transformer.h.0.attn.c_attn', 9],
    ['vit', 'model.vit.', 13],
  ])('%s: both exporters name the same layers', async (model, first, count) => {
    const [old, now] = await Promise.all(
      ['torchscript', 'dynamo'].map(async (how) =>
        (await OnnxModel.load(pathOf(`${model}-${how}`))).linears().map(({ name }) => name),
      ),
    );
    expect(old.toSorted()).toEqual(now.toSorted());
    expect(old.some((name) => name.startsWith(first))).toBe(true);
    expect(old.length).toBe(count);
  });

  it.each([
    ['distilbert-torchscript', /^onnx::MatMul_/, 12 + 1],
    ['distilbert-dynamo', /^val_/, 12 + 1],
    ['gpt2-torchscript', /^onnx::MatMul_/, 1],
    ['vit-dynamo', /^val_/, 12],
  ])(
    '%s: inspection names the layers of weights that the exporter renamed, and where to cut',
    async (name, made, least) => {
      const found = await inspectOnnx(pathOf(name));
      const renamed = found.parameters.filter((p) => p.trainable && made.test(p.name));
      expect(renamed.length).toBeGreaterThanOrEqual(least - 1);
      for (const { layer } of renamed) expect(layer).toMatch(/^[a-z].*\.(weight|bias)$/);
      expect(String(found)).toMatch(new RegExp(`  ${renamed[0].layer} .*  initializer ${renamed[0].name}\n`));
      expect(found.features.length).toBeGreaterThan(1);
      const [{ name: feature, readBy }] = found.features;
      expect(readBy).toMatch(/^(Gemm|MatMul) \w+/);
      expect((await OnnxModel.load(pathOf(name), { cutAt: feature })).outputNames).toEqual([feature]);
    },
  );

  it('a cut with a new head trains, frozen by layer name; the weights go back into the file, its axes stay', async () => {
    const path = pathOf('distilbert-torchscript');
    const golden = await loadFixture(`${folder}distilbert-torchscript`);
    const net = await OnnxModel.load(path, { trainable: 'model.distilbert.transformer.layer.1' });
    const trained = net.namedParameters().filter(([, p]) => p.requiresGrad);
    // Six matrices, which the exporter renamed, are found by the names of their layers.
    expect(trained.filter(([n]) => n.startsWith('onnx::')).length).toBe(6);
    const inputs = inputsOf(net, golden);
    const feature = net.features().find(({ readBy }) => readBy.endsWith('pre_classifier'));
    const backbone = net.cutAt(feature?.name ?? '');
    class Tuned extends Module {
      backbone = backbone;
      head = new Linear(16, 4);
      override forward(given: Record<string, Tensor>): Tensor {
        return this.head.forward(this.backbone.forward(given));
      }
    }
    manualSeed(1);
    const model = new Tuned().eval();
    const optimizer = adamw(
      model.parameters().filter((p) => p.requiresGrad),
      { lr: 0.02 },
    );
    const labels = tensor([3, 1], { dtype: 'int64' });
    const before = await net.forward(inputs).data();
    const losses: number[] = [];
    for (let i = 0; i < 10; i++) {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(model.forward(inputs), labels);
      loss.backward();
      await optimizer.step();
      losses.push(await loss.item());
    }
    expect(losses[9]).toBeLessThan(0.3 * losses[0]);
    const bytes = await net.save(null);
    expect(bytes.length).toBe((await readFile(path)).length);
    const { inputs: described, outputs } = await inspectOnnx(bytes);
    expect(described.map(({ shape }) => shape)).toEqual([
      ['batch', 'sequence'],
      ['batch', 'sequence'],
    ]);
    expect(outputs[0].shape?.[0]).toBe('batch');
    const session = await ort.InferenceSession.create(bytes);
    const feeds = Object.fromEntries(
      await Promise.all(
        Object.entries(inputs).map(async ([n, t]) => [
          n,
          new ort.Tensor('int64', BigInt64Array.from(Array.from(await t.data(), BigInt)), [...t.shape]),
        ]),
      ),
    );
    const logits = (await session.run(feeds)).logits.data as Float32Array;
    await closeTo(net.eval().forward(inputs), logits, 1e-4, 'the written file in ONNX Runtime');
    expect(Math.abs(logits[0] - before[0])).toBeGreaterThan(1e-3);
  });

  it('refuses a cut at a name that is no value, naming candidates', async () => {
    const net = await OnnxModel.load(pathOf('vit-dynamo'));
    expect(() => net.cutAt('nowhere')).toThrow(/cutAt: no node of the model makes a value 'nowhere'; candidates are '/);
  });

  it.each(['gpt2-torchscript', 'gpt2-dynamo'])('%s: LoRA by layer name, merged into the file', async (name) => {
    manualSeed(2);
    const golden = await loadFixture(folder + name);
    const net = await OnnxModel.load(pathOf(name));
    net.eval();
    const inputs = inputsOf(net, golden);
    const start = await net.forward(inputs).data();
    const peft = getPeftModel(net, loraConfig({ r: 2, loraAlpha: 4, targetModules: ['c_attn', 'mlp.c_fc'] }));
    expect(peft.adaptedLayers().toSorted()).toEqual(
      [0, 1].flatMap((i) => ['attn.c_attn', 'mlp.c_fc'].map((n) => `model.transformer.h.${i}.${n}`)),
    );
    await closeTo(peft.forward(inputs), start, 1e-6, 'before training');
    const optimizer = adamw(
      peft.parameters().filter((p) => p.requiresGrad),
      { lr: 0.05 },
    );
    const losses: number[] = [];
    for (let i = 0; i < 8; i++) {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(peft.forward(inputs).reshape([-1, 40]), inputs.input_ids.reshape([-1]));
      loss.backward();
      await optimizer.step();
      losses.push(await loss.item());
    }
    expect(losses[7]).toBeLessThan(0.9 * losses[0]);
    const tuned = await peft.forward(inputs).data();
    await expect(net.save(null)).rejects.toThrow(/save: the graph has no place for adapters; merge them/);
    const bytes = await peft.mergeAndUnload().save(null);
    const again = await OnnxModel.load(bytes);
    await closeTo(again.eval().forward(inputs), tuned, 1e-4, 'merged and written');
  });

  it('dropout of an adapter and of a graph draws a new mask in every step', async () => {
    const golden = await loadFixture(`${folder}vit-torchscript`);
    const net = await OnnxModel.load(pathOf('vit-torchscript'));
    const peft = getPeftModel(net, loraConfig({ targetModules: ['q_proj'], loraDropout: 0.5, initLoraWeights: false }));
    const inputs = inputsOf(net, golden);
    const [a, b] = await Promise.all([peft.forward(inputs).data(), peft.forward(inputs).data()]);
    expect(a).not.toEqual(b);
  });
});
