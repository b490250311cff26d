/** @file DataLoader: batches of a data set in seeded order, read ahead, by workers if wanted, exactly resumable. */
import { openPool } from '#data-workers';
import { type DType, dtypes } from '../ir/dtype.ts';
import { ArgumentError, DataError } from '../ir/errors.ts';
import { refuseUnknown } from '../ir/options.ts';
import { Random } from '../ir/random.ts';
import { type Batched, type Collate, Collator } from './collate.ts';
import { type DatasetLike, isDatasetLike } from './dataset.ts';
import { type FetchPool, fetchSamples } from './fetch.ts';
import { ModuleDataset } from './module-dataset.ts';
import { RandomSampler, type Sampler, SequentialSampler } from './sampler.ts';
import { StreamDataset } from './stream.ts';
import { type Tensors, toTensor } from './to-tensor.ts';

/** Options of `DataLoader`; `C` is what the collation makes. */
export interface DataLoaderOptions<T, C, K extends boolean = true> {
  /** Samples per batch. Default 1. */
  readonly batchSize?: number;
  /** A new order each epoch, from (seed, epoch). Default false. */
  readonly shuffle?: boolean;
  /** Order of the epoch, in place of `shuffle`. */
  readonly sampler?: Sampler;
  /** Seed of order and augmentation. Default 0. */
  readonly seed?: number;
  /** Leave out a last batch with fewer than `batchSize` samples. Default false. */
  readonly dropLast?: boolean;
  /** Makes a batch of samples. Default: see `defaultCollate`. */
  readonly collate?: Collate<T, C>;
  /** Dtypes of plain-number fields for the default collation, by dotted path. */
  readonly dtypes?: Readonly<Record<string, DType>>;
  /** Applied to each batch (mixup, cutmix); `random` is the stream of this batch in this epoch. */
  readonly batchTransform?: (batch: C, random: Random) => C;
  /** Batches read ahead of the consumer. Default 2 per worker, 1 without workers. */
  readonly prefetch?: number;
  /** Worker threads (Node); the data set must come from `moduleDataset`. Default 0: read in this thread. */
  readonly workers?: number;
  /** Seconds a worker may take for a batch; 0 (default) waits for ever. */
  readonly timeout?: number;
  /** Whether batches hold Tensors (default) or plain NDArrays. */
  readonly tensors?: K;
}

/** What a loader gives: tensors, or with `tensors: false` the collation's NDArrays. */
export type Loaded<C, K extends boolean> = K extends false ? C : Tensors<C>;

/** Where a loader stands; plain JSON, kept in checkpoints. */
export interface LoaderState {
  readonly epoch: number;
  /** Batches of this epoch already handed out. */
  readonly batch: number;
  readonly seed: number;
  readonly batchSize: number;
  /** Dtypes inferred for fields of plain numbers. */
  readonly dtypes: Readonly<Record<string, DType>>;
}

const optionNames = [
  'batchSize',
  'shuffle',
  'sampler',
  'seed',
  'dropLast',
  'collate',
  'dtypes',
  'batchTransform',
  'prefetch',
  'workers',
  'timeout',
  'tensors',
];

function isIterable(value: object): boolean {
  return Symbol.iterator in value || Symbol.asyncIterator in value;
}

function checkOptions({
  collate,
  batchTransform,
  dtypes: byField = {},
}: {
  collate?: unknown;
  batchTransform?: unknown;
  dtypes?: Readonly<Record<string, DType>>;
}): void {
  for (const [name, value] of Object.entries({ collate, batchTransform }))
    if (value !== undefined && typeof value !== 'function')
      throw new ArgumentError(`DataLoader: ${name} must be a function, found ${typeof value}`);
  for (const [field, dtype] of Object.entries(byField))
    if (!(dtype in dtypes))
      throw new ArgumentError(
        `DataLoader: dtypes: field '${field}' has unknown dtype '${dtype}'; known: ${Object.keys(dtypes).join(', ')}`,
      );
}

function whole(name: string, value: number, min: number): number {
  if (!Number.isSafeInteger(value) || value < min)
    throw new ArgumentError(`DataLoader: ${name} must be a whole number of at least ${min}, found ${value}`);
  return value;
}

/**
 * Batches of a data set (torch.utils.data.DataLoader). Each `for await` is one epoch; the next one is the next epoch,
 * with another order if `shuffle` is on. The order depends on (seed, epoch) and the augmentation of a sample on (seed,
 * epoch, index) only, so runs repeat exactly whatever `workers` and `prefetch` are.
 * @example
 * const loader = new DataLoader(dataset, { batchSize: 64, shuffle: true, seed: 1 });
 * for await (const { x, y } of loader) ...
 */
