/** @file Loads the golden values that the Python programs of this folder made with PyTorch. */
import { readFileSync } from 'node:fs';
import { type DType, dtypes, type NumericArray } from '../../src/ir/dtype.ts';

export interface GoldenTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: NumericArray;
}

/** Several tensors by name: outputs (`values`, `indices`; `0`, `1` for a list), arguments, a state dict. */
export type GoldenTensors = Readonly<Record<string, GoldenTensor>>;

/** One tensor, or several for functions with several outputs. */
export type GoldenOutput = GoldenTensor | GoldenTensors;

/** Plain values only (numbers, Infinity as 'Infinity', strings, booleans, lists); tensors are all in `args`. */
export type GoldenOptions = Readonly<Record<string, unknown>>;

/**
 * functional.json, losses.json: `op(...args, options)` gives `output`. Arguments called x, y, z (x0, x1, ...) are the
 * leading ones in order; the others have PyTorch's keyword names in camelCase.
 */
export interface GoldenCase {
  readonly name: string;
  readonly op: string;
  readonly args: GoldenTensors;
  readonly options: GoldenOptions;
  readonly output: GoldenOutput;
  /** Outgoing gradient: `grads` are those of sum(output * gradOutput); absent where nothing is differentiable. */
  readonly gradOutput?: GoldenOutput;
  readonly grads?: GoldenTensors;
}

/** layers.json: `new nn[op](options)` with `state` loaded, called with `args` and the options `forward`. */
export interface GoldenLayer extends GoldenCase {
  readonly training: boolean;
  readonly state: GoldenTensors;
  readonly forward: GoldenOptions;
  readonly paramGrads: GoldenTensors;
  /** Buffers after the call (running statistics). */
  readonly stateAfter?: GoldenTensors;
}

/** optim.json, `kind: 'optimizer'`: the parameters after each step on the given gradients. */
export interface GoldenOptimizer {
  readonly kind: 'optimizer';
  readonly name: string;
  readonly op: string;
  readonly options: GoldenOptions;
  readonly params: GoldenTensors;
  readonly grads: readonly GoldenTensors[];
  readonly after: readonly GoldenTensors[];
}

/**
 * optim.json, `kind: 'schedule'`: `lr[i]` is the learning rate used by optimiser step i (`step()` of the schedule is
 * called after each, with `metrics[i]` where the schedule watches one); `momentum` where it is cycled too.
 */
export interface GoldenSchedule {
  readonly kind: 'schedule';
  readonly name: string;
  readonly op: string;
  readonly options: GoldenOptions;
  readonly baseLr: number;
  readonly lr: readonly number[];
  readonly momentum?: readonly number[];
  readonly metrics?: readonly number[];
}

/** optim.json, `kind: 'clip'`: gradients before and after clipping, and their norm before it where one is returned. */
export interface GoldenClip {
  readonly kind: 'clip';
  readonly name: string;
  readonly op: string;
  readonly options: GoldenOptions;
  readonly grads: GoldenTensors;
  readonly after: GoldenTensors;
  readonly totalNorm?: number;
}

/** models.json: a whole network; `losses` are those of five steps of Adam on the same batch, `loss` the first. */
export interface GoldenModel {
  readonly name: string;
  readonly op: string;
  readonly options: GoldenOptions;
  readonly state: GoldenTensors;
  readonly args: GoldenTensors;
  readonly output: GoldenTensor;
  readonly loss: number;
  readonly grads: GoldenTensors;
  readonly losses: readonly number[];
  /** Vectors, and the products of the first loss's Hessian with them. */
  readonly vectors?: GoldenTensors;
  readonly hessianVectors?: GoldenTensors;
}

interface GoldenFiles {
  functional: GoldenCase;
  losses: GoldenCase;
  layers: GoldenLayer;
  optim: GoldenOptimizer | GoldenSchedule | GoldenClip;
  models: GoldenModel;
  nn_ops: GoldenCase;
}

/** One file: what made it, and its cases. */
export interface GoldenFile<Case> {
  readonly generator: string;
  readonly torch: string;
  readonly seed: number;
  readonly cases: readonly Case[];
}

/** Reads `test/golden/<name>.json`; every `{ dtype, shape, data }` in it becomes a tensor with a typed array. */
export function loadGolden<Name extends keyof GoldenFiles>(name: Name): GoldenFile<GoldenFiles[Name]> {
  const text = readFileSync(new URL(`./${name}.json`, import.meta.url), 'utf8');
  return JSON.parse(text, reviveTensor);
}

/** Whether an output is a single tensor rather than several by name. */
export function isGoldenTensor(value: GoldenOutput): value is GoldenTensor {
  return typeof value.dtype === 'string';
}

/** Outputs by name; a single one is called 'output'. */
export function namedOutputs(value: GoldenOutput): GoldenTensors {
  return isGoldenTensor(value) ? { output: value } : value;
}

interface TensorJson {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: readonly (number | string)[];
}

function isTensorJson(value: unknown): value is TensorJson {
  return typeof value === 'object' && value !== null && 'dtype' in value && 'shape' in value && 'data' in value;
}

/** NaN and the infinities are strings in the file, which JSON has no numbers for. */
export function reviveTensor(_key: string, value: unknown): unknown {
  if (!isTensorJson(value)) return value;
  const data = new dtypes[value.dtype].array(value.data.length);
  for (let i = 0; i < data.length; i++) data[i] = Number(value.data[i]);
  return { dtype: value.dtype, shape: value.shape, data };
}
