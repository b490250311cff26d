/** @file Images made ready for training: one size, normalised, kept in memory as bytes, augmented as they are read. */
import sharp from 'sharp';
import { Dataset, type DatasetLike, type ModuleDataset, moduleDataset } from '../../data/index.ts';
import { GradusError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { Random } from '../../ir/random.ts';
import { UsageError } from '../problem.ts';
import { count, formatBytes, printable, someOf, type Terminal } from '../terminal.ts';
import { type Augmentation, augmenter } from './augment.ts';
import { detect, type Found } from './detect.ts';
import { type ImageSource, openImageSet, openImages } from './image-source.ts';
import { channelMoments, normalized, toPixels } from './pixels.ts';
import type { ImageCode, LabelledData, Prepared, Sample, SplitRequest } from './prepared.ts';
import { cut, subset } from './split.ts';
import type { WorkerImages } from './worker-images.ts';

/** Most bytes of pixels that are kept in memory. */
const maxBytes = 3 * 2 ** 30;

export interface ImageRequest extends SplitRequest {
  readonly imageSize: readonly [number, number] | undefined;
  readonly strict: boolean;
}

/** Unreadable images are counted, listed and left out; with `strict` the first one is an error. */
export interface Unreadable {
  readonly name: string;
  readonly reason: string;
}

/** Images of one size in memory. */
export class PixelData extends Dataset<Sample> implements LabelledData {
  readonly labels: Float64Array;
  readonly code: ImageCode;
  readonly source: ImageSource;
  /** Positions in the source. */
  readonly indices: readonly number[];
  readonly #pixels: Uint8Array;
  readonly #size: number;

  constructor(source: ImageSource, indices: readonly number[], pixels: Uint8Array, code: ImageCode) {
    super();
    this.source = source;
    this.indices = indices;
    this.labels = Float64Array.from(indices, (i) => source.labels[i]);
    this.code = code;
    this.#pixels = pixels;
    this.#size = code.channels * code.height * code.width;
  }

  get length(): number {
    return this.indices.length;
  }

  name(index: number): string {
    return this.source.name(this.indices[index]);
  }

  /** The same pixels, normalised otherwise. */
  recoded(code: ImageCode): PixelData {
    return new PixelData(this.source, this.indices, this.#pixels, code);
  }

  /** uint8 [C, H, W]. */
  pixels(index: number): Uint8Array {
    return this.#pixels.subarray(index * this.#size, (index + 1) * this.#size);
  }

  get(index: number): Sample {
    return { x: normalized(this.pixels(index), this.code), y: this.labels[index] };
  }

  /** Pixels of a sample after augmentation, uint8 [C, H, W]. */
  augmented(index: number, names: readonly Augmentation[], random: Random): NDArray {
    const { channels, height, width } = this.code;
    const image: NDArray = { data: this.pixels(index), shape: [channels, height, width], dtype: 'uint8' };
    return augmenter(names, height, width)(image, random);
  }

  /** The same samples with random changes. */
  withAugmentation(names: readonly Augmentation[]): DatasetLike<Sample> {
    if (names.length === 0) return this;
    const { code } = this;
    const change = augmenter(names, code.height, code.width);
    const shape = [code.channels, code.height, code.width];
    return {
      length: this.length,
      get: (index, random = new Random(0).fork(index)) => ({
        x: normalized(change({ data: this.pixels(index), shape, dtype: 'uint8' }, random).data, code),
        y: this.labels[index],
      }),
    };
  }

  /** The same samples, decoded and augmented by worker threads. @throws UsageError where there are no files to read. */
  async byWorkers(names: readonly Augmentation[]): Promise<ModuleDataset<Sample>> {
    const { folder, classes } = this.source;
    if (folder === undefined)
      throw new UsageError('--workers decode image files; these data are one file, which is in memory already');
    const options: WorkerImages = { folder, classes, indices: [...this.indices], code: this.code, names };
    const file = import.meta.url.endsWith('.ts') ? './worker-images.ts' : './worker-images.js';
    return await moduleDataset<Sample>(new URL(file, import.meta.url), { options });
  }
}

/** Decodes the images at `indices` to the size and colours of `code`. */
async function decodeAll(
  source: ImageSource,
  indices: readonly number[],
  code: ImageCode,
  strict: boolean,
): Promise<{ data: PixelData; unreadable: Unreadable[] }> {
  const size = code.channels * code.height * code.width;
  if (size * indices.length > maxBytes)
    throw new UsageError(
      `${count(indices.length, 'image')} of ${code.height} x ${code.width} pixels take ${formatBytes(size * indices.length)} of memory; choose a smaller --image-size or a --limit`,
    );
  const pixels = new Uint8Array(size * indices.length);
  const kept = new Array<boolean>(indices.length).fill(true);
  const unreadable: Unreadable[] = [];
  let next = 0;
  const worker = async () => {
    while (next < indices.length) {
      const at = next++;
      try {
        pixels.set(toPixels(await source.get(indices[at]), source.layout, code), at * size);
      } catch (error) {
        if (!(error instanceof GradusError) || strict) throw error;
        kept[at] = false;
        unreadable.push({ name: source.name(indices[at]), reason: error.message.split('\n')[0] });
      }
    }
  };
  // Decoding runs in sharp's threads: a few at a time keep them busy.
  await Promise.all(Array.from({ length: source.folder === undefined ? 1 : 4 }, worker));
  const left = indices.filter((_, i) => kept[i]);
  let to = 0;
  for (let at = 0; at < indices.length; at++)
    if (kept[at]) {
      if (to !== at) pixels.copyWithin(to * size, at * size, (at + 1) * size);
      to++;
    }
  return { data: new PixelData(source, left, pixels.subarray(0, to * size), code), unreadable };
}

/** Says which images could not be read. */
export function tellUnreadable(unreadable: readonly Unreadable[], terminal: Terminal): void {
  if (unreadable.length === 0) return;
  terminal.warn(
    `${count(unreadable.length, 'image')} cannot be read and ${unreadable.length === 1 ? 'is' : 'are'} left out (--strict makes this an error):`,
  );
  for (const { reason } of unreadable.slice(0, 5)) process.stderr.write(`  ${printable(reason, 200)}\n`);
  if (unreadable.length > 5) process.stderr.write(`  and ${unreadable.length - 5} more\n`);
}

/** Sizes and colours of a sample of the images, without decoding files. */
async function look(source: ImageSource): Promise<{ sizes: [number, number][]; color: boolean }> {
  const step = Math.max(1, Math.floor(source.length / 256));
  const sizes: [number, number][] = [];
  let color = false;
  for (let i = 0; i < source.length; i += step) {
    if (!source.path) {
      const { shape } = await source.get(i);
      const [h, w, c] =
        shape.length === 2 ? [...shape, 1] : source.layout === 'hwc' ? shape : [shape[1], shape[2], shape[0]];
      sizes.push([h, w]);
      color ||= c > 1;
      break; // arrays hold images of one size
    }
    const meta = await sharp(source.path(i))
      .metadata()
      .catch(() => undefined);
    if (!meta?.width || !meta.height) continue;
    const turned = (meta.orientation ?? 1) >= 5;
    sizes.push(turned ? [meta.width, meta.height] : [meta.height, meta.width]);
    color ||= meta.channels > 2;
  }
  return { sizes, color };
}

/** The size that images are brought to: their own if all are alike and small, else a square of at most 64 pixels. */
function chooseSize(sizes: readonly (readonly [number, number])[]): [number, number] {
  if (sizes.length === 0) return [64, 64];
  const [h, w] = sizes[0];
  if (Math.max(h, w) <= 96 && Math.min(h, w) >= 4 && sizes.every(([a, b]) => a === h && b === w)) return [h, w];
  const shorter = sizes.map(([a, b]) => Math.min(a, b)).sort((a, b) => a - b);
  const side = Math.min(64, Math.max(8, Math.floor(shorter[shorter.length >> 1] / 4) * 4));
  return [side, side];
}

const sizesText = (sizes: readonly (readonly [number, number])[]): string => {
  const kinds = [...new Set(sizes.map(([h, w]) => `${h} x ${w}`))];
  if (kinds.length <= 3) return kinds.join(', ');
  const range = (axis: 0 | 1) => {
    const all = sizes.map((s) => s[axis]);
    return `${Math.min(...all)}-${Math.max(...all)}`;
  };
  return `${range(0)} x ${range(1)} (${kinds.length} different)`;
};

/** Prepares images for training: says what was found, cuts, decodes, measures. */
export async function prepareImages(
  found: Found,
  path: string,
  request: ImageRequest,
  terminal: Terminal,
): Promise<Prepared & { readonly train: PixelData; readonly val?: PixelData; readonly test?: PixelData }> {
  const parts = await openImages(found, path);
  const { classes } = parts.train;
  if (classes.length < 2)
    throw new UsageError(
      `${path} has only one class (${someOf(classes)}); a classifier needs two or more, each in a folder of its own`,
    );
  const given = {
    val: typeof request.val === 'string' ? await openImageSet(request.val, classes) : parts.val,
    test: typeof request.test === 'string' ? await openImageSet(request.test, classes) : parts.test,
  };
  const { sizes, color } = await look(parts.train);
  const [height, width] = request.imageSize ?? chooseSize(sizes);
  terminal.heading('Data');
  terminal.say(
    `  ${found.format} ${path}: ${count(parts.train.length, 'image')}, ${color ? 'colour' : 'grey'}, ${sizesText(sizes)} pixels`,
  );
  const start: ImageCode = {
    kind: 'image',
    classes: [...classes],
    channels: color ? 3 : 1,
    height,
    width,
    mean: color ? [0, 0, 0] : [0],
    std: color ? [1, 1, 1] : [1],
  };
  const indices = cut(parts.train.labels, true, request, {
    val: given.val !== undefined,
    test: given.test !== undefined,
  });
  const unreadable: Unreadable[] = [];
  const decode = async (source: ImageSource, chosen: readonly number[], code: ImageCode) => {
    const result = await decodeAll(source, chosen, code, request.strict);
    unreadable.push(...result.unreadable);
    return result.data;
  };
  const raw = await decode(parts.train, indices.train, start);
  if (raw.length === 0)
    throw new UsageError(`${path}: none of the ${count(indices.train.length, 'image')} to train on can be read`);
  const every = Math.max(1, Math.floor(raw.length / 5000));
  const sampled = Array.from({ length: Math.ceil(raw.length / every) }, (_, i) => raw.pixels(i * every));
  const code: ImageCode = { ...start, ...channelMoments(sampled, start) };
  const limited = (source: ImageSource) => subset(source.labels, true, request.limit ?? source.length, request.seed);
  const open = async (source: ImageSource | undefined, cutOut: readonly number[]) => {
    if (source) return await decode(source, limited(source), code);
    return cutOut.length > 0 ? await decode(parts.train, cutOut, code) : undefined;
  };
  const val = await open(given.val, indices.val);
  const test = await open(given.test, indices.test);
  tellUnreadable(unreadable, terminal);
  return {
    task: 'image-classification',
    preprocess: code,
    classes,
    inputShape: [code.channels, height, width],
    train: raw.recoded(code),
    val,
    test,
    description: {
      format: found.format,
      path,
      images: parts.train.length,
      sizes: sizesText(sizes),
      unreadable: unreadable.length,
    },
  };
}

/** Opens images to evaluate on, prepared as a run prepared its own. */
export async function loadImages(
  path: string,
  code: ImageCode,
  { strict, limit, seed }: { strict: boolean; limit: number | undefined; seed: number },
  terminal: Terminal,
): Promise<PixelData> {
  const source = await openImageSet(path, code.classes);
  const chosen = subset(source.labels, true, limit ?? source.length, seed);
  const { data, unreadable } = await decodeAll(source, chosen, code, strict);
  tellUnreadable(unreadable, terminal);
  if (data.length === 0) throw new UsageError(`${path}: none of its images can be read`);
  return data;
}

/** The images that training held out, cut again from its data. */
export async function heldOut(
  path: string,
  code: ImageCode,
  request: ImageRequest,
  part: 'val' | 'test',
): Promise<PixelData | undefined> {
  const asked = request[part];
  if (typeof asked === 'string') return (await decodeAll(...(await whole(asked, code)), code, false)).data;
  const parts = await openImages(await detect(path), path, code.classes);
  const given = {
    val: parts.val !== undefined || typeof request.val === 'string',
    test: parts.test !== undefined || typeof request.test === 'string',
  };
  const own = parts[part];
  if (own) {
    const chosen = subset(own.labels, true, request.limit ?? own.length, request.seed);
    return (await decodeAll(own, chosen, code, false)).data;
  }
  const indices = cut(parts.train.labels, true, request, given)[part];
  return indices.length > 0 ? (await decodeAll(parts.train, indices, code, false)).data : undefined;
}

async function whole(path: string, code: ImageCode): Promise<[ImageSource, number[]]> {
  const source = await openImageSet(path, code.classes);
  return [source, Array.from({ length: source.length }, (_, i) => i)];
}