export class DataLoader<T, C = Batched<T>, K extends boolean = true> implements AsyncIterable<Loaded<C, K>> {
  readonly dataset: DatasetLike<T> | Iterable<T> | AsyncIterable<T>;
  readonly batchSize: number;
  readonly #options: DataLoaderOptions<T, C, K>;
  readonly #seed: number;
  readonly #collator: Collator<T>;
  readonly #sampler: Sampler | undefined;
  readonly #workers: number;
  readonly #ahead: number;
  #pool: FetchPool | undefined;
  #epoch = 0;
  #batch = 0;
  #resume = false;

  /** @throws ArgumentError for options out of range or that do not go together. */
  constructor(dataset: DatasetLike<T> | Iterable<T> | AsyncIterable<T>, options: DataLoaderOptions<T, C, K> = {}) {
    if (typeof dataset !== 'object' || dataset === null || !(isDatasetLike(dataset) || isIterable(dataset)))
      throw new ArgumentError(
        `DataLoader: expected a data set (length and get) or an iterable of samples, found ${dataset === null ? 'null' : typeof dataset}${dataset instanceof Promise ? ' (a promise: await it)' : ''}`,
      );
    refuseUnknown('DataLoader', options, optionNames);
    checkOptions(options);
    const { batchSize = 1, shuffle = false, seed = 0, sampler, workers = 0, prefetch, timeout = 0 } = options;
    this.dataset = dataset;
    this.batchSize = whole('batchSize', batchSize, 1);
    this.#seed = whole('seed', seed, Number.MIN_SAFE_INTEGER);
    this.#workers = whole('workers', workers, 0);
    this.#ahead = whole('prefetch', prefetch ?? (workers > 0 ? 2 * workers : 1), 0);
    if (!(timeout >= 0)) throw new ArgumentError(`DataLoader: timeout must be at least 0 seconds, found ${timeout}`);
    this.#options = options;
    this.#collator = new Collator({ dtypes: options.dtypes });
    if (isDatasetLike(dataset)) {
      if (sampler !== undefined && shuffle)
        throw new ArgumentError('DataLoader: give shuffle or sampler, not both; a sampler decides the order itself');
      this.#sampler =
        sampler ?? (shuffle ? new RandomSampler(dataset.length, { seed }) : new SequentialSampler(dataset.length));
      if (workers > 0 && !(dataset instanceof ModuleDataset))
        throw new ArgumentError(
          `DataLoader: workers: ${workers} needs a data set that a worker can build itself: moduleDataset(url); put map, subset and the like inside that module`,
        );
    } else {
      if (shuffle || sampler !== undefined)
        throw new ArgumentError(
          'DataLoader: a stream has no random access; use new StreamDataset(...).shuffle(size) in place of shuffle or sampler',
        );
      if (workers > 0)
        throw new ArgumentError('DataLoader: workers need random access (length and get); found a stream');
    }
  }

