/** @file What an export refuses, by name and line; names, formulas, files of weights; what a file tells of itself. */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ArgumentError, NumericError, ShapeError, UnsupportedError } from '../../ir/errors.ts';
import { decodeModel } from '../../ir/onnx/decode.ts';
import * as nn from '../../nn/index.ts';
import { arange, cat, eye, full, ones, randn, type Tensor, tensor, zeros } from '../../tensor/index.ts';
import { type ExportOptions, exportOnnx, type HasExampleInputs, inspectOnnx, OnnxModel } from './index.ts';

const F = nn.functional;
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-export-'));
});
afterAll(async () => await rm(folder, { recursive: true }));

/** A model of one function. */
class Formula extends nn.Module {
  scale = new nn.Parameter(full([1], 1));
  readonly #f: (x: Tensor, ...more: Tensor[]) => unknown;
  constructor(f: (x: Tensor, ...more: Tensor[]) => unknown) {
    super();
    this.#f = f;
  }
  override forward(x: Tensor, ...more: Tensor[]): unknown {
    return this.#f(x.mul(this.scale), ...more);
  }
}

const inBatches: ExportOptions = { inputs: [['batch', 'time', 6]] };
const exported = async (f: (x: Tensor, ...more: Tensor[]) => unknown, options: ExportOptions = inBatches) =>
  decodeModel(await exportOnnx(new Formula(f), null, options)).graph;
const operators = (graph: Awaited<ReturnType<typeof exported>>) => graph.node.map((n) => n.opType);

describe('the operator set', () => {
  const sets = async (f: (x: Tensor) => unknown, opset?: number) => {
    const options = opset === undefined ? inBatches : { ...inBatches, opset };
    const { irVersion, opsetImport, graph } = decodeModel(await exportOnnx(new Formula(f), null, options));
    return { irVersion, opset: opsetImport.map(({ version }) => version), operators: operators(graph) };
  };

  it('is an old one, newer operators being composed of older ones where they can be', async () => {
    const old = await sets((x) => F.rmsNorm(F.gelu(x), [6]));
    expect(old).toMatchObject({ irVersion: 8, opset: [18] });
    expect(old.operators).toContain('Erf');
    expect(old.operators).not.toContain('Gelu');
    expect(old.operators).not.toContain('RMSNormalization');
    expect(await sets((x) => F.avgPool1d(x, 2))).toMatchObject({ irVersion: 9, opset: [19] });
  });

  it('is the wanted one', async () => {
    const some = await sets((x) => F.rmsNorm(F.gelu(x), [6]), 20);
    expect(some).toMatchObject({ irVersion: 9, opset: [20] });
    expect(some.operators).toContain('Gelu');
    expect(some.operators).not.toContain('RMSNormalization');
    const all = await sets((x) => F.rmsNorm(F.gelu(x), [6]), 26);
    expect(all).toMatchObject({ irVersion: 10, opset: [26] });
    expect(all.operators).toContain('RMSNormalization');
  });
});

