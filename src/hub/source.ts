/** @file Where a model's files come from: a local folder, or a repository of the Hugging Face hub. */
import { ArgumentError, FormatError } from '../ir/errors.ts';
import { readFileBounded, resolveInside } from '../train/files.ts';
import { nodeFiles } from '../train/node-files.ts';
import { isRepositoryName, openRepository } from './hub-repository.ts';

export interface SourceOptions {
  /** Branch, tag or commit of a hub repository; default main. */
  revision?: string;
  /** Folder of downloaded files; default `$HF_HOME/hub`, `~/.cache/huggingface/hub`. */
  cacheDir?: string;
  /** Use only files that are already in the cache; default true if `HF_HUB_OFFLINE` is set. */
  offline?: boolean;
  /** Access token; default `HF_TOKEN`. */
  token?: string;
  /** Seconds without any data from the hub after which a connection is given up. Default 30. */
  timeout?: number;
  /** Show a line per download. Default: in a terminal. */
  progress?: boolean;
}

/** Files of one model, wherever they are. */
export interface ModelSource {
  /** For messages: the folder, or the repository's name. */
  readonly name: string;
  has(file: string): Promise<boolean>;
  /** Path of the file on this machine, downloaded and verified first if it must be. @throws FileError if there is none. */
  path(file: string): Promise<string>;
}

/**
 * Opens a folder or, if there is none of that name, a hub repository such as `sentence-transformers/all-MiniLM-L6-v2`.
 * Files of the hub are kept in the cache that Python's huggingface_hub uses; `HF_ENDPOINT` names a mirror.
 * @throws ArgumentError for what is neither, HubError if the hub refuses or cannot be reached.
 */
export async function openSource(source: string, options: SourceOptions = {}): Promise<ModelSource> {
  if (typeof source !== 'string' || source === '')
    throw new ArgumentError(`expected a folder or the name of a hub repository, found ${JSON.stringify(source)}`);
  const { fs } = nodeFiles();
  const stats = await fs.stat(source).catch(() => undefined);
  if (stats?.isDirectory()) return folderSource(source);
  if (!stats && isRepositoryName(source)) return await openRepository(source, 'model', options);
  throw new ArgumentError(
    `there is no folder ${source}${stats ? ': it is a file' : ', and it is not the name of a hub repository (owner/name)'}`,
  );
}

function folderSource(folder: string): ModelSource {
  const { fs } = nodeFiles();
  const path = async (file: string) => resolveInside(folder, file);
  return {
    name: folder,
    path,
    has: async (file) => (await fs.stat(await path(file)).catch(() => undefined))?.isFile() ?? false,
  };
}

/** Tokenizers of large vocabularies are the largest JSON files there are. */
const maxJson = 200_000_000;

/** Reads a JSON file of a model. @throws FormatError naming the file if it is not JSON. */
export async function readJson(source: ModelSource, file: string): Promise<unknown> {
  const path = await source.path(file);
  const text = new TextDecoder().decode(await readFileBounded(path, maxJson));
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FormatError(`${path} is not JSON: ${error instanceof Error ? error.message : error}`);
  }
}
