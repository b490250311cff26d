/** @file Exported models run in plain ONNX Runtime at other sizes than those of the export, and compute the same. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportOnnx, OnnxModel } from '../../src/hub/onnx/index.ts';
import { decodeModel } from '../../src/ir/onnx/decode.ts';
import * as nn from '../../src/nn/index.ts';
import { arange, fromData, manualSeed, noGrad, ones, randn, type Tensor, zeros } from '../../src/tensor/index.ts';
import { closeTo, fixture, loadFixture } from './onnx-fixtures.ts';

const F = nn.functional;
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-export-'));
  manualSeed(7);
});
afterAll(async () => await rm(folder, { recursive: true }));

/** Runs a file with onnxruntime-node alone and compares with the model, at each shape. */
async function runsAt(bytes: Uint8Array, model: nn.Module, inputs: readonly Tensor[]) {
  const session = await ort.InferenceSession.create(bytes);
  const feeds: Record<string, ort.Tensor> = {};
  for (const [i, name] of session.inputNames.entries()) {
    const data = await inputs[i].data();
    const elements = inputs[i].dtype === 'int64' ? BigInt64Array.from(data, (v) => BigInt(v)) : (data as Float32Array);
    feeds[name] = new ort.Tensor(inputs[i].dtype as 'float32', elements as Float32Array, [...inputs[i].shape]);
  }
  const results = await session.run(feeds);
  model.eval();
  const result = noGrad(() => (model.forward as (...args: unknown[]) => unknown)(...inputs));
  const expected = (Array.isArray(result) ? result.flat() : [result]) as Tensor[];
  for (const [i, name] of session.outputNames.entries()) {
    expect([...results[name].dims]).toEqual([...expected[i].shape]);
    await closeTo(expected[i], results[name].data as Float32Array, 1e-4, `${name} at ${inputs[0].shape}`);
  }
  await session.release();
}

const operators = (bytes: Uint8Array) => decodeModel(bytes).graph.node.map((n) => n.opType);

class Cnn extends nn.Module {
  conv1 = new nn.Conv2d(3, 8, 3, { padding: 1 });
  bn1 = new nn.BatchNorm2d(8);
  conv2 = new nn.Conv2d(8, 12, 3, { stride: 2 });
  bn2 = new nn.BatchNorm2d(12);
  fc = new nn.Linear(12, 4);
  override forward(x: Tensor): Tensor {
    const y = F.maxPool2d(F.relu(this.bn1.forward(this.conv1.forward(x))), 2);
    const z = F.relu(this.bn2.forward(this.conv2.forward(y)));
    return this.fc.forward(F.adaptiveAvgPool2d(z, 1).flatten(1));
  }
}

class Encoder extends nn.Module {
  embed = new nn.Embedding(50, 16);
  position = new nn.Embedding(32, 16);
  encoder = new nn.TransformerEncoder(
    new nn.TransformerEncoderLayer(16, 4, { dimFeedforward: 32, batchFirst: true, dropout: 0.1 }),
    2,
  );
  head = new nn.Linear(16, 3);
  readonly isCausal: boolean;
  constructor(isCausal: boolean) {
    super();
    this.isCausal = isCausal;
  }
  override forward(ids: Tensor): Tensor {
    const length = ids.shape[1];
    const x = this.embed.forward(ids).add(this.position.forward(arange(length)));
    const mask = this.isCausal ? ones([length, length]).triu(1).mul(-1e9) : null;
    return this.head.forward(this.encoder.forward(x, { mask }).mean(1));
  }
}

class Sequence extends nn.Module {
  lstm = new nn.LSTM(5, 6, { numLayers: 2, batchFirst: true, bidirectional: true });
  head = new nn.Linear(12, 2);
  override forward(x: Tensor): [Tensor, Tensor] {
    const [y, [h]] = this.lstm.forward(x);
    return [this.head.forward(y), h];
  }
}

