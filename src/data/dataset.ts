/** @file Data sets with random access: the base class, its derivations, and data sets over arrays. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import { isNDArray, type NDArray, sliceRow } from '../ir/ndarray.ts';
import { Random } from '../ir/random.ts';
import { formatShape } from '../ir/shape.ts';

/**
 * Anything with a length and `get`. `random` is the stream of this sample in this epoch (for augmentation); a loader
 * always passes one, and a data set that draws nothing ignores it.
 */
export interface DatasetLike<T> {
  readonly length: number;
  get(index: number, random?: Random): T | Promise<T>;
}

/** The type of a data set's samples. */
export type SampleOf<D> = D extends DatasetLike<infer T> ? T : never;

/**
 * Base class of data sets with random access (torch.utils.data.Dataset). Subclass it with `length` and `get`, or wrap
 * any object that has both with `asDataset`. Derivations are lazy views; nothing is copied.
 * @example
 * const train = new ArrayDataset(rows).map((row) => ({ x: row.pixels, y: row.label })).take(1000);
 */
export abstract class Dataset<T> implements DatasetLike<T> {
  abstract readonly length: number;

  /** Sample `index`, 0 <= index < length. */
  abstract get(index: number, random?: Random): T | Promise<T>;

  /** Applies `fn` to each sample as it is read; draw only from the `random` it gets, never from Math.random. */
  map<U>(fn: (sample: T, random: Random, index: number) => U | Promise<U>): Dataset<U> {
    return new MappedDataset(this, fn);
  }

  /** The samples for which `predicate` holds. Reads every sample once, now; the result holds indices only. */
  async filter(predicate: (sample: T, index: number) => boolean | Promise<boolean>): Promise<Dataset<T>> {
    const indices: number[] = [];
    for (let i = 0; i < this.length; i++) if (await predicate(await this.get(i), i)) indices.push(i);
    return this.subset(indices);
  }

  /** The first `count` samples (all, if there are fewer). */
  take(count: number): Dataset<T> {
    return this.slice(0, checkCount('take', count));
  }

  /** All but the first `count` samples. */
  skip(count: number): Dataset<T> {
    return this.slice(checkCount('skip', count));
  }

  /** Samples start to end - 1, clipped to the data set. */
  slice(start: number, end = this.length): Dataset<T> {
    const from = Math.min(start, this.length);
    const to = Math.max(from, Math.min(end, this.length));
    return new SubsetDataset(
      this,
      Array.from({ length: to - from }, (_, i) => from + i),
    );
  }

  /**
   * The samples at these indices, in this order; an index may come twice (torch.utils.data.Subset).
   * @throws ArgumentError naming an index that does not exist.
   */
  subset(indices: ArrayLike<number>): Dataset<T> {
    return new SubsetDataset(this, indices);
  }

  /** This data set followed by others (torch.utils.data.ConcatDataset). */
  concat<U = T>(...others: readonly DatasetLike<U>[]): Dataset<T | U> {
    return new ConcatDataset<T | U>([this, ...others]);
  }

  /**
   * Keeps every sample in memory once it has been read. Put it before random augmentation: what follows `cache` is
   * computed anew each epoch, what comes before is computed once with the random stream of its first reading.
   */
  cache(): Dataset<T> {
    return new CachedDataset(this);
  }

  /** All samples in order, without augmentation streams of a loader. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (let i = 0; i < this.length; i++) yield await this.get(i);
  }
}

function checkCount(what: string, count: number): number {
  if (!Number.isInteger(count) || count < 0)
    throw new ArgumentError(`${what}(${count}): expected a whole number of samples, 0 or more`);
  return count;
}

/** @throws ArgumentError when sample `index` does not exist. */
function checkIndex(index: number, length: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= length)
    throw new ArgumentError(`sample ${index} does not exist: the data set has ${length}, counted from 0`);
}

/** Whether a value has `length` and `get`. */
export function isDatasetLike(value: unknown): value is DatasetLike<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const { length, get } = value as Partial<DatasetLike<unknown>>;
  return typeof length === 'number' && typeof get === 'function';
}

/** A `Dataset` over any object with `length` and `get`. */
export function asDataset<T>(source: DatasetLike<T>): Dataset<T> {
  return source instanceof Dataset
    ? source
    : new SubsetDataset(
        source,
        Uint32Array.from({ length: source.length }, (_, i) => i),
      );
}

