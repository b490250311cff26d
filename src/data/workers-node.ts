/** @file A pool of Node worker threads that read samples of a module data set. */
import type { Worker } from 'node:worker_threads';
import { DataError } from '../ir/errors.ts';
import { type FetchPool, type FetchRequest, type OpenPool, sampleError } from './fetch.ts';
import type { DatasetSource } from './module-dataset.ts';
import { startWorker } from './node-worker.ts';
import { type PortableError, reviveError } from './portable-error.ts';

/** What a worker answers. */
export type WorkerReply =
  | { readonly id: number; readonly samples: unknown[] }
  | { readonly id: number; readonly index?: number; readonly error: PortableError };

interface Job {
  readonly id: number;
  readonly request: FetchRequest;
  readonly resolve: (samples: unknown[]) => void;
  readonly reject: (error: Error) => void;
}

class WorkerPool implements FetchPool {
  readonly #source: DatasetSource;
  readonly #timeout: number;
  readonly #size: number;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  readonly #running = new Map<Worker, Job>();
  readonly #queue: Job[] = [];
  #closed = false;
  #nextId = 0;

  constructor(source: DatasetSource, size: number, timeoutSeconds: number) {
    this.#source = source;
    this.#size = size;
    this.#timeout = timeoutSeconds * 1000;
  }

  fetch(request: FetchRequest): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new DataError('the loader was closed'));
      this.#queue.push({ id: this.#nextId++, request, resolve, reject });
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const job of this.#queue.splice(0)) job.reject(new DataError('the loader was closed'));
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const worker = this.#idle.pop() ?? (this.#all.size < this.#size ? this.#start() : undefined);
      if (worker === undefined) return;
      const job = this.#queue.shift();
      if (job === undefined) return;
      this.#running.set(worker, job);
      worker.ref(); // an idle worker does not keep the process alive; a working one does
      worker.postMessage({ id: job.id, ...job.request });
      if (this.#timeout > 0) this.#watch(worker, job);
    }
  }

  #watch(worker: Worker, job: Job): void {
    const timer = setTimeout(() => {
      if (this.#running.get(worker) !== job) return;
      this.#fail(
        worker,
        new DataError(`samples ${job.request.indices.join(', ')} took longer than ${this.#timeout / 1000} s`),
      );
      void worker.terminate();
    }, this.#timeout);
    timer.unref();
  }

  #start(): Worker {
    const worker = startWorker(new URL('./worker-entry.ts', import.meta.url), this.#source, {
      alsoImports: this.#source.url,
    });
    this.#all.add(worker);
    worker.on('message', (reply: WorkerReply) => this.#settle(worker, reply));
    worker.on('error', (cause: Error) =>
      this.#fail(worker, new DataError(`a worker of ${this.#source.url} crashed: ${cause.message}`, { cause })),
    );
    worker.on('exit', (code) => {
      this.#all.delete(worker);
      const at = this.#idle.indexOf(worker);
      if (at >= 0) this.#idle.splice(at, 1);
      this.#fail(worker, new DataError(`a worker of ${this.#source.url} ended with code ${code}`));
      if (!this.#closed) this.#dispatch();
    });
    return worker;
  }

  #settle(worker: Worker, reply: WorkerReply): void {
    const job = this.#running.get(worker);
    if (job === undefined || job.id !== reply.id) return;
    this.#running.delete(worker);
    this.#idle.push(worker);
    worker.unref();
    if ('samples' in reply) job.resolve(reply.samples);
    else {
      const cause = reviveError(reply.error);
      job.reject(
        reply.index === undefined
          ? new DataError(`a worker could not open ${this.#source.url}: ${cause.message}`, { cause })
          : sampleError(reply.index, cause),
      );
    }
    this.#dispatch();
  }

  /** Rejects the job of a worker that will not answer. */
  #fail(worker: Worker, error: DataError): void {
    const job = this.#running.get(worker);
    this.#running.delete(worker);
    if (job === undefined) return;
    const { indices } = job.request;
    job.reject(
      new DataError(`${error.message} (while reading samples ${indices.join(', ')})`, { cause: error.cause ?? error }),
    );
  }
}

/** Worker threads that each import the module of `source`; started when first needed. */
export const openPool: OpenPool = (source, workers, timeoutSeconds) => new WorkerPool(source, workers, timeoutSeconds);

export { parseApart } from './readers/parquet-apart.ts';
