/** @file A kept run opened again: its record, and its model with the trained weights. */
import { join } from 'node:path';
import { TableEncoder } from '../data/index.ts';
import { loadModel, OnnxModel } from '../hub/index.ts';
import type { Module } from '../nn/index.ts';
import { setDevice } from '../runtime/device.ts';
import { buildModel, type ModelInfo } from './models.ts';
import { UsageError } from './problem.ts';
import { isThere, type RunRecord, readRun } from './run-folder.ts';

export interface Kept {
  readonly record: RunRecord;
  readonly model: Module;
  readonly info: ModelInfo;
  /** Present for tables. */
  readonly encoder: TableEncoder | undefined;
  readonly scale: { readonly mean: number; readonly std: number } | null;
}

/** Opens a run. @throws UsageError where it has not finished. */
export async function openRun(folder: string, device: string): Promise<Kept> {
  const record = await readRun(folder);
  const { preprocess, model: code, options } = record;
  if (!(await isThere(join(folder, 'model.safetensors'))))
    throw new UsageError(
      `${folder} has no model.safetensors: its training ${record.status === 'finished' ? 'was kept elsewhere' : 'has not finished; go on with: npx gradus train --resume --out'} ${folder}`,
    );
  setDevice(device);
  const encoder = preprocess.kind === 'table' ? TableEncoder.fromJSON(preprocess.encoder) : undefined;
  const scale = preprocess.kind === 'table' ? preprocess.scale : null;
  const classes = preprocess.kind === 'image' ? preprocess.classes : (encoder?.classes ?? []);
  const inputShape =
    preprocess.kind === 'image'
      ? [preprocess.channels, preprocess.height, preprocess.width]
      : [encoder?.featureNames.length ?? 0];
  const info = { task: record.task, inputShape, outputs: scale ? 1 : classes.length, classes };
  const model = code.kind === 'file' ? await keptGraph(folder) : await buildModel(code, info, options.seed);
  if (code.kind !== 'file') await loadModel(model, join(folder, 'model.safetensors'));
  model.eval();
  return { record, model, info, encoder, scale };
}

/** A run's folder may come from anybody: the code that made its model is never run again, its ONNX file is. */
async function keptGraph(folder: string): Promise<Module> {
  const file = join(folder, 'model.onnx');
  if (!(await isThere(file)))
    throw new UsageError(`${folder} has no model.onnx, which runs with models of one's own need`);
  return await OnnxModel.load(file);
}
