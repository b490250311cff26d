/** @file Data sets of the Hugging Face hub: the Parquet files that the hub keeps of every public one. */
import { ArgumentError, DataError } from '../ir/errors.ts';
import type { SourceOptions } from './source.ts';

export interface DatasetOptions extends SourceOptions {
  /** Which of the data set's configurations, where it has several (`plain_text`). */
  config?: string;
}

/** Parquet files on this machine by part (`train`, `test`, `validation`); a part of several files has them in order. */
export type DatasetFiles = Readonly<Record<string, readonly string[]>>;

/** The branch on which the hub keeps every data set as Parquet: `<config>/<part>/<number>.parquet`. */
const converted = 'refs/convert/parquet';

/**
 * Downloads a data set of the hub into the cache of Hugging Face's own tools (`HF_HOME`), or takes it from there.
 * @param name such as `stanfordnlp/imdb`.
 * @throws ArgumentError for names that are none and configurations that do not exist, DataError where the hub refuses.
 */
export async function datasetFiles(name: string, options: DatasetOptions = {}): Promise<DatasetFiles> {
  if (!/^[\w.-]+(\/[\w.-]+)?$/.test(name))
    throw new ArgumentError(`expected the name of a data set such as stanfordnlp/imdb, found ${JSON.stringify(name)}`);
  // Loaded when it is needed: most programs never are online.
  const { downloadFileToCacheDir, HubApiError, listFiles } = await import('@huggingface/hub');
  const repo = { type: 'dataset' as const, name };
  const access = accessOf(options);
  const revision = options.revision ?? converted;
  const paths: string[] = [];
  try {
    for await (const { type, path } of listFiles({ repo, revision, recursive: true, ...access }))
      if (type === 'file' && path.endsWith('.parquet')) paths.push(path);
    const config = configOf(paths, options.config, name);
    const parts: Record<string, string[]> = {};
    for (const path of paths.filter((p) => p.startsWith(`${config}/`)).sort()) {
      const part = path.split('/')[1];
      parts[part] ??= [];
      parts[part].push(await downloadFileToCacheDir({ repo, revision, path, ...access }));
    }
    return parts;
  } catch (cause) {
    if (cause instanceof ArgumentError) throw cause;
    const reason = cause instanceof HubApiError ? `the hub answers ${cause.statusCode}` : `${cause}`;
    throw new DataError(
      `data set ${name} cannot be downloaded: ${reason}; check the name, the network and HF_TOKEN, or give files instead`,
      { cause },
    );
  }
}

function accessOf({ token, cacheDir }: SourceOptions) {
  const { HF_TOKEN, HF_ENDPOINT } = process.env;
  const accessToken = token ?? HF_TOKEN;
  return {
    ...(accessToken ? { accessToken } : {}),
    ...(cacheDir ? { cacheDir } : {}),
    ...(HF_ENDPOINT ? { hubUrl: HF_ENDPOINT } : {}),
  };
}

function configOf(paths: readonly string[], asked: string | undefined, name: string): string {
  const configs = [...new Set(paths.map((path) => path.split('/')[0]))];
  if (asked === undefined && configs.length > 0) return configs.includes('default') ? 'default' : configs[0];
  if (asked !== undefined && configs.includes(asked)) return asked;
  throw new ArgumentError(
    configs.length
      ? `data set ${name} has no configuration '${asked}'; it has ${configs.join(', ')}`
      : `the hub keeps no Parquet files of data set ${name}`,
  );
}
