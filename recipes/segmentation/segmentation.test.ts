import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runRecipe } from '../run.ts';
import { classWeights, mirrored, readScenes } from './data.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-segmentation-'));
  await drawScenes(join(folder, 'camvid'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const [width, height] = [46, 30];

/** Sky above, road below, a car in the middle, a strip without label; noise over all. */
async function drawScenes(root: string): Promise<void> {
  for (const [split, count] of [
    ['train', 24],
    ['val', 4],
    ['test', 4],
  ] as const) {
    await mkdir(join(root, split), { recursive: true });
    await mkdir(join(root, `${split}annot`));
    for (let i = 0; i < count; i++) {
      const labels = Buffer.alloc(width * height);
      const pixels = Buffer.alloc(3 * width * height);
      const [horizon, left] = [10 + (i % 5), 6 + ((i * 7) % 24)];
      for (let p = 0; p < labels.length; p++) {
        const [y, x] = [Math.floor(p / width), p % width];
        const isCar = y > 16 && y < 24 && x > left && x < left + 12;
        labels[p] = x < 2 ? 11 : isCar ? 8 : y < horizon ? 0 : 3;
        const noise = Math.imul(i * 5000 + p, 0x9e3779b1) >>> 27;
        pixels.set(isCar ? [190, noise, 40] : y < horizon ? [90, 130, 200 + noise] : [90 + noise, 90, 90], 3 * p);
      }
      const picture = sharp(pixels, { raw: { width, height, channels: 3 } });
      await picture.png().toFile(join(root, split, `${i}.png`));
      await sharp(labels, { raw: { width, height, channels: 1 } })
        .toColourspace('b-w')
        .png()
        .toFile(join(root, `${split}annot`, `${i}.png`));
    }
  }
}

it('learns drawn scenes in a short run', { timeout: 180_000 }, async () => {
  const out = join(folder, 'run');
  const size = '--epochs 12 --width 4 --depth 2 --batch 4 --lr 0.02'.split(' ');
  const stdout = await runRecipe('segmentation/main.ts', ['--data', join(folder, 'camvid'), '--out', out, ...size]);
  for (const name of ['sky', 'road', 'car'])
    expect(Number(new RegExp(`${name} ([\\d.]+)`).exec(stdout)?.[1]), name).toBeGreaterThan(0.7);
  expect(await readFile(join(out, 'report.svg'), 'utf8')).toContain('Mean IoU, validation');
});

describe('data', () => {
  it('pads to whole steps of the network; padding and unknown labels are of no class', async () => {
    const scenes = await readScenes(join(folder, 'camvid'), { split: 'val' });
    const { x, y } = await scenes.get(0);
    expect([x.shape, y.shape]).toEqual([
      [3, 32, 48],
      [32, 48],
    ]);
    expect([y.data[0], y.data[2], y.data[31 * 48 + 5]]).toEqual([11, 0, 11]);
    const flipped = mirrored({ x, y });
    expect(flipped.y.data[45]).toBe(0);
    expect(flipped.y.data[47 - 10]).toBe(y.data[10]);
    expect(flipped.x.data[47 - 10]).toBe(x.data[10]);
  });

  it('rare classes weigh more, absent ones nothing', async () => {
    const weights = await classWeights(await readScenes(join(folder, 'camvid'), { split: 'train' }));
    expect(weights[8]).toBeGreaterThan(weights[3]);
    expect(weights[1]).toBe(0);
  });

  it('names a mask that is missing, of another size, or no picture', async () => {
    const root = join(folder, 'broken');
    for (const name of ['train', 'trainannot']) await mkdir(join(root, name), { recursive: true });
    await expect(readScenes(root, { split: 'train' })).rejects.toThrow('no pictures in a folder train');
    const flat = sharp({ create: { width: 8, height: 8, channels: 3, background: '#808080' } });
    await flat.png().toFile(join(root, 'train', 'a.png'));
    await expect(readScenes(root, { split: 'train' })).rejects.toThrow('has no mask in trainannot');
    await flat
      .clone()
      .resize(4, 8)
      .png()
      .toFile(join(root, 'trainannot', 'a.png'));
    await expect(readScenes(root, { split: 'train' })).rejects.toThrow('is 4 x 8, its picture 8 x 8');
    await writeFile(join(root, 'trainannot', 'a.png'), 'no picture');
    await expect(readScenes(root, { split: 'train' })).rejects.toThrow('a.png: no readable image');
  });
});
