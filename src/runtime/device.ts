/** @file The engine in use: loaded once per device, on first use. */
import { defaultDevice, loadOrt } from '#ort';
import { ArgumentError } from '../ir/errors.ts';
import type { Engine } from './engine.ts';
import { OrtEngine } from './ort-engine.ts';

const engines = new Map<string, Promise<Engine>>();
/** Names by which builds of ONNX Runtime for JavaScript know their execution providers. */
const providers: readonly string[] = [
  ...['cpu', 'wasm', 'webgpu', 'cuda', 'tensorrt', 'dml', 'coreml', 'webnn', 'webgl'],
  ...['rocm', 'migraphx', 'openvino', 'qnn', 'xnnpack', 'nnapi'],
];
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
 * EngineError of the first program. @throws ArgumentError for a name that no build of ONNX Runtime knows.
 */
export function setDevice(device: string, options: DeviceOptions = {}): void {
  if (!providers.includes(device))
    throw new ArgumentError(`setDevice: no device is called '${device}'; expected one of ${providers.join(', ')}`);
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
