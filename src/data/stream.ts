/** @file Data sets without random access: streams of samples, read once per epoch. */
import { ArgumentError } from '../ir/errors.ts';
import { Random } from '../ir/random.ts';
import { ArrayDataset, type Dataset } from './dataset.ts';

/** Opens the stream anew; `random` is the stream of the epoch. */
export type OpenStream<T> = (random: Random) => Iterable<T> | AsyncIterable<T>;

/**
 * Samples that come one after the other (torch.utils.data.IterableDataset): a large file, a socket, a generator.
 * @example
 * const lines = new StreamDataset(() => streamJsonl('reviews.jsonl.gz')).shuffle(10_000).map(tokenize);
 */
export class StreamDataset<T> implements AsyncIterable<T> {
  readonly #open: OpenStream<T>;

  constructor(open: OpenStream<T>) {
    this.#open = open;
  }

  /** The samples of one epoch. */
  async *stream(random: Random = new Random(0)): AsyncGenerator<T> {
    yield* this.#open(random);
  }

  [Symbol.asyncIterator](): AsyncGenerator<T> {
    return this.stream();
  }

  /** Applies `fn` to each sample; `random` is the sample's own stream. */
  map<U>(fn: (sample: T, random: Random, index: number) => U | Promise<U>): StreamDataset<U> {
    const source = this;
    return new StreamDataset(async function* (random) {
      let index = 0;
      for await (const sample of source.stream(random)) {
        yield await fn(sample, random.fork('map', index), index);
        index++;
      }
    });
  }

  /** The samples for which `predicate` holds. */
  filter(predicate: (sample: T, index: number) => boolean | Promise<boolean>): StreamDataset<T> {
    const source = this;
    return new StreamDataset(async function* (random) {
      let index = 0;
      for await (const sample of source.stream(random)) if (await predicate(sample, index++)) yield sample;
    });
  }

  /** The first `count` samples; the source is closed after them. */
  take(count: number): StreamDataset<T> {
    const source = this;
    return new StreamDataset(async function* (random) {
      if (count <= 0) return;
      let taken = 0;
      for await (const sample of source.stream(random)) {
        yield sample;
        if (++taken >= count) return;
      }
    });
  }

  /** All but the first `count` samples. */
  skip(count: number): StreamDataset<T> {
    return this.filter((_, index) => index >= count);
  }

  /**
   * Approximate shuffling in bounded memory: holds `size` samples and hands out a random one as each new one comes.
   * @throws ArgumentError unless size is a whole number of at least 1.
   */
  shuffle(size: number): StreamDataset<T> {
    if (!Number.isInteger(size) || size < 1)
      throw new ArgumentError(`shuffle(${size}): expected the number of samples to hold, at least 1`);
    const source = this;
    return new StreamDataset(async function* (random) {
      const order = random.fork('shuffle');
      const held: T[] = [];
      for await (const sample of source.stream(random)) {
        if (held.length < size) held.push(sample);
        else {
          const at = order.int(0, size);
          yield held[at];
          held[at] = sample;
        }
      }
      yield* order.shuffle(held);
    });
  }

  /** Reads everything into memory, for random access. */
  async toDataset(): Promise<Dataset<T>> {
    const samples: T[] = [];
    for await (const sample of this.stream()) samples.push(sample);
    return new ArrayDataset(samples);
  }
}
