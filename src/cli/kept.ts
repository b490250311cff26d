/** @file A kept run opened again: its record, and its model with the trained weights. */
import { join } from 'node:path';
import { TableEncoder } from '../data/index.ts';
import { loadModel } from '../hub/index.ts';
import type { Module } from '../nn/index.ts';
import { setDevice } from '../runtime/device.ts';
import { sha256 } from './model-file.ts';
import { buildModel, type ModelInfo } from './models.ts';
import { UsageError } from './problem.ts';
import { isThere, type RunRecord, readRun } from './run-folder.ts';
import type { Terminal } from './terminal.ts';

export interface Kept {
  readonly record: RunRecord;
  readonly model: Module;
  readonly info: ModelInfo;
  /** Present for tables. */
  readonly encoder: TableEncoder | undefined;
  readonly scale: { readonly mean: number; readonly std: number } | null;
}

/** Opens a run. @throws UsageError where it has not finished, or its model file is gone. */
export async function openRun(folder: string, device: string, terminal: Terminal): Promise<Kept> {
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
  if (code.kind === 'file') {
    if (!(await isThere(code.file)))
      throw new UsageError(
        `the model of this run was made by ${code.file}, which is gone; put it back, or use ${folder}/model.onnx`,
      );
    if ((await sha256(code.file)) !== code.sha256)
      terminal.warn(`${code.file} has changed since the run; the result may differ`);
  }
  const model = await buildModel(code, info, options.seed);
  await loadModel(model, join(folder, 'model.safetensors'));
  model.eval();
  return { record, model, info, encoder, scale };
}
