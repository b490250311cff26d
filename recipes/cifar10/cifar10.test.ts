import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataLoader, noGrad, randn } from 'gradus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runRecipe } from '../run.ts';
import cifar, { findCifar } from './data.ts';
import { drawCifar } from './drawn.ts';
import { type NetworkName, networks } from './networks.ts';

let folder: string;
let drawn: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-cifar10-'));
  drawn = join(folder, 'drawn');
  await drawCifar(drawn);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const real = process.env.GRADUS_DATA;
const hasReal = real !== undefined && existsSync(join(real, 'cifar-10-batches-bin'));

it('learns in a short run, from CIFAR-10 where it is at hand', { timeout: 280_000 }, async () => {
  const out = join(folder, 'run');
  const [data, floor] = hasReal ? [real, 0.3] : [drawn, 0.6];
  const size = hasReal ? '--limit 1500 --epochs 3' : '--epochs 3';
  const stdout = await runRecipe('cifar10/main.ts', [
    '--data',
    data,
    '--out',
    out,
    ...size.split(' '),
    '--batch',
    '50',
  ]);
  expect(Number(/test accuracy ([\d.]+)/.exec(stdout)?.[1])).toBeGreaterThan(floor);
  expect(stdout).toMatch(/recall {2}f1-score/);
  expect(await readFile(join(out, 'report.svg'), 'utf8')).toContain('Accuracy against time');
  const { curve } = JSON.parse(await readFile(join(out, 'result.json'), 'utf8'));
  expect(curve).toHaveLength(3);
  expect(curve[2].seconds).toBeGreaterThan(curve[0].seconds);
});

it('draws a contact sheet of augmented images', async () => {
  const out = join(folder, 'preview');
  const stdout = await runRecipe('cifar10/main.ts', ['--data', drawn, '--out', out, '--preview', '--network', 'vgg16']);
  expect(stdout).toContain('preview.png');
  expect((await readFile(join(out, 'preview.png'))).subarray(1, 4).toString()).toBe('PNG');
});

describe('data', () => {
  it('splits by class; augments each sample anew in each epoch, always the same way', async () => {
    const plain = await cifar({ source: drawn, part: 'train' });
    const rest = await cifar({ source: drawn, part: 'validation' });
    expect([plain.length, rest.length]).toEqual([720, 80]);
    const train = (await cifar({ source: drawn, part: 'train', augment: 'classic' })).take(2);
    const epochs = async () => {
      const seen: string[] = [];
      const loader = new DataLoader(train, { batchSize: 2, seed: 3, tensors: false });
      for (let epoch = 0; epoch < 2; epoch++) for await (const { x } of loader) seen.push(x.data.join());
      return seen;
    };
    const [first, second] = [await epochs(), await epochs()];
    expect(first).toEqual(second);
    expect(first[0]).not.toBe(first[1]);
  });

  it('some classes only, numbered anew; few of them, each its share', async () => {
    const some = await cifar({ source: drawn, part: 'train', only: [3, 8], limit: 20 });
    const labels = await Promise.all(Array.from({ length: some.length }, async (_, i) => (await some.get(i)).y));
    expect(labels.toSorted().join('')).toBe(`${'0'.repeat(10)}${'1'.repeat(10)}`);
  });

  it('a folder without the files is refused', async () => {
    await expect(findCifar(tmpdir())).rejects.toThrow('has no files data_batch_1.bin');
  });
});

it.each(Object.keys(networks) as NetworkName[])('%s takes 32 x 32 images', (name) => {
  const model = networks[name](10).eval();
  expect(noGrad(() => model.forward(randn([2, 3, 32, 32]))).shape).toEqual([2, 10]);
});
