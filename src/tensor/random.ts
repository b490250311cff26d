/** @file Random tensors, and seeds for randomness inside programs. One generator; the same seed gives the same run. */
import { type DType, dtypes, type NumericArray } from '../ir/dtype.ts';
import { ArgumentError } from '../ir/errors.ts';
import { Value } from '../ir/graph.ts';
import { encodeNumber } from '../ir/half.ts';
import { Random } from '../ir/random.ts';
import { type Shape, sizeOf } from '../ir/shape.ts';
import { setSeedSource } from '../ops/dropout.ts';
import { fromData, type TensorOptions } from './creation.ts';
import { ScalarLeaf } from './storage.ts';
import type { Tensor } from './tensor.ts';
import { onReplay } from './tracing.ts';

/** The seed, and how many streams were drawn from it: all that determines the numbers to come. Plain JSON. */
export interface GeneratorState {
  readonly seed: number;
  readonly drawn: number;
}

let state = { seed: 0, drawn: 0 };

/** Starts the random numbers over from a seed (torch.manual_seed). @throws ArgumentError unless it is a whole number. */
export function manualSeed(seed: number): void {
  if (!Number.isSafeInteger(seed)) throw new ArgumentError(`manualSeed: expected a whole number, found ${seed}`);
  state = { seed, drawn: 0 };
}

/** A snapshot for exact resume. */
export function getRngState(): GeneratorState {
  return { ...state };
}

/** Goes back to a snapshot. */
export function setRngState(snapshot: GeneratorState): void {
  state = { seed: snapshot.seed, drawn: snapshot.drawn };
}

/** The next independent stream; every random tensor and every dropout has its own, so that laziness cannot reorder them. */
export function nextStream(): Random {
  return new Random(state.seed).fork(state.drawn++);
}

/**
 * A uint32 scalar that differs each time a program runs, also when a compiled step is replayed; the seed of randomness
 * computed inside the program (dropout).
 */
export function nextSeed(): Value {
  const draw = () => nextStream().uint32();
  return Value.input({ dtype: 'uint32', shape: [] }, new ScalarLeaf('uint32', draw(), draw));
}

setSeedSource(nextSeed);

/** A tensor of random numbers, made when they are needed; a compiled function that makes it draws anew in every run. */
function drawn(shape: Shape, dtype: DType, options: TensorOptions, next: (random: Random) => number): Tensor {
  const draw = () => {
    const random = nextStream();
    return (): NumericArray => {
      const data = new dtypes[dtype].array(sizeOf(shape));
      for (let i = 0; i < data.length; i++) data[i] = encodeNumber(next(random), dtype);
      return data;
    };
  };
  return redrawn(fromData(draw(), shape, { ...options, dtype }), () => draw()());
}

function redrawn(tensor: Tensor, draw: () => NumericArray): Tensor {
  onReplay(
    () => tensor.setData(draw()),
    () => {},
  );
  return tensor;
}

/** Uniform numbers in [0, 1) (torch.rand). */
export function rand(shape: Shape, options: TensorOptions = {}): Tensor {
  return uniform(shape, 0, 1, options);
}

/** Uniform numbers in [low, high). */
export function uniform(shape: Shape, low: number, high: number, options: TensorOptions = {}): Tensor {
  const dtype = options.dtype ?? 'float32';
  return drawn(shape, dtype, options, (r) => r.uniform(low, high));
}

/** Standard normal numbers (torch.randn). */
export function randn(shape: Shape, options: TensorOptions = {}): Tensor {
  return normal(shape, 0, 1, options);
}

/** Normal numbers of the given mean and standard deviation. */
export function normal(shape: Shape, mean: number, std: number, options: TensorOptions = {}): Tensor {
  const dtype = options.dtype ?? 'float32';
  return drawn(shape, dtype, options, (r) => r.normal(mean, std));
}

/** Whole numbers in [low, high), int64 (torch.randint). */
export function randint(low: number, high: number, shape: Shape, options: TensorOptions = {}): Tensor {
  const dtype = options.dtype ?? 'int64';
  return drawn(shape, dtype, options, (r) => r.int(low, high));
}

/** The integers 0 to n - 1 in random order, int64 (torch.randperm). */
export function randperm(n: number): Tensor {
  const draw = () => Float64Array.from(nextStream().permutation(n));
  return redrawn(fromData(draw(), [n], { dtype: 'int64' }), draw);
}
