/** @file What runs in a worker thread of the loader: opens the data set, answers requests for samples. */
import { parentPort, workerData } from 'node:worker_threads';
import type { DataError } from '../ir/errors.ts';
import type { DatasetLike } from './dataset.ts';
import { type FetchRequest, fetchSamples, sampleError } from './fetch.ts';
import { type DatasetSource, openDataset } from './module-dataset.ts';
import { packError } from './portable-error.ts';
import type { WorkerReply } from './workers-node.ts';

const port = parentPort;
let opening: Promise<DatasetLike<unknown>> | undefined;

/**
 * Copies arrays so that their memory can be handed over: a sample is often a view on the data set's own memory, which
 * must neither be detached nor be cloned as a whole.
 */
function detachable(value: unknown, memory: ArrayBuffer[]): unknown {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const copy = (value as Uint8Array).slice();
    memory.push(copy.buffer as ArrayBuffer);
    return copy;
  }
  if (Array.isArray(value)) return value.map((v) => detachable(v, memory));
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, detachable(v, memory)]));
  return value;
}

async function answer(request: FetchRequest & { id: number }): Promise<{ reply: WorkerReply; memory: ArrayBuffer[] }> {
  const { id } = request;
  let dataset: DatasetLike<unknown>;
  try {
    opening ??= openDataset(workerData as DatasetSource);
    dataset = await opening;
  } catch (error) {
    return { reply: { id, error: packError(error) }, memory: [] };
  }
  const samples: unknown[] = [];
  const memory: ArrayBuffer[] = [];
  for (const index of request.indices) {
    try {
      const [sample] = await fetchSamples(dataset, { ...request, indices: [index] });
      samples.push(detachable(sample, memory));
    } catch (error) {
      return { reply: { id, index, error: packError((error as DataError).cause ?? error) }, memory: [] };
    }
  }
  return { reply: { id, samples }, memory };
}

/** Whether a sample survives the way to another thread. */
function canCross(sample: unknown): boolean {
  try {
    structuredClone(sample);
    return true;
  } catch {
    return false;
  }
}

port?.on('message', async (request: FetchRequest & { id: number }) => {
  const { reply, memory } = await answer(request);
  try {
    port.postMessage(reply, memory);
  } catch (cause) {
    const samples = 'samples' in reply ? reply.samples : [];
    const index =
      request.indices[
        Math.max(
          0,
          samples.findIndex((sample) => !canCross(sample)),
        )
      ];
    const error = packError(sampleError(index, cause).cause);
    port.postMessage({ id: request.id, index, error } satisfies WorkerReply);
  }
});
