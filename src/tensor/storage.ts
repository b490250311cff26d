/** @file What a realised tensor holds: elements on the host or on a device, with a version that counts overwritings. */
import { arenaOf } from '../compiler/loops/arena.ts';
import { type DType, dtypes, type NumericArray } from '../ir/dtype.ts';
import { StaleTensorError } from '../ir/errors.ts';
import { type Leaf, Value } from '../ir/graph.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../ir/shape.ts';
import type { Engine, EngineTensor } from '../runtime/engine.ts';

/** Elements of a tensor. At least one of host memory, device memory and initialiser is present. */
export class Storage implements Leaf {
  readonly leaf = 'storage';
  readonly dtype: DType;
  readonly shape: Shape;
  /** Counts overwritings; lazy values remember the version they were built on. */
  version = 0;
  /** Whether the memory is written again later (parameters, optimiser state): what users get is then a copy. */
  mutable = false;
  #host: NumericArray | null;
  #initialize: (() => NumericArray) | null;
  #device: EngineTensor | null = null;
  #engine: Engine | null = null;
  #spare: EngineTensor | null = null;
  readonly #scratch = new Map<string, Storage>();

  constructor(dtype: DType, shape: Shape, source: NumericArray | (() => NumericArray) | null) {
    this.dtype = dtype;
    this.shape = shape;
    this.#host = typeof source === 'function' ? null : source;
    this.#initialize = typeof source === 'function' ? source : null;
  }

  /** A storage that lives on a device only. */
  static onDevice(dtype: DType, shape: Shape, engine: Engine, tensor: EngineTensor): Storage {
    const storage = new Storage(dtype, shape, null);
    storage.setDevice(engine, tensor);
    return storage;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  /** Host elements where they are present or can be made without asking a device. */
  get host(): NumericArray | null {
    if (!this.#host && this.#initialize) {
      this.#host = this.#initialize();
      this.#initialize = null;
    }
    return this.#host;
  }

  /** Replaces the elements (same size); the caller bumps the version when their meaning changes. */
  set host(data: NumericArray) {
    this.#host = data;
    this.#initialize = null;
    this.#device = null;
  }

  /** The engine's view of the elements, made once. */
  on(engine: Engine): EngineTensor {
    if (this.#device && this.#engine === engine) return this.#device;
    const host = this.host;
    if (!host)
      throw new StaleTensorError(
        `a tensor of shape ${formatShape(this.shape)} lives on another device; move it with .to(device)`,
      );
    this.#engine = engine;
    this.#device = engine.upload(this.dtype, this.shape, host);
    return this.#device;
  }

  /** Takes over a tensor that the engine made; where memory is shared, host elements are a view of it. */
  setDevice(engine: Engine, tensor: EngineTensor): void {
    if (this.#device && this.#device !== tensor && !engine.sharesMemory) engine.release(this.#device);
    this.#engine = engine;
    this.#device = tensor;
    this.#host = engine.sharesMemory ? engine.view(this.dtype, tensor) : null;
    this.#initialize = null;
  }

  /** The storage's next value: kept in its arena if it lives in one, otherwise swapped in, the old memory becoming spare. */
  replace(engine: Engine, tensor: EngineTensor): void {
    const before = this.host;
    if (engine.sharesMemory && before && arenaOf(before)) before.set(engine.view(this.dtype, tensor));
    else {
      const old = this.#device;
      this.setDevice(engine, tensor);
      if (engine.sharesMemory) this.#spare = old;
    }
    this.version++;
  }

  /** Overwrites the elements with a copy of `data` (same length). */
  write(data: NumericArray): void {
    const host = this.host;
    if (host && arenaOf(host)) host.set(data);
    else this.host = data.slice();
    this.version++;
  }

  /** Memory of the value before last, for the engine to write the next one to; null at first. */
  get spare(): EngineTensor | null {
    return this.#spare;
  }

  /** Memory that belongs to this storage and is overwritten by every run of a program (its gradient, say). */
  scratch(slot: string, dtype: DType, shape: Shape): Storage {
    let storage = this.#scratch.get(slot);
    if (!storage || storage.dtype !== dtype || !sameShape(storage.shape, shape)) {
      storage = new Storage(dtype, shape, () => new dtypes[dtype].array(sizeOf(shape)));
      storage.mutable = true;
      this.#scratch.set(slot, storage);
    }
    return storage;
  }

  /** Elements on the host, fetched from the device if need be. A view: callers copy before giving it away if `mutable`. */
  async read(): Promise<NumericArray> {
    const host = this.host;
    if (host) return host;
    if (!this.#engine || !this.#device) throw new StaleTensorError('a tensor has neither host nor device memory');
    return await this.#engine.download(this.dtype, this.#device);
  }

  /** A value that reads this storage at its present version. */
  value(requiresGrad: boolean): Value {
    return Value.input({ dtype: this.dtype, shape: this.shape }, new StorageLeaf(this, this.version), requiresGrad);
  }
}

/** A storage at one version. */
export class StorageLeaf implements Leaf {
  readonly leaf = 'storage';
  readonly storage: Storage;
  readonly version: number;

  constructor(storage: Storage, version: number) {
    this.storage = storage;
    this.version = version;
  }

  get isCurrent(): boolean {
    return this.storage.version === this.version;
  }
}

/** A number that may differ in every run of the same program: learning rates, step counts, random seeds. */
export class ScalarLeaf implements Leaf {
  readonly leaf = 'scalar';
  readonly dtype: DType;
  readonly data: NumericArray;
  #device: EngineTensor | null = null;
  #engine: Engine | null = null;

  /** Gives the number for the next run of a compiled step, if it draws anew each time (random seeds). */
  readonly redraw: (() => number) | null;

  constructor(dtype: DType, value: number, redraw: (() => number) | null = null) {
    this.dtype = dtype;
    this.data = new dtypes[dtype].array(1).fill(value);
    this.redraw = redraw;
  }

  /** The engine's view of the number; uploaded anew where memory is not shared. */
  on(engine: Engine): EngineTensor {
    if (this.#device && this.#engine === engine && engine.sharesMemory && this.dtype !== 'int64') return this.#device;
    this.#engine = engine;
    this.#device = engine.upload(this.dtype, [], this.data);
    return this.#device;
  }
}
