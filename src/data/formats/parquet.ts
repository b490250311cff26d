/** @file Parquet to rows (hyparquet), with the claims of its headers checked first. */

import { gunzipSync } from 'fflate';
import { type FileMetaData, parquetMetadata, parquetReadObjects } from 'hyparquet';
import { parseApart } from '#data-workers';
import { FormatError, GradusError, UnsupportedError } from '../../ir/errors.ts';
import { type ReadOptions, tooLarge, withDefaults } from './bytes.ts';

/** One row by column name: numbers, strings, booleans, null, dates, lists and records of these. */
export type ParquetRow = Record<string, unknown>;

/** Options of the Parquet readers. */
export interface ParquetOptions extends ReadOptions {
  /** Columns to read. Default: all. */
  readonly columns?: readonly string[];
  /** First row, and the row after the last. Default: all. */
  readonly rowStart?: number;
  readonly rowEnd?: number;
  /** Seconds before a file counts as hostile (Node). Default 60. */
  readonly timeout?: number;
}

/** The codecs read here; others would need their own library. */
const CODECS = new Set(['UNCOMPRESSED', 'SNAPPY', 'GZIP']);

/** @throws FormatError or UnsupportedError when the metadata cannot be true of this many bytes. */
function check(metadata: FileMetaData, size: number, name: string, maxBytes: number): void {
  let cells = 0;
  let rows = 0;
  for (const group of metadata.row_groups) {
    const groupRows = Number(group.num_rows);
    if (!(groupRows >= 0)) throw new FormatError(`${name}: a row group claims ${groupRows} rows`);
    rows += groupRows;
    for (const { meta_data: column, file_path: path } of group.columns) {
      if (column === undefined || path) throw new FormatError(`${name}: a column keeps its data in another file`);
      if (!CODECS.has(column.codec))
        throw new UnsupportedError(
          `${name}: column '${column.path_in_schema.join('.')}' is compressed with ${column.codec}; supported: ${[...CODECS].join(', ')}`,
        );
      const start = Number(column.dictionary_page_offset || column.data_page_offset);
      const length = Number(column.total_compressed_size);
      if (!(start >= 4 && length >= 0 && start + length <= size))
        throw new FormatError(
          `${name}: column '${column.path_in_schema.join('.')}' claims bytes ${start} to ${start + length} of ${size}`,
        );
      // Pages decompress into memory reserved by their own claims: bounded by what the codecs can make of the bytes.
      if (Number(column.total_uncompressed_size) > maxBytes) tooLarge(name, maxBytes);
      cells += Number(column.num_values);
    }
  }
  if (!(cells * 8 <= maxBytes && rows * 8 <= maxBytes)) tooLarge(name, maxBytes);
}

function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (Array.isArray(value)) return value.map(plainValue);
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plainValue(v)]));
  return value;
}

/**
 * Rows of a Parquet file (uncompressed, Snappy or gzip). 64-bit integers become numbers where exact, else stay bigint.
 * The decoder trusts run lengths within pages, so a hostile file could keep it busy for ever or exhaust the heap: in Node
 * it therefore runs in a process of its own, with limits of both. A browser has no such process: give files from strangers
 * to a Web Worker there, and terminate it when it takes too long.
 * @throws FormatError for damaged or hostile files, or more data than `maxBytes`; UnsupportedError for other codecs.
 */
export async function parseParquet(bytes: Uint8Array, options: ParquetOptions = {}): Promise<ParquetRow[]> {
  return parseApart ? await parseApart(bytes, options) : await decodeParquet(bytes, options);
}

/** `parseParquet` in this very process, with no limit of time. */
export async function decodeParquet(bytes: Uint8Array, options: ParquetOptions = {}): Promise<ParquetRow[]> {
  const { name, maxBytes } = withDefaults(options);
  const file = bytes.slice().buffer as ArrayBuffer;
  try {
    if (bytes.length < 12) throw new FormatError(`${name}: ${bytes.length} bytes are too few for a Parquet file`);
    const metadata = parquetMetadata(file);
    check(metadata, bytes.length, name, maxBytes);
    const names = new Set(metadata.schema.slice(1).map((element) => element.name));
    const missing = options.columns?.find((column) => !names.has(column));
    if (missing !== undefined)
      throw new FormatError(`${name}: no column '${missing}'; it has ${[...names].join(', ')}`);
    const rows = await parquetReadObjects({
      file,
      metadata,
      columns: options.columns ? [...options.columns] : undefined,
      rowStart: options.rowStart,
      rowEnd: options.rowEnd,
      compressors: { GZIP: (input: Uint8Array, length: number) => gunzipPage(input, length, name) },
    });
    return rows.map((row) => plainValue(row) as ParquetRow);
  } catch (cause) {
    if (cause instanceof GradusError) throw cause;
    throw new FormatError(`${name}: damaged Parquet file (${cause instanceof Error ? cause.message : cause})`, {
      cause,
    });
  }
}

function gunzipPage(input: Uint8Array, length: number, name: string): Uint8Array {
  if (length > input.length * 1032 + 1032)
    throw new FormatError(`${name}: a page claims ${length} bytes from ${input.length} compressed ones`);
  return gunzipSync(input, { out: new Uint8Array(length) });
}
