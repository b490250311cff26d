/** @file What a path holds: a folder of images, IDX or CIFAR-10 files, NumPy archives, tables. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { readFileBounded } from '../../train/files.ts';
import { UsageError } from '../problem.ts';
import { someOf } from '../terminal.ts';

/** Files or folders of each part; parts that are not there are cut from `train`. */
export interface Parts<T> {
  readonly train: T;
  readonly val?: T;
  readonly test?: T;
}

export interface ImagesAndLabels {
  readonly images: string;
  readonly labels: string;
}

/** What was found at a path. */
export type Found =
  | { readonly format: 'image-folder'; readonly parts: Parts<string> }
  | { readonly format: 'idx'; readonly parts: Parts<ImagesAndLabels> }
  | { readonly format: 'cifar10'; readonly parts: Parts<readonly string[]>; readonly names?: readonly string[] }
  | { readonly format: 'npz'; readonly path: string }
  | { readonly format: 'table'; readonly parts: Parts<string> };

export const tableExtensions = ['.csv', '.tsv', '.jsonl', '.ndjson', '.parquet'];
export const imageExtensions = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif', '.bmp'];

/** The extension without a final `.gz`, lower case. */
export function extensionOf(path: string): string {
  return extname(path.replace(/\.gz$/i, '')).toLowerCase();
}

const partNames = {
  train: ['train', 'training'],
  val: ['val', 'valid', 'validation', 'dev'],
  test: ['test', 'testing', 't10k', 'held-out'],
};

/** 'train', 'val' or 'test', if a name begins with (or is) one of theirs. */
function partOf(name: string): keyof typeof partNames | undefined {
  const lower = name.toLowerCase();
  for (const part of ['train', 'val', 'test'] as const)
    if (partNames[part].some((word) => lower === word || new RegExp(`^${word}[-_. ]`).test(lower))) return part;
  return undefined;
}

/** @throws UsageError where nothing is at the path. */
export async function checkExists(path: string): Promise<'file' | 'folder'> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')
      throw new UsageError(`${path}: there is no such file or folder`, { cause });
    throw new UsageError(`${path} cannot be read (${cause.code ?? cause.message})`, { cause });
  });
  return found.isDirectory() ? 'folder' : 'file';
}

/** Looks at a path. @throws UsageError saying what is there and what can be read. */
export async function detect(path: string): Promise<Found> {
  return (await checkExists(path)) === 'file' ? await detectFile(path) : await detectFolder(path);
}

async function detectFile(path: string): Promise<Found> {
  const extension = extensionOf(path);
  if (tableExtensions.includes(extension)) return { format: 'table', parts: { train: path } };
  if (extension === '.npz') return { format: 'npz', path };
  if (/idx\d|ubyte/i.test(basename(path))) return { format: 'idx', parts: { train: await idxPair(path) } };
  if (extension === '.bin')
    return { format: 'cifar10', parts: { train: [path] }, ...(await cifarNames(dirname(path))) };
  if (imageExtensions.includes(extension))
    throw new UsageError(`${path} is a single image; give the folder that has one folder of images per class`);
  throw new UsageError(`${path}: ${readable}`);
}

const readable = `cannot tell what data this is. Read are: a folder with one folder of images per class, IDX files (MNIST), CIFAR-10 binary files (.bin), NumPy archives (.npz with train_images, train_labels, ...), tables (${tableExtensions.join(' ')}); all but images also gzipped`;

/** The label file that belongs to a file of images, by its name. */
async function idxPair(images: string): Promise<ImagesAndLabels> {
  if (/labels/i.test(basename(images)))
    throw new UsageError(`${images} holds labels; give the file of images, or the folder of both`);
  const labels = join(
    dirname(images),
    basename(images)
      .replace(/images/i, 'labels')
      .replace(/idx3/i, 'idx1'),
  );
  if (labels === images || !(await stat(labels).catch(() => undefined)))
    throw new UsageError(
      `${images}: no file of labels beside it (looked for ${basename(labels)}); name the pair as MNIST does: train-images-idx3-ubyte, train-labels-idx1-ubyte`,
    );
  return { images, labels };
}

