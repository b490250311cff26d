/** @file The folder of a run: run.json, which holds all that is needed to evaluate, predict and go on. */
import { access, constants, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { makeFolder, readFileBounded, writeFileAtomic } from '../train/files.ts';
import { augmentations } from './data/augment.ts';
import { checkExists } from './data/detect.ts';
import { preprocess, tasks } from './data/prepared.ts';
import { modelCode } from './models.ts';
import { UsageError } from './problem.ts';

const shareOrPath = z.union([z.number(), z.string()]).nullable();

/** Options of training that decide its result. */
export const trainOptions = z.object({
  epochs: z.number().int().positive(),
  batchSize: z.number().int().positive(),
  lr: z.number().positive(),
  optimizer: z.string(),
  schedule: z.string(),
  weightDecay: z.number().min(0),
  clip: z.number().positive().nullable(),
  patience: z.number().int().min(0),
  balance: z.boolean(),
  augment: z.array(z.enum(augmentations)),
  seed: z.number().int().min(0),
  val: shareOrPath,
  test: shareOrPath,
  limit: z.number().int().positive().nullable(),
  strict: z.boolean(),
  device: z.string(),
  workers: z.number().int().min(0),
  target: z.string().nullable(),
  ignore: z.array(z.string()),
  categorical: z.array(z.string()),
  numeric: z.array(z.string()),
});
export type TrainOptions = z.infer<typeof trainOptions>;

/** What every run's record says. */
export const runBase = z.object({
  format: z.literal(1),
  gradus: z.string(),
  node: z.string(),
  command: z.array(z.string()),
  created: z.string(),
  status: z.enum(['training', 'interrupted', 'finished']),
  parameters: z.number(),
  epochs: z.number().int().min(0),
  bestEpoch: z.number().int().nullable(),
  results: z.record(z.string(), z.unknown()),
});

const runRecord = runBase.extend({
  task: z.enum(tasks),
  data: z.looseObject({ path: z.string() }),
  options: trainOptions,
  preprocess,
  model: modelCode,
});
export type RunRecord = z.infer<typeof runRecord>;

const file = 'run.json';
/** Encoders of tables with many categories are long. */
const maxRecord = 500_000_000;

/** Writes run.json. */
export async function writeRun(folder: string, record: object): Promise<void> {
  await writeFileAtomic(join(folder, file), `${JSON.stringify(record, null, 2)}\n`);
}

/** The task that a folder's run.json names, whatever else it says; undefined without one. */
export async function taskOfRun(folder: string): Promise<string | undefined> {
  const bytes = await readFileBounded(join(folder, file), maxRecord).catch(() => undefined);
  return bytes && /^\s*"task"\s*:\s*"([\w-]+)"/m.exec(new TextDecoder().decode(bytes))?.[1];
}

/** Reads the record of a run. @throws UsageError where the folder is none, naming what is wrong. */
export async function readRun(folder: string): Promise<RunRecord> {
  return await readRecord(folder, runRecord);
}

/** Reads run.json as records of a kind have it. @throws as readRun. */
export async function readRecord<T>(folder: string, schema: z.ZodType<T>): Promise<T> {
  if ((await checkExists(folder)) === 'file') throw new UsageError(`${folder} is a file; give the folder of a run`);
  const path = join(folder, file);
  if (!(await isThere(path)))
    throw new UsageError(`${folder} is no run: it has no ${file}; give the folder that 'gradus train' named as kept`);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(await readFileBounded(path, maxRecord)));
  } catch (cause) {
    throw new UsageError(`${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success)
    throw new UsageError(`${path} is damaged or of another version:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

export async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Everything that training writes into its folder. */
const isOwn = (name: string): boolean =>
  /^(run\.json|model\.(safetensors|onnx)|metrics\.jsonl|events\.out\.tfevents\..*|report\.(svg|png)|preview\.(svg|png)|checkpoints|best|\..*\.tmp)$/.test(
    name,
  );

/** What a pretrained model's folder has besides; such a folder is a run's only if run.json says so. */
const isModels = (name: string): boolean =>
  /^(config\.json|tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|vocab\.(txt|json)|merges\.txt|spiece\.model|onnx)$/.test(
    name,
  );

/**
 * Looks whether a new run can be kept in a folder; nothing is changed yet.
 * @throws UsageError for a folder that holds a run (unless `overwrite`) or other files, or that cannot be written to.
 */
export async function checkRunFolder(folder: string, overwrite: boolean): Promise<void> {
  if (await isThere(folder)) {
    if ((await checkExists(folder)) === 'file') throw new UsageError(`--out ${folder} is a file; give a folder`);
    const names = await readdir(folder);
    const isRun = names.includes(file);
    const foreign = names.filter((name) => !isOwn(name) && !(isRun && isModels(name)));
    if (names.includes(file) && !overwrite)
      throw new UsageError(
        `${folder} holds a run already. Go on with it: --resume; replace it: --overwrite; keep it: another --out`,
      );
    if (foreign.length > 0)
      throw new UsageError(
        `--out ${folder} holds other files (${foreign.slice(0, 3).join(', ')}); give a new or empty folder`,
      );
  }
  let existing = resolve(folder);
  while (!(await isThere(existing))) existing = dirname(existing);
  if ((await checkExists(existing)) === 'file') throw new UsageError(`--out ${folder}: ${existing} is a file`);
  await access(existing, constants.W_OK).catch((cause: NodeJS.ErrnoException) => {
    throw cannotWrite(folder, cause);
  });
}

const cannotWrite = (folder: string, cause: NodeJS.ErrnoException): UsageError =>
  new UsageError(
    `--out ${folder} cannot be written to (${cause.code ?? cause.message}); choose a folder you may write to`,
    { cause },
  );

/** Makes the folder of a new run, or empties it of the old one. */
export async function makeRunFolder(folder: string): Promise<void> {
  try {
    await makeFolder(resolve(folder));
    const names = await readdir(folder);
    const isRun = names.includes(file);
    for (const name of names)
      if (isOwn(name) || (isRun && isModels(name))) await rm(join(folder, name), { recursive: true, force: true });
  } catch (cause) {
    throw cannotWrite(folder, cause as NodeJS.ErrnoException);
  }
}

/** `runs/<name of the data>`, numbered if there is one already. */
export async function freeRunFolder(data: string): Promise<string> {
  const stem =
    basename(data.replace(/\/+$/, '')).replace(/(\.[a-z0-9]+){1,2}$/i, '') || basename(dirname(data)) || 'run';
  for (let i = 1; ; i++) {
    const folder = join('runs', i === 1 ? stem : `${stem}-${i}`);
    const names = await readdir(folder).catch(() => undefined);
    if (!names || (names.every(isOwn) && !names.includes(file))) return folder;
  }
}
