/** @file Image files (decoded by sharp) and folders of them, one folder per class. */
import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { ArgumentError, FormatError, GradusError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { ArrayDataset, Dataset } from '../dataset.ts';
import type { ReadOptions } from '../formats/bytes.ts';
import { checkPath, readStoredBytes } from './files.ts';
import { isPng, parsePngValues } from './png.ts';

/** Options of `decodeImage` and `readImage`. */
export interface ImageOptions extends ReadOptions {
  /**
   * 'rgb' (default): [H, W, 3]; 'grey': [H, W, 1], the luma of these (Pillow's `convert('L')`); 'index', for masks:
   * [H, W, 1], the first channel as stored, uint16 where it has 16 bits. Of PNG files these are the numbers in the file,
   * also of palettes and of less than 8 bits.
   */
  readonly color?: 'rgb' | 'grey' | 'index';
  /** Most pixels to decode, against decompression bombs. Default 2^27. */
  readonly maxPixels?: number;
}

/** How files begin that the decoder is given. SVG is none: drawing it takes any time that its author likes. */
const magic = /^(?:\xff\xd8\xff|\x89PNG|GIF8|II[*+]\0|MM\0[*+]|RIFF.{4}WEBP|.{4}ftyp)/s;

/** Luma of pixels [.., 3] in whole numbers, as Pillow computes it (ITU-R 601-2). */
function lumaOf(rgb: Uint8Array): Uint8Array {
  const out = new Uint8Array(rgb.length / 3);
  for (let p = 0, at = 0; p < out.length; p++, at += 3)
    out[p] = (rgb[at] * 19595 + rgb[at + 1] * 38470 + rgb[at + 2] * 7471 + 0x8000) >> 16;
  return out;
}

/** The first channel of a mask that is no PNG. */
async function decodeIndex(image: Sharp, name: string): Promise<NDArray> {
  const { depth } = await image.metadata();
  if (depth !== 'uchar' && depth !== 'ushort')
    throw new FormatError(`${name}: a mask of ${depth} numbers; expected 8 or 16 bits, best in a PNG file`);
  const first = image.extractChannel(0);
  const pixels = depth === 'uchar' ? first : first.toColourspace('grey16');
  const { data, info } = await pixels.raw({ depth }).toBuffer({ resolveWithObject: true });
  const { buffer } = Uint8Array.from(data);
  const shape = [info.height, info.width, 1];
  return depth === 'uchar'
    ? { data: new Uint8Array(buffer), shape, dtype: 'uint8' }
    : { data: new Uint16Array(buffer), shape, dtype: 'uint16' };
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
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  if (!magic.test(start))
    throw new FormatError(
      `${name}: no readable image (${start.startsWith('BM') ? 'BMP; save it as PNG' : 'neither JPEG, PNG, WebP, GIF, TIFF nor AVIF'})`,
    );
  try {
    const image = sharp(bytes, { limitInputPixels: maxPixels, failOn: 'truncated', animated: false });
    if (color === 'index') return await decodeIndex(image, name);
    const upright = image.autoOrient().removeAlpha().toColourspace('srgb');
    const { data, info } = await upright.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    if (channels !== 3) throw new FormatError(`${name}: decoded to ${channels} channels, expected 3`);
    return color === 'rgb'
      ? { data: Uint8Array.from(data), shape: [height, width, 3], dtype: 'uint8' }
      : { data: lumaOf(data), shape: [height, width, 1], dtype: 'uint8' };
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(`${name}: no readable image (${cause instanceof Error ? cause.message.trim() : cause})`, {
      cause,
    });
  }
}

/** Pixels of an image file; see `decodeImage`. */
export async function readImage(path: string, options: ImageOptions = {}): Promise<NDArray> {
  return decodeImage(await readStoredBytes(path, options), { name: path, ...options });
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
  /** 'fatal' (default): a corrupt image fails when it is read; 'skip': all are decoded once now; those that cannot be read are left out. */
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

/** What an entry or the target of a link is; a link into nowhere counts as a file, so that reading it tells. */
async function kindOf(entry: Dirent): Promise<'folder' | 'file' | 'other'> {
  const path = join(entry.parentPath, entry.name);
  const found = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry;
  if (found?.isDirectory()) return 'folder';
  return !found || found.isFile() ? 'file' : 'other';
}

/** Image files at any depth, also behind links; no folder twice, no pipes or devices, which would be waited for. */
async function filesBelow(folder: string, seen = new Set<string>()): Promise<string[]> {
  const real = await realpath(folder);
  if (seen.has(real)) return [];
  seen.add(real);
  const files: string[] = [];
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const kind = await kindOf(entry);
    const path = join(folder, entry.name);
    if (kind === 'folder') files.push(...(await filesBelow(path, seen)));
    else if (kind === 'file' && EXTENSIONS.has(extname(entry.name).toLowerCase())) files.push(path);
  }
  return files.sort();
}

/** Folders in a folder, also behind links, sorted; hidden ones left out. */
async function foldersIn(root: string): Promise<string[]> {
  const entries = (await readdir(root, { withFileTypes: true })).filter((e) => !e.name.startsWith('.'));
  const kinds = await Promise.all(entries.map(kindOf));
  return entries.flatMap((e, i) => (kinds[i] === 'folder' ? [e.name] : [])).sort();
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
  const found = await foldersIn(root);
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
        if (!(error instanceof GradusError)) throw error;
        skipped.push({ path, reason: error.message.split('\n')[0] });
      }
    }
  if (files.length === 0)
    throw new ArgumentError(
      `${root}: no readable image in ${found.join(', ')} (${[...EXTENSIONS].join(' ')}; ${skipped.length} corrupt)`,
    );
  return new ImageFolder(names, files, skipped, options);
}