async function cifarNames(folder: string): Promise<{ names?: readonly string[] }> {
  const text = await readFileBounded(join(folder, 'batches.meta.txt'), 100_000).catch(() => undefined);
  const names =
    text &&
    new TextDecoder()
      .decode(text)
      .split(/\r?\n/)
      .filter((line) => line.trim() !== '');
  return names?.length === 10 ? { names } : {};
}

async function detectFolder(path: string): Promise<Found> {
  const entries = (await readdir(path)).filter((name) => !name.startsWith('.')).sort();
  const isFolder = await Promise.all(
    // Through links, too; a link into nowhere counts as a file.
    entries.map(async (name) => (await stat(join(path, name)).catch(() => undefined))?.isDirectory() ?? false),
  );
  const files = entries.filter((_, i) => !isFolder[i]);
  const folders = entries.filter((_, i) => isFolder[i]);
  const found = (await idxFolder(path, files)) ?? (await cifarFolder(path, files)) ?? tableFolder(path, files);
  if (found) return found;
  if (folders.length > 0) return imageFolders(path, folders);
  const archives = files.filter((name) => extensionOf(name) === '.npz');
  if (archives.length === 1) return { format: 'npz', path: join(path, archives[0]) };
  if (entries.length === 0)
    throw new UsageError(`${path} is an empty folder; expected ${path}/<class>/<image>, or other data: ${readable}`);
  if (files.some((name) => imageExtensions.includes(extensionOf(name))))
    throw new UsageError(
      `${path} holds images but no folder per class; put them into ${path}/<class>/, for instance ${path}/cat/1.jpg`,
    );
  throw new UsageError(`${path} holds ${someOf(files, 5)}: ${readable}`);
}

/** Gathers what belongs to each part; undefined if nothing is for training. */
function gather<T>(items: readonly (readonly [string, T])[]): Parts<T> | undefined {
  const parts: { train?: T; val?: T; test?: T } = {};
  for (const [name, value] of items) {
    const part = partOf(name);
    if (part) parts[part] ??= value;
  }
  if (parts.train === undefined && items.length === 1) parts.train = items[0][1];
  return parts.train === undefined ? undefined : { ...parts, train: parts.train };
}

async function idxFolder(path: string, files: readonly string[]): Promise<Found | undefined> {
  const images = files.filter((name) => /images/i.test(name) && /idx\d|ubyte/i.test(name));
  if (images.length === 0) return undefined;
  const pairs: (readonly [string, ImagesAndLabels])[] = [];
  for (const name of images) pairs.push([name, await idxPair(join(path, name))]);
  const parts = gather(pairs);
  return parts && { format: 'idx', parts };
}

async function cifarFolder(path: string, files: readonly string[]): Promise<Found | undefined> {
  const batches = files.filter((name) => extensionOf(name) === '.bin');
  if (batches.length === 0) return undefined;
  const test = batches.filter((name) => partOf(name) === 'test').map((name) => join(path, name));
  const train = batches.filter((name) => partOf(name) !== 'test').map((name) => join(path, name));
  if (train.length === 0)
    throw new UsageError(`${path} holds CIFAR-10 test files only; training needs data_batch_1.bin`);
  return { format: 'cifar10', parts: { train, ...(test.length ? { test } : {}) }, ...(await cifarNames(path)) };
}

function tableFolder(path: string, files: readonly string[]): Found | undefined {
  const tables = files.filter((name) => tableExtensions.includes(extensionOf(name)));
  if (tables.length === 0) return undefined;
  const parts = gather(tables.map((name) => [name, join(path, name)] as const));
  if (!parts)
    throw new UsageError(
      `${path} holds several tables (${someOf(tables, 5)}); give one of them, or name them train.csv and test.csv`,
    );
  return { format: 'table', parts };
}

function imageFolders(path: string, folders: readonly string[]): Found {
  const parts = folders.every((name) => partOf(name) !== undefined)
    ? gather(folders.map((name) => [name, join(path, name)] as const))
    : undefined;
  return { format: 'image-folder', parts: parts ?? { train: path } };
}
