/** @file ONNX Runtime's native build for Node. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import type { OrtModule } from './ort-engine.ts';

export const defaultDevice = 'cpu';

/** One build serves all devices. */
export async function loadOrt(_device: string): Promise<OrtModule> {
  return ort;
}

/** Writes a program for inspection with Netron and the like. */
export async function saveDump(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), bytes);
}
