/** @file PneumoniaMNIST's archive as a folder of pictures, one folder per class: the form in which most people have theirs. */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FormatError, type NDArray } from 'gradus';
import { readNpz } from 'gradus/data/node';
import sharp from 'sharp';
import { dataFile } from '../data.ts';

/** Classes 0 and 1 of the archive; in the order of the alphabet, as folders are numbered. */
export const classes = ['normal', 'pneumonia'] as const;
const parts = ['train', 'val', 'test'] as const;
/** Pictures by part and class. */
export type Counts = Record<(typeof parts)[number], Record<(typeof classes)[number], number>>;

/** MNIST's files with their MD5 as torchvision has them. */
const digitFiles = [
  ['train-images-idx3-ubyte.gz', 'f68b3c2dcbeaaa9fbdd348bbdeb94873'],
  ['train-labels-idx1-ubyte.gz', 'd53e105ee54ea40749a09fcbcd1e9432'],
  ['t10k-images-idx3-ubyte.gz', '9fb629c4189551a2d022fa330f9573f3'],
  ['t10k-labels-idx1-ubyte.gz', 'ec29112dd5afa0611ce80d1b7f02629c'],
] as const;

/**
 * The archive of X-rays and the folder of digits (undefined where there is none): in the folder `given` or GRADUS_DATA, else
 * downloaded once to runs/data.
 */
export async function findData(given = process.env.GRADUS_DATA): Promise<{ archive: string; digits?: string }> {
  const archive = await dataFile(
    {
      name: 'pneumoniamnist/pneumoniamnist.npz',
      url: 'https://zenodo.org/records/10519652/files/pneumoniamnist.npz?download=1',
      md5: '28209eda62fecd6e6a2d98b1501bb15f',
    },
    given,
  );
  if (given) {
    const digits = join(given, 'mnist');
    return (await stat(digits).then(Boolean, () => false)) ? { archive, digits } : { archive };
  }
  const files: string[] = [];
  for (const [name, md5] of digitFiles)
    files.push(
      await dataFile({ name: `mnist/${name}`, url: `https://ossci-datasets.s3.amazonaws.com/mnist/${name}`, md5 }),
    );
  return { archive, digits: dirname(files[0]) };
}

/**
 * Writes `<folder>/<train|val|test>/<normal|pneumonia>/<number>.png`, grey.
 * @throws FormatError for an archive without these arrays, of another kind or with other labels.
 */
export async function writeFolder(archive: string, folder: string): Promise<Counts> {
  const arrays = await readNpz(archive);
  const counts: Partial<Counts> = {};
  for (const part of parts) {
    const { [`${part}_images`]: images, [`${part}_labels`]: labels } = arrays;
    checkPart(archive, part, images, labels);
    const [n, height, width] = images.shape;
    const found = { normal: 0, pneumonia: 0 };
    for (const name of classes) await mkdir(join(folder, part, name), { recursive: true });
    for (let i = 0; i < n; i++) {
      const name = classes[labels.data[i]];
      found[name]++;
      const pixels = Uint8Array.from(images.data.slice(i * height * width, (i + 1) * height * width));
      const png = await sharp(pixels, { raw: { width, height, channels: 1 } })
        .toColourspace('b-w')
        .png()
        .toBuffer();
      await writeFile(join(folder, part, name, `${String(i).padStart(5, '0')}.png`), png);
    }
    counts[part] = found;
  }
  return counts as Counts;
}

function checkPart(archive: string, part: string, images: NDArray | undefined, labels: NDArray | undefined) {
  if (!images || !labels) throw new FormatError(`${archive} has no ${part}_images and ${part}_labels`);
  if (images.shape.length !== 3 || images.dtype !== 'uint8')
    throw new FormatError(
      `${archive}: ${part}_images is ${images.dtype} [${images.shape.join(', ')}], expected uint8 [n, height, width]`,
    );
  if (labels.data.length !== images.shape[0])
    throw new FormatError(`${archive}: ${images.shape[0]} ${part}_images, but ${labels.data.length} labels`);
  const wrong = labels.data.find((v) => v !== 0 && v !== 1);
  if (wrong !== undefined) throw new FormatError(`${archive}: ${part}_labels holds ${wrong}, expected 0 and 1`);
}