class MappedDataset<T, U> extends Dataset<U> {
  readonly #source: DatasetLike<T>;
  readonly #fn: (sample: T, random: Random, index: number) => U | Promise<U>;

  constructor(source: DatasetLike<T>, fn: (sample: T, random: Random, index: number) => U | Promise<U>) {
    super();
    this.#source = source;
    this.#fn = fn;
  }

  get length(): number {
    return this.#source.length;
  }

  get(index: number, random: Random = new Random(0).fork(index)): U | Promise<U> {
    const sample = this.#source.get(index, random);
    return sample instanceof Promise ? sample.then((s) => this.#fn(s, random, index)) : this.#fn(sample, random, index);
  }
}

class SubsetDataset<T> extends Dataset<T> {
  readonly #source: DatasetLike<T>;
  readonly #indices: ArrayLike<number>;

  constructor(source: DatasetLike<T>, indices: ArrayLike<number>) {
    super();
    for (let i = 0; i < indices.length; i++) checkIndex(indices[i], source.length);
    this.#source = source;
    this.#indices = indices;
  }

  get length(): number {
    return this.#indices.length;
  }

  get(index: number, random?: Random): T | Promise<T> {
    checkIndex(index, this.length);
    return this.#source.get(this.#indices[index], random);
  }
}

class ConcatDataset<T> extends Dataset<T> {
  readonly #parts: readonly DatasetLike<T>[];
  readonly length: number;

  constructor(parts: readonly DatasetLike<T>[]) {
    super();
    this.#parts = parts;
    this.length = parts.reduce((sum, part) => sum + part.length, 0);
  }

  get(index: number, random?: Random): T | Promise<T> {
    checkIndex(index, this.length);
    let rest = index;
    let part = 0;
    while (rest >= this.#parts[part].length) rest -= this.#parts[part++].length;
    return this.#parts[part].get(rest, random);
  }
}

class CachedDataset<T> extends Dataset<T> {
  readonly #source: DatasetLike<T>;
  readonly #held = new Map<number, T | Promise<T>>();

  constructor(source: DatasetLike<T>) {
    super();
    this.#source = source;
  }

  get length(): number {
    return this.#source.length;
  }

  get(index: number, random?: Random): T | Promise<T> {
    const held = this.#held.get(index);
    if (held !== undefined) return held;
    const sample = this.#source.get(index, random);
    this.#held.set(index, sample);
    // A failure is not kept: the next reading tries again.
    if (sample instanceof Promise)
      sample.then(
        (value) => this.#held.set(index, value),
        () => this.#held.delete(index),
      );
    return sample;
  }
}

/** A data set over an array of samples. */
export class ArrayDataset<T> extends Dataset<T> {
  readonly #samples: readonly T[];

  constructor(samples: readonly T[]) {
    super();
    this.#samples = samples;
  }

  get length(): number {
    return this.#samples.length;
  }

  get(index: number): T {
    checkIndex(index, this.length);
    return this.#samples[index];
  }
}

/**
 * Rows of named arrays with equal first dimension (torch.utils.data.TensorDataset): sample i is row i of each, a view.
 * @example
 * const train = new TensorDataset({ x: images, y: labels });   // x [N, 1, 28, 28], y [N]
 * @throws ShapeError when first dimensions differ or an array is a scalar.
 */
export class TensorDataset<F extends Record<string, NDArray>> extends Dataset<{ [K in keyof F]: NDArray }> {
  readonly fields: F;
  readonly length: number;

  constructor(fields: F) {
    super();
    const entries = Object.entries(fields);
    if (entries.length === 0) throw new ArgumentError('TensorDataset: expected at least one named array, found none');
    for (const [name, array] of entries)
      if (!isNDArray(array))
        throw new ArgumentError(`TensorDataset: field '${name}' is no NDArray { data, shape, dtype }`);
    const [firstName, first] = entries[0];
    for (const [name, array] of entries)
      if (array.shape.length === 0 || array.shape[0] !== first.shape[0])
        throw new ShapeError(
          `TensorDataset: '${firstName}' has shape ${formatShape(first.shape)} and '${name}' ${formatShape(array.shape)}; the first dimension (samples) must be equal`,
        );
    this.fields = fields;
    this.length = first.shape[0];
  }

  get(index: number): { [K in keyof F]: NDArray } {
    checkIndex(index, this.length);
    const sample: Record<string, NDArray> = {};
    for (const name in this.fields) sample[name] = sliceRow(this.fields[name], index);
    return sample as { [K in keyof F]: NDArray };
  }
}
