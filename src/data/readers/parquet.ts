/** @file Parquet files, parsed in a process of its own that is stopped when it takes too much time or memory. */
import { FormatError } from '../../ir/errors.ts';
import { MAX_BYTES } from '../formats/bytes.ts';
import type { ParquetOptions, ParquetRow } from '../formats/parquet.ts';
import { startProcess } from '../node-worker.ts';
import { type PortableError, reviveError } from '../portable-error.ts';
import { checkPath } from './files.ts';

/** What the process is asked. */
export interface ParquetRequest {
  readonly path: string;
  readonly options: ParquetOptions;
}

/** What it answers. */
export type ParquetReply = { readonly rows: ParquetRow[] } | { readonly error: PortableError };

/** Options of `readParquet`. */
export interface ReadParquetOptions extends ParquetOptions {
  /** Seconds before a file counts as hostile. Default 300. */
  readonly timeout?: number;
}

/**
 * Rows of a Parquet file (uncompressed, Snappy or gzip). The decoder trusts run lengths within pages, so a hostile file
 * could keep it busy for ever or exhaust the heap; it therefore runs in a process of its own, with limits of both.
 * @throws FormatError for damaged or hostile files, UnsupportedError for other codecs.
 */
export async function readParquet(
  path: string,
  { timeout = 300, ...options }: ReadParquetOptions = {},
): Promise<ParquetRow[]> {
  await checkPath(path, 'file');
  const name = options.name ?? path;
  // Rows as objects take several times the space of their values, within what a machine has.
  const heap = Math.min(16_384, Math.max(128, Math.ceil((options.maxBytes ?? MAX_BYTES) / 2 ** 20)));
  const child = startProcess(new URL('./parquet-process.ts', import.meta.url), heap);
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<ParquetRow[]>((resolve, reject) => {
      const hostile = (what: string): void =>
        reject(new FormatError(`${name}: ${what}; the file is damaged or hostile, or raise maxBytes and timeout`));
      timer = setTimeout(() => hostile(`not parsed within ${timeout} s`), timeout * 1000);
      child.once('message', (reply: ParquetReply) =>
        'rows' in reply ? resolve(reply.rows) : reject(reviveError(reply.error)),
      );
      child.once('error', (cause) =>
        reject(new FormatError(`${name}: the Parquet decoder failed (${cause.message})`, { cause })),
      );
      child.once('exit', (code, signal) =>
        hostile(`the decoder ran out of memory or ended early (${signal ?? `code ${code}`})`),
      );
      child.send({ path, options: { name: path, ...options } } satisfies ParquetRequest);
    });
  } finally {
    clearTimeout(timer);
    child.removeAllListeners();
    child.on('error', () => undefined); // a late failure of a process that is being ended
    child.kill('SIGKILL');
  }
}
