/** @file Data sets of the hub: the files of one split, downloaded. */
import { ArgumentError } from '../ir/errors.ts';
import { HubError } from './hub-error.ts';
import { type HubRepository, openRepository } from './hub-repository.ts';
import type { SourceOptions } from './source.ts';

/** How the rows of a data file are written. */
export type HubDataFormat = 'parquet' | 'jsonl' | 'csv';

export interface HubDatasetOptions extends SourceOptions {
  /** Default 'train'. */
  split?: string;
  /** One of several data sets of the repository, such as `plain_text`. Needed only where there are several. */
  config?: string;
}

/** The files of one split. */
export interface HubDatasetFiles {
  readonly name: string;
  readonly commit: string;
  readonly config: string;
  readonly split: string;
  /** All splits of this config. */
  readonly splits: readonly string[];
  readonly format: HubDataFormat;
  /** Paths on this machine, in order. */
  readonly paths: readonly string[];
}

/** A data file of a repository, as its name tells. */
interface DataFile {
  readonly path: string;
  readonly format: HubDataFormat;
  readonly config: string;
  readonly split: string;
}

/** Where the hub keeps every data set as Parquet, whatever its own files are. */
const converted = 'refs/convert/parquet';

/**
 * Lists and downloads the files of one split of a data set: `stanfordnlp/imdb` has
 * `plain_text/train-00000-of-00001.parquet`. Parquet is preferred to JSON lines and CSV.
 * @throws ArgumentError for a split or config that is not there (the message lists those that are), HubError, FileError.
 */
export async function hubDatasetFiles(name: string, options: HubDatasetOptions = {}): Promise<HubDatasetFiles> {
  const { split = 'train', config } = options;
  let repository = await openRepository(name, 'dataset', options);
  let files = dataFiles(await repository.list());
  if (files.length === 0 && options.revision === undefined) {
    repository = await openConverted(name, options);
    files = dataFiles(await repository.list());
  }
  if (files.length === 0)
    throw new HubError(`dataset ${name} has no Parquet, JSON lines or CSV files that could be read`);
  const ofConfig = files.filter((f) => f.config === chooseConfig(name, files, config));
  const format = (['parquet', 'jsonl', 'csv'] as const).find((f) => ofConfig.some((file) => file.format === f));
  const usable = ofConfig.filter((f) => f.format === format);
  const splits = [...new Set(usable.map((f) => f.split))];
  const chosen = usable.filter((f) => f.split === split);
  if (chosen.length === 0 || format === undefined)
    throw new ArgumentError(`dataset ${name} has no split '${split}'; it has ${splits.join(', ')}`);
  const paths: string[] = [];
  for (const file of chosen) paths.push(await repository.path(file.path));
  return { name, commit: repository.commit, config: chosen[0].config, split, splits, format, paths };
}

async function openConverted(name: string, options: SourceOptions): Promise<HubRepository> {
  try {
    return await openRepository(name, 'dataset', { ...options, revision: converted });
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    throw new HubError(
      `dataset ${name} has no Parquet, JSON lines or CSV files, and the hub has not converted it`,
      error.status,
      error,
    );
  }
}

function chooseConfig(name: string, files: readonly DataFile[], wanted: string | undefined): string {
  const configs = [...new Set(files.map((f) => f.config))];
  if (wanted !== undefined && configs.includes(wanted)) return wanted;
  if (wanted === undefined && configs.length === 1) return configs[0];
  if (wanted === undefined && configs.includes('default')) return 'default';
  throw new ArgumentError(
    `dataset ${name} has ${wanted === undefined ? 'several configs, choose one' : `no config '${wanted}'; it has`}: ${configs.join(', ')}`,
  );
}

const extension = /\.(parquet|jsonl|ndjson|csv)(\.gz)?$/;
/** Names of splits that may stand anywhere in a file name. */
const splitWord = /(?:^|[^a-z])(train|training|validation|valid|val|dev|test|testing|eval)(?:[^a-z]|$)/;
const splitNames: Readonly<Record<string, string>> = {
  training: 'train',
  valid: 'validation',
  val: 'validation',
  dev: 'validation',
  testing: 'test',
  eval: 'test',
};

/** Split and config by the conventions of the hub: `config/split-00000-of-00001.parquet`, `data/split.csv`, ... */
export function dataFiles(paths: readonly string[]): DataFile[] {
  return [...paths].sort().flatMap((path) => {
    const match = extension.exec(path);
    if (!match) return [];
    const folders = path.split('/').slice(0, -1);
    const stem = path.slice(path.lastIndexOf('/') + 1, match.index);
    const sharded = /^(.+)-\d{5}-of-\d{5}(?:-[0-9a-f]+)?$/.exec(stem)?.[1];
    const last = folders.at(-1) ?? '';
    const folderSplit = /^(?:partial-)?(.+)$/.exec(last)?.[1] ?? '';
    const numbered = /^\d+$/.test(stem);
    const word = splitWord.exec(stem.toLowerCase())?.[1];
    const folderWord = splitWord.exec(last.toLowerCase())?.[1];
    const found = sharded ?? (numbered && folderSplit ? folderSplit : (word ?? folderWord ?? 'train'));
    const split = splitNames[found] ?? found;
    // A folder that names the split or is called data says nothing of the config.
    const config = folders.filter((folder) => isConfig(folder, found)).at(-1) ?? 'default';
    const format = match[1] === 'ndjson' ? 'jsonl' : match[1];
    return [{ path, format: format as HubDataFormat, config, split }];
  });
}

function isConfig(folder: string, split: string): boolean {
  return folder !== 'data' && folder !== split && folder !== `partial-${split}` && !splitWord.test(folder);
}
