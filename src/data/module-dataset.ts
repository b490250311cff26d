/** @file Data sets defined by a module, so that a worker thread can build its own copy. */
import { ArgumentError } from '../ir/errors.ts';
import type { Random } from '../ir/random.ts';
import { Dataset, type DatasetLike, isDatasetLike } from './dataset.ts';

/** Where a data set comes from; plain data that a worker thread can receive. */
export interface DatasetSource {
  /** URL of an ES module (`new URL('./dataset.ts', import.meta.url).href`). */
  readonly url: string;
  /** The export that makes the data set: a function of `options`, or a data set. */
  readonly exportName: string;
  /** Passed to the function; must survive structured cloning. */
  readonly options: unknown;
}

/**
 * Imports a module and builds its data set.
 * @throws ArgumentError when the export is missing or makes no data set.
 */
export async function openDataset(source: DatasetSource): Promise<DatasetLike<unknown>> {
  const module: Record<string, unknown> = await import(/* webpackIgnore: true */ /* @vite-ignore */ source.url);
  const exported = module[source.exportName];
  if (exported === undefined)
    throw new ArgumentError(
      `${source.url} has no export '${source.exportName}'; it exports ${Object.keys(module).join(', ') || 'nothing'}`,
    );
  const dataset: unknown = typeof exported === 'function' ? await exported(source.options) : exported;
  if (!isDatasetLike(dataset))
    throw new ArgumentError(
      `export '${source.exportName}' of ${source.url} made no data set: expected an object with 'length' and 'get(index)'`,
    );
  return dataset;
}

/** A data set that remembers its source. Made by `moduleDataset`. */
export class ModuleDataset<T> extends Dataset<T> {
  readonly source: DatasetSource;
  readonly #inner: DatasetLike<T>;

  constructor(source: DatasetSource, inner: DatasetLike<T>) {
    super();
    this.source = source;
    this.#inner = inner;
  }

  get length(): number {
    return this.#inner.length;
  }

  get(index: number, random?: Random): T | Promise<T> {
    return this.#inner.get(index, random);
  }
}

/**
 * A data set from a module, for `DataLoader({ workers })`: each worker imports the module and builds its own copy, so
 * decoding and augmentation run in parallel. Do all `map`, `subset` and so on inside the module.
 * @param url URL or file URL of the module; it exports a function (options) => data set
 * @example
 * // cats.ts: export default async ({ folder }) => (await imageFolder(folder)).map(augment)
 * const data = await moduleDataset<Sample>(new URL('./cats.ts', import.meta.url), { options: { folder: 'cats' } });
 * for await (const { x, y } of new DataLoader(data, { batchSize: 32, workers: 4 })) ...
 */
export async function moduleDataset<T>(
  url: string | URL,
  { exportName = 'default', options }: { exportName?: string; options?: unknown } = {},
): Promise<ModuleDataset<T>> {
  const source = { url: String(url), exportName, options };
  return new ModuleDataset(source, (await openDataset(source)) as DatasetLike<T>);
}