describe('shapes that follow from the inputs', () => {
  // Every export is checked in ONNX Runtime at other sizes before it is returned.
  it.each<[string, (x: Tensor) => unknown]>([
    ['flatten all', (x) => x.reshape([-1])],
    ['merge two axes', (x) => x.reshape([x.shape[0] * x.shape[1], 6])],
    [
      'split heads and merge',
      (x) => x.reshape([x.shape[0], x.shape[1], 2, 3]).transpose(1, 2).reshape([x.shape[0], -1]),
    ],
    ['product and sum of sizes', (x) => x.flatten(0, 1).expand([x.shape[0] + 1, -1, -1])],
    ['mean by number', (x) => x.sum(1).div(x.shape[1])],
    ['scaled by root', (x) => x.mul(1 / Math.sqrt(x.shape[1]))],
    [
      'unbiased variance',
      (x) =>
        x
          .sub(1)
          .square()
          .sum(1)
          .mul(1 / (x.shape[1] - 1)),
    ],
    ['positions', (x) => x.add(arange(x.shape[1]).to('float32').unsqueeze(-1))],
    [
      'positions backwards',
      (x) =>
        x.add(
          arange(x.shape[1] - 1, -1, -1)
            .to('float32')
            .unsqueeze(-1),
        ),
    ],
    ['zeros to begin with', (x) => cat([zeros([x.shape[0], 2, 6]), x], 1)],
    ['a triangle', (x) => x.transpose(1, 2).matmul(ones([x.shape[1], x.shape[1]]).tril())],
    ['a constant triangle', (x) => x.transpose(1, 2).matmul(tensor(triangle(x.shape[1])))],
    ['an identity', (x) => x.transpose(1, 2).matmul(eye(x.shape[1]))],
    ['the last step', (x) => x.slice(1, x.shape[1] - 1)],
    ['all but the last', (x) => x.slice(1, 0, x.shape[1] - 1)],
    ['halves', (x) => x.slice(1, 0, Math.floor(x.shape[1] / 2) * 0 + x.shape[1]).split(3, 2)],
    ['repeat', (x) => x.unsqueeze(1).expand([-1, x.shape[0], -1, -1])],
    ['softmax over time', (x) => x.softmax(1)],
  ])('%s', async (_, f) => {
    const graph = await exported(f);
    expect(graph.node.every((n) => n.domain === '')).toBe(true);
  });

  it.each<[string, (x: Tensor) => unknown]>([
    ['global maximum', (x) => F.adaptiveMaxPool2d(x, 1)],
    ['global average', (x) => F.adaptiveAvgPool2d(x, 1).flatten(1)],
    ['pools and windows', (x) => F.maxPool2d(x, 3, { stride: 2, padding: 1 })],
    ['twice as large', (x) => F.interpolate(x, { scaleFactor: 2, mode: 'bilinear' })],
    ['columns of an image', (x) => F.unfold(x, 3)],
    ['shuffled pixels', (x) => F.pixelShuffle(x, 2)],
    ['group norm', (x) => F.groupNorm(x, 2)],
    ['where the largest are', (x) => x.flatten(2).topk(2, 2)],
  ])('of images: %s', async (_, f) => {
    await exported(f, { inputs: [['batch', 4, 'height', 'width']] });
  });

  it('a reshape that copies and infers needs no arithmetic', async () => {
    const graph = await exported((x) => x.reshape([x.shape[0], x.shape[1], 2, 3]).transpose(1, 2).flatten(2));
    expect(operators(graph)).toEqual(['Mul', 'Reshape', 'Transpose', 'Reshape']);
    expect(graph.output[0].shape).toEqual(['batch', 2, '3*time']);
  });

  it('one axis shared by two inputs', async () => {
    const graph = await exported((x, y) => x.matmul(y), {
      inputs: [
        ['batch', 'time', 4],
        ['batch', 4, 3],
      ],
    });
    expect(graph.input.map((i) => [i.name, i.shape])).toEqual([
      ['input_0', ['batch', 'time', 4]],
      ['input_1', ['batch', 4, 3]],
    ]);
    expect(graph.output[0].shape).toEqual(['batch', 'time', 3]);
  });

  it('outputs by the keys that forward returns', async () => {
    const graph = await exported((x) => ({ mean: x.mean(1), parts: [x.slice(2, 0, 2), x] }));
    expect(graph.output.map((o) => o.name)).toEqual(['mean', 'parts_0', 'parts_1']);
  });

  it('sizes below the example where a table of positions ends', async () => {
    const table = new nn.Embedding(8, 6);
    class Positions extends nn.Module {
      table = table;
      override forward(x: Tensor): Tensor {
        return x.add(this.table.forward(arange(x.shape[1])));
      }
    }
    const bytes = await exportOnnx(new Positions(), null, { inputs: [zeros([2, 8, 6])], input: ['batch', 'time'] });
    expect(decodeModel(bytes).graph.input[0].shape).toEqual(['batch', 'time', 6]);
  });

  it('sizes above the example where its lengths of sequences fill all steps', async () => {
    const rnn = new nn.LSTM(2, 3, { batchFirst: true, bidirectional: true });
    class Packed extends nn.Module {
      rnn = rnn;
      override forward(x: Tensor, lengths: Tensor): Tensor {
        return this.rnn.forward(x, null, { lengths })[0];
      }
    }
    const bytes = await exportOnnx(new Packed(), null, {
      inputs: [randn([3, 5, 2]), tensor([5, 2, 5], { dtype: 'int64' })],
      inputNames: ['x', 'lengths'],
      dynamicAxes: { x: ['batch', 'steps'], lengths: ['batch'] },
    });
    expect(decodeModel(bytes).graph.node.filter((n) => n.opType === 'LSTM').length).toBe(1);
    const again = await OnnxModel.load(bytes);
    const [x, lengths] = [randn([2, 3, 2]), tensor([1, 3], { dtype: 'int64' })];
    const difference = again
      .forward(x, lengths)
      .sub(rnn.forward(x, null, { lengths })[0])
      .abs()
      .max();
    expect(await difference.item()).toBeLessThan(1e-6);
  });
});

