/** @file Reading the samples of a batch, in this thread or by a pool of workers. */
import { DataError } from '../ir/errors.ts';
import { Random } from '../ir/random.ts';
import type { DatasetLike } from './dataset.ts';
import type { DatasetSource } from './module-dataset.ts';

/** Which samples of which epoch. */
export interface FetchRequest {
  readonly indices: readonly number[];
  readonly seed: number;
  readonly epoch: number;
}

/** Something that delivers batches of samples. */
export interface FetchPool {
  fetch(request: FetchRequest): Promise<unknown[]>;
  close(): Promise<void>;
}

/** Makes a pool of workers that each open `source`. */
export type OpenPool = (source: DatasetSource, workers: number, timeoutSeconds: number) => FetchPool;

/** Names the sample and keeps what was thrown as `cause`. */
export function sampleError(index: number, cause: unknown): DataError {
  const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  return new DataError(`sample ${index} could not be read: ${reason}`, { cause });
}

/**
 * Reads the samples of a request. Each gets the random stream (seed, 'sample', epoch, index).
 * Synchronous data sets are read without giving up the thread in between.
 * @throws DataError naming the sample.
 */
export async function fetchSamples<T>(dataset: DatasetLike<T>, { indices, seed, epoch }: FetchRequest): Promise<T[]> {
  const root = new Random(seed).fork('sample', epoch);
  const pending = indices.map((index): T | Promise<T> => {
    try {
      const sample = dataset.get(index, root.fork(index));
      return sample instanceof Promise
        ? sample.catch((cause: unknown) => {
            throw sampleError(index, cause);
          })
        : sample;
    } catch (cause) {
      // A promise, so that failures of samples already under way are seen together with this one.
      return Promise.reject(sampleError(index, cause));
    }
  });
  if (!pending.some((sample) => sample instanceof Promise)) return pending as T[];
  // Wait for all, so that the failure reported is the first in the batch's order, whichever came first in time.
  const settled = await Promise.allSettled(pending);
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
