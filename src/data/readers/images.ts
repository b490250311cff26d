/** @file Image files (decoded by sharp) and folders of them, one folder per class. */
import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import sharp from 'sharp';
import { ArgumentError, FormatError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { ArrayDataset, Dataset } from '../dataset.ts';
import type { ReadOptions } from '../formats/bytes.ts';
import { checkPath, readFileBytes } from './files.ts';
import { isPng, parsePngValues } from './png.ts';

/** Options of `decodeImage` and `readImage`. */
export interface ImageOptions extends ReadOptions {
  /**
   * 'rgb' (default): [H, W, 3]; 'grey': [H, W, 1]; 'index', for masks: [H, W, 1], the first channel as stored. Of PNG files
   * these are the numbers in the file, also of palettes and of less than 8 bits, and uint16 where it has 16.
   */
  readonly color?: 'rgb' | 'grey' | 'index';
  /** Most pixels to decode, against decompression bombs. Default 2^27. */
  readonly maxPixels?: number;
}

/**
 * Pixels of an encoded image (JPEG, PNG, WebP, GIF, TIFF, AVIF) as uint8 [H, W, C]: turned upright by its EXIF
 * orientation, transparency dropped, any colour space (CMYK, palettes) and bit depth brought to 8-bit sRGB or grey. Masks
 * ('index') stay as they are.
 * @throws FormatError for what is no image, truncated, or larger than `maxPixels`.
 */
export async function decodeImage(
  bytes: Uint8Array,
  { color = 'rgb', maxPixels = 2 ** 27, name = 'the data' }: ImageOptions = {},
): Promise<NDArray> {
  if (bytes.length === 0) throw new FormatError(`${name}: the file is empty, no image`);
  if (color === 'index' && isPng(bytes)) return parsePngValues(bytes, name, maxPixels);
  try {
    let image = sharp(bytes, { limitInputPixels: maxPixels, failOn: 'truncated', animated: false });
    if (color === 'index') image = image.extractChannel(0);
    else
      image = image
        .autoOrient()
        .removeAlpha()
        .toColourspace(color === 'rgb' ? 'srgb' : 'b-w');
    const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    const expected = color === 'rgb' ? 3 : 1;
    if (channels !== expected) throw new FormatError(`${name}: decoded to ${channels} channels, expected ${expected}`);
    return {
      data: new Uint8Array(data.buffer, data.byteOffset, data.length).slice(),
      shape: [height, width, channels],
      dtype: 'uint8',
    };
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(`${name}: no readable image (${cause instanceof Error ? cause.message.trim() : cause})`, {
      cause,
    });
  }
}

/** Pixels of an image file; see `decodeImage`. */
export async function readImage(path: string, options: ImageOptions = {}): Promise<NDArray> {
  return decodeImage(await readFileBytes(path, options), { name: path, ...options });
}

/** A sample of an image folder. */
export interface ImageSample {
  /** uint8 [H, W, C]. */
  readonly x: NDArray;
  /** Class index. */
  readonly y: number;
  readonly path: string;
}

/** Options of `imageFolder`. */
export interface ImageFolderOptions extends ImageOptions {
  /** 'fatal' (default): a corrupt image fails when it is read; 'skip': all are decoded once now, corrupt ones left out. */
  readonly onError?: 'fatal' | 'skip';
  /** Class names in the order of their indices. Default: the folders' names, sorted. */
  readonly classes?: readonly string[];
}

const EXTENSIONS = new Set(['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif', '.bmp']);

/** Images in one folder per class (torchvision.datasets.ImageFolder). Made by `imageFolder`. */
export class ImageFolder extends Dataset<ImageSample> {
  readonly classes: readonly string[];
  /** Files that were left out by `onError: 'skip'`, with the reason. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  readonly #files: readonly { path: string; label: number }[];
  readonly #options: ImageOptions;

  constructor(
    classes: readonly string[],
    files: readonly { path: string; label: number }[],
    skipped: readonly { path: string; reason: string }[],
    options: ImageOptions,
  ) {
    super();
    this.classes = classes;
    this.skipped = skipped;
    this.#files = files;
    this.#options = options;
  }

  get length(): number {
    return this.#files.length;
  }

  /** Class index of each sample, without decoding anything (for `stratifiedSplit`, `balancedWeights`). */
  get labels(): Float64Array {
    return Float64Array.from(this.#files, (f) => f.label);
  }

  /** The file of a sample, without decoding it. */
  path(index: number): string {
    return new ArrayDataset(this.#files).get(index).path;
  }

  async get(index: number): Promise<ImageSample> {
    const { path, label } = new ArrayDataset(this.#files).get(index);
    return { x: await readImage(path, this.#options), y: label, path };
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((e) => !e.isDirectory() && EXTENSIONS.has(extname(e.name).toLowerCase()))
    .map((e) => join(e.parentPath, e.name))
    .sort();
}

/**
 * Images in one folder per class: `root/cat/1.jpg`, `root/dog/7.png`. Sorted, so that indices are the same everywhere.
 * @example
 * const data = await imageFolder('pets', { onError: 'skip' });
 * const train = data.map(({ x, y }, random) => ({ x: augment(x, random), y }));
 * @throws ArgumentError when the folder is missing or holds no class folder or no image.
 */
export async function imageFolder(
  root: string,
  { onError = 'fatal', classes, ...options }: ImageFolderOptions = {},
): Promise<ImageFolder> {
  await checkPath(root, 'folder');
  const found = (await readdir(root, { withFileTypes: true }))
    .filter((e) => e.isDirectory() && !e.name.startsWith('.'))
    .map((e) => e.name)
    .sort();
  if (found.length === 0) throw new ArgumentError(`${root}: no class folders; expected ${root}/<class>/<image>`);
  const unknown = classes && found.find((name) => !classes.includes(name));
  if (unknown !== undefined)
    throw new ArgumentError(`${root}: folder '${unknown}' is no known class (${classes?.join(', ')})`);
  const names = classes ?? found;
  const files: { path: string; label: number }[] = [];
  const skipped: { path: string; reason: string }[] = [];
  for (const name of found)
    for (const path of await filesBelow(join(root, name))) {
      try {
        if (onError === 'skip') await readImage(path, options);
        files.push({ path, label: names.indexOf(name) });
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        skipped.push({ path, reason: error.message });
      }
    }
  if (files.length === 0)
    throw new ArgumentError(
      `${root}: no readable image in ${found.join(', ')} (${[...EXTENSIONS].join(' ')}; ${skipped.length} corrupt)`,
    );
  return new ImageFolder(names, files, skipped, options);
}
