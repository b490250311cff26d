/** @file run.json of a text classifier: what is needed to judge it again and to go on with its training. */
import { join } from 'node:path';
import { z } from 'zod';
import { isThere, readRecord, runBase, taskOfRun } from '../run-folder.ts';

export const textTask = 'text-classification';

/** Options of training that decide its result. */
export const textOptions = z.object({
  epochs: z.number().int().positive(),
  batchSize: z.number().int().positive(),
  accumulate: z.number().int().positive(),
  maxLength: z.number().int().min(3),
  lr: z.number().positive(),
  optimizer: z.string(),
  schedule: z.string(),
  /** Share of the steps, or their number. */
  warmup: z.number().min(0),
  weightDecay: z.number().min(0),
  clip: z.number().positive().nullable(),
  patience: z.number().int().min(0),
  balance: z.boolean(),
  freeze: z.array(z.string()),
  seed: z.number().int().min(0),
  val: z.union([z.number(), z.string()]).nullable(),
  test: z.union([z.number(), z.string()]).nullable(),
  limit: z.number().int().positive().nullable(),
  strict: z.boolean(),
  device: z.string(),
});
export type TextOptions = z.infer<typeof textOptions>;

/** Where texts and labels came from. */
export const textOrigin = z.object({
  /** File, folder, or hub data set. */
  path: z.string(),
  hub: z.boolean(),
  config: z.string().optional(),
  text: z.string(),
  label: z.string(),
  train: z.number(),
  val: z.number(),
  test: z.number(),
  /** sha256 of texts and labels of all parts. */
  sha256: z.string(),
});

const textRecord = runBase.extend({
  task: z.literal(textTask),
  /** Folder or hub repository of the pretrained model. */
  model: z.string(),
  data: textOrigin,
  options: textOptions,
  classes: z.array(z.string()),
  trainable: z.number(),
});
export type TextRecord = z.infer<typeof textRecord>;

/** @throws UsageError where the folder holds no such run. */
export async function readTextRun(folder: string): Promise<TextRecord> {
  return await readRecord(folder, textRecord);
}

/** Whether a folder is a text classifier: a run of this task, or a model's folder without a run. */
export async function isTextModel(folder: string): Promise<boolean> {
  const task = await taskOfRun(folder);
  if (task !== undefined) return task === textTask;
  return !(await isThere(join(folder, 'run.json'))) && (await isThere(join(folder, 'config.json')));
}
