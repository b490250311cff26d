/** @file metrics.jsonl: one JSON object per line and step, appended while training, mended after a crash. */
/// <reference lib="esnext.disposable" preserve="true" />
import { ArgumentError, FormatError } from '../../ir/errors.ts';
import { errorCode, readFileBounded, writeFileAtomic } from '../files.ts';
import { AppendFile } from './append-file.ts';

/** One line: the step, and anything measured at it. NaN and infinities are kept (as texts, JSON has no such numbers). */
export interface MetricsRecord {
  readonly step: number;
  readonly [name: string]: number | string | boolean;
}

export interface MetricsWriterOptions {
  /**
   * Go on with an existing file after a checkpoint of this step: later records, and a line torn by a crash, are dropped.
   * Without it an existing file is emptied.
   */
  readonly resumeAt?: number;
  /** With `resumeAt`: further records to be dropped. */
  readonly drop?: (record: MetricsRecord) => boolean;
  /** Records are written at the latest after this many milliseconds, when the next one comes. Default 1000. */
  readonly flushEvery?: number;
}

/** Largest metrics.jsonl that is read back, in bytes. */
const maxBytes = 1 << 30;

/**
 * Appends records to a metrics.jsonl file. `write` only collects; lines reach the file once a second, when 64 KiB have
 * gathered, and on `flush` (call it before a checkpoint: the file then holds all that the checkpoint knows of).
 * A crash can lose the last second and tear the last line; opening with `resumeAt` mends the file.
 */
export class MetricsWriter {
  readonly #file: AppendFile;

  private constructor(file: AppendFile) {
    this.#file = file;
  }

  get path(): string {
    return this.#file.path;
  }

  /**
   * Opens the file, making its folder where missing.
   * @throws FileError when the system refuses, FormatError when the file to resume is not a metrics file.
   */
  static async open(
    path: string,
    { resumeAt, drop = () => false, flushEvery }: MetricsWriterOptions = {},
  ): Promise<MetricsWriter> {
    if (resumeAt === undefined) await writeFileAtomic(path, '');
    else await truncateMetrics(path, (record) => record.step <= resumeAt && !drop(record));
    return new MetricsWriter(await AppendFile.open(path, { flushEvery }));
  }

  /**
   * Adds a record. A failure to write it is thrown by the next `flush` or `close`.
   * @throws ArgumentError for a step that is not a non-negative integer, or after `close`.
   */
  write(record: MetricsRecord): void {
    if (!Number.isSafeInteger(record.step) || record.step < 0)
      throw new ArgumentError(`${this.path}: step ${record.step}, expected a non-negative integer`);
    this.#file.append(new TextEncoder().encode(`${JSON.stringify(record, finiteOrText)}\n`));
  }

  /** Waits until all records are on the device. @throws FileError, such as when the disk is full. */
  flush(): Promise<void> {
    return this.#file.flush();
  }

  /** Flushes and closes; a second call does nothing. */
  close(): Promise<void> {
    return this.#file.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function finiteOrText(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/**
 * The records of a metrics.jsonl file. A last line that a crash tore is left out.
 * @throws FileError when it cannot be read; FormatError naming the line for anything else that is no record.
 */
export async function readMetrics(path: string): Promise<MetricsRecord[]> {
  return parseLines(await readFileBounded(path, maxBytes), path).map(({ record }) => record);
}

/** Keeps these records only, without a torn last line; a missing file is fine. */
async function truncateMetrics(path: string, isKept: (record: MetricsRecord) => boolean): Promise<void> {
  let bytes: Uint8Array;
  try {
    bytes = await readFileBounded(path, maxBytes);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  const kept = parseLines(bytes, path).filter(({ record }) => isKept(record));
  const text = kept.map(({ line }) => `${line}\n`).join('');
  if (text !== new TextDecoder().decode(bytes)) await writeFileAtomic(path, text);
}

function parseLines(bytes: Uint8Array, path: string): { line: string; record: MetricsRecord }[] {
  const lines = new TextDecoder().decode(bytes).split('\n');
  const out: { line: string; record: MetricsRecord }[] = [];
  for (const [i, line] of lines.entries()) {
    // Text behind the last line break is torn, even if it happens to be JSON: a number may have lost digits.
    if (line === '' || i === lines.length - 1) continue;
    const record = parseRecord(line);
    if (record !== undefined) out.push({ line, record });
    else if (i < lines.length - 2)
      throw new FormatError(
        `${path}: line ${i + 1} is not a metrics record: ${JSON.stringify(line.slice(0, 80))}; mend or move the file`,
      );
  }
  return out;
}

const nonFinite = new Set(['NaN', 'Infinity', '-Infinity']);

function parseRecord(line: string): MetricsRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('step' in value) || typeof value.step !== 'number')
    return undefined;
  const fields: Record<string, number | string | boolean> = {};
  for (const [key, field] of Object.entries<unknown>({ ...value })) {
    if (typeof field === 'string') fields[key] = nonFinite.has(field) ? Number(field) : field;
    else if (typeof field === 'number' || typeof field === 'boolean') fields[key] = field;
    else return undefined;
  }
  return { ...fields, step: value.step };
}
