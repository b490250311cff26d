/**
 * @file ONNX Runtime's WebAssembly build for browsers.
 *
 * What an application must do: serve the `.wasm` file that ONNX Runtime loads beside its script. Vite and other bundlers
 * that follow `new URL(..., import.meta.url)` copy it by themselves; elsewhere copy `onnxruntime-web/dist/*.wasm` and set
 * `env.wasm.wasmPaths` of 'onnxruntime-web/wasm' to their address before the first program. More than one thread needs
 * SharedArrayBuffer, that is, a page served with `Cross-Origin-Opener-Policy: same-origin` and
 * `Cross-Origin-Embedder-Policy: require-corp`; without these headers everything works on one thread.
 */
import type { OrtModule } from './ort-engine.ts';

export const defaultDevice = 'wasm';

export async function loadOrt(device: string): Promise<OrtModule> {
  return device === 'webgpu' ? await import('onnxruntime-web/webgpu') : await import('onnxruntime-web/wasm');
}

/** A page has no folder to write to. */
export async function saveDump(): Promise<void> {}

/** A page has no folder for profiles either. */
export function profilePrefix(): string {
  return 'gradus';
}

export function takeProfileTexts(): string[] {
  return [];
}

export function atExit(): void {}
