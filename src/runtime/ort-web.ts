/** @file ONNX Runtime's WebAssembly build for browsers. */
import type { OrtModule } from './ort-engine.ts';

export const defaultDevice = 'wasm';

export async function loadOrt(): Promise<OrtModule> {
  return await import('onnxruntime-web');
}

/** A page has no folder to write to. */
export async function saveDump(): Promise<void> {}
