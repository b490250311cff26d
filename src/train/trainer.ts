/** @file Trainer: fit, evaluate and predict with metrics, callbacks, run records, checkpoints and exact resume. */
import { ArgumentError, GradusError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import type { Module } from '../nn/module.ts';
import { EMA, Optimizer, type Scheduler } from '../optim/index.ts';
import { manualSeed, type Tensor } from '../tensor/index.ts';
import type { Callback, Logs } from './callback.ts';
import { checkTrainer } from './check-options.ts';
import type { Monitor } from './early-stopping.ts';
import { batches, FitRun } from './fit-run.ts';
import type { Metric } from './metrics/index.ts';
import type { ProgressOptions } from './progress.ts';
import {
  type Batch,
  evaluationStep,
  type LossFunction,
  modelLoss,
  predictionStep,
  type StepFunction,
  supervised,
  TrainStep,
} from './step.ts';
import { Tally } from './tally.ts';

/** Where batches come from: a DataLoader, or anything that can be iterated once per epoch. */
export interface BatchSource {
  readonly length?: number;
  [Symbol.asyncIterator]?(): AsyncIterator<Batch>;
  [Symbol.iterator]?(): Iterator<Batch>;
  state?(): unknown;
  load?(state: never): void;
  setEpoch?(epoch: number): void;
}

export interface TrainerOptions<M extends Module> {
  /**
   * For batches `{ x, y }`: loss(model.forward(x), y). Without this and `step` the model computes its own loss, as those of
   * Python's transformers do: forward(batch) gives `{ loss, logits }`, and metrics compare logits with the batch's `labels`.
   */
  loss?: LossFunction;
  /** How a batch becomes a loss, for several losses and the like. */
  step?: StepFunction<M>;
  /** A factory such as `optim.adamw({ lr: 1e-3 })`, or an optimiser already bound to parameters. */
  optimizer: ((params: Iterable<Tensor>) => Optimizer) | Optimizer;
  /** Makes the learning-rate schedule; stepped after every update. */
  schedule?: (optimizer: Optimizer, totalSteps: number | undefined) => Scheduler;
  metrics?: readonly Metric<NDArray, NDArray>[];
  callbacks?: readonly Callback[];
  /** Micro-batches whose gradients are averaged per update; default 1. */
  accumulate?: number;
  /** Upper bound of the gradients' total norm. */
  clipNorm?: number;
  clipValue?: number;
  /**
   * Decay of an exponential moving average of the weights. Validation uses the averages, and after fit the model has them
   * (with `restoreBest`, those of the best epoch); a further fit goes on from the weights themselves.
   */
  ema?: number;
  /** Seed of everything random; default 0. */
  seed?: number;
  /** Folder for records and checkpoints; none is kept without it. */
  out?: string;
  /** Checkpoint every so many steps besides every epoch; the newest `keep` (default 2) stay. */
  checkpoint?: { every?: number; keep?: number };
  /** Progress display: by default in terminals only; `true` also prints a line per epoch elsewhere. */
  progress?: boolean | ProgressOptions;
}

export interface FitOptions extends Monitor {
  epochs: number;
  validation?: BatchSource;
  /** Continue from the newest checkpoint in `out`, if there is one. */
  resume?: boolean;
  /** After training, load the weights of the epoch with the best `monitor`; default true if there is validation data. */
  restoreBest?: boolean;
  /** On Ctrl-C, after the checkpoint: 'exit' the process with code 130 (default) or 'throw' an InterruptedError. */
  onInterrupt?: 'exit' | 'throw';
}

/** Training was interrupted (Ctrl-C) and has saved its checkpoint. */
export class InterruptedError extends GradusError {}

export interface FitResult {
  /** Logs of each epoch. */
  readonly history: readonly Logs[];
  /** Why training ended before the last epoch, if it did. */
  readonly stopped: string | undefined;
  /** Epoch (from 1) whose weights the model now has. */
  readonly bestEpoch: number | undefined;
}

/** Trains, evaluates and runs a model. */
export class Trainer<M extends Module> {
  readonly model: M;
  readonly optimizer: Optimizer;
  readonly #options: TrainerOptions<M>;
  readonly #step: StepFunction<M>;
  readonly #metrics: readonly Metric<NDArray, NDArray>[];
  readonly #ema: EMA | undefined;
  #trainStep: TrainStep<M> | undefined;
  #trainable = '';
  readonly #evaluate: (batch: Batch) => Promise<Record<string, Tensor>>;
  readonly #predict: (batch: Batch) => Promise<Record<string, Tensor>>;

  /** @throws ArgumentError for options that do not go together. */
  constructor(model: M, options: TrainerOptions<M>) {
    checkTrainer(model, options);
    manualSeed(options.seed ?? 0);
    this.model = model;
    this.#options = options;
    const { optimizer } = options;
    this.optimizer =
      optimizer instanceof Optimizer ? optimizer : optimizer(model.parameters().filter((p) => p.requiresGrad));
    this.#step = options.step ?? (options.loss ? supervised(options.loss) : modelLoss());
    this.#metrics = options.metrics ?? [];
    this.#ema = options.ema === undefined ? undefined : new EMA(model, { decay: options.ema });
    this.#evaluate = evaluationStep(model, this.#step);
    this.#predict = predictionStep(model, { asRecord: !options.loss && !options.step });
  }

  /**
   * Trains for `epochs`. Each epoch's logs hold `loss` and the metrics of training and, with validation data, the same with
   * the prefix `val_`.
   * @throws NumericError naming the first tensor that is not finite; the parameters are then those before that step.
   */
  async fit(source: BatchSource, options: FitOptions): Promise<FitResult> {
    const run = new FitRun(this, source, options);
    return await run.execute();
  }

  /** Loss and metrics over all batches, without gradients, in evaluation mode. */
  async evaluate(source: BatchSource): Promise<Logs> {
    return await this.#evaluating(async () => {
      const tally = new Tally(this.#metrics);
      for await (const batch of batches(source)) {
        const { loss, output, target } = await this.#evaluate(batch);
        await tally.add(batch, loss, output, target);
      }
      if (!tally.samples)
        throw new ArgumentError('evaluate: the source gave no batches; check the data set and dropLast');
      return tally.logs('');
    });
  }

  /**
   * The model's outputs for every batch in order, in evaluation mode: forward(x), or the logits of forward(batch) where
   * batches have no `x` or the model computes its own loss.
   */
  async *predict(source: BatchSource): AsyncGenerator<Tensor> {
    const before = this.model.training;
    this.model.eval();
    try {
      for await (const batch of batches(source)) yield (await this.#predict(batch)).output;
    } finally {
      this.model.train(before);
    }
  }

  async #evaluating<T>(work: () => Promise<T>): Promise<T> {
    const before = this.model.training;
    this.model.eval();
    // After fit the averages are in the model already.
    const averaged = this.#ema?.updates && !this.#ema.isSwapped ? this.#ema : undefined;
    await averaged?.swap();
    try {
      return await work();
    } finally {
      await averaged?.swap();
      this.model.train(before);
    }
  }

  /** @internal The compiled step; made anew when parameters were frozen or unfrozen since. */
  get trainStep(): TrainStep<M> {
    const trainable = this.model
      .parameters()
      .map((p) => (p.requiresGrad ? '1' : '0'))
      .join('');
    if (!this.#trainStep || trainable !== this.#trainable) {
      const { accumulate = 1, clipNorm, clipValue } = this.#options;
      this.#trainStep = new TrainStep(this.model, this.#step, this.optimizer, {
        accumulate,
        keepOutput: this.#metrics.length > 0,
        ...(clipNorm === undefined ? {} : { clipNorm }),
        ...(clipValue === undefined ? {} : { clipValue }),
        ...(this.#ema ? { ema: this.#ema } : {}),
      });
      this.#trainable = trainable;
    }
    return this.#trainStep;
  }

  /** @internal */
  get internals() {
    return { options: this.#options, metrics: this.#metrics, step: this.#step, ema: this.#ema };
  }
}
