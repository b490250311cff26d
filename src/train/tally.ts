/** @file Adds up loss and metrics over batches. */
import type { NDArray } from '../ir/ndarray.ts';
import { Tensor } from '../tensor/index.ts';
import type { Json, Logs } from './callback.ts';
import type { Metric } from './metrics/index.ts';
import type { Batch } from './step.ts';

/** Samples in a batch: the first dimension of its first tensor. */
export function batchSize(batch: Batch): number {
  for (const field of Object.values(batch)) if (field instanceof Tensor && field.ndim > 0) return field.shape[0];
  return 1;
}

async function toArray(tensor: Tensor): Promise<NDArray> {
  return { data: await tensor.data(), shape: [...tensor.shape], dtype: tensor.dtype };
}

/** Mean loss per sample, and metrics. */
export class Tally {
  readonly #metrics: readonly Metric<NDArray, NDArray>[];
  #loss = 0;
  #samples = 0;

  constructor(metrics: readonly Metric<NDArray, NDArray>[]) {
    this.#metrics = metrics;
    for (const metric of metrics) metric.reset();
  }

  /** Samples seen. */
  get samples(): number {
    return this.#samples;
  }

  /** Mean loss per sample so far. */
  get loss(): number {
    return this.#loss / this.#samples;
  }

  async add(batch: Batch, loss: Tensor, output: Tensor | undefined, target: Tensor | undefined): Promise<void> {
    const size = batchSize(batch);
    this.#loss += (await loss.item()) * size;
    this.#samples += size;
    if (!output || !target || !this.#metrics.length) return;
    const [o, t] = [await toArray(output), await toArray(target)];
    for (const metric of this.#metrics) metric.update(o, t);
  }

  /** The numbers so far, names prefixed (`val_`). A metric with several results gives `name_key` each. */
  logs(prefix: string): Logs {
    const logs: Logs = { [`${prefix}loss`]: this.loss };
    for (const metric of this.#metrics) {
      const result = metric.compute();
      if (typeof result === 'number') logs[`${prefix}${metric.name}`] = result;
      else for (const [key, value] of Object.entries(result)) logs[`${prefix}${metric.name}_${key}`] = value;
    }
    return logs;
  }

  /** What was added up so far, for checkpoints in the middle of an epoch. */
  stateDict(): Json {
    const metrics = this.#metrics.map((metric) => metric.stateDict?.() ?? null);
    return { loss: this.#loss, samples: this.#samples, metrics };
  }

  loadStateDict(state: Json): void {
    const saved = state as { loss: number; samples: number; metrics?: Json[] };
    this.#loss = saved.loss;
    this.#samples = saved.samples;
    for (const [i, metric] of this.#metrics.entries()) {
      const own = saved.metrics?.[i];
      if (own !== undefined && own !== null) metric.loadStateDict?.(own);
    }
  }
}
