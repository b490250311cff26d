/** @file Training on WebGPU: the losses of the CPU, state that stays on the device, memory that stays level. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { compile, F, getDevice, nn, optim, setDevice, type Tensor, tensor } from '../../src/index.ts';
import { hasWebGpu } from './device.ts';

const isThere = await hasWebGpu();
afterEach(() => setDevice('cpu'));

/** Reproducible numbers in (-1, 1). */
function* numbers(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (state * 16807) % 2147483647;
    yield (2 * state) / 2147483647 - 1;
  }
}

class Cnn extends nn.Module {
  conv1 = new nn.Conv2d(3, 8, 3, { padding: 1 });
  norm = new nn.BatchNorm2d(8);
  conv2 = new nn.Conv2d(8, 8, 3, { padding: 1 });
  fc = new nn.Linear(8 * 4 * 4, 10);
  override forward(x: Tensor): Tensor {
    const y = F.maxPool2d(F.relu(this.norm.forward(this.conv1.forward(x))), 2);
    return this.fc.forward(F.maxPool2d(F.relu(this.conv2.forward(y)), 3, { stride: 2, padding: 1 }).flatten(1));
  }
}

const mlp = () =>
  new nn.Sequential(new nn.Linear(784, 64), new nn.ReLU(), new nn.Linear(64, 64), new nn.ReLU(), new nn.Linear(64, 10));

interface Work {
  readonly build: () => nn.Module & { forward(x: Tensor): Tensor };
  readonly shape: readonly number[];
  readonly dtype: 'int32' | 'int64';
}

/** Starts training on a device; the same numbers every time. */
async function start({ build, shape, dtype }: Work, device: string, options: { fallback?: boolean } = {}) {
  setDevice(device, options);
  const source = numbers(7);
  const draw = (count: number, scale = 1) => Float32Array.from({ length: count }, () => source.next().value * scale);
  const model = build();
  for (const p of model.parameters()) p.assign(tensor(draw(p.numel(), 0.2)).reshape([...p.shape]));
  for (const p of model.parameters()) await p.realize();
  const optimizer = optim.adam({ lr: 1e-2 })(model.parameters());
  const step = compile(async (x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.forward(x), y);
    loss.backward();
    await optimizer.step();
    return loss;
  });
  const next = async () => {
    const x = tensor(draw(shape.reduce((a, b) => a * b, 1))).reshape([...shape]);
    const y = tensor(
      Array.from({ length: shape[0] }, (_, i) => i % 10),
      { dtype },
    );
    return await (await step(x, y)).item();
  };
  return { model, next };
}

async function lossesOf(work: Work, device: string, options: { fallback?: boolean } = {}): Promise<number[]> {
  const { next } = await start(work, device, options);
  const losses: number[] = [];
  for (let i = 0; i < 6; i++) losses.push(await next());
  return losses;
}

const works: readonly (Work & { readonly name: string })[] = [
  { name: 'an MLP', build: mlp, shape: [16, 784], dtype: 'int32' },
  { name: 'an MLP with 64-bit targets', build: mlp, shape: [16, 784], dtype: 'int64' },
  {
    name: 'a CNN with batch norm and overlapping pools',
    build: () => new Cnn(),
    shape: [8, 3, 16, 16],
    dtype: 'int64',
  },
];

describe.runIf(isThere)('training on WebGPU', () => {
  it.each(works)('$name: the losses of the CPU, all of it on the device', async (work) => {
    const expected = await lossesOf(work, 'cpu');
    const found = await lossesOf(work, 'webgpu', { fallback: false });
    expect(expected[5]).not.toBeCloseTo(expected[0], 2);
    found.forEach((loss, i) => {
      expect(Math.abs(loss - expected[i])).toBeLessThanOrEqual(1e-4 * Math.max(1, expected[i]));
    });
  });

  it('parameters are read while they live on the device, and move to another one', async () => {
    const work: Work = { build: mlp, shape: [4, 784], dtype: 'int32' };
    const there = await start(work, 'webgpu');
    const here = await start(work, 'cpu');
    setDevice('webgpu');
    for (let i = 0; i < 2; i++) await there.next();
    const weights = await there.model.parameters()[0].data();
    // The rest of the steps on the CPU, with what the device has learned, moments included.
    setDevice('cpu');
    for (let i = 0; i < 4; i++) await here.next();
    for (let i = 0; i < 2; i++) await there.next();
    expect(getDevice()).toBe('cpu');
    const [a, b] = [await there.model.parameters()[2].data(), await here.model.parameters()[2].data()];
    expect(weights.length).toBe(784 * 64);
    expect(Math.max(...a.map((x, i) => Math.abs(x - b[i])))).toBeLessThan(1e-3);
    // And back again.
    setDevice('webgpu');
    const found = await there.next();
    setDevice('cpu');
    expect(found).toBeCloseTo(await here.next(), 3);
  });

  it('memory stays level over 500 steps', async () => {
    const build = () => new nn.Sequential(new nn.Linear(128, 128), new nn.Tanh(), new nn.Linear(128, 128));
    const { next } = await start({ build, shape: [4, 128], dtype: 'int32' }, 'webgpu');
    for (let i = 0; i < 100; i++) await next();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 400; i++) await next();
    // One leaked copy of the parameters and moments a step would be 150 MB.
    expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(40);
  });
});

describe('without an adapter', () => {
  it('the error names the remedy, the process lives on, and the CPU still computes', async () => {
    const child = fileURLToPath(new URL('./no-adapter.ts', import.meta.url));
    const env = { ...process.env, VK_ICD_FILENAMES: '/nonexistent.json', VK_DRIVER_FILES: '/nonexistent.json' };
    const run = promisify(execFile);
    const { stdout } = await run('node', ['--import', 'tsx', '-C', 'gradus-source', child], { env });
    const found = JSON.parse(stdout) as { typed: boolean; message: string; two: number };
    expect(found.typed).toBe(true);
    expect(found.message).toMatch(
      /^EngineError: no WebGPU adapter was found on this machine .* use setDevice\('cpu'\)/,
    );
    expect(found.two).toBe(2);
  });

  it('an unknown device is a typed error that names those that there are', () => {
    expect(() => setDevice('nosuchdevice')).toThrow(/no device is called 'nosuchdevice'.*cpu, wasm, webgpu/);
  });
});
