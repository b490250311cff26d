import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Box } from 'gradus';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runRecipe } from '../run.ts';
import samples, { mirrored, parseAnnotation, readVoc, zoomed } from './data.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-detection-'));
  await drawCells(join(folder, 'bccd'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const [width, height] = [128, 96];
const colours = [
  [220, 60, 60],
  [70, 60, 210],
  [40, 170, 60],
];
const names = ['RBC', 'WBC', 'Platelets'];

const element = (name: string, [x1, y1, x2, y2]: Box) =>
  `<object><name>${name}</name><bndbox><xmin>${x1}</xmin><ymin>${y1}</ymin><xmax>${x2}</xmax><ymax>${y2}</ymax></bndbox></object>`;
const annotation = (objects: string) =>
  `<annotation><size><width>${width}</width><height>${height}</height><depth>3</depth></size>${objects}</annotation>`;

/** Pictures in VOC's layout: up to three rectangles whose colour tells the class; one of them without any. */
async function drawCells(root: string): Promise<void> {
  for (const name of ['JPEGImages', 'Annotations', 'ImageSets/Main'])
    await mkdir(join(root, name), { recursive: true });
  for (const [part, count] of [
    ['train', 24],
    ['val', 4],
    ['test', 6],
  ] as const) {
    const listed: string[] = [];
    for (let i = 0; i < count; i++) {
      const random = (k: number) => (Math.imul(i * 16 + k + part.length * 999 + 1, 0x9e3779b1) >>> 8) / 2 ** 24;
      const pixels = Buffer.alloc(3 * width * height, 225);
      let objects = '';
      for (let k = 0; k < (part === 'train' && i === 0 ? 0 : 3); k++) {
        const [w, h] = [22 + Math.floor(random(k) * 14), 22 + Math.floor(random(k + 4) * 14)];
        // Each in a third of the picture of its own.
        const x1 = k * 43 + Math.floor(random(k + 8) * (42 - w));
        const y1 = Math.floor(random(k + 12) * (height - h));
        for (let y = y1; y < y1 + h; y++)
          for (let x = x1; x < x1 + w; x++) pixels.set(colours[(k + i) % 3], 3 * (y * width + x));
        objects += element(names[(k + i) % 3], [x1, y1, x1 + w, y1 + h]);
      }
      if (part === 'test' && i === 0) objects += element('RBC', [5, 5, 5, 20]);
      const name = `${part}_${i}`;
      listed.push(name);
      await sharp(pixels, { raw: { width, height, channels: 3 } })
        .jpeg({ quality: 90 })
        .toFile(join(root, 'JPEGImages', `${name}.jpg`));
      await writeFile(join(root, 'Annotations', `${name}.xml`), annotation(objects));
    }
    await writeFile(join(root, 'ImageSets', 'Main', `${part}.txt`), `${listed.join('\n')}\n`);
  }
}

it('finds drawn cells after a short run', { timeout: 180_000 }, async () => {
  const out = join(folder, 'run');
  const size = '--epochs 25 --width 8 --head 16 --batch 6 --height 96 --lr 0.01'.split(' ');
  const stdout = await runRecipe('detection/main.ts', ['--data', join(folder, 'bccd'), '--out', out, ...size]);
  expect(stdout).toContain('test: 6 pictures, 18 boxes; 1 left out, 0 cut at the border');
  expect(Number(/mAP@0.5 ([\d.]+)/.exec(stdout)?.[1])).toBeGreaterThan(0.5);
  expect(await readFile(join(out, 'report.svg'), 'utf8')).toContain('found, score from 0.3');
});

describe('data', () => {
  const options = { part: 'train', size: [48, 64] } as const;

  it('scales boxes with the picture; a picture may have none', async () => {
    const scenes = await readVoc({ ...options, source: join(folder, 'bccd'), limit: 2 });
    expect(scenes[0].objects.boxes).toEqual([]);
    expect(scenes[1].image.shape).toEqual([3, 48, 64]);
    const text = await readFile(join(folder, 'bccd', 'Annotations', 'train_1.xml'), 'utf8');
    const { objects } = parseAnnotation(text, 'train_1.xml');
    expect(scenes[1].objects.boxes).toEqual(objects.boxes.map((box) => box.map((v) => v / 2)));
  });

  it('gives every sample targets, the same for the same seed', async () => {
    const data = await samples({ ...options, source: join(folder, 'bccd'), augment: true, limit: 2 });
    const { x, labels, boxes, centerness } = await data.get(0);
    // 6 x 8, 3 x 4 and 2 x 2 locations.
    expect([x.shape, labels.shape, boxes.shape, centerness.shape]).toEqual([[3, 48, 64], [64], [64, 4], [64]]);
    expect(Math.max(...labels.data)).toBe(-1);
    expect(Math.max(...x.data)).toBeLessThanOrEqual(1);
    const again = await samples({ ...options, source: join(folder, 'bccd'), augment: true, limit: 2 });
    expect(await again.get(1)).toEqual(await data.get(1));
  });

  it('mirrors and enlarges boxes with their picture', () => {
    const image = { data: new Uint8Array(3 * 20 * 40), shape: [3, 20, 40], dtype: 'uint8' } as const;
    image.data[3 * 40 + 5] = 200;
    const scene = {
      name: 'a',
      image,
      objects: { boxes: [[5, 3, 15, 9] as Box, [30, 0, 40, 20] as Box], labels: [1, 0] },
    };
    const across = mirrored(scene, 'across');
    expect(across.objects.boxes[0]).toEqual([25, 3, 35, 9]);
    expect(across.image.data[3 * 40 + 34]).toBe(200);
    expect(mirrored(scene, 'down').objects.boxes[0]).toEqual([5, 11, 15, 17]);
    // The left half, twice as large: the second object is gone.
    const near = zoomed(scene, 0.5, 0, 0);
    expect(near.image.shape).toEqual([3, 20, 40]);
    expect(near.objects).toEqual({ boxes: [[10, 6, 30, 18]], labels: [1] });
  });

  it('refuses annotations that cannot be read', () => {
    const box: Box = [1, 1, 5, 5];
    expect(() => parseAnnotation(annotation(element('cat', box)), 'a.xml')).toThrow(
      "a.xml: unknown class 'cat'; known: RBC, WBC, Platelets",
    );
    expect(() => parseAnnotation(annotation(element('RBC', box).replace('<xmax>5', '<xmax>many')), 'a.xml')).toThrow(
      "a.xml: <xmax> is 'many', expected a number",
    );
    expect(() => parseAnnotation('<annotation/>', 'a.xml')).toThrow("<width> is '', expected a number");
    expect(() => parseAnnotation(annotation('').replace('96', '0'), 'a.xml')).toThrow('size is 128 x 0');
  });
});
