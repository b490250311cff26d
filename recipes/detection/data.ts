/** @file Pictures with boxes in Pascal VOC's layout, and the targets of a detector; a module for worker threads. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ArgumentError, assignTargets, type Box, cleanBoxes, FormatError, type NDArray, type Objects } from 'gradus';
import { ArrayDataset, type Dataset, decodeImage, readTar, transforms } from 'gradus/data/node';
import { dataFile } from '../data.ts';

/** Kinds of blood cells in BCCD. */
export const classes = ['RBC', 'WBC', 'Platelets'];

/** A picture with what is in it. */
export interface Scene {
  readonly name: string;
  /** uint8 [3, height, width]. */
  readonly image: NDArray;
  /** Boxes in pixels of `image`, cleaned. */
  readonly objects: Objects;
}

export interface VocOptions {
  /** Folder with JPEGImages, Annotations and ImageSets/Main, or an archive (.tar.gz) of such a folder. */
  readonly source: string;
  readonly part: 'train' | 'val' | 'test';
  /** Height and width that all pictures are brought to. */
  readonly size: readonly [height: number, width: number];
  readonly limit?: number | undefined;
}

/**
 * Where the pictures are: `given` or GRADUS_DATA (bccd itself, or the folder that has it), else the archive of their
 * repository, downloaded once.
 */
export async function findCells(given = process.env.GRADUS_DATA): Promise<string> {
  if (given) return /bccd/i.test(given) ? given : join(given, 'bccd');
  const commit = 'd272fb14cdff6e473fafeeeba32aba5f560e9e43';
  const url = `https://codeload.github.com/Shenggan/BCCD_Dataset/tar.gz/${commit}`;
  return await dataFile({ name: 'bccd.tar.gz', url });
}

/** Reads files by their path below the folder, or in the archive. */
async function openFiles(source: string): Promise<(path: string) => Promise<Uint8Array>> {
  const found = await stat(source).catch((cause: unknown) => {
    throw new ArgumentError(`${source}: there is no such folder or archive of BCCD; see the recipe's README`, {
      cause,
    });
  });
  if (found.isDirectory()) return async (path) => await readFile(join(source, path));
  const entries = new Map<string, Uint8Array>();
  for (const { name, bytes } of await readTar(source))
    entries.set(/(JPEGImages|Annotations|ImageSets)\/.*$/.exec(name)?.[0] ?? name, bytes);
  return async (path) => {
    const bytes = entries.get(path);
    if (!bytes) throw new ArgumentError(`${source} has no file ${path}`);
    return bytes;
  };
}

/** The text of the first element of a name; '' where there is none. VOC's files have neither attributes nor nesting of a name. */
const textOf = (xml: string, name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1].trim() ?? '';

/**
 * Size and objects of an annotation, with the corners as they are written.
 * @throws FormatError for a size or a box that is no number, and for an unknown class.
 */
export function parseAnnotation(xml: string, name: string): { width: number; height: number; objects: Objects } {
  const number = (part: string, field: string) => {
    const text = textOf(part, field);
    if (text === '' || !Number.isFinite(Number(text)))
      throw new FormatError(`${name}: <${field}> is '${text}', expected a number`);
    return Number(text);
  };
  const [width, height] = [number(xml, 'width'), number(xml, 'height')];
  if (!(width > 0 && height > 0)) throw new FormatError(`${name}: the picture's size is ${width} x ${height}`);
  const boxes: Box[] = [];
  const labels: number[] = [];
  for (const part of xml.split('<object>').slice(1)) {
    const label = classes.indexOf(textOf(part, 'name'));
    if (label < 0)
      throw new FormatError(`${name}: unknown class '${textOf(part, 'name')}'; known: ${classes.join(', ')}`);
    const [x1, y1, x2, y2] = ['xmin', 'ymin', 'xmax', 'ymax'].map((field) => number(part, field));
    boxes.push([x1, y1, x2, y2]);
    labels.push(label);
  }
  return { width, height, objects: { boxes, labels } };
}

/** The annotations of one part by the names of its pictures, cleaned. @throws naming the file that cannot be read. */
export async function readAnnotations({ source, part, limit }: Omit<VocOptions, 'size'>) {
  const read = await openFiles(source);
  const text = async (path: string) => new TextDecoder().decode(await read(path));
  const list = `ImageSets/Main/${part}.txt`;
  const names = (await text(list)).split(/\s+/).filter(Boolean).slice(0, limit);
  if (!names.length) throw new ArgumentError(`${source}: ${list} names no picture`);
  return await Promise.all(
    names.map(async (name) => {
      const path = `Annotations/${name}.xml`;
      const { width, height, objects } = parseAnnotation(await text(path), join(source, path));
      return { name, width, height, objects: cleanBoxes(objects, width, height) };
    }),
  );
}

