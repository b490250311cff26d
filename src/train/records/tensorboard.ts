/** @file Writing run records that TensorBoard shows: scalars, texts and images. */
/// <reference lib="esnext.disposable" preserve="true" />
import { ArgumentError, FormatError } from '../../ir/errors.ts';
import { nodeFiles } from '../node-files.ts';
import { AppendFile } from './append-file.ts';
import { encodeEvent, type Summary } from './tensorboard-events.ts';

export interface TensorBoardOptions {
  /** Resume after this step, as `MetricsWriter`: TensorBoard then hides what earlier files in the folder hold of later steps. */
  readonly resumeAt?: number;
  /** Seconds since 1970; for tests. */
  readonly now?: () => number;
}

/**
 * Writes one new event file into a folder; `tensorboard --logdir` on that folder or one above it shows the run. A crash
 * can tear the last record only; TensorBoard ignores it, and a resumed run writes a file of its own beside it.
 */
export class TensorBoardWriter {
  readonly #file: AppendFile;
  readonly #now: () => number;

  private constructor(file: AppendFile, now: () => number) {
    this.#file = file;
    this.#now = now;
  }

  get path(): string {
    return this.#file.path;
  }

  /** @throws FileError when the folder or file cannot be made. */
  static async open(
    folder: string,
    { resumeAt, now = () => Date.now() / 1000 }: TensorBoardOptions = {},
  ): Promise<TensorBoardWriter> {
    const { path: paths, crypto } = nodeFiles();
    // TensorBoard reads files in the order of their names, which must therefore begin with the time.
    const seconds = String(Math.floor(now())).padStart(10, '0');
    const name = `events.out.tfevents.${seconds}.gradus.${process.pid}.${crypto.randomBytes(4).toString('hex')}`;
    const file = await AppendFile.open(paths.join(folder, name), { exclusive: true });
    file.append(encodeEvent({ wallTime: now(), content: { kind: 'version' } }));
    // TensorBoard drops earlier events from the step of a start on.
    if (resumeAt !== undefined)
      file.append(encodeEvent({ wallTime: now(), step: resumeAt + 1, content: { kind: 'start' } }));
    return new TensorBoardWriter(file, now);
  }

  /** One point of the curve `tag`. Tags with a common part before `/` are shown together. Kept as float32. */
  scalar(tag: string, value: number, step: number): void {
    this.#summary({ kind: 'scalar', tag, value }, step);
  }

  /** A text, shown as Markdown. */
  text(tag: string, text: string, step: number): void {
    this.#summary({ kind: 'text', tag, text }, step);
  }

  /**
   * A PNG picture.
   * @throws FormatError when the bytes are not PNG.
   */
  image(tag: string, png: Uint8Array, step: number): void {
    const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
    if (png.length < 24 || view.getUint32(0) !== 0x89504e47 || view.getUint32(12) !== 0x49484452)
      throw new FormatError(`image ${JSON.stringify(tag)}: the bytes are not a PNG file`);
    this.#summary({ kind: 'image', tag, png, width: view.getUint32(16), height: view.getUint32(20) }, step);
  }

  #summary(summary: Summary, step: number): void {
    if (!Number.isSafeInteger(step) || step < 0)
      throw new ArgumentError(
        `${summary.kind} ${JSON.stringify(summary.tag)}: step ${step}, expected a non-negative integer`,
      );
    this.#file.append(encodeEvent({ wallTime: this.#now(), step, content: summary }));
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
