/** @file Images with labels from any of the formats: folders, IDX, CIFAR-10, NumPy archives. */
import { basename, relative } from 'node:path';
import { imageFolder, readCifar10, readIdx, readNpz } from '../../data/node.ts';
import { FormatError } from '../../ir/errors.ts';
import { type NDArray, sliceRow } from '../../ir/ndarray.ts';
import { formatShape } from '../../ir/shape.ts';
import { UsageError } from '../problem.ts';
import { detect, type Found, type ImagesAndLabels } from './detect.ts';

/** Images as they are stored: decoded when asked for. */
export interface ImageSource {
  readonly length: number;
  readonly classes: readonly string[];
  readonly labels: ArrayLike<number>;
  /** uint8 [H, W, C], or [C, H, W] where `layout` says so. @throws FormatError for an unreadable image. */
  get(index: number): NDArray | Promise<NDArray>;
  name(index: number): string;
  readonly layout: 'hwc' | 'chw';
  /** The folder that worker threads can read the images from; undefined where all is in memory already. */
  readonly folder?: string;
  /** Files of images; undefined where all is in memory already. */
  path?(index: number): string;
}

export interface ImageParts {
  readonly train: ImageSource;
  readonly val?: ImageSource;
  readonly test?: ImageSource;
}

/** Opens images found by `detect`. `classes` of a finished run hold for new data too. */
export async function openImages(found: Found, path: string, classes?: readonly string[]): Promise<ImageParts> {
  switch (found.format) {
    case 'image-folder':
      return await eachPart(found.parts, (folder, known) => fromFolder(folder, known), classes);
    case 'idx':
      return await eachPart(found.parts, (pair, known) => fromIdx(pair, known), classes);
    case 'cifar10':
      return await eachPart(found.parts, (files) => fromCifar(files, found.names), classes);
    case 'npz':
      return await fromNpz(found.path, classes);
    default:
      throw new UsageError(`${path} holds a table, not images`);
  }
}

/** Opens one set of images, for --val, --test and `evaluate --data`: the test part where there is one. */
export async function openImageSet(path: string, classes: readonly string[]): Promise<ImageSource> {
  const { train, val, test } = await openImages(await detect(path), path, classes);
  return test ?? val ?? train;
}

async function eachPart<T>(
  parts: { readonly train: T; readonly val?: T; readonly test?: T },
  open: (part: T, classes: readonly string[] | undefined) => Promise<ImageSource>,
  classes?: readonly string[],
): Promise<ImageParts> {
  const train = await open(parts.train, classes);
  const known = classes ?? train.classes;
  return {
    train,
    ...(parts.val === undefined ? {} : { val: await open(parts.val, known) }),
    ...(parts.test === undefined ? {} : { test: await open(parts.test, known) }),
  };
}

async function fromFolder(folder: string, classes?: readonly string[]): Promise<ImageSource> {
  const images = await imageFolder(folder, classes ? { classes } : {});
  return {
    length: images.length,
    classes: images.classes,
    labels: images.labels,
    get: async (i) => (await images.get(i)).x,
    name: (i) => relative('', images.path(i)),
    path: (i) => images.path(i),
    layout: 'hwc',
    folder,
  };
}

async function fromIdx({ images, labels }: ImagesAndLabels, classes?: readonly string[]): Promise<ImageSource> {
  return fromArrays(await readIdx(images), await readIdx(labels), basename(images), classes);
}

async function fromCifar(files: readonly string[], names?: readonly string[]): Promise<ImageSource> {
  const { images, labels } = await readCifar10(files);
  return fromArrays(images, labels, basename(files[0]), names ?? Array.from({ length: 10 }, (_, i) => String(i)));
}

/** MedMNIST's names (`train_images`, `val_labels`, ...) or Keras's (`x_train`, `y_test`, ...). */
async function fromNpz(path: string, classes?: readonly string[]): Promise<ImageParts> {
  const arrays = await readNpz(path);
  const pick = (part: string) => {
    const images = arrays[`${part}_images`] ?? arrays[`x_${part}`];
    const labels = arrays[`${part}_labels`] ?? arrays[`y_${part}`];
    return images && labels ? { images, labels } : undefined;
  };
  const train = pick('train');
  if (!train)
    throw new UsageError(
      `${path} holds ${Object.keys(arrays).join(', ') || 'nothing'}; expected train_images and train_labels (or x_train and y_train)`,
    );
  const name = basename(path);
  const source = fromArrays(train.images, train.labels, name, classes);
  const open = (part: string) => {
    const pair = pick(part);
    return pair && fromArrays(pair.images, pair.labels, `${name} ${part}`, source.classes);
  };
  const [val, test] = [open('val'), open('test')];
  return { train: source, ...(val ? { val } : {}), ...(test ? { test } : {}) };
}

/** @throws FormatError where images and labels do not fit each other. */
function fromArrays(images: NDArray, labels: NDArray, name: string, classes?: readonly string[]): ImageSource {
  const [length, ...rest] = images.shape;
  const chw = rest.length === 3 && (rest[0] === 1 || rest[0] === 3) && rest[2] > 4;
  const hwc = rest.length === 2 || (rest.length === 3 && (rest[2] === 1 || rest[2] === 3));
  if (images.dtype !== 'uint8' || !(chw || hwc) || length === 0)
    throw new FormatError(
      `${name}: expected images [N, H, W], [N, H, W, 3] or [N, 3, H, W] of uint8, found ${formatShape(images.shape)} of ${images.dtype}`,
    );
  if (labels.data.length !== length)
    throw new FormatError(`${name}: ${length} images, but ${labels.data.length} labels`);
  const wrong = labels.data.findIndex((v) => !Number.isInteger(v) || v < 0 || v > 9999);
  if (wrong >= 0)
    throw new FormatError(`${name}: label ${labels.data[wrong]} of image ${wrong} is no class from 0 to 9999`);
  let top = 0;
  for (const label of labels.data) top = Math.max(top, label);
  if (classes && top >= classes.length)
    throw new UsageError(
      `${name}: label ${top} is no known class; there are ${classes.length}: 0 to ${classes.length - 1}`,
    );
  return {
    length,
    classes: classes ?? Array.from({ length: top + 1 }, (_, i) => String(i)),
    labels: labels.data,
    get: (i) => sliceRow(images, i),
    name: (i) => `${name} image ${i}`,
    layout: chw && !hwc ? 'chw' : 'hwc',
  };
}
