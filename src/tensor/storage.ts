/** @file What a realised tensor holds: elements on the host or on a device, with a version that counts overwritings. */
import { arenaOf } from '../compiler/loops/arena.ts';
import { type DType, dtypes, type NumericArray } from '../ir/dtype.ts';
import { EngineError, StaleTensorError } from '../ir/errors.ts';
import { type Leaf, Value } from '../ir/graph.ts';
import { encodeNumber } from '../ir/half.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../ir/shape.ts';
import type { Engine, EngineTensor } from '../runtime/engine.ts';

/** Where a storage's elements lie beside host memory. */
interface Place {
  engine: Engine | null;
  tensor: EngineTensor | null;
  watched: boolean;
}

/** Device memory that only Gradus frees: shared memory belongs to JavaScript's own collector. */
function leave(place: Place): void {
  if (place.tensor && place.engine && !place.engine.sharesMemory) place.engine.release(place.tensor);
  place.tensor = null;
}

/** Tensors that nobody holds any more free their device memory. */
const forgotten = new FinalizationRegistry<Place>(leave);

/** Elements of a tensor. At least one of host memory, device memory and initialiser is present. */
export class Storage implements Leaf {
  readonly leaf = 'storage';
  readonly dtype: DType;
  readonly shape: Shape;
  /** Counts overwritings; lazy values remember the version they were built on. */
  version = 0;
  #host: NumericArray | null;
  #initialize: (() => NumericArray) | null;
  readonly #place: Place = { engine: null, tensor: null, watched: false };
  /** How often a device without shared memory was fed from host memory. */
  #fed = 0;
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
    leave(this.#place);
  }

  /** Whether the elements lie in memory of an engine that is not this one, and only there. */
  isElsewhere(engine: Engine): boolean {
    return this.#place.engine !== engine && this.host === null;
  }

  /** The engine's view of the elements, made once. */
  on(engine: Engine): EngineTensor {
    const place = this.#place;
    if (place.tensor && place.engine === engine) return place.tensor;
    const host = this.host;
    if (!host)
      throw new EngineError(`internal: a tensor of shape ${formatShape(this.shape)} was not fetched from its device`);
    leave(place);
    place.engine = engine;
    place.tensor = engine.upload(this.dtype, this.shape, host);
    return place.tensor;
  }

  /** As `on`, for an engine with memory of its own: what is fed again and again moves there. */
  async feedTo(engine: Engine): Promise<EngineTensor> {
    const tensor = this.on(engine);
    if (!this.host || ++this.#fed !== 2 || !engine.holds(this.dtype)) return tensor;
    this.#adopt(engine, await engine.keep(this.dtype, tensor));
    return this.on(engine);
  }

  #adopt(engine: Engine, tensor: EngineTensor): void {
    const place = this.#place;
    if (place.tensor !== tensor) leave(place);
    place.engine = engine;
    place.tensor = tensor;
    if (!engine.sharesMemory && !place.watched) {
      place.watched = true;
      forgotten.register(this, place);
    }
  }

  /** Takes over a tensor that the engine made; where it lies in host memory, host elements are a view of it. */
  setDevice(engine: Engine, tensor: EngineTensor): void {
    this.#adopt(engine, tensor);
    this.#host = engine.view(this.dtype, tensor);
    this.#initialize = null;
  }

  /** The storage's next value: kept in its arena if it lives in one, otherwise swapped in, the old memory becoming spare. */
  replace(engine: Engine, tensor: EngineTensor): void {
    const before = engine.sharesMemory ? this.host : null;
    const after = before && arenaOf(before) ? engine.view(this.dtype, tensor) : null;
    if (before && after) {
      before.set(after);
      this.overwritten();
    } else {
      const { tensor: old, engine: owner } = this.#place;
      if (engine.sharesMemory) this.#spare = owner === engine ? old : null;
      this.setDevice(engine, tensor);
      this.version++;
    }
  }

  /** Overwrites the elements with a copy of `data` (same length). */
  write(data: NumericArray): void {
    const host = this.host;
    if (host && arenaOf(host)) host.set(data);
    else this.host = data.slice();
    this.overwritten();
  }

  /** The elements in host memory have been changed in place: what a device with memory of its own holds is old. */
  overwritten(): void {
    this.version++;
    if (this.#place.engine && !this.#place.engine.sharesMemory) leave(this.#place);
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
      this.#scratch.set(slot, storage);
    }
    return storage;
  }

  /** Elements on the host, fetched from the device if need be. A view: callers copy before giving it away. */
  async read(): Promise<NumericArray> {
    const host = this.host;
    if (host) return host;
    const { engine, tensor } = this.#place;
    if (!engine || !tensor) throw new StaleTensorError('a tensor has neither host nor device memory');
    this.#host = await engine.download(this.dtype, tensor);
    return this.#host;
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
    this.data = new dtypes[dtype].array(1).fill(encodeNumber(value, dtype));
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
