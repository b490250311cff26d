/** @file ONNX Runtime's WebAssembly build for browsers. */
import type { OrtModule } from './ort-engine.ts';

export const defaultDevice = 'wasm';

export async function loadOrt(device: string): Promise<OrtModule> {
  return device === 'webgpu' ? await import('onnxruntime-web/webgpu') : await import('onnxruntime-web/wasm');
}

/** A page has no folder to write to. */
export async function saveDump(): Promise<void> {}
