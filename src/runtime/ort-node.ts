/** @file ONNX Runtime's native build for Node. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
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

let profiles: string | undefined;

/** Where ONNX Runtime writes its profiles: files of a temporary folder that begin with this. */
export function profilePrefix(): string {
  profiles ??= mkdtempSync(join(tmpdir(), 'gradus-profile-'));
  return join(profiles, 'program');
}

/** The texts of all profiles that are complete; their files are removed. */
export function takeProfileTexts(): string[] {
  if (!profiles) return [];
  const folder = profiles;
  profiles = undefined;
  const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  rmSync(folder, { recursive: true });
  return texts;
}

/** Runs `fn` when the process ends. */
export function atExit(fn: () => void): void {
  process.once('exit', fn);
}
