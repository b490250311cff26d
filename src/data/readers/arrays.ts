/** @file Files that hold arrays or records: IDX, CIFAR, NumPy, WAV, tar, JSON lines. */
import { ArgumentError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import type { ReadOptions } from '../formats/bytes.ts';
import { type LabelledImages, parseCifar10, parseCifar100 } from '../formats/cifar.ts';
import { parseIdx } from '../formats/idx.ts';
import { type JsonlOptions, jsonlFromBytes } from '../formats/jsonl.ts';
import { parseNpy, parseNpz } from '../formats/npy.ts';
import { parseTar, type TarEntry } from '../formats/tar.ts';
import { parseWav, type Sound, type WavOptions } from '../formats/wav.ts';
import { StreamDataset } from '../stream.ts';
import { readFileBytes, streamFile } from './files.ts';

const named = <O extends ReadOptions>(path: string, options: O): O => ({ name: path, ...options });

/** The files in a tar archive, gzip or not; see `parseTar`. */
export async function readTar(path: string, options: ReadOptions = {}): Promise<TarEntry[]> {
  return parseTar(await readFileBytes(path, options), named(path, options));
}

/** The array of an IDX file, gzip or not (MNIST: images [N, 28, 28] uint8, labels [N] uint8). */
export async function readIdx(path: string, options: ReadOptions = {}): Promise<NDArray> {
  return parseIdx(await readFileBytes(path, options), named(path, options));
}

/** Images and labels of CIFAR-10 binary files, gzip or not, one after the other. */
export async function readCifar10(
  paths: string | readonly string[],
  options: ReadOptions = {},
): Promise<LabelledImages> {
  const parts: LabelledImages[] = [];
  if (paths.length === 0) throw new ArgumentError('readCifar10: expected at least one path');
  for (const path of typeof paths === 'string' ? [paths] : paths)
    parts.push(parseCifar10(await readFileBytes(path, options), named(path, options)));
  return { images: joinRows(parts.map((p) => p.images)), labels: joinRows(parts.map((p) => p.labels)) };
}

/** Images and labels of a CIFAR-100 binary file, gzip or not. */
export async function readCifar100(
  path: string,
  options: ReadOptions & { coarse?: boolean } = {},
): Promise<LabelledImages> {
  return parseCifar100(await readFileBytes(path, options), named(path, options));
}

function joinRows(parts: readonly NDArray[]): NDArray {
  const first = parts[0];
  const total = parts.reduce((sum, p) => sum + p.data.length, 0);
  const data = new (first.data.constructor as new (n: number) => NDArray['data'])(total);
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { data, shape: [parts.reduce((sum, p) => sum + p.shape[0], 0), ...first.shape.slice(1)], dtype: first.dtype };
}

/** The array of a NumPy .npy file. */
export async function readNpy(path: string, options: ReadOptions = {}): Promise<NDArray> {
  return parseNpy(await readFileBytes(path, options), named(path, options));
}

/** The arrays of a NumPy .npz file by name. */
export async function readNpz(path: string, options: ReadOptions = {}): Promise<Record<string, NDArray>> {
  return parseNpz(await readFileBytes(path, options), named(path, options));
}

/** The sound of a WAV file: samples [channels, length] float32 and the rate. */
export async function readWav(path: string, options: WavOptions = {}): Promise<Sound> {
  return parseWav(await readFileBytes(path, options), named(path, options));
}

/** The values of a JSON lines file (gzip too), one by one in bounded memory. */
export function streamJsonl(path: string, options: JsonlOptions = {}): StreamDataset<unknown> {
  return new StreamDataset(() => jsonlFromBytes(streamFile(path, options), named(path, options)));
}

/** All values of a JSON lines file (gzip too). */
export async function readJsonl(path: string, options: JsonlOptions = {}): Promise<unknown[]> {
  const out: unknown[] = [];
  for await (const value of jsonlFromBytes(streamFile(path, options), named(path, options))) out.push(value);
  return out;
}
