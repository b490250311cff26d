/** @file CIFAR-10 from its binary files: standardised images, augmentation drawn per sample and epoch; a module for worker threads. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ArgumentError, type NDArray } from 'gradus';
import {
  type Dataset,
  parseCifar10,
  readCifar10,
  readTar,
  stratifiedIndices,
  TensorDataset,
  transforms,
} from 'gradus/data/node';
import { dataFile } from '../data.ts';

export const classes = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ');
/** Mean and standard deviation of the training pixels, per channel. */
export const mean = [0.4914, 0.4822, 0.4465];
export const std = [0.247, 0.2435, 0.2616];

export interface Picture {
  /** [3, 32, 32], standardised. */
  readonly x: NDArray;
  /** 0 to 9. */
  readonly y: number;
}

export interface CifarOptions {
  /** The folder of the .bin files, or the archive of all of them. */
  readonly source: string;
  readonly part: 'train' | 'validation' | 'test';
  /** 'classic': flips and rotations up to 15 degrees; 'shift': flips and shifts up to 4 pixels. */
  readonly augment?: 'classic' | 'shift' | undefined;
  /** Take so many images only. */
  readonly limit?: number | undefined;
  /** Keep only these classes, which then are numbered from 0. */
  readonly only?: readonly number[] | undefined;
}

/** Where the files are: `given` or GRADUS_DATA (or its folder cifar-10-batches-bin), else the archive, downloaded once. */
export async function findCifar(given = process.env.GRADUS_DATA): Promise<string> {
  if (!given) {
    const url = 'https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz';
    return await dataFile({ name: 'cifar-10-binary.tar.gz', url, md5: 'c32a1d4ab5d03f1284b67883e8d87530' });
  }
  for (const folder of [given, join(given, 'cifar-10-batches-bin')]) {
    const names = await readdir(folder).catch(() => []);
    if (names.some((name) => /^data_batch_\d\.bin/.test(name))) return folder;
  }
  throw new ArgumentError(
    `${given} (--data or GRADUS_DATA) has no files data_batch_1.bin, ... of CIFAR-10's binary version`,
  );
}

/** Images [n, 3, 32, 32] (0 to 255) and labels of the training files, or of the test file. */
export async function readPart(source: string, part: 'train' | 'test') {
  const wanted = part === 'train' ? /data_batch_\d\.bin(\.gz)?$/ : /test_batch\.bin(\.gz)?$/;
  if ((await stat(source)).isDirectory()) {
    const names = (await readdir(source)).filter((name) => wanted.test(name)).sort();
    return await readCifar10(names.map((name) => join(source, name)));
  }
  const entries = (await readTar(source)).filter(({ name }) => wanted.test(name));
  const bytes = new Uint8Array(entries.reduce((sum, entry) => sum + entry.bytes.length, 0));
  let at = 0;
  for (const entry of entries) {
    bytes.set(entry.bytes, at);
    at += entry.bytes.length;
  }
  return parseCifar10(bytes, { name: source });
}

const normalize = transforms.normalize(mean, std);
const standardise = transforms.compose([transforms.toFloat({ layout: 'chw' }), normalize]);
const flip = transforms.randomHorizontalFlip(0.5, { layout: 'chw' });
const augmentations = {
  classic: transforms.compose([
    flip,
    transforms.randomRotation(15, { layout: 'chw', interpolation: 'bilinear' }),
    standardise,
  ]),
  shift: transforms.compose([flip, transforms.randomCrop(32, { padding: 4, layout: 'chw' }), standardise]),
};

/** A tenth of the training files is for validation, the same share of each class. Workers build their own copy by this. */
export default async function cifar({ source, part, augment, limit, only }: CifarOptions): Promise<Dataset<Picture>> {
  const { images, labels } = await readPart(source, part === 'test' ? 'test' : 'train');
  let data = new TensorDataset({ x: images, y: labels }).subset(Array.from(labels.data, (_, i) => i));
  let kept = Array.from(labels.data);
  const choose = (indices: readonly number[]) => {
    data = data.subset(indices);
    kept = indices.map((i) => kept[i]);
  };
  if (only) choose([...kept.keys()].filter((i) => only.includes(kept[i])));
  if (part !== 'test') {
    const [training, validation] = stratifiedIndices(kept, [0.9, 0.1], { seed: 1 });
    choose([...(part === 'train' ? training : validation)]);
  }
  if (limit !== undefined && limit < kept.length) {
    const [some] = stratifiedIndices(kept, [limit / kept.length, 1 - limit / kept.length], { seed: 2 });
    choose([...some]);
  }
  const transform = augment ? augmentations[augment] : standardise;
  const label = ({ data }: NDArray) => (only ? only.indexOf(data[0]) : data[0]);
  return data.map(({ x, y }, random) => ({ x: transform(x, random), y: label(y) }));
}
