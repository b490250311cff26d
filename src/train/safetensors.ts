/**
 * @file Reading and writing safetensors, the tensor file format of Hugging Face and PyTorch users:
 * https://huggingface.co/docs/safetensors. Whole files in memory, or lazily from disk, one or many shards.
 */
/// <reference lib="esnext.disposable" preserve="true" />
import { type DType, dtypes, type NumericArray } from '../ir/dtype.ts';
import { ArgumentError, DTypeError, FormatError, GradusError, ShapeError, UnsupportedError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import { formatShape, sizeOf } from '../ir/shape.ts';
import { fileError, readFileBounded, resolveInside, writeFileAtomic } from './files.ts';
import { nodeFiles } from './node-files.ts';
import {
  elementTypeOf,
  encodeHeader,
  headerLength,
  parseHeader,
  type SafetensorsEntry,
  type SafetensorsHeader,
  where,
} from './safetensors-header.ts';

export type NamedTensors = ReadonlyMap<string, NDArray> | Readonly<Record<string, NDArray>>;

export interface Safetensors {
  /** In the order of the header. */
  readonly tensors: Map<string, NDArray>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a whole file from memory. The tensors are copies: the bytes may be dropped or changed afterwards.
 * float16 and bfloat16 stay 16 raw bits; int64 and uint64 become float64 storage (see ir/dtype.ts).
 * @param source Name of the file for messages.
 * @throws FormatError for truncated, corrupt or lying files and for 64-bit integers beyond 2^53 - 1;
 * UnsupportedError for element types that Gradus does not hold (8-bit floats, complex numbers).
 */
export function parseSafetensors(bytes: Uint8Array, source = 'safetensors'): Safetensors {
  const { entries, metadata, dataStart } = headerOf(bytes, source);
  const tensors = new Map<string, NDArray>();
  for (const entry of entries.values()) {
    const array = allocate(entry, source);
    bytesOf(array).set(bytes.subarray(dataStart + entry.start, dataStart + entry.end));
    tensors.set(entry.name, decode(array, entry, source));
  }
  return { tensors, metadata };
}

function headerOf(bytes: Uint8Array, source: string): SafetensorsHeader {
  const length = headerLength(bytes.subarray(0, 8), bytes.length, source);
  return parseHeader(bytes.subarray(8, 8 + length), bytes.length, source);
}

/**
 * Tensors as one safetensors file in memory: byte for byte what the reference writer (Python, Rust) gives for the same
 * tensors, if metadata has one key at most (the reference does not order them).
 * @throws DTypeError, ShapeError or ArgumentError naming the tensor.
 */
export function writeSafetensors(tensors: NamedTensors, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const { size, chunks } = layout(tensors, metadata);
  const out = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

/**
 * Writes a safetensors file atomically, chunk by chunk: the tensors are not copied.
 * @returns Size of the file in bytes.
 * @throws As `writeSafetensors`, and FileError when the disk is full or the path cannot be written; the old file of
 * that name is then unchanged.
 */
export async function saveSafetensors(
  path: string,
  tensors: NamedTensors,
  metadata: Readonly<Record<string, string>> = {},
): Promise<number> {
  return writeFileAtomic(path, layout(tensors, metadata).chunks);
}

/** A safetensors file on disk whose tensors are read when asked for. Close it after use, or `await using`. */
export interface SafetensorsReader {
  readonly metadata: Readonly<Record<string, string>>;
  /** Name, dtype and shape of every tensor, in the order of the header; nothing is read. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  /**
   * Reads one tensor, straight into its array.
   * @throws ArgumentError for a name that is not in the file; else as `parseSafetensors`.
   */
  read(name: string): Promise<NDArray>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Opens a safetensors file and checks its header against its size; Node only.
 * @throws FileError when it cannot be opened, FormatError when it is not a sound safetensors file.
 */
export async function openSafetensors(path: string): Promise<SafetensorsReader> {
  const { fs } = nodeFiles();
  const file = await fs.open(path, 'r').catch((error) => {
    throw fileError('open', path, error, 0);
  });
  async function fill(target: Uint8Array, position: number): Promise<void> {
    for (let at = 0; at < target.length; ) {
      const { bytesRead } = await file.read(target, at, Math.min(target.length - at, 1 << 28), position + at);
      if (bytesRead === 0) throw new FormatError(`${path}: ends at byte ${position + at}: it was truncated while open`);
      at += bytesRead;
    }
  }
  async function guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw error instanceof GradusError ? error : fileError('read', path, error, 0);
    }
  }
  try {
    const { entries, metadata, dataStart } = await guarded(async () => {
      const { size } = await file.stat();
      const first = new Uint8Array(8);
      if (size >= 8) await fill(first, 0);
      const json = new Uint8Array(headerLength(first, size, path));
      await fill(json, 8);
      return parseHeader(json, size, path);
    });
    const close = () => file.close();
    return {
      metadata,
      entries,
      close,
      [Symbol.asyncDispose]: close,
      read: (name) =>
        guarded(async () => {
          const entry = entries.get(name);
          if (entry === undefined) throw noSuchTensor(name, path, entries.keys());
          const array = allocate(entry, path);
          await fill(bytesOf(array), dataStart + entry.start);
          return decode(array, entry, path);
        }),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** All tensors of a file on disk, holding one copy in memory; Node only. */
export async function loadSafetensors(path: string): Promise<Safetensors> {
  const reader = await openSafetensors(path);
  try {
    return { tensors: await readAll(reader), metadata: reader.metadata };
  } finally {
    await reader.close();
  }
}

async function readAll(reader: SafetensorsReader): Promise<Map<string, NDArray>> {
  const tensors = new Map<string, NDArray>();
  for (const name of reader.entries.keys()) tensors.set(name, await reader.read(name));
  return tensors;
}

/**
 * Opens a model stored in shards by its index (`model.safetensors.index.json`); Node only. Shards are opened at once,
 * tensors read when asked for; `metadata` is that of the index, numbers turned to text.
 * @throws FormatError for a broken index, a shard name that leaves the folder, or a tensor that its shard lacks.
 */
export async function openShardedSafetensors(indexPath: string): Promise<SafetensorsReader> {
  const { path: paths } = nodeFiles();
  const folder = paths.dirname(indexPath);
  const index = parseIndex(await readFileBounded(indexPath, 100_000_000), indexPath);
  const shards = new Map<string, SafetensorsReader>();
  const close = async () => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    const entries = new Map<string, SafetensorsEntry>();
    for (const [name, shardName] of index.weightMap) {
      let shard = shards.get(shardName);
      if (shard === undefined) {
        shard = await openSafetensors(shardPath(folder, shardName, indexPath));
        shards.set(shardName, shard);
      }
      const entry = shard.entries.get(name);
      if (entry === undefined)
        throw new FormatError(`${where(indexPath, name)}: the index says it is in ${shardName}, which lacks it`);
      entries.set(name, entry);
    }
    return {
      metadata: index.metadata,
      entries,
      close,
      [Symbol.asyncDispose]: close,
      read: async (name) => {
        const shard = shards.get(index.weightMap.get(name) ?? '');
        if (shard === undefined) throw noSuchTensor(name, indexPath, entries.keys());
        return shard.read(name);
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function shardPath(folder: string, name: string, indexPath: string): string {
  try {
    return resolveInside(folder, name);
  } catch (error) {
    throw new FormatError(`${indexPath}: ${error instanceof Error ? error.message : error}`);
  }
}

function parseIndex(bytes: Uint8Array, source: string) {
  let root: unknown;
  try {
    root = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new FormatError(`${source}: not JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (typeof root !== 'object' || root === null || !('weight_map' in root))
    throw new FormatError(`${source}: expected an object with weight_map`);
  const { weight_map: map, metadata } = root as { weight_map: unknown; metadata?: unknown };
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    throw new FormatError(`${source}: weight_map is not an object of tensor names and file names`);
  const weightMap = new Map<string, string>();
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== 'string') throw new FormatError(`${where(source, name)}: its file name is not a string`);
    weightMap.set(name, shard);
  }
  const texts = Object.entries(typeof metadata === 'object' && metadata !== null ? metadata : {});
  return { weightMap, metadata: Object.fromEntries(texts.map(([key, value]) => [key, String(value)])) };
}

function noSuchTensor(name: string, source: string, names: Iterable<string>): ArgumentError {
  const some = [...names].slice(0, 5).join(', ');
  return new ArgumentError(
    `${where(source, name)} is not in the file; it holds ${some === '' ? 'none' : `${some}, ...`}`,
  );
}

/** An array for this tensor. Storage bytes equal file bytes for every dtype, so the file is read straight into it. */
function allocate(entry: SafetensorsEntry, source: string): NumericArray {
  const { dtype } = entry;
  if (dtype === undefined)
    throw new UnsupportedError(
      `${where(source, entry.name)}: elements of type ${entry.type} are not supported; convert it to float32, float16 or bfloat16`,
    );
  return new dtypes[dtype].array((entry.end - entry.start) / dtypes[dtype].bytes);
}

function bytesOf(array: NumericArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

const two32 = 2 ** 32;

/** Turns file elements, lying in the array's memory, into their form in JavaScript, in place. */
function decode(array: NumericArray, entry: SafetensorsEntry, source: string): NDArray {
  const dtype = entry.dtype as DType;
  if (dtype === 'bool') for (let i = 0; i < array.length; i++) array[i] = array[i] === 0 ? 0 : 1;
  if (dtype === 'int64' || dtype === 'uint64') {
    const low = new Uint32Array(array.buffer);
    const high = dtype === 'int64' ? new Int32Array(array.buffer) : low;
    for (let i = 0; i < array.length; i++) {
      const value = high[2 * i + 1] * two32 + low[2 * i];
      if (!Number.isSafeInteger(value))
        throw new FormatError(
          `${where(source, entry.name)}: element ${i} is about ${value}: ${dtype} is held exactly only within ±(2^53 - 1)`,
        );
      array[i] = value;
    }
  }
  return { data: array, shape: entry.shape, dtype };
}

/** Checks the tensors, places them as the reference writer does (widest elements first), and streams the file. */
function layout(tensors: NamedTensors, metadata: Readonly<Record<string, string>>) {
  const items: { name: string; tensor: NDArray; type: string; rank: number; bytes: number }[] = [];
  for (const [name, tensor] of isMap(tensors) ? tensors : Object.entries(tensors)) {
    const at = where('safetensors', name);
    const element = elementTypeOf(tensor.dtype);
    if (element === undefined) throw new DTypeError(`${at}: dtype ${tensor.dtype} cannot be stored`);
    const { array, bytes } = dtypes[tensor.dtype];
    if (!(tensor.data instanceof array))
      throw new DTypeError(
        `${at}: dtype ${tensor.dtype} is held in a ${array.name}, found ${tensor.data.constructor.name}`,
      );
    if (sizeOf(tensor.shape) !== tensor.data.length)
      throw new ShapeError(
        `${at}: shape ${formatShape(tensor.shape)} holds ${sizeOf(tensor.shape)} elements, the data has ${tensor.data.length}`,
      );
    if (name === '__metadata__') throw new ArgumentError(`${at}: this name is kept for metadata; rename the tensor`);
    items.push({ name, tensor, ...element, bytes: tensor.data.length * bytes });
  }
  items.sort((a, b) => b.rank - a.rank || (a.name < b.name ? -1 : 1));
  let end = 0;
  const entries = items.map(({ name, tensor, type, bytes }): SafetensorsEntry => {
    const start = end;
    end += bytes;
    return { name, type, dtype: tensor.dtype, shape: tensor.shape, start, end };
  });
  const header = encodeHeader(entries, metadata);
  function* chunks(): Generator<Uint8Array> {
    yield header;
    for (const { name, tensor } of items) yield* encode(tensor, name);
  }
  return { size: header.length + end, chunks: chunks() };
}

function isMap(tensors: NamedTensors): tensors is ReadonlyMap<string, NDArray> {
  return tensors instanceof Map;
}

/** The elements as they lie in the file: a view where memory and file agree, else converted chunk by chunk. */
function* encode({ data, dtype }: NDArray, name: string): Generator<Uint8Array> {
  if (dtype === 'bool') {
    for (let at = 0; at < data.length; at += 65536)
      yield Uint8Array.from(data.subarray(at, at + 65536), (v) => +(v !== 0));
  } else if (dtype === 'int64' || dtype === 'uint64') {
    for (let at = 0; at < data.length; at += 65536) {
      const part = data.subarray(at, at + 65536);
      const words = new Int32Array(part.length * 2);
      for (let i = 0; i < part.length; i++) {
        const value = part[i];
        if (!Number.isSafeInteger(value) || (dtype === 'uint64' && value < 0))
          throw new DTypeError(
            `${where('safetensors', name)}: element ${at + i} is ${value}: ${dtype} takes integers ${dtype === 'int64' ? 'within ±' : 'from 0 to '}(2^53 - 1)`,
          );
        words[2 * i] = value % two32;
        words[2 * i + 1] = Math.floor(value / two32);
      }
      yield bytesOf(words);
    }
  } else yield bytesOf(data);
}
