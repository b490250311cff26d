/** @file Downloads that go on where they stopped, and that are checked before they count. */
import { GradusError } from '../ir/errors.ts';
import { errorCode, fileError, makeFolder } from '../train/files.ts';
import { nodeFiles } from '../train/node-files.ts';
import { HubError, refused, unreachable } from './hub-error.ts';

/** A file to fetch, and what it must be. */
export interface Download {
  readonly url: string;
  /** For messages. */
  readonly what: string;
  readonly endpoint: string;
  readonly token: string | undefined;
  /** Where it comes to. The unfinished part is kept beside it as `<target>.incomplete`. */
  readonly target: string;
  readonly size: number;
  /** SHA-256 of the content (64 hexadecimal digits), or git's SHA-1 of it (40). */
  readonly hash: string;
  /** Seconds without any data after which the connection counts as dead. */
  readonly timeout: number;
  /** Called with the bytes that are there. */
  readonly onProgress?: (bytes: number) => void;
  /** Milliseconds before the first new attempt; doubled each time. */
  readonly retryDelay?: number;
}

/** New attempts without any new byte before giving up. */
const attempts = 5;

/**
 * Fetches a file. Dropped connections are taken up again; a part that an earlier process left is continued.
 * @throws HubError if the hub refuses, cannot be reached, or the size or hash is wrong (nothing is kept then); FileError.
 */
export async function download(file: Download): Promise<void> {
  const { fs, path } = nodeFiles();
  await makeFolder(path.dirname(file.target));
  const partial = `${file.target}.incomplete`;
  await using _lock = await lock(`${partial}.lock`);
  if (await isWhole(file)) return;
  const before = (await fs.stat(partial).catch(() => undefined))?.size ?? 0;
  await fetchRest(file, partial);
  let found = await hashOf(partial, file);
  if (found !== file.hash && before > 0) {
    // What was left over may have been of another file: once more from the beginning.
    await fs.rm(partial, { force: true });
    await fetchRest(file, partial);
    found = await hashOf(partial, file);
  }
  if (found !== file.hash) {
    await fs.rm(partial, { force: true });
    throw new HubError(
      `${file.what}: the downloaded content has the hash ${found}, expected ${file.hash}; it was deleted. Try again, or check the mirror`,
    );
  }
  try {
    await fs.rename(partial, file.target);
  } catch (error) {
    throw fileError('write', file.target, error, file.size);
  }
}

/** Whether the file is there already, with the right size. */
export async function isWhole({ target, size }: Pick<Download, 'target' | 'size'>): Promise<boolean> {
  const stats = await nodeFiles()
    .fs.stat(target)
    .catch(() => undefined);
  return stats?.isFile() === true && stats.size === size;
}

async function fetchRest(file: Download, partial: string): Promise<void> {
  const { fs } = nodeFiles();
  let failures = 0;
  for (;;) {
    const start = (await fs.stat(partial).catch(() => undefined))?.size ?? 0;
    if (start > file.size) await fs.rm(partial);
    else if (start === file.size && (start > 0 || failures > 0)) return;
    try {
      await fetchFrom(file, partial, Math.min(start, file.size) === start ? start : 0);
      if (file.size === 0) return;
    } catch (error) {
      if (error instanceof HubError && error.status !== undefined && error.status < 500 && error.status !== 429)
        throw error;
      if (error instanceof GradusError && !(error instanceof HubError)) throw error;
      const now = (await fs.stat(partial).catch(() => undefined))?.size ?? 0;
      failures = now > start ? 0 : failures + 1;
      if (failures >= attempts)
        throw error instanceof HubError
          ? error
          : unreachable(`${file.what} (${now} of ${file.size} bytes)`, file.endpoint, error);
      await new Promise((resolve) => setTimeout(resolve, (file.retryDelay ?? 250) * 2 ** failures));
    }
  }
}

async function fetchFrom(file: Download, partial: string, start: number): Promise<void> {
  const { fs } = nodeFiles();
  const stop = new AbortController();
  const deadline = () => setTimeout(() => stop.abort(new Error(`no data for ${file.timeout} s`)), file.timeout * 1000);
  let timer = deadline();
  try {
    const response = await fetch(file.url, {
      signal: stop.signal,
      headers: {
        'accept-encoding': 'identity',
        ...(start > 0 ? { range: `bytes=${start}-` } : {}),
        ...(file.token ? { authorization: `Bearer ${file.token}` } : {}),
      },
    });
    if (response.status === 416) {
      await fs.rm(partial, { force: true });
      throw new HubError(`${file.what}: the hub has no bytes from ${start} on`);
    }
    if (!response.ok) throw refused(response.status, file.what, file.token !== undefined);
    // A server that does not know ranges sends the whole file.
    const continues = response.status === 206 && rangeStart(response) === start;
    let at = continues ? start : 0;
    const handle = await fs.open(partial, continues ? 'a' : 'w');
    try {
      for await (const chunk of response.body ?? []) {
        clearTimeout(timer);
        timer = deadline();
        at += chunk.length;
        if (at > file.size) {
          await handle.truncate(0);
          throw new HubError(`${file.what}: the hub sends more than the ${file.size} bytes that it announced`, 200);
        }
        await write(handle, chunk, partial);
        file.onProgress?.(at);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (at < file.size) throw new Error(`the connection ended after ${at} of ${file.size} bytes`);
  } finally {
    clearTimeout(timer);
  }
}

/** First byte of a partial answer: `bytes 100-199/200`. */
function rangeStart(response: Response): number {
  return Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] ?? -1);
}

type FileHandle = Awaited<ReturnType<ReturnType<typeof nodeFiles>['fs']['open']>>;

async function write(handle: FileHandle, chunk: Uint8Array, path: string): Promise<void> {
  try {
    for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
  } catch (error) {
    throw fileError('write', path, error, 0, '; the part that was downloaded is kept');
  }
}

async function hashOf(path: string, { hash, size }: Download): Promise<string> {
  const { fs, crypto } = nodeFiles();
  const sum = crypto.createHash(hash.length === 64 ? 'sha256' : 'sha1');
  if (hash.length === 40) sum.update(`blob ${size}\0`);
  const handle = await fs.open(path, 'r');
  try {
    for await (const chunk of handle.createReadStream({ highWaterMark: 1 << 20, autoClose: false })) sum.update(chunk);
  } finally {
    await handle.close();
  }
  return sum.digest('hex');
}

/** Keeps other processes from writing to the same part; waits while one that lives has it. */
async function lock(path: string): Promise<AsyncDisposable> {
  const { fs } = nodeFiles();
  for (;;) {
    try {
      await fs.writeFile(path, String(process.pid), { flag: 'wx' });
      return { [Symbol.asyncDispose]: () => fs.rm(path, { force: true }) };
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw fileError('write', path, error, 0);
    }
    const owner = Number(await fs.readFile(path, 'utf8').catch(() => ''));
    const stats = await fs.stat(path).catch(() => undefined);
    // An empty lock is one that is being written; a process that is gone leaves its lock.
    const abandoned = owner > 0 ? !lives(owner) : stats !== undefined && Date.now() - stats.mtimeMs > 10_000;
    if (abandoned) await fs.rm(path, { force: true });
    else await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}
