/** @file Checkpoints: a folder per step with safetensors and JSON, written beside and renamed, so that none is ever half there. */
import { FormatError, GradusError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import type { Tensor } from '../tensor/index.ts';
import type { Json } from './callback.ts';
import { errorCode, fileError, makeFolder, readFileBounded, syncFolder, writeFileAtomic } from './files.ts';
import { nodeFiles } from './node-files.ts';
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
/** What a checkpoint is called while another of the same step takes its place. */
const replacedName = (name: string) => `.${name}.old`;
const isTemporary = (name: string) => /^\.step-.*\.tmp$/.test(name);

const byStep = (a: string, b: string) => a.length - b.length || (a < b ? -1 : 1);

/** Largest state.json that is read, in bytes. */
const maxStateBytes = 1 << 30;

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
  const replaced = path.join(folder, replacedName(folderName(step)));
  try {
    await makeFolder(folder);
    await fs.rm(temporary, { recursive: true, force: true });
    await saveSafetensors(path.join(temporary, 'model.safetensors'), content.model, { format: 'pt' });
    await saveSafetensors(path.join(temporary, 'optimizer.safetensors'), content.optimizer);
    await writeFileAtomic(path.join(temporary, 'state.json'), `${JSON.stringify(content.state, null, 2)}\n`);
    await moveIfThere(final, replaced);
    await fs.rename(temporary, final);
    await syncFolder(folder);
    await removeFolder(replaced);
    const names = (await fs.readdir(folder)).filter(isCheckpoint).sort(byStep);
    for (const name of names.slice(0, -keep)) await removeFolder(path.join(folder, name));
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    if (error instanceof GradusError) throw error;
    throw fileError('write', final, error, 0, '; earlier checkpoints are unchanged');
  }
  return final;
}

async function moveIfThere(from: string, to: string): Promise<boolean> {
  const { fs } = nodeFiles();
  try {
    await fs.rm(to, { recursive: true, force: true });
    await fs.rename(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Removes a checkpoint under another name, so that one whose removal was interrupted is never taken for a whole one. */
async function removeFolder(folder: string): Promise<void> {
  const { fs, path } = nodeFiles();
  const doomed = path.join(path.dirname(folder), `.${path.basename(folder).replace(/^\./, '')}.${process.pid}.tmp`);
  if (await moveIfThere(folder, doomed)) await fs.rm(doomed, { recursive: true, force: true });
}

/**
 * Puts the checkpoints of an earlier run aside, as `<name>-old` (in place of older ones): a new run in the same folder
 * must not be resumed from them.
 * @throws FileError when the system refuses.
 */
export async function setAside(folder: string): Promise<void> {
  const { fs } = nodeFiles();
  const names = await fs.readdir(folder).catch(() => [] as string[]);
  try {
    if (names.some((name) => isCheckpoint(name) || name.startsWith('.step-')))
      await moveIfThere(folder, `${folder}-old`);
  } catch (error) {
    throw fileError('rename', folder, error, 0);
  }
}

/** The newest complete checkpoint of a folder, or undefined. Left-overs of a crash are cleared away. */
export async function latestCheckpoint(folder: string): Promise<string | undefined> {
  const { fs, path } = nodeFiles();
  const names = await fs.readdir(folder).catch(() => [] as string[]);
  for (const name of names.filter(isTemporary)) await fs.rm(path.join(folder, name), { recursive: true, force: true });
  const whole = names.filter(isCheckpoint);
  for (const name of names.filter((n) => /^\.step-\d{9,}\.old$/.test(n))) {
    const original = name.slice(1, -'.old'.length);
    if (whole.includes(original)) await removeFolder(path.join(folder, name));
    else {
      await fs.rename(path.join(folder, name), path.join(folder, original));
      whole.push(original);
    }
  }
  const newest = whole.sort(byStep).at(-1);
  return newest && path.join(folder, newest);
}

/** Reads a checkpoint. @throws FormatError or FileError naming the file that is missing or damaged. */
export async function loadCheckpoint(folder: string): Promise<Checkpoint> {
  const { path } = nodeFiles();
  const text = new TextDecoder().decode(await readFileBounded(path.join(folder, 'state.json'), maxStateBytes));
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
