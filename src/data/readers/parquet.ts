/** @file Parquet files. */
import { open } from 'node:fs/promises';
import { parquetMetadata } from 'hyparquet';
import { FormatError } from '../../ir/errors.ts';
import type { ParquetOptions, ParquetRow } from '../formats/parquet.ts';
import { checkPath } from './files.ts';
import { parseApart } from './parquet-apart.ts';

/**
 * Rows of a Parquet file (uncompressed, Snappy or gzip), decoded in a process of its own with limits of time and memory
 * (see `parseParquet`).
 * @throws FormatError for damaged or hostile files, UnsupportedError for other codecs.
 */
export async function readParquet(path: string, options: ParquetOptions = {}): Promise<ParquetRow[]> {
  await checkPath(path, 'file');
  return await parseApart(path, options);
}

/** A footer describes columns and row groups; larger ones are no tables of texts or numbers. */
const maxFooter = 64_000_000;

/**
 * Names of the classes behind integer columns, by column, as Python's datasets notes them in the files that it writes
 * (features of type ClassLabel, under the key `huggingface`). Empty where the file says nothing.
 * @throws FormatError for a file that is no Parquet file.
 */
export async function readParquetClassNames(path: string): Promise<Record<string, readonly string[]>> {
  await checkPath(path, 'file');
  const footer = await footerOf(path);
  let noted: string | undefined;
  try {
    noted = parquetMetadata(footer).key_value_metadata?.find(({ key }) => key === 'huggingface')?.value;
  } catch (cause) {
    throw new FormatError(`${path}: damaged Parquet file (${cause instanceof Error ? cause.message : cause})`, {
      cause,
    });
  }
  const features = at(at(parsed(noted), 'info'), 'features');
  const names: Record<string, readonly string[]> = {};
  if (typeof features !== 'object' || features === null) return names;
  for (const [column, feature] of Object.entries(features)) {
    const list = at(feature, '_type') === 'ClassLabel' ? at(feature, 'names') : undefined;
    if (Array.isArray(list) && list.every((name): name is string => typeof name === 'string')) names[column] = list;
  }
  return names;
}

/** The end of a file: metadata, its length, and the magic bytes. */
async function footerOf(path: string): Promise<ArrayBuffer> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const end = new Uint8Array(8);
    if (size >= 12) await file.read(end, 0, 8, size - 8);
    const length = new DataView(end.buffer).getUint32(0, true) + 8;
    if (new TextDecoder().decode(end.subarray(4)) !== 'PAR1' || length > Math.min(size, maxFooter))
      throw new FormatError(`${path}: damaged Parquet file (no footer within its ${size} bytes)`);
    const footer = new Uint8Array(length);
    await file.read(footer, 0, length, size - length);
    return footer.buffer;
  } finally {
    await file.close();
  }
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

/** Metadata that is no JSON says nothing. */
function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
