// A minimal Web Worker on top of worker_threads: blob: URLs, postMessage, onmessage.
import { resolveObjectURL } from 'node:buffer';
import { availableParallelism } from 'node:os';
import { Worker as Thread } from 'node:worker_threads';

const PRELUDE = `
const { parentPort } = require('node:worker_threads');
globalThis.self = globalThis;
globalThis.postMessage = (m) => parentPort.postMessage(m);
parentPort.on('message', (data) => globalThis.onmessage({ data }));
`;

class BlobWorker {
  #thread;
  #waiting = [];

  constructor(url) {
    resolveObjectURL(String(url))
      .text()
      .then((source) => this.#start(source));
  }

  #start(source) {
    this.#thread = new Thread(PRELUDE + source, { eval: true });
    this.#thread.unref();
    this.#thread.on('message', (data) => this.onmessage?.({ data }));
    this.#thread.on('error', (error) => this.onerror?.(error));
    for (const message of this.#waiting) this.#thread.postMessage(message);
  }

  postMessage(message) {
    if (this.#thread) this.#thread.postMessage(message);
    else this.#waiting.push(message);
  }
}

/** Gives a library that looks for Web Workers one, and the number of cores to start. */
export function installWorker() {
  globalThis.Worker = BlobWorker;
  globalThis.navigator ??= { hardwareConcurrency: availableParallelism() };
}
