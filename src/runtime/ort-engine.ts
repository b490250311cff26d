/** @file Engine on ONNX Runtime, for every build that speaks onnxruntime-common's interface. */
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-common';
import { profilePrefix } from '#ort';
import type { DType, NumericArray } from '../ir/dtype.ts';
import { EngineError } from '../ir/errors.ts';
import { fromBigArray, toBigArray } from '../ir/onnx/elements.ts';
import { type Shape, sizeOf } from '../ir/shape.ts';
import { copyModel } from './copy-model.ts';
import type { Engine, EngineProgram, EngineTensor, ProgramOptions } from './engine.ts';
import { watchProfile } from './profile.ts';

/** What this file needs of onnxruntime-node or onnxruntime-web. */
export interface OrtModule {
  InferenceSession: typeof InferenceSession;
  Tensor: typeof OrtTensor;
}

/**
 * Threads wait busily while a program runs, and let go of the processor when it ends. Otherwise the threads of several
 * programs used in turn (training and evaluation) take it from each other: six of them took 1.4 ms a run instead of 0.8.
 */
const threads = { intra_op: { allow_spinning: '1' }, force_spinning_stop: '1' };

/** Dtypes that WebGPU buffers of ONNX Runtime hold. */
const deviceDTypes: ReadonlySet<DType> = new Set(['float32', 'float16', 'int32', 'int64', 'uint32']);

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

class OrtProgram implements EngineProgram {
  readonly #session: InferenceSession;
  readonly #inputs: readonly string[];
  readonly #outputs: readonly string[];
  /** Whether the engine writes to memory that it is given; onnxruntime-web takes such memory and leaves it as it was. */
  readonly #inPlace: boolean;
  readonly #feeds: Record<string, OrtTensor> = {};
  readonly #fetches: Record<string, OrtTensor | null> = {};

  constructor(session: InferenceSession, inputs: readonly string[], outputs: readonly string[], inPlace: boolean) {
    this.#session = session;
    this.#inPlace = inPlace;
    this.#inputs = inputs;
    this.#outputs = outputs;
  }

  async run(inputs: readonly EngineTensor[], into: readonly (EngineTensor | null)[]): Promise<EngineTensor[]> {
    for (let i = 0; i < inputs.length; i++) this.#feeds[this.#inputs[i]] = inputs[i] as OrtTensor;
    for (let i = 0; i < this.#outputs.length; i++)
      this.#fetches[this.#outputs[i]] = this.#inPlace ? ((into[i] as OrtTensor) ?? null) : null;
    let results: InferenceSession.ReturnType;
    try {
      results = await this.#session.run(this.#feeds, this.#fetches);
    } catch (error) {
      throw new EngineError(`ONNX Runtime failed while running a program: ${messageOf(error)}`, { cause: error });
    }
    return this.#outputs.map((name, i) => (this.#inPlace ? results[name] : moved(results[name], into[i])));
  }

  async dispose(): Promise<void> {
    await this.#session.release();
  }
}

/** A result in the memory that was meant for it. */
function moved(result: OrtTensor, into: EngineTensor | null): OrtTensor {
  if (!into) return result;
  const target = into as OrtTensor;
  (target.data as Float32Array).set(result.data as Float32Array);
  return target;
}

/** An engine that runs on the given execution provider of an ONNX Runtime build. */
export class OrtEngine implements Engine {
  readonly device: string;
  readonly sharesMemory: boolean;
  readonly #ort: OrtModule;
  readonly #fallback: boolean;
  readonly #copies = new Map<string, Promise<EngineProgram>>();

  constructor(ort: OrtModule, device: string, fallback: boolean) {
    this.#ort = ort;
    this.device = device;
    this.sharesMemory = device === 'cpu' || device === 'wasm';
    this.#fallback = fallback;
  }

