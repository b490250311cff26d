/** @file A model as a folder: weights in safetensors under PyTorch's keys, and a config. */
import { ArgumentError, FormatError, ShapeError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import { type LoadResult, Module, matchesName, type NamePattern } from '../nn/module.ts';
import type { Tensor } from '../tensor/index.ts';
import { snapshot } from '../train/checkpoint.ts';
import { writeFileAtomic } from '../train/files.ts';
import { nodeFiles } from '../train/node-files.ts';
import {
  openSafetensors,
  openShardedSafetensors,
  type SafetensorsReader,
  saveSafetensors,
} from '../train/safetensors.ts';
import { isRepositoryName } from './hub-repository.ts';
import { openSource, type SourceOptions } from './source.ts';
import { inFloat32, openWeights } from './weights.ts';

const weights = 'model.safetensors';

/**
 * Writes `<folder>/model.safetensors` (PyTorch reads it: `safetensors.torch.load_file`) and, if given, `config.json`.
 * @throws FileError when the disk is full or the path cannot be written; older files are then unchanged.
 */
export async function saveModel(
  model: Module,
  folder: string,
  { config }: { config?: Readonly<Record<string, unknown>> } = {},
): Promise<void> {
  if (!(model instanceof Module))
    throw new ArgumentError('saveModel: the first argument must be a model, an nn.Module');
  checkPath('saveModel', folder);
  const { path } = nodeFiles();
  await saveSafetensors(path.join(folder, weights), await snapshot(model.stateDict()), { format: 'pt' });
  if (config) await writeFileAtomic(path.join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
}

export interface LoadModelOptions extends SourceOptions {
  /** Whether every key must have its like. Default true. */
  strict?: boolean;
  /** Keys that keep their values and are not asked of the file, as `freeze` takes them: `'fc'`, a head for other classes. */
  exclude?: NamePattern;
}

/**
 * Loads weights into a model: from a safetensors file, a sharded index (`model.safetensors.index.json`), a folder that has
 * either, or, where there is nothing of that name, a repository of the Hugging Face hub. 16-bit floats become float32.
 * Pickle files (`.pt`, `.bin`) are never read.
 * @example
 * await loadModel(resnet18({ numClasses: 5 }), 'timm/resnet18.tv_in1k', { exclude: 'fc' });
 * @throws ArgumentError for missing or unexpected keys unless `strict: false`, and for an `exclude` that matches no key;
 *   ShapeError for other shapes; FormatError; HubError. Nothing is changed then.
 */
export async function loadModel(model: Module, source: string, options: LoadModelOptions = {}): Promise<LoadResult> {
  checkPath('loadModel', source);
  const { exclude, strict = true } = options;
  const own = model.stateDict();
  const state: Record<string, Tensor | NDArray> = {};
  // PyTorch, too, forgives files without the counts of batches, which some writers leave out.
  for (const key of Object.keys(own)) if (/(^|\.)num_batches_tracked$/.test(key)) state[key] = own[key];
  if (exclude !== undefined) {
    const kept = Object.keys(own).filter((key) => matchesName(key, exclude));
    if (!kept.length)
      throw new ArgumentError(
        `loadModel: no key of the model matches exclude: ${String(exclude)}; it has ${keysOf(own)}`,
      );
    for (const key of kept) state[key] = own[key];
  }
  await using reader = await openModelWeights(source, options);
  for (const key of reader.entries.keys())
    if (exclude === undefined || !matchesName(key, exclude)) state[key] = inFloat32(await reader.read(key));
  try {
    return await model.loadStateDict(state, { strict });
  } catch (error) {
    if (!(error instanceof ArgumentError || error instanceof ShapeError)) throw error;
    const [what, ...site] = error.message.split('\n');
    const message = `${source}: ${what}; { exclude: '<name>' } leaves a layer as it is, such as a new head`;
    throw new (error instanceof ShapeError ? ShapeError : ArgumentError)([message, ...site].join('\n'), {
      cause: error,
    });
  }
}

const keysOf = (state: object) => Object.keys(state).join(', ');

function checkPath(what: string, path: unknown): void {
  if (typeof path !== 'string' || path === '')
    throw new ArgumentError(`${what}: the second argument must be a path, found ${JSON.stringify(path)}`);
}

async function openModelWeights(source: string, options: SourceOptions): Promise<SafetensorsReader> {
  if (/\.(pt|pth|bin|pkl|ckpt)$/i.test(source))
    throw new FormatError(
      `${source} is a pickle file, which can run code when read; convert it in Python: safetensors.torch.save_file(torch.load(path, weights_only=True), 'model.safetensors')`,
    );
  const { fs } = nodeFiles();
  const stats = await fs.stat(source).catch(() => undefined);
  const isFile = stats ? !stats.isDirectory() : /\.(safetensors|json)$/i.test(source) || !isRepositoryName(source);
  if (!isFile) return await openWeights(await openSource(source, options));
  return source.endsWith('.json') ? await openShardedSafetensors(source) : await openSafetensors(source);
}
