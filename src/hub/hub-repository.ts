/** @file A repository of the Hugging Face hub, with its files in the cache that Python's huggingface_hub uses too. */
import { ArgumentError } from '../ir/errors.ts';
import { errorCode, FileError, fileError, makeFolder, resolveInside, writeFileAtomic } from '../train/files.ts';
import { nodeFiles } from '../train/node-files.ts';
import { nodePackage } from '../train/node-package.ts';
import { download, isWhole } from './download.ts';
import { withProgress } from './download-progress.ts';
import { HubError, refused, unreachable } from './hub-error.ts';
import { type HubSettings, hubSettings } from './hub-settings.ts';
import type { ModelSource, SourceOptions } from './source.ts';

/** What a repository holds. */
type RepositoryType = 'model' | 'dataset';

/** A file as the hub lists it. */
interface Entry {
  readonly size: number;
  /** SHA-256 for large files, git's SHA-1 for others: also the name in the cache. */
  readonly hash: string;
}

/** A repository at one commit. */
export interface HubRepository extends ModelSource {
  readonly commit: string;
  /** Paths of all files; without a connection those that are cached. */
  list(): Promise<readonly string[]>;
}

const commitPattern = /^[0-9a-f]{40}$/;
const namePattern = /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/;

/** Whether a text can be the name of a repository. */
export function isRepositoryName(name: string): boolean {
  return namePattern.test(name) && !/\.\.|--|\.git$/.test(name) && name.length <= 96;
}

/**
 * Opens a repository: finds out the commit of the revision once, so that all files belong together.
 * @throws HubError if it cannot be reached and is not cached, ArgumentError for a name that cannot be one.
 */
export async function openRepository(
  name: string,
  type: RepositoryType,
  options: SourceOptions = {},
): Promise<HubRepository> {
  if (!isRepositoryName(name))
    throw new ArgumentError(`expected the name of a hub repository such as owner/name, found ${JSON.stringify(name)}`);
  const settings = hubSettings(options);
  const { path } = nodeFiles();
  const folder = path.join(settings.cacheDir, `${type}s--${name.replace('/', '--')}`);
  const what = `${type} ${name}`;
  const cached = await cachedCommit(folder, settings.revision);
  if (settings.offline) return offline(name, folder, cached, what, settings);
  if (commitPattern.test(settings.revision)) return online(name, type, folder, settings.revision, settings);
  try {
    const commit = await commitOf(name, type, settings, what);
    await writeFileAtomic(resolveInside(path.join(folder, 'refs'), settings.revision), commit);
    return online(name, type, folder, commit, settings);
  } catch (error) {
    if (!(error instanceof HubError) || error.status !== undefined || cached === undefined) throw error;
    process.emitWarning(`${error.message}. Using the cached files of commit ${cached}`, 'GradusWarning');
    return offline(name, folder, cached, what, settings);
  }
}

async function cachedCommit(folder: string, revision: string): Promise<string | undefined> {
  if (commitPattern.test(revision)) return revision;
  const { fs, path } = nodeFiles();
  const text = await fs.readFile(resolveInside(path.join(folder, 'refs'), revision), 'utf8').catch(() => '');
  return commitPattern.test(text.trim()) ? text.trim() : undefined;
}

async function commitOf(name: string, type: RepositoryType, settings: HubSettings, what: string): Promise<string> {
  const url = `${settings.endpoint}/api/${type}s/${name}/revision/${encodeURIComponent(settings.revision)}`;
  const headers = settings.token ? { authorization: `Bearer ${settings.token}` } : undefined;
  const signal = AbortSignal.timeout(settings.timeout * 1000);
  let json: unknown;
  try {
    const response = await fetch(url, { headers, signal });
    if (!response.ok) throw refused(response.status, `${what} (revision ${settings.revision})`, Boolean(headers));
    json = await response.json();
  } catch (error) {
    throw error instanceof HubError ? error : unreachable(what, settings.endpoint, error);
  }
  const commit = typeof json === 'object' && json !== null && 'sha' in json ? json.sha : undefined;
  if (typeof commit !== 'string' || !commitPattern.test(commit))
    throw new HubError(`${what}: ${settings.endpoint} gives no commit, but ${JSON.stringify(commit)}`, 200);
  return commit;
}

function offline(
  name: string,
  folder: string,
  commit: string | undefined,
  what: string,
  { revision }: HubSettings,
): HubRepository {
  const { fs, path } = nodeFiles();
  if (commit === undefined)
    throw new HubError(
      `${what} (revision ${revision}) is not in the cache ${folder}, and downloads are switched off; give a local folder, or unset HF_HUB_OFFLINE`,
    );
  const snapshot = path.join(folder, 'snapshots', commit);
  const has = async (file: string) =>
    (await fs.stat(resolveInside(snapshot, file)).catch(() => undefined))?.isFile() ?? false;
  return {
    name,
    commit,
    has,
    async path(file) {
      if (await has(file)) return resolveInside(snapshot, file);
      throw new FileError(
        `${what}: ${file} is not in the cache ${snapshot}, and downloads are switched off`,
        file,
        'ENOENT',
        0,
      );
    },
    async list() {
      const entries = await fs.readdir(snapshot, { recursive: true, withFileTypes: true }).catch(() => []);
      const files = entries
        .filter((e) => !e.isDirectory())
        .map((e) => path.relative(snapshot, path.join(e.parentPath, e.name)));
      return files.map((file) => file.replaceAll('\\', '/')).sort();
    },
  };
}

