/** @file The engine in use: loaded once per device, on first use. */
import { defaultDevice, loadOrt } from '#ort';
import type { Engine } from './engine.ts';
import { OrtEngine } from './ort-engine.ts';

const engines = new Map<string, Promise<Engine>>();
let current: string = defaultDevice;
let fallback = true;

/** The name of the device that programs run on. */
export function getDevice(): string {
  return current;
}

export interface DeviceOptions {
  /** Whether operators that the device lacks may run on the CPU (default true); false makes them an EngineError. */
  fallback?: boolean;
}

/**
 * Chooses where programs run from now on: 'cpu' (Node), 'wasm' (browser), 'webgpu', or any execution provider of the
 * installed ONNX Runtime by name. Tensors move when they are next used. A device that the machine does not have is an
 * EngineError of the first program.
 */
export function setDevice(device: string, options: DeviceOptions = {}): void {
  current = device;
  fallback = options.fallback ?? true;
}

/** The engine of the current device. */
export function getEngine(): Promise<Engine> {
  const key = `${current}${fallback ? '' : '!'}`;
  let engine = engines.get(key);
  if (!engine) {
    const [device, mayFall] = [current, fallback];
    engine = loadOrt(device).then((ort) => new OrtEngine(ort, device, mayFall));
    engines.set(key, engine);
  }
  return engine;
}
