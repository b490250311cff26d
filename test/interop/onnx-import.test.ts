/** @file Models that PyTorch exported (both exporters): outputs and gradients equal PyTorch's. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { OnnxModel } from '../../src/hub/onnx/index.ts';
import { functional } from '../../src/nn/index.ts';
import { adam, sgd } from '../../src/optim/index.ts';
import { compile, fromData, type Tensor } from '../../src/tensor/index.ts';
import { closeTo, fixture, loadFixture } from './onnx-fixtures.ts';

async function gradientsMatch(name: string) {
  const golden = await loadFixture(name);
  const net = await OnnxModel.load(fixture(`${name}.onnx`));
  net.train(name.endsWith('-train'));
  const inputs = Object.fromEntries(net.inputNames.map((n) => [n, golden.tensor(`input.${n}`)]));
  const outputs = net.forwardAll(inputs);
  for (const output of net.outputNames) await closeTo(outputs[output], golden.array(`output.${output}`), 1e-4, output);
  const loss = net.outputNames
    .map((n) => outputs[n].mul(golden.tensor(`probe.${n}`)).mean())
    .reduce((a, b) => a.add(b));
  loss.backward();
  expect(await loss.item()).toBeCloseTo(golden.array('loss')[0], 5);
  const expected = golden.names('grad.');
  const trainable = net.namedParameters().filter(([, p]) => p.requiresGrad);
  expect(trainable.map(([n]) => n).sort()).toEqual(expected.sort());
  for (const [n, p] of trainable) await closeTo(p.grad as Tensor, golden.array(`grad.${n}`), 1e-4, `gradient of ${n}`);
  return { golden, net };
}

describe('PyTorch exports', () => {
  it.each([
    'mlp-torchscript',
    'mlp-dynamo',
    'resnet18-torchscript',
    'resnet18-dynamo',
    'bert-torchscript',
    'bert-dynamo',
    'lstm-torchscript',
  ])('%s: outputs and gradients of all parameters', async (name) => {
    await gradientsMatch(name);
  });

  it('resnet18-train: BatchNormalization by batch statistics, running statistics move', async () => {
    const { golden, net } = await gradientsMatch('resnet18-train');
    const state = net.stateDict();
    for (const name of golden.names('state.'))
      if (name.endsWith('running_mean')) await closeTo(state[name], golden.array(`state.${name}`), 1e-4, name);
    expect(net.namedBuffers().length).toBe(40);
    // In evaluation the same file normalises by its running statistics, whatever the batch.
    net.eval();
    const x = golden.tensor('input.image');
    const alone = await net.forward(x.slice(0, 0, 1)).data();
    await closeTo(net.forward(x).slice(0, 0, 1), alone, 1e-4, 'one image alone and in a batch');
  });

  it('other batch sizes and sequence lengths than those of the export', async () => {
    const golden = await loadFixture('bert-torchscript');
    const net = await OnnxModel.load(fixture('bert-torchscript.onnx'));
    net.eval();
    const inputs = Object.fromEntries(net.inputNames.map((n) => [n, golden.tensor(`input.${n}`)]));
    const whole = await net.forward(inputs).data();
    // The second sequence has three masked positions at its end: leaving them out changes nothing for the others.
    const short = Object.fromEntries(Object.entries(inputs).map(([n, t]) => [n, t.slice(0, 1, 2).slice(1, 0, 4)]));
    await closeTo(net.forward(short), whole.slice(7 * 32, 11 * 32), 1e-4, 'a shorter batch');
  });
});

describe('training an imported model', () => {
  it('trains what is asked for, saves into the same file, loads again', async () => {
    const path = fixture('mlp-torchscript.onnx');
    const net = await OnnxModel.load(path, { trainable: 'net.6' });
    expect(
      net
        .namedParameters()
        .filter(([, p]) => p.requiresGrad)
        .map(([n]) => n),
    ).toEqual(['net.6.weight', 'net.6.bias']);
    const x = fromData(
      Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)),
      [4, 6],
    );
    const before = await net.forward(x).data();
    const optimizer = sgd(net.parameters(), { lr: 0.5 });
    for (let i = 0; i < 5; i++) {
      optimizer.zeroGrad();
      net.forward(x).slice(1, 0, 1).mean().neg().backward();
      await optimizer.step();
    }
    const after = await net.forward(x).data();
    expect(after[0]).toBeGreaterThan(before[0]);
    const original = new Uint8Array(await readFile(path));
    const folder = await mkdtemp(join(tmpdir(), 'gradus-'));
    const saved = await net.save(join(folder, 'trained.onnx'));
    expect(saved.length).toBe(original.length);
    const changed = saved.reduce((n, byte, i) => n + Number(byte !== original[i]), 0);
    expect(changed).toBeGreaterThan(0);
    expect(changed).toBeLessThanOrEqual(4 * (3 * 16 + 3));
    const again = await OnnxModel.load(join(folder, 'trained.onnx'));
    await closeTo(again.forward(x), after, 1e-6, 'after loading again');
    await rm(folder, { recursive: true });
  });

  it('a compiled step trains the whole network; its loss falls, running statistics move', async () => {
    const golden = await loadFixture('resnet18-train');
    const net = await OnnxModel.load(fixture('resnet18-train.onnx'));
    const optimizer = adam(net.parameters(), { lr: 1e-2 });
    const x = golden.tensor('input.image');
    const labels = fromData(Float64Array.from([0, 1, 2, 3, 4, 0, 1, 2]), [8], { dtype: 'int64' });
    const step = compile(async (images: Tensor, targets: Tensor) => {
      optimizer.zeroGrad();
      const loss = functional.crossEntropy(net.forward(images), targets);
      loss.backward();
      await optimizer.step();
      return loss;
    });
    const mean = net.stateDict()['bn1.running_mean'];
    const before = await mean.data();
    const losses: number[] = [];
    for (let i = 0; i < 12; i++) losses.push(await (await step(x, labels)).item());
    expect(losses[11]).toBeLessThan(0.3 * losses[0]);
    expect(await mean.data()).not.toEqual(before);
  });

  it('the plain loop takes the same steps as the compiled one, tracing the graph once', async () => {
    const losses = async (compiled: boolean) => {
      const net = await OnnxModel.load(fixture('mlp-dynamo.onnx'));
      const optimizer = adam(net.parameters(), { lr: 1e-2 });
      const x = fromData(
        Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)),
        [4, 6],
      );
      const once = async (input: Tensor) => {
        optimizer.zeroGrad();
        const loss = net.forward(input).slice(1, 0, 1).mean().neg();
        loss.backward();
        await optimizer.step();
        return loss;
      };
      const step = compiled ? compile(once) : once;
      const found: number[] = [];
      for (let i = 0; i < 6; i++) found.push(await (await step(x)).item());
      return found;
    };
    expect(await losses(false)).toEqual(await losses(true));
  });
});
