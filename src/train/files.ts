/** @file Files that survive crashes and full disks: atomic writing, bounded reading, paths that stay in their folder. */
import { ArgumentError, FormatError, GradusError } from '../ir/errors.ts';
import { nodeFiles } from './node-files.ts';

/** Reading or writing a file failed. `code` is the system's (`ENOSPC`, `EACCES`, ...). */
export class FileError extends GradusError {
  readonly path: string;
  readonly code: string | undefined;
  /** Bytes written or read before the failure. */
  readonly bytes: number;

  constructor(message: string, path: string, code: string | undefined, bytes: number, cause?: unknown) {
    super(message, { cause });
    this.path = path;
    this.code = code;
    this.bytes = bytes;
  }
}

export type FileContent = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

const remedies: Record<string, string> = {
  ENOSPC: 'the device is full: free some space or choose a folder on another device',
  EDQUOT: 'your disk quota is used up: free some space or choose another folder',
  EFBIG: 'the file is larger than this file system or the process limit (ulimit -f) allows',
  EACCES: 'permission denied: check the owner and mode of the folder',
  EPERM: 'permission denied: check the owner and mode of the folder',
  EROFS: 'the file system is read-only: choose another folder',
  ENOENT: 'there is no such file or folder: check the path',
  EEXIST: 'a file of this name is in the way: choose another folder',
  EISDIR: 'the path is a folder: give the path of a file',
  ENOTDIR: 'a part of the path is not a folder: check the path',
  EMFILE: 'too many files are open: close some, or raise the limit (ulimit -n)',
  EIO: 'the device reported an input/output error: check its health',
};

/** The system's code of an error (`ENOENT`, ...), undefined where it has none. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A failed file operation told in words: what failed, after how many bytes, and what to do. */
export function fileError(action: string, path: string, error: unknown, bytes: number, after = ''): FileError {
  const code = errorCode(error);
  const reason = (code && remedies[code]) ?? (error instanceof Error ? error.message : String(error));
  const progress = bytes > 0 ? ` after ${bytes.toLocaleString('en-US')} bytes` : '';
  return new FileError(
    `cannot ${action} ${path}${progress}: ${reason}${code ? ` (${code})` : ''}${after}`,
    path,
    code,
    bytes,
    error,
  );
}

const temporaryName = /^\..+\.(\d+)-[0-9a-f]{12}\.tmp$/;

/**
 * Writes a file so that, whatever happens, the path holds either the old content or the whole new content: the bytes go
 * to a temporary file in the same folder, which is flushed to the device and renamed; then the folder is flushed.
 * Missing folders are made. A symbolic link is followed; the mode of an existing file is kept.
 * @param content Text (UTF-8), bytes, or chunks produced while writing, so that a large file needs little memory.
 * @returns Number of bytes written.
 * @throws FileError when the system refuses (full disk, permission, ...); whatever the producer of the chunks throws is
 * passed on as it is. In both cases the temporary file is removed and the old file is untouched.
 */
export async function writeFileAtomic(path: string, content: FileContent): Promise<number> {
  const { fs, path: paths, crypto } = nodeFiles();
  const target = await fs.realpath(path).catch(() => paths.resolve(path));
  const folder = paths.dirname(target);
  const random = crypto.randomBytes(6).toString('hex');
  const temporary = paths.join(folder, `.${paths.basename(target).slice(0, 40)}.${process.pid}-${random}.tmp`);
  const chunks =
    typeof content === 'string'
      ? [new TextEncoder().encode(content)]
      : content instanceof Uint8Array
        ? [content]
        : content;
  let written = 0;
  let created = false;
  let producing = false;
  try {
    await makeFolder(folder);
    const mode = (await fs.stat(target).catch(() => undefined))?.mode ?? 0o666;
    const file = await fs.open(temporary, 'wx', mode & 0o777);
    created = true;
    try {
      producing = true;
      for await (const chunk of chunks) {
        producing = false;
        for (let at = 0; at < chunk.length; ) {
          // One call writes at most 2 GiB, and on a nearly full disk may write less than asked.
          const { bytesWritten } = await file.write(chunk, at, Math.min(chunk.length - at, 1 << 28));
          at += bytesWritten;
          written += bytesWritten;
        }
        producing = true;
      }
      producing = false;
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, target);
  } catch (error) {
    if (created) await fs.rm(temporary, { force: true }).catch(() => undefined);
    if (producing || error instanceof GradusError) throw error;
    throw fileError('write', path, error, written, '; a previous file of this name is unchanged');
  }
  await syncFolder(folder);
  return written;
}

