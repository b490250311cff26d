/** @file The small interface behind which every ONNX Runtime build looks the same. */
import type { DType, NumericArray } from '../ir/dtype.ts';
import type { Shape } from '../ir/shape.ts';

export interface ProgramOptions {
  /** Record how long every operator takes; see profile.ts. */
  profile?: boolean;
  /** Outputs that stay in device memory, by position; the others come to the host. Only where memory is not shared. */
  keep?: readonly boolean[];
  /**
   * Keep the memory of intermediate results between runs (default), which saves the system's work of giving it anew.
   * Without, all such programs share the process's heap. Native CPU only.
   */
  ownMemory?: boolean;
}

/** A tensor in the engine's own form. Opaque above this layer. */
export interface EngineTensor {
  readonly dims: readonly number[];
}

/** A compiled graph. Not re-entrant: one run at a time. */
export interface EngineProgram {
  /**
   * Runs with one tensor per input. `into` gives memory for some outputs; the others are allocated.
   * @returns all outputs by position.
   */
  run(inputs: readonly EngineTensor[], into: readonly (EngineTensor | null)[]): Promise<EngineTensor[]>;
  dispose(): Promise<void>;
}

/** An ONNX Runtime build with a device. */
export interface Engine {
  /** 'cpu', 'wasm', 'webgpu' or another execution provider's name. */
  readonly device: string;
  /** Whether tensors wrap host memory that both sides read and write in place. */
  readonly sharesMemory: boolean;
  compile(
    model: Uint8Array,
    inputs: readonly string[],
    outputs: readonly string[],
    options: ProgramOptions,
  ): Promise<EngineProgram>;
  /** Wraps (or uploads) host elements; float32, int32 and the like stay views, 64-bit integers are converted. */
  upload(dtype: DType, shape: Shape, data: NumericArray): EngineTensor;
  /** Whether device memory can hold elements of a dtype at all. */
  holds(dtype: DType): boolean;
  /** Copies a tensor to device memory, to be fed many times. */
  keep(dtype: DType, tensor: EngineTensor): Promise<EngineTensor>;
  /** Elements of an engine tensor that lies in host memory (64-bit integers are converted); null for device memory. */
  view(dtype: DType, tensor: EngineTensor): NumericArray | null;
  /** Elements of an engine tensor fetched to the host. */
  download(dtype: DType, tensor: EngineTensor): Promise<NumericArray>;
  /** Frees device memory. */
  release(tensor: EngineTensor): void;
}