describe('exportOnnx', () => {
  it('MLP: parameters by their state-dict keys, dynamic batch, a clean graph', async () => {
    const model = new nn.Sequential(new nn.Linear(6, 16), new nn.ReLU(), new nn.Dropout(0.5), new nn.Linear(16, 3));
    const path = join(folder, 'mlp.onnx');
    const bytes = await exportOnnx(model, path, {
      inputs: [zeros([2, 6])],
      input: ['batch'],
      metadata: { task: 'demo' },
    });
    expect(new Uint8Array(await readFile(path))).toEqual(bytes);
    const { graph, opsetImport, irVersion, metadataProps } = decodeModel(bytes);
    expect(opsetImport).toEqual([{ domain: '', version: 18 }]);
    expect(irVersion).toBe(8);
    expect(metadataProps).toEqual([{ key: 'task', value: 'demo' }]);
    expect(graph.input).toEqual([{ name: 'input', elemType: 1, shape: ['batch', 6] }]);
    expect(graph.output).toEqual([{ name: 'output', elemType: 1, shape: ['batch', 3] }]);
    expect(graph.initializer.map((t) => t.name).sort()).toEqual(Object.keys(model.stateDict()).sort());
    expect(model.training).toBe(true);
    for (const batch of [1, 2, 9]) await runsAt(bytes, model, [randn([batch, 6])]);
  });

  it('CNN with batch norm: dynamic batch, height and width', async () => {
    const model = new Cnn();
    for (let i = 0; i < 3; i++) await model.forward(randn([4, 3, 12, 12])).data();
    const bytes = await exportOnnx(model, null, {
      inputs: [['batch', 3, 'height', 'width']],
      inputNames: ['image'],
      outputNames: ['logits'],
    });
    expect(decodeModel(bytes).graph.output[0]).toEqual({ name: 'logits', elemType: 1, shape: ['batch', 4] });
    expect(operators(bytes)).not.toContain('Shape');
    for (const shape of [
      [1, 3, 12, 12],
      [3, 3, 20, 14],
    ])
      await runsAt(bytes, model, [randn(shape)]);
  });

  it.each([false, true])('transformer encoder (causal: %s): dynamic batch and sequence', async (isCausal) => {
    const model = new Encoder(isCausal);
    const ids = fromData(
      Float64Array.from({ length: 10 }, (_, i) => (i * 7) % 50),
      [2, 5],
      { dtype: 'int64' },
    );
    const bytes = await exportOnnx(model, null, {
      inputs: [ids],
      input: ['batch', 'sequence'],
      inputNames: ['input_ids'],
    });
    const { graph } = decodeModel(bytes);
    expect(graph.input[0].shape).toEqual(['batch', 'sequence']);
    expect(graph.node.every((n) => n.domain === '')).toBe(true);
    for (const [batch, length] of [
      [1, 1],
      [3, 32],
      [2, 8],
    ]) {
      const data = Float64Array.from({ length: batch * length }, (_, i) => (i * 11) % 50);
      await runsAt(bytes, model, [fromData(data, [batch, length], { dtype: 'int64' })]);
    }
  });

  it('LSTM, two layers in both directions: dynamic batch and sequence, several outputs', async () => {
    const model = new Sequence();
    const bytes = await exportOnnx(model, null, { inputs: [zeros([2, 4, 5])], input: ['batch', 'sequence'] });
    const { graph } = decodeModel(bytes);
    expect(graph.output.map((o) => [o.name, o.shape])).toEqual([
      ['output_0', ['batch', 'sequence', 2]],
      ['output_1', [4, 'batch', 6]],
    ]);
    for (const [batch, length] of [
      [1, 1],
      [3, 9],
    ])
      await runsAt(bytes, model, [randn([batch, length, 5])]);
  });

  it('an exported model can be imported, trained, and exported again', async () => {
    const model = new Cnn().eval();
    const bytes = await exportOnnx(model, null, { inputs: [['batch', 3, 12, 12]], inputNames: ['image'] });
    const net = await OnnxModel.load(bytes);
    expect(Object.keys(net.stateDict()).sort()).toEqual(
      Object.keys(model.stateDict())
        .filter((k) => !k.endsWith('num_batches_tracked'))
        .sort(),
    );
    const x = randn([2, 3, 12, 12]);
    await closeTo(net.eval().forward(x), await model.forward(x).data(), 1e-5, 'imported');
    const again = await exportOnnx(net, null);
    expect(decodeModel(again).graph.input).toEqual([{ name: 'image', elemType: 1, shape: ['batch', 3, 12, 12] }]);
    await runsAt(again, model, [randn([5, 3, 12, 12])]);
  });

  it("PyTorch's BERT, imported and exported again: both outputs, dynamic axes, a third of the nodes", async () => {
    const net = await OnnxModel.load(fixture('bert-torchscript.onnx'));
    const bytes = await exportOnnx(net, null);
    const { graph } = decodeModel(bytes);
    expect(graph.input.map((i) => [i.name, i.shape])).toEqual(
      ['input_ids', 'attention_mask', 'token_type_ids'].map((name) => [name, ['batch', 'sequence']]),
    );
    expect(graph.output.map((o) => [o.name, o.shape])).toEqual([
      ['last_hidden_state', ['batch', 'sequence', 32]],
      ['pooler_output', ['batch', 32]],
    ]);
    expect(graph.node.length).toBeLessThan(120);
    const golden = await loadFixture('bert-torchscript');
    const again = await OnnxModel.load(bytes);
    const inputs = Object.fromEntries(net.inputNames.map((n) => [n, golden.tensor(`input.${n}`)]));
    const outputs = again.forwardAll(inputs);
    for (const name of net.outputNames) await closeTo(outputs[name], golden.array(`output.${name}`), 1e-4, name);
  });
});
