/** @file A file that grows record by record, stays sound when the disk is full, and does not slow its writer down. */
import type { FileHandle } from 'node:fs/promises';
import { ArgumentError } from '../../ir/errors.ts';
import { fileError, makeFolder } from '../files.ts';
import { nodeFiles } from '../node-files.ts';

const maxBuffered = 1 << 16;

export interface AppendOptions {
  /** Fail if the file exists. Default: go on at its end. */
  readonly exclusive?: boolean;
  /** Buffered records are written at the latest after this many milliseconds, when the next one comes. Default 1000. */
  readonly flushEvery?: number;
}

/** Appends byte records in order, in the background. A batch that cannot be written whole is taken back. */
export class AppendFile {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #flushEvery: number;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #lastSend = performance.now();
  /** Writes in order; holds the error of a failed one until `flush`. */
  #queue: Promise<void> = Promise.resolve();
  #size: number;
  #closed = false;

  private constructor(path: string, file: FileHandle, size: number, flushEvery: number) {
    this.path = path;
    this.#file = file;
    this.#size = size;
    this.#flushEvery = flushEvery;
  }

  /** Opens the file, making its folder where missing. @throws FileError when the system refuses. */
  static async open(path: string, { exclusive = false, flushEvery = 1000 }: AppendOptions = {}): Promise<AppendFile> {
    const { fs, path: paths } = nodeFiles();
    try {
      await makeFolder(paths.dirname(path));
      const file = await fs.open(path, exclusive ? 'ax' : 'a');
      return new AppendFile(path, file, (await file.stat()).size, flushEvery);
    } catch (error) {
      throw fileError('open', path, error, 0);
    }
  }

  /** Adds a record. A failure to write it is thrown by the next `flush` or `close`. @throws ArgumentError after `close`. */
  append(record: Uint8Array): void {
    if (this.#closed) throw new ArgumentError(`${this.path}: the writer is closed`);
    this.#pending.push(record);
    this.#pendingBytes += record.length;
    if (this.#pendingBytes > maxBuffered || performance.now() - this.#lastSend > this.#flushEvery) this.#send();
  }

  #send(): void {
    this.#lastSend = performance.now();
    if (this.#pending.length === 0) return;
    const batch = new Uint8Array(this.#pendingBytes);
    let at = 0;
    for (const record of this.#pending) {
      batch.set(record, at);
      at += record.length;
    }
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#queue = this.#queue.then(() => this.#writeWhole(batch));
    // The error stays in the queue; without this the process would end on an unhandled rejection.
    this.#queue.catch(() => undefined);
  }

  async #writeWhole(batch: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < batch.length; ) at += (await this.#file.write(batch, at)).bytesWritten;
      this.#size += batch.length;
    } catch (error) {
      // Half a record in the middle would make all later ones unreadable.
      await this.#file.truncate(this.#size).catch(() => undefined);
      throw error;
    }
  }

  /**
   * Waits until all records are on the device. After a failure the lost records are forgotten, and later ones may succeed.
   * @throws FileError when the disk is full or the file cannot be written.
   */
  async flush(): Promise<void> {
    this.#send();
    try {
      await this.#queue;
      await this.#file.sync();
    } catch (error) {
      this.#queue = Promise.resolve();
      throw fileError('write', this.path, error, this.#size, '; the records since the last flush are lost');
    }
  }

  /** Flushes and closes; a second call does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.flush();
    } finally {
      await this.#file.close();
    }
  }
}