/**
 * Makes a folder and those above it, where missing. (Node's own `recursive` never returns for a folder in /proc.)
 * @throws The system's error.
 */
export async function makeFolder(folder: string): Promise<void> {
  const { fs, path: paths } = nodeFiles();
  const isFolder = async () => (await fs.stat(folder)).isDirectory();
  try {
    await fs.mkdir(folder);
  } catch (error) {
    if (errorCode(error) === 'EEXIST' && (await isFolder())) return;
    const parent = paths.dirname(folder);
    if (errorCode(error) !== 'ENOENT' || parent === folder) throw error;
    await makeFolder(parent);
    await fs.mkdir(folder).catch(async (again) => {
      if (errorCode(again) !== 'EEXIST' || !(await isFolder())) throw again;
    });
  }
}

/** Makes a rename or removal in this folder durable. Does nothing where the system cannot flush folders (Windows). */
export async function syncFolder(folder: string): Promise<void> {
  const { fs } = nodeFiles();
  try {
    const handle = await fs.open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!['EPERM', 'EACCES', 'EISDIR', 'EINVAL', 'ENOTSUP', 'ENOSYS'].includes(errorCode(error) ?? ''))
      throw fileError('flush the folder', folder, error, 0);
  }
}

/**
 * Removes temporary files that `writeFileAtomic` left behind in this folder when its process was killed. Files of
 * processes that still run are kept; for a folder with one writing machine.
 * @returns Names of the removed files.
 */
export async function removeStaleTemporaries(folder: string): Promise<string[]> {
  const { fs, path: paths } = nodeFiles();
  const removed: string[] = [];
  for (const name of await fs.readdir(folder).catch(() => [])) {
    const pid = Number(temporaryName.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(pid) || isRunning(pid)) continue;
    await fs.rm(paths.join(folder, name), { force: true }).catch(() => undefined);
    removed.push(name);
  }
  return removed;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}

/**
 * The path of `name` inside of `folder`, for names that come from files or from the network.
 * Symbolic links are not resolved: caches such as Hugging Face's are made of links that lead elsewhere.
 * @throws ArgumentError for names that leave the folder (`..`, absolute paths, drive letters) or are empty.
 */
export function resolveInside(folder: string, name: string): string {
  const { path: paths } = nodeFiles();
  const unified = name.replaceAll('\\', '/');
  const parts = unified.split('/');
  if (unified === '' || unified.startsWith('/') || /^[a-zA-Z]:/.test(unified) || unified.includes('\0'))
    throw new ArgumentError(`file name ${JSON.stringify(name)}: expected a relative path inside of ${folder}`);
  if (parts.includes('..') || parts.every((part) => part === '' || part === '.'))
    throw new ArgumentError(
      `file name ${JSON.stringify(name)} leaves the folder ${folder}: expected a path inside of it`,
    );
  return paths.join(folder, unified);
}

/**
 * The bytes of a file whose size has a known bound, so that a wrong or hostile file cannot fill the memory.
 * @throws FileError when it cannot be read, FormatError when it is larger than `maxBytes`.
 */
export async function readFileBounded(path: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const { fs } = nodeFiles();
  let read = 0;
  try {
    const file = await fs.open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size > maxBytes) throw tooLarge(path, size, maxBytes);
      // Special files (pipes, /proc) claim size 0, and a file can grow while it is read: trust only what arrives.
      let bytes = new Uint8Array(Math.max(size + 1, 4096));
      for (;;) {
        const { bytesRead } = await file.read(bytes, read, Math.min(bytes.length - read, 1 << 28));
        if (bytesRead === 0) return bytes.subarray(0, read);
        read += bytesRead;
        if (read > maxBytes) throw tooLarge(path, read, maxBytes);
        if (read === bytes.length) {
          const grown = new Uint8Array(Math.min(bytes.length * 2, maxBytes + 1));
          grown.set(bytes);
          bytes = grown;
        }
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof GradusError) throw error;
    throw fileError('read', path, error, read);
  }
}

function tooLarge(path: string, size: number, maxBytes: number): FormatError {
  const format = (n: number) => n.toLocaleString('en-US');
  return new FormatError(`${path} has ${format(size)} bytes or more: expected at most ${format(maxBytes)}`);
}