  async compile(
    model: Uint8Array,
    inputs: readonly string[],
    outputs: readonly string[],
    options: ProgramOptions,
  ): Promise<EngineProgram> {
    const strict = this.#fallback || this.sharesMemory ? {} : { disable_cpu_ep_fallback: '1' };
    const sessionOptions: InferenceSession.SessionOptions = {
      executionProviders: [this.device === 'webgpu' ? { name: 'webgpu', preferredLayout: 'NCHW' } : this.device],
      logSeverityLevel: 3,
      // The pattern's one block comes on top of what the first run took: a third more peak memory, and no faster.
      enableMemPattern: false,
      enableCpuMemArena: options.ownMemory ?? true,
      extra: { session: { ...threads, ...strict } },
      ...(this.sharesMemory ? {} : { preferredOutputLocation: locations(outputs, options.keep ?? []) }),
      ...(options.profile ? { enableProfiling: true, profileFilePrefix: profilePrefix() } : {}),
    };
    try {
      const session = await this.#ort.InferenceSession.create(model, sessionOptions);
      if (options.profile) watchProfile(() => session.endProfiling());
      return new OrtProgram(session, inputs, outputs, this.device === 'cpu');
    } catch (error) {
      throw refusal(error, this.device);
    }
  }

  upload(dtype: DType, shape: Shape, data: NumericArray): EngineTensor {
    if (dtype === 'bfloat16' || dtype === 'string')
      throw new EngineError(`the engine takes no ${dtype} tensors; convert with .to('float32')`);
    if (data.length !== sizeOf(shape))
      throw new EngineError(`${data.length} elements do not fill shape [${shape.join(', ')}]`);
    if (dtype === 'int64' && this.device === 'webgpu')
      return new this.#ort.Tensor('int32', toInt32Array(data), shape as number[]);
    const elements = dtype === 'int64' || dtype === 'uint64' ? toBigArray(dtype, data) : data;
    return new this.#ort.Tensor(dtype, elements as Float32Array, shape as number[]);
  }

  holds(dtype: DType): boolean {
    return deviceDTypes.has(dtype);
  }

  async keep(dtype: DType, tensor: EngineTensor): Promise<EngineTensor> {
    return await this.#copy(dtype, tensor, true);
  }

  view(dtype: DType, tensor: EngineTensor): NumericArray | null {
    const found = tensor as OrtTensor;
    return found.location === 'gpu-buffer' ? null : fromEngine(dtype, found.data);
  }

  async download(dtype: DType, tensor: EngineTensor): Promise<NumericArray> {
    // getData() on device memory ends the process in onnxruntime-node; a program that copies is safe everywhere.
    const copy = (await this.#copy(dtype, tensor, false)) as OrtTensor;
    return fromEngine(dtype, copy.data);
  }

  release(tensor: EngineTensor): void {
    (tensor as OrtTensor).dispose();
  }

  async #copy(dtype: DType, tensor: EngineTensor, keep: boolean): Promise<EngineTensor> {
    const key = `${dtype}/${tensor.dims.length}/${keep}`;
    let program = this.#copies.get(key);
    if (!program) {
      const model = copyModel(dtype === 'int64' ? 'int32' : dtype, tensor.dims.length);
      program = this.compile(model.bytes, model.inputNames, model.outputNames, { keep: [keep] });
      this.#copies.set(key, program);
      // A failed compilation (no adapter) is tried again next time.
      program.catch(() => this.#copies.delete(key));
    }
    const [copy] = await (await program).run([tensor], [null]);
    return copy;
  }
}

function fromEngine(dtype: DType, data: OrtTensor['data']): NumericArray {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return fromBigArray(data);
  return dtype === 'int64' ? Float64Array.from(data as Int32Array) : (data as NumericArray);
}

/** 64-bit integers for a device that computes with 32 bits. */
function toInt32Array(data: NumericArray): Int32Array {
  const narrow = Int32Array.from(data);
  const at = narrow.findIndex((x, i) => x !== data[i]);
  if (at >= 0)
    throw new EngineError(`WebGPU computes with integers of 32 bits; ${data[at]} does not fit. Use setDevice('cpu')`);
  return narrow;
}

function locations(outputs: readonly string[], keep: readonly boolean[]): Record<string, 'gpu-buffer' | 'cpu'> {
  return Object.fromEntries(outputs.map((name, i) => [name, keep[i] ? 'gpu-buffer' : 'cpu']));
}

/** A session could not be made: says what is missing where the device itself is. */
function refusal(error: unknown, device: string): EngineError {
  const message = messageOf(error);
  if (device === 'webgpu' && /adapter|webgpu is not|Couldn't load Vulkan/i.test(message))
    return new EngineError(
      `no WebGPU adapter was found on this machine (a GPU with its driver: Vulkan, Metal or Direct3D 12); use setDevice('cpu'). ONNX Runtime says: ${message.trim()}`,
      { cause: error },
    );
  return new EngineError(`ONNX Runtime refused a program: ${message}`, { cause: error });
}
