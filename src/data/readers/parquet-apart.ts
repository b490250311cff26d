/** @file Parquet parsed in a process of its own that is stopped when it takes too much time or memory. */
import { ArgumentError, FormatError } from '../../ir/errors.ts';
import { MAX_BYTES } from '../formats/bytes.ts';
import type { ParquetOptions, ParquetRow } from '../formats/parquet.ts';
import { startProcess } from '../node-worker.ts';
import { type PortableError, reviveError } from '../portable-error.ts';

/** What the process is asked: the bytes of a file, or where they are. */
export interface ParquetRequest {
  readonly source: Uint8Array | string;
  readonly options: ParquetOptions;
}

/** What it answers. */
export type ParquetReply = { readonly rows: ParquetRow[] } | { readonly error: PortableError };

/** Decodes bytes, or the file at a path, within limits of time and memory. */
export type ParseApart = (source: Uint8Array | string, options: ParquetOptions) => Promise<ParquetRow[]>;

/** Most seconds that a timer of JavaScript can wait for. */
const MAX_SECONDS = 2_147_483;

/**
 * Decodes in a child process with a limit of heap, and ends it after `timeout` seconds (60).
 * @throws FormatError for damaged or hostile files, UnsupportedError for other codecs; ArgumentError for the timeout.
 */
export const parseApart: ParseApart = async (source, { timeout = 60, ...options }) => {
  if (!(timeout > 0 && timeout <= MAX_SECONDS))
    throw new ArgumentError(`timeout must be a number of seconds above 0 and at most ${MAX_SECONDS}, found ${timeout}`);
  const name = options.name ?? (typeof source === 'string' ? source : 'the data');
  // Rows as objects take several times the space of their values, within what a machine has.
  const heap = Math.min(16_384, Math.max(128, Math.ceil((options.maxBytes ?? MAX_BYTES) / 2 ** 20)));
  const child = startProcess(new URL('./parquet-process.ts', import.meta.url), heap);
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<ParquetRow[]>((resolve, reject) => {
      const hostile = (what: string): void =>
        reject(new FormatError(`${name}: ${what}; the file is damaged or hostile, or raise maxBytes and timeout`));
      const failed = (cause: Error): void =>
        reject(new FormatError(`${name}: the Parquet decoder failed (${cause.message})`, { cause }));
      timer = setTimeout(() => hostile(`not parsed within ${timeout} s`), timeout * 1000);
      child.once('message', (reply: ParquetReply) =>
        'rows' in reply ? resolve(reply.rows) : reject(reviveError(reply.error)),
      );
      child.once('error', failed);
      child.once('exit', (code, signal) =>
        hostile(`the decoder ran out of memory or ended early (${signal ?? `code ${code}`})`),
      );
      child.send({ source, options: { ...options, name } } satisfies ParquetRequest, (error) => error && failed(error));
    });
  } finally {
    clearTimeout(timer);
    child.removeAllListeners();
    child.on('error', () => undefined); // a late failure of a process that is being ended
    child.kill('SIGKILL');
  }
};