const triangle = (n: number) =>
  Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (j > i ? -1 : 0)));

describe('what an export refuses', () => {
  const refusal = async (f: (x: Tensor) => unknown, options?: ExportOptions): Promise<Error> => {
    try {
      await exported(f, options);
    } catch (error) {
      return error as Error;
    }
    throw new Error('the export was expected to fail');
  };

  it('structure that depends on the size, naming the line', async () => {
    const error = await refusal((x) => (x.shape[1] % 2 ? x.exp() : x.neg()), {
      inputs: [zeros([2, 4, 6])],
      input: [null, 'time'],
    });
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error.message).toMatch(/computes differently at different sizes[\s\S]*Make the forward pass the same/);
    const steps = await refusal((x) => {
      let y = x.narrow(1, 0, 1);
      for (let i = 1; i < x.shape[1]; i++) y = y.tanh().add(x.narrow(1, i, 1));
      return y;
    });
    expect(steps.message).toMatch(/at (some sizes only|one size)/);
    expect(steps.message).toContain('export.test.ts');
  });

  it('numbers that follow from no formula, naming operator and line', async () => {
    const error = await refusal((x) => x.mul(Math.sin(x.shape[1])));
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error.message).toMatch(/a constant operand of Mul \(at .*export\.test\.ts:\d+:\d+\)/);
    expect(error.message).toContain("dynamic axes 'batch', 'time'");
  });

  it('random numbers', async () => {
    const error = await refusal((x) => F.dropout(x));
    expect(error.message).toMatch(/draws random numbers[\s\S]*\(at .*export\.test\.ts:\d+/);
  });

  it('an axis that cannot vary, and why', async () => {
    const layer = new nn.Linear(6, 2);
    class Fixed extends nn.Module {
      layer = layer;
      override forward(x: Tensor): Tensor {
        return this.layer.forward(x);
      }
    }
    const error = await exportOnnx(new Fixed(), null, { inputs: [zeros([2, 6])], input: ['batch', 'features'] }).catch(
      (e) => e,
    );
    expect(error).toBeInstanceOf(ArgumentError);
    expect(error.message).toMatch(/^axis 'features' cannot vary: .* than the example's 6/);
  });

  it('names the inputs of a record as the file wants them', async () => {
    class Masked extends nn.Module {
      override forward({ inputIds, attentionMask }: { inputIds: Tensor; attentionMask: Tensor }) {
        return { logits: inputIds.mul(attentionMask) };
      }
    }
    const inputs = { inputIds: ['batch', 3], attentionMask: ['batch', 3] } as const;
    const bytes = await exportOnnx(new Masked(), null, { inputs, inputNames: ['input_ids', 'attention_mask'] });
    const { graph } = decodeModel(bytes);
    expect(graph.input.map((v) => v.name)).toEqual(['input_ids', 'attention_mask']);
    expect(graph.output.map((v) => v.name)).toEqual(['logits']);
    const swapped = exportOnnx(new Masked(), null, { inputs, inputNames: ['input_ids'] });
    await expect(swapped).rejects.toThrow('inputNames has 1 names for 2 inputs');
  });

  it('a model may say how it is exported; the caller goes first', async () => {
    class Scores extends nn.Module implements HasExampleInputs {
      override forward({ pixelValues }: { pixelValues: Tensor }) {
        return { lastLogits: pixelValues.mul(2), hiddenStates: [pixelValues.mul(3)] };
      }
      exampleInputs() {
        return { pixelValues: zeros([2, 3]) };
      }
      exportOptions(): ExportOptions {
        const upper = (key: string) => key.toUpperCase();
        return { inputNames: upper, outputNames: upper, outputs: ['lastLogits'], input: ['batch'] };
      }
    }
    const { graph } = decodeModel(await exportOnnx(new Scores(), null));
    expect(graph.input[0]).toMatchObject({ name: 'PIXELVALUES', shape: ['batch', 3] });
    expect(graph.output.map((v) => v.name)).toEqual(['LASTLOGITS']);
    const other = decodeModel(await exportOnnx(new Scores(), null, { outputs: ['hiddenStates_0'], input: ['n'] }));
    expect(other.graph.output[0]).toMatchObject({ name: 'HIDDENSTATES_0', shape: ['n', 3] });
    await expect(exportOnnx(new Scores(), null, { outputs: ['logits'] })).rejects.toThrow(
      "forward() gives no output 'logits'; there are lastLogits, hiddenStates_0",
    );
  });

  it('operators that the wanted operator set does not have', async () => {
    await expect(exported((x) => F.avgPool1d(x, 2), { ...inBatches, opset: 18 })).rejects.toThrow(
      /operator AveragePool.* needs operator set 19, the file is to be of set 18; export with { opset: 19 }/,
    );
    for (const opset of [17, 27, 20.5])
      await expect(exported((x) => x, { ...inBatches, opset })).rejects.toThrow(
        `opset is ${opset}; files are written in operator sets 18 to 26`,
      );
  });

  it('options that contradict each other', async () => {
    const model = new nn.ReLU();
    const fails = async (options: ExportOptions) => (await exportOnnx(model, null, options).catch((e) => e)).message;
    expect(await fails({})).toMatch(/needs examples of the model's inputs/);
    expect(await fails({ inputs: [[2, 3]], inputNames: ['a', 'b'] })).toMatch(/^inputNames has 2 names for 1 inputs/);
    expect(await fails({ inputs: [[2, 3]], outputNames: ['a', 'b'] })).toMatch(
      /^outputNames has 2 names; forward\(\) returns 1 tensors/,
    );
    expect(await fails({ inputs: [[2, 3]], outputNames: ['input'] })).toMatch(/name 'input' is wanted for two/);
    expect(await fails({ inputs: [[2, 3]], dynamicAxes: { x: ['batch'] } })).toMatch(/dynamicAxes names input 'x'/);
    expect(await fails({ inputs: [zeros([2, 2]), zeros([3, 2])], input: ['batch'] })).toMatch(
      /axis 'batch' has size 3/,
    );
    expect(await fails({ inputs: [[2, 3]], externalData: true })).toMatch(/a path instead of null/);
  });

  it("errors of the model come as the model's own", async () => {
    expect(await refusal((x) => x.matmul(zeros([5, 5])))).toBeInstanceOf(ShapeError);
  });

  it('results that differ from the model, and then writes nothing', async () => {
    // A model that computes something else whenever it is really run.
    class Cheat extends nn.Module {
      override forward(x: Tensor): Tensor {
        return x.storage ? x.mul(3) : x.mul(2);
      }
    }
    const path = join(folder, 'wrong.onnx');
    const error = await exportOnnx(new Cheat(), path, { inputs: [randn([2, 2])] }).catch((e) => e);
    expect(error).toBeInstanceOf(NumericError);
    expect(error.message).toMatch(/output 'output' at input \[2, 2\] differs by up to \d/);
    expect(await readdir(folder)).not.toContain('wrong.onnx');
  });
});

describe('files', () => {
  it('weights in a file of their own, found again, trained and saved elsewhere', async () => {
    const model = new nn.Sequential(new nn.Linear(40, 30), new nn.Tanh(), new nn.Linear(30, 2));
    const path = join(folder, 'large.onnx');
    await exportOnnx(model, path, { inputs: [['batch', 40]], externalData: true });
    expect((await stat(path)).size).toBeLessThan(3000);
    expect((await stat(`${path}.data`)).size).toBe(40 * 30 * 4);
    const net = await OnnxModel.load(path);
    const x = randn([3, 40]);
    expect(await net.forward(x).array()).toEqual(await model.forward(x).array());
    const weight = net.namedParameters().find(([name]) => name === '0.weight')?.[1];
    weight?.setData(new Float32Array(1200).fill(0.5));
    await rm(join(folder, 'copy'), { recursive: true, force: true });
    await net.save(join(folder, 'copy', 'large.onnx'));
    const copy = await OnnxModel.load(join(folder, 'copy', 'large.onnx'));
    expect(await copy.forward(x).array()).toEqual(await net.forward(x).array());
    await expect(net.save(null)).rejects.toThrow(/files beside it/);
    await expect(OnnxModel.load(await readFile(path))).rejects.toThrow(/files beside it/);
    await rm(join(folder, 'copy', 'large.onnx.data'));
    await expect(OnnxModel.load(join(folder, 'copy', 'large.onnx'))).rejects.toThrow(/large\.onnx\.data/);
  });

  it('names of parameters that look like inner ones', async () => {
    const named = new nn.ModuleDict({ v0: new nn.Linear(2, 2), c0: new nn.Linear(2, 2), x0: new nn.Linear(2, 2) });
    class Chain extends nn.Module {
      v0 = new nn.Parameter(ones([2]));
      c0 = new nn.Parameter(ones([2]));
      x0 = named;
      override forward(x: Tensor): Tensor {
        let y = x.mul(this.v0).add(this.c0).mul(3);
        for (const module of this.x0.children()) y = (module as nn.Linear).forward(y).add(0.5);
        return y;
      }
    }
    const model = new Chain();
    const bytes = await exportOnnx(model, null, { inputs: [['batch', 2]] });
    const names = decodeModel(bytes).graph.initializer.map((t) => t.name);
    for (const key of Object.keys(model.stateDict())) expect(names).toContain(key);
  });
});

describe('inspectOnnx', () => {
  it('tells operators, shapes, and what is trained and what not, and why', async () => {
    const norm = new nn.BatchNorm1d(4);
    const model = new nn.Sequential(new nn.Linear(6, 4), norm, new nn.ReLU());
    const bytes = await exportOnnx(model, null, { inputs: [['batch', 6]], metadata: { author: 'me' } });
    const found = await inspectOnnx(bytes);
    expect(found.problems).toEqual([]);
    expect(found.elements).toEqual({ all: 44, trainable: 36 });
    expect(found.parameters.find((p) => p.name === '1.running_mean')?.role).toBe('statistics');
    expect(String(found)).toMatchInlineSnapshot(`
      "gradus 0.1, IR version 8, operator sets: ai.onnx 18
        author: me
      inputs
        input  float32 [batch, 6]
      outputs
        output  float32 [batch, 4]
      operators (3 nodes)
            1  BatchNormalization
            1  Gemm
            1  Relu
      trains: 36 of 44 elements, in 4 of 6 initializers
        0.weight        float32 [4, 6]
        0.bias          float32 [4]
        1.weight        float32 [4]
        1.bias          float32 [4]
      does not train
        1.running_mean  float32 [4]  running statistics of BatchNormalization (node 'BatchNormalization_1')
        1.running_var   float32 [4]  running statistics of BatchNormalization (node 'BatchNormalization_1')"
    `);
  });

  it('names the operator, node and path that stop a gradient', async () => {
    const model = new Formula((x) => x.matmul(x).sum());
    const graph = decodeModel(await exportOnnx(model, null, { inputs: [[2, 2, 2]] }));
    const { encodeModel } = await import('../../ir/onnx/encode.ts');
    const matMul = graph.graph.node.find((n) => n.opType === 'MatMul');
    if (!matMul) throw new Error('no MatMul');
    matMul.opType = 'Det';
    matMul.input = matMul.input.slice(0, 1);
    const bytes = encodeModel(graph);
    const found = await inspectOnnx(bytes);
    expect(found.parameters[0]).toMatchObject({ name: 'scale', trainable: false, role: 'blocked' });
    expect(found.parameters[0].blockedBy).toEqual({ operator: 'Det', node: matMul.name, path: 'ReduceSum <- Det' });
    const net = await OnnxModel.load(bytes);
    expect(net.parameters().some((p) => p.requiresGrad)).toBe(false);
    const insisting = await OnnxModel.load(bytes, { trainable: 'scale' });
    expect(() => insisting.forward(ones([2, 2, 2])).backward()).toThrow(/operator Det has no gradient/);
  });

  it("tells torch's weights of one element from numbers of the formula", async () => {
    const model = decodeModel(await exportOnnx(new Formula((x) => x), null, { inputs: [[2, 1]] }));
    const { encodeModel } = await import('../../ir/onnx/encode.ts');
    const trainable: boolean[] = [];
    for (const name of ['onnx::PRelu_29', 'onnx::MatMul_30', 'onnx::RNN_25', 'onnx::Mul_7', 'slope']) {
      const { graph } = structuredClone(model);
      const [scale] = graph.initializer;
      for (const node of graph.node) node.input = node.input.map((n) => (n === scale.name ? name : n));
      scale.name = name;
      trainable.push((await inspectOnnx(encodeModel({ ...model, graph }))).parameters[0].trainable);
    }
    expect(trainable).toEqual([true, true, true, false, true]);
  });

  it('tells why a file cannot be loaded, without failing', async () => {
    const model = decodeModel(await exportOnnx(new nn.ReLU(), null, { inputs: [[2]] }));
    const { encodeModel } = await import('../../ir/onnx/encode.ts');
    const old = await inspectOnnx(encodeModel({ ...model, opsetImport: [{ domain: '', version: 5 }] }));
    expect(old.problems).toEqual([
      'the model uses operator set 5; Gradus reads 7 to 26. Convert it with onnx.version_converter.convert_version(model, 17), or export it again',
    ]);
    model.graph.node[0].opType = 'Unheard';
    expect((await inspectOnnx(encodeModel(model))).problems).toEqual(['operator Unheard is not known to Gradus']);
  });
});