/** The pictures of one part, decoded and brought to one size. @throws naming the file that is missing or cannot be read. */
export async function readVoc({ size, ...options }: VocOptions): Promise<Scene[]> {
  const scenes: Scene[] = [];
  const read = await openFiles(options.source);
  for (const { name, width, height, objects } of await readAnnotations(options)) {
    const file = `JPEGImages/${name}.jpg`;
    const whole = await decodeImage(await read(file), { name: join(options.source, file) });
    const [across, down] = [size[1] / width, size[0] / height];
    scenes.push({
      name,
      image: planar(transforms.resizeImage(whole, size, { layout: 'hwc' })),
      objects: {
        boxes: objects.boxes.map(([x1, y1, x2, y2]): Box => [x1 * across, y1 * down, x2 * across, y2 * down]),
        labels: objects.labels,
      },
    });
  }
  return scenes;
}

/** [H, W, 3] to [3, H, W]. */
function planar({ data, shape: [height, width] }: NDArray): NDArray {
  const pixels = height * width;
  const out = new Uint8Array(3 * pixels);
  for (let p = 0; p < pixels; p++) for (let c = 0; c < 3; c++) out[c * pixels + p] = data[3 * p + c];
  return { data: out, shape: [3, height, width], dtype: 'uint8' };
}

const flips = { across: transforms.horizontalFlip, down: transforms.verticalFlip };

/** The same scene from left to right, or from top to bottom. */
export function mirrored({ name, image, objects }: Scene, direction: keyof typeof flips): Scene {
  const [, height, width] = image.shape;
  const turned = objects.boxes.map(
    ([x1, y1, x2, y2]): Box =>
      direction === 'across' ? [width - x2, y1, width - x1, y2] : [x1, height - y2, x2, height - y1],
  );
  return { name, image: flips[direction](image, { layout: 'chw' }), objects: { ...objects, boxes: turned } };
}

/** A part of a scene, from (left, top) on and `scale` times the size of the whole, enlarged to it. */
export function zoomed({ name, image, objects }: Scene, scale: number, left: number, top: number): Scene {
  const [, height, width] = image.shape;
  const [rows, columns] = [Math.round(height * scale), Math.round(width * scale)];
  const part = transforms.crop(image, top, left, rows, columns, { layout: 'chw' });
  const [across, down] = [width / columns, height / rows];
  const moved = objects.boxes.map(
    ([x1, y1, x2, y2]): Box => [(x1 - left) * across, (y1 - top) * down, (x2 - left) * across, (y2 - top) * down],
  );
  const cut = cleanBoxes({ ...objects, boxes: moved }, width, height);
  // Of an object that is mostly outside nobody could tell what it is.
  const area = ([x1, y1, x2, y2]: Box) => (x2 - x1) * (y2 - y1);
  const inside = cleanBoxes({ boxes: moved, labels: moved.map((_, i) => i) }, width, height).labels;
  const kept = cut.boxes.flatMap((box, i) => (area(box) >= 0.4 * area(moved[inside[i]]) ? [i] : []));
  return {
    name,
    image: transforms.resizeImage(part, [height, width], { layout: 'chw', antialias: false }),
    objects: { boxes: kept.map((i) => cut.boxes[i]), labels: kept.map((i) => cut.labels[i]) },
  };
}

const toFloat = transforms.toFloat({ layout: 'chw' });

export interface Sample {
  /** [3, height, width], 0 to 1. */
  readonly x: NDArray;
  readonly labels: NDArray;
  readonly boxes: NDArray;
  readonly centerness: NDArray;
}

const jitter = transforms.colorJitter({ brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.03, layout: 'chw' });

/** Samples with targets; mirrored, zoomed and tinted at random if wanted. Workers build their own copy by this. */
export default async function samples({ augment, ...options }: VocOptions & { augment: boolean }) {
  const data: Dataset<Scene> = new ArrayDataset(await readVoc(options));
  return data.map((whole, random): Sample => {
    let scene = whole;
    const [, height, width] = whole.image.shape;
    if (augment) {
      if (random.bernoulli(0.5)) scene = mirrored(scene, 'across');
      if (random.bernoulli(0.5)) scene = mirrored(scene, 'down');
      if (random.bernoulli(0.5)) {
        const scale = random.uniform(0.6, 1);
        const from = (size: number) => Math.floor(random.uniform(0, 1) * (size - Math.round(size * scale) + 1));
        scene = zoomed(scene, scale, from(width), from(height));
      }
    }
    const image = augment ? jitter(scene.image, random) : scene.image;
    return { x: toFloat(image), ...assignTargets(scene.objects, height, width) };
  });
}
