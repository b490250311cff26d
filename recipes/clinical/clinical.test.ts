import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runRecipe } from '../run.ts';
import { writeFolder } from './data.ts';
import { rateOf, wilson } from './rates.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-clinical-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A .npy file of unsigned bytes. */
function npy(data: Uint8Array, shape: readonly number[]): Uint8Array {
  const head = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const padded = `${head.padEnd(117)}\n`;
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), Buffer.from([118, 0]), Buffer.from(padded), data]);
}

/** Lungs: dark, and with a bright cloud in three of four. */
function archive(sizes: Readonly<Record<string, number>>): Uint8Array {
  const files: Record<string, Uint8Array> = {};
  for (const [part, n] of Object.entries(sizes)) {
    const images = new Uint8Array(n * 784);
    const labels = Uint8Array.from({ length: n }, (_, i) => (i % 4 ? 1 : 0));
    for (let i = 0; i < n; i++)
      for (let p = 0; p < 784; p++) {
        const noise = Math.imul(i * 784 + p + n, 0x9e3779b1) >>> 26;
        const [y, x] = [Math.floor(p / 28), p % 28];
        const inCloud = labels[i] && (y - 10 - (i % 7)) ** 2 + (x - 9 - (i % 9)) ** 2 < 30;
        images[i * 784 + p] = 40 + noise + (inCloud ? 100 : 0);
      }
    files[`${part}_images.npy`] = npy(images, [n, 28, 28]);
    files[`${part}_labels.npy`] = npy(labels, [n, 1]);
  }
  return zipSync(files);
}

it('tells drawn lungs apart by the command, with sensitivity and specificity', { timeout: 180_000 }, async () => {
  await mkdir(join(folder, 'pneumoniamnist'));
  await writeFile(join(folder, 'pneumoniamnist', 'pneumoniamnist.npz'), archive({ train: 160, val: 24, test: 40 }));
  const args = ['--data', folder, '--out', join(folder, 'run'), '--epochs', '4'];
  const stdout = await runRecipe('clinical/main.ts', args);
  expect(stdout).toContain('to train on: 40 normal and 120 with pneumonia');
  expect(stdout).toContain('always saying the larger class: 0.7500');
  expect(stdout).toContain('Not for clinical use');
  for (const name of ['sensitivity', 'specificity'])
    expect(Number(new RegExp(`${name} ([\\d.]+)`).exec(stdout)?.[1]), name).toBeGreaterThan(0.7);
  expect(Number(/ROC AUC ([\d.]+)/.exec(stdout)?.[1])).toBeGreaterThan(0.9);
  expect(await readdir(join(folder, 'run', 'pictures', 'test', 'normal'))).toHaveLength(10);
});

it('names an archive that is not as expected', async () => {
  const path = join(folder, 'other.npz');
  const part = { images: npy(new Uint8Array(18), [2, 3, 3]), labels: npy(Uint8Array.of(0, 1), [2, 1]) };
  const write = async (images: Uint8Array, labels: Uint8Array) =>
    await writeFile(path, zipSync({ 'train_images.npy': images, 'train_labels.npy': labels }));
  await write(part.images, part.labels);
  await expect(writeFolder(path, join(folder, 'other'))).rejects.toThrow('has no val_images and val_labels');
  await write(part.images, npy(Uint8Array.of(0, 2), [2, 1]));
  await expect(writeFolder(path, join(folder, 'other'))).rejects.toThrow('train_labels holds 2, expected 0 and 1');
  await write(part.images, npy(Uint8Array.of(0), [1, 1]));
  await expect(writeFolder(path, join(folder, 'other'))).rejects.toThrow('2 train_images, but 1 labels');
  await write(npy(new Uint8Array(18), [18]), part.labels);
  await expect(writeFolder(path, join(folder, 'other'))).rejects.toThrow('expected uint8 [n, height, width]');
});

it('gives shares with the interval of their sample size', () => {
  expect(wilson(8, 10).map((v) => v.toFixed(4))).toEqual(['0.4902', '0.9433']);
  expect(wilson(0, 5)[0]).toBeCloseTo(0, 12);
  expect(rateOf(8, 10)).toBe('0.8000 (95% interval 0.490 to 0.943)');
  expect(rateOf(0, 0)).toContain('not defined');
});