function online(
  name: string,
  type: RepositoryType,
  folder: string,
  commit: string,
  settings: HubSettings,
): HubRepository {
  const { fs, path } = nodeFiles();
  const snapshot = path.join(folder, 'snapshots', commit);
  let entries: Promise<Map<string, Entry>> | undefined;
  const listed = () => {
    entries ??= entriesOf(name, type, commit, settings);
    // A failure is not for ever.
    entries.catch(() => {
      entries = undefined;
    });
    return entries;
  };
  /** The list of files; undefined where the hub cannot be reached and this file of the commit is cached. */
  const listedUnlessCached = async (target: string) => {
    try {
      return await listed();
    } catch (error) {
      const cached = (await fs.stat(target).catch(() => undefined))?.isFile();
      if (cached && error instanceof HubError && error.status === undefined) return undefined;
      throw error;
    }
  };
  return {
    name,
    commit,
    async has(file) {
      const target = resolveInside(snapshot, file);
      return (await listedUnlessCached(target))?.has(file) ?? true;
    },
    async path(file) {
      const target = resolveInside(snapshot, file);
      const known = await listedUnlessCached(target);
      if (!known) return target;
      const entry = known.get(file);
      if (!entry) throw new FileError(`${type} ${name} holds no file ${file}`, file, 'ENOENT', 0);
      if (await isWhole({ target, size: entry.size })) return target;
      const blob = path.join(folder, 'blobs', entry.hash);
      if (!(await isWhole({ target: blob, size: entry.size })))
        await withProgress(path.basename(file), entry.size, settings.progress, (onProgress) =>
          download({
            url: fileUrl(name, type, commit, file, settings.endpoint),
            what: `${type} ${name}, ${file}`,
            endpoint: settings.endpoint,
            token: settings.token,
            timeout: settings.timeout,
            target: blob,
            onProgress,
            ...entry,
          }),
        );
      await link(blob, target);
      return target;
    },
    list: async () => [...(await listed()).keys()].sort(),
  };

  async function link(blob: string, target: string): Promise<void> {
    const directory = path.dirname(target);
    const temporary = path.join(directory, `.${process.pid}-${Math.random().toString(36).slice(2)}.tmp`);
    try {
      await makeFolder(directory);
      await fs.symlink(path.relative(directory, blob), temporary).catch(async (error) => {
        // Windows lets only some users make links.
        if (errorCode(error) !== 'EPERM' && errorCode(error) !== 'ENOSYS') throw error;
        await fs.copyFile(blob, temporary);
      });
      await fs.rename(temporary, target);
    } catch (error) {
      await fs.rm(temporary, { force: true });
      throw fileError('write', target, error, 0);
    }
  }
}

function fileUrl(name: string, type: RepositoryType, commit: string, file: string, endpoint: string): string {
  const place = file.split('/').map(encodeURIComponent).join('/');
  return `${endpoint}/${type === 'dataset' ? 'datasets/' : ''}${name}/resolve/${commit}/${place}`;
}

/** More files than any repository needs would only fill the memory. */
const maxFiles = 1_000_000;

async function entriesOf(
  name: string,
  type: RepositoryType,
  commit: string,
  { endpoint, token }: HubSettings,
): Promise<Map<string, Entry>> {
  const { listFiles } = await nodePackage('@huggingface/hub');
  const what = `${type} ${name}`;
  const entries = new Map<string, Entry>();
  try {
    for await (const { type: kind, path, size, oid, lfs } of listFiles({
      repo: { type, name },
      revision: commit,
      recursive: true,
      hubUrl: endpoint,
      ...(token ? { accessToken: token } : {}),
    })) {
      if (kind !== 'file' || typeof path !== 'string') continue;
      const entry = { size: lfs?.size ?? size, hash: lfs?.oid ?? oid ?? '' };
      if (!Number.isSafeInteger(entry.size) || entry.size < 0 || !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(entry.hash))
        throw new HubError(`${what}: the hub lists ${path} without a size and hash to check it by`, 200);
      entries.set(path, entry);
      if (entries.size > maxFiles) throw new HubError(`${what} has more than ${maxFiles} files`, 200);
    }
  } catch (error) {
    if (error instanceof HubError) throw error;
    const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
    throw typeof status === 'number' ? refused(status, what, token !== undefined) : unreachable(what, endpoint, error);
  }
  return entries;
}