  /**
   * Batches per epoch.
   * @throws ArgumentError for a stream, whose length is not known.
   */
  get length(): number {
    if (this.#sampler === undefined)
      throw new ArgumentError('DataLoader: the number of batches of a stream is not known in advance');
    const batches = this.#sampler.length / this.batchSize;
    return this.#options.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /** The epoch that the next `for await` will give (or that is under way). */
  get epoch(): number {
    return this.#epoch;
  }

  /** Chooses the epoch of the next `for await`, from its first batch. */
  setEpoch(epoch: number): void {
    this.#epoch = whole('epoch', epoch, 0);
    this.#batch = 0;
    this.#resume = true;
  }

  /** Where the loader stands: batches handed out count as done. */
  state(): LoaderState {
    return {
      epoch: this.#epoch,
      batch: this.#batch,
      seed: this.#seed,
      batchSize: this.batchSize,
      dtypes: { ...this.#collator.inferred },
    };
  }

  /**
   * Continues where `state()` was taken: the next `for await` gives the rest of that epoch.
   * @throws ArgumentError when seed or batch size differ, since other samples would be skipped.
   */
  load(state: LoaderState): void {
    if (state.seed !== this.#seed || state.batchSize !== this.batchSize)
      throw new ArgumentError(
        `DataLoader: the state is of a loader with seed ${state.seed} and batchSize ${state.batchSize}, this one has ${this.#seed} and ${this.batchSize}; resume with the same`,
      );
    this.#epoch = whole('epoch of the state', state.epoch, 0);
    this.#batch = whole('batch of the state', state.batch, 0);
    Object.assign(this.#collator.inferred, state.dtypes);
    this.#resume = true;
  }

  /** Ends the worker threads. Idle workers never keep the process alive, so this is optional. */
  async close(): Promise<void> {
    await this.#pool?.close();
    this.#pool = undefined;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Loaded<C, K>> {
    // An epoch that was left early is over, as in PyTorch; only load() and setEpoch() say where to begin.
    if (!this.#resume && this.#batch > 0) {
      this.#epoch++;
      this.#batch = 0;
    }
    this.#resume = false;
    const { collate, batchTransform, tensors } = this.#options;
    const own = collate === undefined && batchTransform === undefined; // memory that only this batch refers to
    const epoch = this.#epoch;
    let batch = this.#batch;
    for await (const samples of this.#readAhead(this.#batches(epoch, batch))) {
      let made = collate ? collate(samples) : (this.#collator.collate(samples) as C);
      if (batchTransform) made = batchTransform(made, new Random(this.#seed).fork('batch', epoch, batch));
      this.#batch = ++batch;
      yield (tensors === false ? made : toTensor(made, { copy: !own })) as Loaded<C, K>;
    }
    if (this.#epoch === epoch) {
      this.#epoch++;
      this.#batch = 0;
    }
  }

  /** The samples of each batch from batch number `start` on, as promises in order. */
  *#indexed(sampler: Sampler, dataset: DatasetLike<T>, epoch: number, start: number): Generator<Promise<T[]>> {
    const order = sampler.indices(epoch);
    const batches = this.length;
    for (let b = start; b < batches; b++) {
      const indices = Array.from(
        { length: Math.min(this.batchSize, order.length - b * this.batchSize) },
        (_, i) => order[b * this.batchSize + i],
      );
      const request = { indices, seed: this.#seed, epoch };
      if (this.#workers === 0) yield fetchSamples(dataset, request);
      else yield this.#openPool(dataset).fetch(request) as Promise<T[]>;
    }
  }

  #openPool(dataset: DatasetLike<T>): FetchPool {
    if (!(dataset instanceof ModuleDataset)) throw new ArgumentError('DataLoader: workers need a module data set');
    this.#pool ??= openPool(dataset.source, this.#workers, this.#options.timeout ?? 0);
    return this.#pool;
  }

  async *#streamed(epoch: number, start: number): AsyncGenerator<T[]> {
    const source = this.dataset as Iterable<T> | AsyncIterable<T>;
    const stream =
      source instanceof StreamDataset ? source.stream(new Random(this.#seed).fork('stream', epoch)) : source;
    let samples: T[] = [];
    let position = 0;
    const passed = start * this.batchSize;
    for await (const sample of readable(stream)) {
      if (position++ < passed) continue;
      samples.push(sample);
      if (samples.length < this.batchSize) continue;
      yield samples;
      samples = [];
    }
    if (samples.length > 0 && !this.#options.dropLast) yield samples;
  }

  #batches(epoch: number, start: number): Iterator<Promise<T[]>> | AsyncGenerator<T[]> {
    if (this.#sampler !== undefined) return this.#indexed(this.#sampler, this.dataset as DatasetLike<T>, epoch, start);
    return this.#streamed(epoch, start);
  }

  /** Keeps up to `prefetch` further batches under way while the consumer works on one. */
  async *#readAhead(source: Iterator<Promise<T[]>> | AsyncGenerator<T[]>): AsyncGenerator<T[]> {
    const underWay: Promise<IteratorResult<T[]>>[] = [];
    const pull = (): void => {
      const next = source.next();
      const result: Promise<IteratorResult<T[]>> =
        next instanceof Promise
          ? next
          : next.done
            ? Promise.resolve({ done: true, value: undefined })
            : next.value.then((value) => ({ done: false, value }));
      result.catch(() => undefined); // seen when its turn comes; a consumer that left early does not care
      underWay.push(result);
    };
    try {
      for (;;) {
        while (underWay.length <= this.#ahead) pull();
        const result = await (underWay.shift() as Promise<IteratorResult<T[]>>);
        if (result.done) return;
        yield result.value;
      }
    } finally {
      await Promise.allSettled(underWay);
      if (Symbol.asyncIterator in source) await source.return(undefined);
    }
  }
}

/** Names the position in a stream at which reading failed. */
async function* readable<T>(stream: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T> {
  let position = 0;
  try {
    for await (const sample of stream) {
      yield sample;
      position++;
    }
  } catch (cause) {
    const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    throw new DataError(`the stream failed after sample ${position - 1}: ${reason}`, { cause });
  }
}
