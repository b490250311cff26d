/** @file The engine in use: loaded once per device, on first use. */
import { defaultDevice, loadOrt } from '#ort';
import type { Engine } from './engine.ts';
import { OrtEngine } from './ort-engine.ts';

const engines = new Map<string, Engine>();
let current: string = defaultDevice;

/** The name of the device that programs run on. */
export function getDevice(): string {
  return current;
}

/**
 * Chooses where programs run from now on: 'cpu' (Node), 'wasm' (browser), 'webgpu', or any execution provider of the
 * installed ONNX Runtime by name. Tensors move when they are next used.
 */
export function setDevice(device: string): void {
  current = device;
}

/** The engine of the current device. */
export async function getEngine(): Promise<Engine> {
  let engine = engines.get(current);
  if (!engine) {
    const device = current;
    engine = new OrtEngine(await loadOrt(), device);
    engines.set(device, engine);
  }
  return engine;
}
