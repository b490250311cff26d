/** @file Checkpoints: a folder per step with safetensors and JSON, written beside and renamed, so that none is ever half there. */
import { FormatError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import type { Tensor } from '../tensor/index.ts';
import type { Json } from './callback.ts';
import { nodeFiles, syncFolder, writeFileAtomic } from './files.ts';
import { loadSafetensors, saveSafetensors } from './safetensors.ts';

/** What a checkpoint holds besides tensors. */
export type CheckpointState = { [key: string]: Json };

export interface Checkpoint {
  readonly path: string;
  readonly state: CheckpointState;
  readonly model: Readonly<Record<string, NDArray>>;
  readonly optimizer: Readonly<Record<string, NDArray>>;
}

const folderName = (step: number) => `step-${String(step).padStart(9, '0')}`;
const isCheckpoint = (name: string) => /^step-\d{9,}$/.test(name);

/** Elements of tensors for writing. */
export async function snapshot(tensors: Readonly<Record<string, Tensor>>): Promise<Record<string, NDArray>> {
  const entries = await Promise.all(
    Object.entries(tensors).map(async ([name, t]) => [
      name,
      { data: await t.data(), shape: [...t.shape], dtype: t.dtype },
    ]),
  );
  return Object.fromEntries(entries) as Record<string, NDArray>;
}

/**
 * Writes `<folder>/step-<n>/` with model.safetensors, optimizer.safetensors and state.json, then drops all but the newest
 * `keep`. The folder appears under its name only when complete; a crash or a full disk leaves older ones as they were.
 * @throws FileError when the disk is full or the path cannot be written.
 */
export async function saveCheckpoint(
  folder: string,
  step: number,
  content: { state: CheckpointState; model: Record<string, NDArray>; optimizer: Record<string, NDArray> },
  keep: number,
): Promise<string> {
  const { fs, path } = nodeFiles();
  const final = path.join(folder, folderName(step));
  const temporary = path.join(folder, `.${folderName(step)}.${process.pid}.tmp`);
  await fs.mkdir(folder, { recursive: true });
  await fs.rm(temporary, { recursive: true, force: true });
  try {
    await saveSafetensors(path.join(temporary, 'model.safetensors'), content.model, { format: 'pt' });
    await saveSafetensors(path.join(temporary, 'optimizer.safetensors'), content.optimizer);
    await writeFileAtomic(path.join(temporary, 'state.json'), `${JSON.stringify(content.state, null, 2)}\n`);
    await fs.rm(final, { recursive: true, force: true });
    await fs.rename(temporary, final);
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true });
    throw error;
  }
  await syncFolder(folder);
  const names = (await fs.readdir(folder)).filter(isCheckpoint).sort();
  for (const name of names.slice(0, -keep)) await fs.rm(path.join(folder, name), { recursive: true, force: true });
  return final;
}

/** The newest complete checkpoint of a folder, or undefined. Left-overs of a crash are cleared away. */
export async function latestCheckpoint(folder: string): Promise<string | undefined> {
  const { fs, path } = nodeFiles();
  const names = await fs.readdir(folder).catch(() => [] as string[]);
  for (const name of names)
    if (/^\.step-.*\.tmp$/.test(name)) await fs.rm(path.join(folder, name), { recursive: true, force: true });
  const newest = names.filter(isCheckpoint).sort().at(-1);
  return newest && path.join(folder, newest);
}

/** Reads a checkpoint. @throws FormatError or FileError naming the file that is missing or damaged. */
export async function loadCheckpoint(folder: string): Promise<Checkpoint> {
  const { fs, path } = nodeFiles();
  const text = await fs.readFile(path.join(folder, 'state.json'), 'utf8');
  let state: CheckpointState;
  try {
    state = JSON.parse(text) as CheckpointState;
  } catch (cause) {
    throw new FormatError(
      `${folder}/state.json is not JSON; delete this checkpoint folder to resume from an older one`,
      { cause },
    );
  }
  const read = async (name: string) => Object.fromEntries((await loadSafetensors(path.join(folder, name))).tensors);
  return {
    path: folder,
    state,
    model: await read('model.safetensors'),
    optimizer: await read('optimizer.safetensors'),
  };
}
