/** @file A model as a folder: weights in safetensors under PyTorch's keys, and a config. */
import { ArgumentError, FormatError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import { type LoadResult, Module } from '../nn/module.ts';
import { snapshot } from '../train/checkpoint.ts';
import { writeFileAtomic } from '../train/files.ts';
import { nodeFiles } from '../train/node-files.ts';
import { openSafetensors, openShardedSafetensors, saveSafetensors } from '../train/safetensors.ts';

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

/**
 * Loads weights into a model: from a safetensors file, a sharded index (`model.safetensors.index.json`), or a folder that
 * has either. Pickle files (`.pt`, `.bin`) are never read.
 * @throws ArgumentError for missing or unexpected keys unless `strict: false`, ShapeError for other shapes, FormatError.
 */
export async function loadModel(
  model: Module,
  source: string,
  options: { strict?: boolean } = {},
): Promise<LoadResult> {
  checkPath('loadModel', source);
  const file = await weightFile(source);
  await using reader = file.endsWith('.json') ? await openShardedSafetensors(file) : await openSafetensors(file);
  const state: Record<string, NDArray> = {};
  for (const name of reader.entries.keys()) state[name] = await reader.read(name);
  return await model.loadStateDict(state, options);
}

function checkPath(what: string, path: unknown): void {
  if (typeof path !== 'string' || path === '')
    throw new ArgumentError(`${what}: the second argument must be a path, found ${JSON.stringify(path)}`);
}

async function weightFile(source: string): Promise<string> {
  if (/\.(pt|pth|bin|pkl|ckpt)$/i.test(source))
    throw new FormatError(
      `${source} is a pickle file, which can run code when read; convert it in Python: safetensors.torch.save_file(torch.load(path, weights_only=True), 'model.safetensors')`,
    );
  const { fs, path } = nodeFiles();
  const stats = await fs.stat(source).catch(() => undefined);
  if (!stats?.isDirectory()) return source;
  const names = await fs.readdir(source);
  for (const name of [weights, `${weights}.index.json`]) if (names.includes(name)) return path.join(source, name);
  throw new FormatError(`${source} holds no ${weights} (found: ${names.join(', ') || 'nothing'})`);
}
