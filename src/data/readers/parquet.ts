/** @file Parquet files. */
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
