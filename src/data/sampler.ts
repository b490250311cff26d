/** @file Samplers: in which order an epoch visits the samples. */
import { ArgumentError } from '../ir/errors.ts';
import { checkWhole } from '../ir/options.ts';
import { Random } from '../ir/random.ts';

/** The order of an epoch; must give the same indices whenever asked for the same epoch. */
export interface Sampler {
  /** Number of indices of an epoch. */
  readonly length: number;
  indices(epoch: number): ArrayLike<number>;
}

/** 0, 1, 2, ... in every epoch (torch.utils.data.SequentialSampler). */
export class SequentialSampler implements Sampler {
  readonly length: number;

  constructor(length: number) {
    checkWhole('SequentialSampler: length', length, 0);
    this.length = length;
  }

  indices(): ArrayLike<number> {
    return Uint32Array.from({ length: this.length }, (_, i) => i);
  }
}

/** Options of `RandomSampler`. */
export interface RandomSamplerOptions {
  readonly seed?: number;
  /** Draw with replacement. Default false. */
  readonly replacement?: boolean;
  /** Indices per epoch. Default: the number of samples. */
  readonly numSamples?: number;
}

/** A new random order each epoch (torch.utils.data.RandomSampler). */
export class RandomSampler implements Sampler {
  readonly length: number;
  readonly #count: number;
  readonly #random: Random;
  readonly #replacement: boolean;

  constructor(count: number, { seed = 0, replacement = false, numSamples = count }: RandomSamplerOptions = {}) {
    if (!Number.isSafeInteger(count) || count < 0 || !Number.isSafeInteger(numSamples) || numSamples < 0)
      throw new ArgumentError(
        `RandomSampler: ${count} samples, numSamples ${numSamples}: expected whole numbers, 0 or more`,
      );
    if (replacement && count === 0 && numSamples > 0)
      throw new ArgumentError(`RandomSampler: ${numSamples} samples cannot be drawn from none`);
    if (!replacement && numSamples > count)
      throw new ArgumentError(`RandomSampler: numSamples ${numSamples} of ${count} samples needs replacement: true`);
    this.length = numSamples;
    this.#count = count;
    this.#random = new Random(seed).fork('order');
    this.#replacement = replacement;
  }

  indices(epoch: number): ArrayLike<number> {
    const random = this.#random.fork(epoch);
    if (this.#replacement) return Uint32Array.from({ length: this.length }, () => random.int(0, this.#count));
    return random.permutation(this.#count).subarray(0, this.length);
  }
}

/** Draws with replacement, each sample in proportion to its weight (torch.utils.data.WeightedRandomSampler). */
export class WeightedRandomSampler implements Sampler {
  readonly length: number;
  readonly #cumulative: Float64Array;
  readonly #random: Random;

  constructor(
    weights: ArrayLike<number>,
    { seed = 0, numSamples = weights.length }: Omit<RandomSamplerOptions, 'replacement'> = {},
  ) {
    this.#cumulative = new Float64Array(weights.length);
    let sum = 0;
    for (let i = 0; i < weights.length; i++) {
      if (!(weights[i] >= 0) || weights[i] === Number.POSITIVE_INFINITY)
        throw new ArgumentError(
          `WeightedRandomSampler: weight ${i} is ${weights[i]}; expected a finite number of at least 0`,
        );
      sum += weights[i];
      this.#cumulative[i] = sum;
    }
    checkWhole('WeightedRandomSampler: numSamples', numSamples, 0);
    if (sum === 0) throw new ArgumentError('WeightedRandomSampler: all weights are 0; at least one must be positive');
    this.length = numSamples;
    this.#random = new Random(seed).fork('weighted');
  }

  indices(epoch: number): ArrayLike<number> {
    const random = this.#random.fork(epoch);
    const cumulative = this.#cumulative;
    const total = cumulative[cumulative.length - 1];
    return Uint32Array.from({ length: this.length }, () => {
      const x = random.uniform(0, total);
      let low = 0;
      let high = cumulative.length - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (cumulative[middle] > x) high = middle;
        else low = middle + 1;
      }
      return low;
    });
  }
}

/** Weights that make every class equally likely, for `WeightedRandomSampler`. */
export function balancedWeights(labels: ArrayLike<number | string | boolean>): Float64Array {
  const counts = new Map<number | string | boolean, number>();
  for (let i = 0; i < labels.length; i++) counts.set(labels[i], (counts.get(labels[i]) ?? 0) + 1);
  return Float64Array.from({ length: labels.length }, (_, i) => 1 / (counts.get(labels[i]) ?? 1));
}

/**
 * Groups samples of similar length so that batches need little padding: shuffles, sorts by length within blocks of
 * `blockBatches` batches, then shuffles the batches.
 */
export class LengthBucketSampler implements Sampler {
  readonly length: number;
  readonly #lengths: ArrayLike<number>;
  readonly #batchSize: number;
  readonly #block: number;
  readonly #random: Random;

  constructor(
    lengths: ArrayLike<number>,
    { batchSize, seed = 0, blockBatches = 50 }: { batchSize: number; seed?: number; blockBatches?: number },
  ) {
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new ArgumentError(
        `LengthBucketSampler: batchSize must be a whole number of at least 1, found ${batchSize}`,
      );
    checkWhole('LengthBucketSampler: blockBatches', blockBatches, 1);
    this.length = lengths.length;
    this.#lengths = lengths;
    this.#batchSize = batchSize;
    this.#block = blockBatches * batchSize;
    this.#random = new Random(seed).fork('bucket');
  }

  indices(epoch: number): ArrayLike<number> {
    const random = this.#random.fork(epoch);
    const order = random.permutation(this.length);
    const full: Uint32Array[] = [];
    const short: Uint32Array[] = [];
    for (let start = 0; start < order.length; start += this.#block) {
      const block = order
        .subarray(start, start + this.#block)
        .sort((a, b) => this.#lengths[a] - this.#lengths[b] || a - b);
      for (let i = 0; i < block.length; i += this.#batchSize) {
        const batch = block.subarray(i, i + this.#batchSize);
        (batch.length === this.#batchSize ? full : short).push(batch);
      }
    }
    // The incomplete batch stays last, so that batches of the loader coincide with those formed here.
    return [...random.shuffle(full), ...short].flatMap((batch) => [...batch]);
  }
}
