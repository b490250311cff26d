/** @file Weights of a model folder or repository: one safetensors file or shards; pickle is never read. */
import { FormatError } from '../ir/errors.ts';
import { decodeNumber } from '../ir/half.ts';
import type { NDArray } from '../ir/ndarray.ts';
import { openSafetensors, openShardedSafetensors, type SafetensorsReader } from '../train/safetensors.ts';
import { type ModelSource, readJson } from './source.ts';

const single = 'model.safetensors';
const index = `${single}.index.json`;
const pickles = ['pytorch_model.bin', 'pytorch_model.bin.index.json', 'model.pt', 'model.pth'];

/**
 * Opens the weights of a model; close the reader after use.
 * @throws FormatError if there are none in safetensors, saying what to do if there are pickle files only.
 */
export async function openWeights(source: ModelSource): Promise<SafetensorsReader> {
  if (await source.has(single)) return await openSafetensors(await source.path(single));
  if (await source.has(index)) {
    for (const shard of shardNames(await readJson(source, index))) await source.path(shard);
    return await openShardedSafetensors(await source.path(index));
  }
  for (const file of pickles)
    if (await source.has(file))
      throw new FormatError(
        `${source.name} has its weights only as ${file}, a pickle file, which can run code when read; convert it in Python: AutoModel.from_pretrained('${source.name}').save_pretrained('folder', safe_serialization=True)`,
      );
  throw new FormatError(`${source.name} holds no ${single} and no ${index}`);
}

/** Shards named by an index; what else is wrong with the index is found when it is opened. */
function shardNames(json: unknown): Set<string> {
  const map = typeof json === 'object' && json !== null && 'weight_map' in json ? json.weight_map : undefined;
  const names = typeof map === 'object' && map !== null ? Object.values(map) : [];
  return new Set(names.filter((name): name is string => typeof name === 'string'));
}

/** 16-bit floats as float32, exactly; the engine does not take bfloat16. */
export function inFloat32(array: NDArray): NDArray {
  if (array.dtype !== 'float16' && array.dtype !== 'bfloat16') return array;
  const data = new Float32Array(array.data.length);
  for (let i = 0; i < data.length; i++) data[i] = decodeNumber(array.data[i], array.dtype);
  return { data, shape: array.shape, dtype: 'float32' };
}
