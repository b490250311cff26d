/** @file Engine on ONNX Runtime, for every build that speaks onnxruntime-common's interface. */
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-common';
import type { DType, NumericArray } from '../ir/dtype.ts';
import { EngineError } from '../ir/errors.ts';
import { fromBigArray, toBigArray } from '../ir/onnx/elements.ts';
import { type Shape, sizeOf } from '../ir/shape.ts';
import type { Engine, EngineProgram, EngineTensor, ProgramOptions } from './engine.ts';

/** What this file needs of onnxruntime-node or onnxruntime-web. */
export interface OrtModule {
  InferenceSession: typeof InferenceSession;
  Tensor: typeof OrtTensor;
}

const intraOpSpinning = (spin: boolean) => ({ session: { intra_op: { allow_spinning: spin ? '1' : '0' } } });

class OrtProgram implements EngineProgram {
  readonly #session: InferenceSession;
  readonly #inputs: readonly string[];
  readonly #outputs: readonly string[];
  readonly #feeds: Record<string, OrtTensor> = {};
  readonly #fetches: Record<string, OrtTensor | null> = {};

  constructor(session: InferenceSession, inputs: readonly string[], outputs: readonly string[]) {
    this.#session = session;
    this.#inputs = inputs;
    this.#outputs = outputs;
  }

  async run(inputs: readonly EngineTensor[], into: readonly (EngineTensor | null)[]): Promise<EngineTensor[]> {
    for (let i = 0; i < inputs.length; i++) this.#feeds[this.#inputs[i]] = inputs[i] as OrtTensor;
    for (let i = 0; i < this.#outputs.length; i++) this.#fetches[this.#outputs[i]] = (into[i] as OrtTensor) ?? null;
    let results: InferenceSession.ReturnType;
    try {
      results = await this.#session.run(this.#feeds, this.#fetches);
    } catch (error) {
      throw new EngineError(`ONNX Runtime failed while running a program: ${(error as Error).message}`, {
        cause: error,
      });
    }
    return this.#outputs.map((name) => results[name]);
  }

  async dispose(): Promise<void> {
    await this.#session.release();
  }
}

/** An engine that runs on the given execution provider of an ONNX Runtime build. */
export class OrtEngine implements Engine {
  readonly device: string;
  readonly sharesMemory: boolean;
  readonly #ort: OrtModule;

  constructor(ort: OrtModule, device: string) {
    this.#ort = ort;
    this.device = device;
    this.sharesMemory = device === 'cpu' || device === 'wasm';
  }

  async compile(
    model: Uint8Array,
    inputs: readonly string[],
    outputs: readonly string[],
    options: ProgramOptions,
  ): Promise<EngineProgram> {
    const sessionOptions: InferenceSession.SessionOptions = {
      executionProviders: [this.device],
      logSeverityLevel: 3,
      extra: intraOpSpinning(options.spin),
      ...(options.profile ? { enableProfiling: true, profileFilePrefix: options.profile } : {}),
    };
    try {
      const session = await this.#ort.InferenceSession.create(model, sessionOptions);
      return new OrtProgram(session, inputs, outputs);
    } catch (error) {
      throw new EngineError(`ONNX Runtime refused a program: ${(error as Error).message}`, { cause: error });
    }
  }

  upload(dtype: DType, shape: Shape, data: NumericArray): EngineTensor {
    if (dtype === 'bfloat16' || dtype === 'string')
      throw new EngineError(`the engine takes no ${dtype} tensors; convert with .to('float32')`);
    if (data.length !== sizeOf(shape))
      throw new EngineError(`${data.length} elements do not fill shape [${shape.join(', ')}]`);
    const elements = dtype === 'int64' || dtype === 'uint64' ? toBigArray(dtype, data) : data;
    return new this.#ort.Tensor(dtype, elements as Float32Array, shape as number[]);
  }

  view(dtype: DType, tensor: EngineTensor): NumericArray {
    return fromEngine(dtype, (tensor as OrtTensor).data);
  }

  async download(dtype: DType, tensor: EngineTensor): Promise<NumericArray> {
    return fromEngine(dtype, await (tensor as OrtTensor).getData());
  }

  release(tensor: EngineTensor): void {
    (tensor as OrtTensor).dispose();
  }
}

function fromEngine(dtype: DType, data: OrtTensor['data']): NumericArray {
  if (dtype === 'int64' || dtype === 'uint64') return fromBigArray(data as BigInt64Array | BigUint64Array);
  return data as NumericArray;
}
