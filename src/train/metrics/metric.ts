/** @file What a metric is, and reading numbers out of arrays for metrics. */
import type { NumericArray } from '../../ir/dtype.ts';
import { ArgumentError, NumericError, ShapeError } from '../../ir/errors.ts';
import { decodeNumber } from '../../ir/half.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { formatShape, sameShape } from '../../ir/shape.ts';
import type { Json } from '../callback.ts';

/** One number, or several with names (such as one per class). */
export type MetricResult = number | Readonly<Record<string, number>>;

/**
 * A quantity accumulated over batches: `reset()` before an epoch, `update(output, target)` per batch, `compute()` when
 * wanted. The result depends only on the samples, not on how they were cut into batches. Without samples it is NaN.
 */
export interface Metric<Output = NDArray, Target = NDArray, Result = MetricResult> {
  readonly name: string;
  reset(): void;
  update(output: Output, target: Target): void;
  compute(): Result;
  /** What was accumulated, as plain JSON, so that training resumed within an epoch goes on with it. */
  stateDict?(): Json;
  loadStateDict?(state: Json): void;
}

/** `stateDict` and `loadStateDict` of a metric that is a few numbers; infinities and NaN, which JSON lacks, as text. */
export function numbersState(get: () => number[], set: (numbers: number[]) => void) {
  return {
    stateDict: (): Json => get().map((v) => (Number.isFinite(v) ? v : String(v))),
    loadStateDict: (state: Json): void => set((state as (number | string)[]).map(Number)),
  };
}

/** Numbers as text of JSON, to the last bit: JSON itself has no infinities. */
export function packNumbers(numbers: ArrayLike<number>): string {
  const bytes = new Uint8Array(Float64Array.from(numbers).buffer);
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

/** What `packNumbers` was given. */
export function unpackNumbers(text: Json): Float64Array<ArrayBuffer> {
  const bytes = Uint8Array.from(atob(String(text)), (c) => c.charCodeAt(0));
  return new Float64Array(bytes.buffer);
}

/** Elements as numbers: float16 and bfloat16, which are held as raw bits, are decoded; other arrays come as they are. */
export function numbersOf({ data, dtype }: NDArray): NumericArray {
  if (dtype !== 'float16' && dtype !== 'bfloat16') return data;
  return Float32Array.from(data, (bits) => decodeNumber(bits, dtype));
}

/** @throws NumericError for NaN, naming the metric and the element. */
export function refuseNaN(values: NumericArray, metric: string, role: string): void {
  for (let i = 0; i < values.length; i++)
    if (Number.isNaN(values[i]))
      throw new NumericError(
        `metric ${metric}: element ${i} of the ${role} is NaN; check the loss and the learning rate`,
      );
}

/** @throws ShapeError unless both have the same shape. */
export function sameShapes(metric: string, output: NDArray, target: NDArray): void {
  if (!sameShape(output.shape, target.shape))
    throw new ShapeError(
      `metric ${metric}: output ${formatShape(output.shape)} and target ${formatShape(target.shape)} must have the same shape`,
    );
}

/** @throws ArgumentError unless the integer is in [min, max]. */
export function checkInteger(
  metric: string,
  name: string,
  value: number,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): void {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new ArgumentError(
      `metric ${metric}: ${name} is ${value}, expected an integer ${max < 2 ** 53 - 1 ? `from ${min} to ${max}` : `of at least ${min}`}`,
    );
}

/** @throws ArgumentError unless the value is one of the choices. */
export function checkChoice(metric: string, name: string, value: string, choices: readonly string[]): void {
  if (!choices.includes(value))
    throw new ArgumentError(`metric ${metric}: ${name} '${value}', expected ${choices.join(', ')}`);
}

/** A list of numbers that grows without boxing them; for metrics that need all scores at the end. */
export class NumberList {
  length = 0;
  #data = new Float64Array(1024);

  push(value: number): void {
    if (this.length === this.#data.length) {
      const grown = new Float64Array(Math.max(1024, this.#data.length * 2));
      grown.set(this.#data);
      this.#data = grown;
    }
    this.#data[this.length++] = value;
  }

  clear(): void {
    this.length = 0;
  }

  stateDict(): string {
    return packNumbers(this.values());
  }

  loadStateDict(state: Json): void {
    this.#data = unpackNumbers(state);
    this.length = this.#data.length;
  }

  /** A view of the numbers, valid until the next `push`. */
  values(): Float64Array {
    return this.#data.subarray(0, this.length);
  }
}
