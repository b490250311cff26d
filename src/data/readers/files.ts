/** @file Bytes of files, decompressed if they are gzip, bounded. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { ArgumentError, DataError } from '../../ir/errors.ts';
import { inflate, join, type ReadOptions, tooLarge, withDefaults } from '../formats/bytes.ts';

/** @throws ArgumentError for what does not exist or is of the wrong kind, DataError for other failures. */
export async function checkPath(path: string, kind: 'file' | 'folder'): Promise<void> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')
      throw new ArgumentError(`${path}: no such ${kind}`, { cause });
    throw new DataError(`${path}: cannot be read (${cause.code ?? cause.message})`, { cause });
  });
  const fits = kind === 'folder' ? found.isDirectory() : !found.isDirectory();
  if (!fits) throw new ArgumentError(`${path}: expected a ${kind}, found a ${kind === 'file' ? 'folder' : 'file'}`);
}

/** The bytes of a file in chunks, through gunzip if it is gzip. @throws as `checkPath` and `inflate`. */
export async function* streamFile(path: string, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
  await checkPath(path, 'file');
  yield* inflate(readChunks(path), { name: path, ...options });
}

async function* readChunks(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path, { highWaterMark: 2 ** 18 });
  } catch (cause) {
    throw new DataError(`${path}: reading failed (${cause instanceof Error ? cause.message : cause})`, { cause });
  }
}

/** All bytes of a file as they are stored. @throws as `checkPath`, FormatError beyond `maxBytes`. */
export async function readStoredBytes(path: string, options: ReadOptions = {}): Promise<Uint8Array> {
  const { name, maxBytes } = withDefaults({ name: path, ...options });
  await checkPath(path, 'file');
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of readChunks(path)) {
    size += chunk.length;
    if (size > maxBytes) tooLarge(name, maxBytes);
    chunks.push(chunk);
  }
  return join(chunks);
}

/** All bytes of a file, through gunzip if it is gzip. @throws as `streamFile`. */
export async function readFileBytes(path: string, options: ReadOptions = {}): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of streamFile(path, options)) chunks.push(chunk);
  return join(chunks);
}
