/** @file One call of Trainer.fit: the loop over epochs and steps, with its state saved and restored exactly. */
import { ArgumentError, FormatError, type NumericError } from '../ir/errors.ts';
import type { Module } from '../nn/module.ts';
import type { Scheduler } from '../optim/index.ts';
import { getRngState, setRngState } from '../tensor/index.ts';
import type { Callback, Json, Logs, TrainContext } from './callback.ts';
import { checkFit } from './check-options.ts';
import {
  type Checkpoint,
  type CheckpointState,
  latestCheckpoint,
  loadCheckpoint,
  saveCheckpoint,
  setAside,
  snapshot,
} from './checkpoint.ts';
import { diagnose } from './diagnose.ts';
import { isLowerBetter, monitored } from './early-stopping.ts';
import { removeStaleTemporaries } from './files.ts';
import { InterruptWatch } from './interrupt.ts';
import { nodeFiles } from './node-files.ts';
import { runRecord } from './run-record.ts';
import { showProgress } from './show-progress.ts';
import type { Batch } from './step.ts';
import { batchSize, Tally } from './tally.ts';
import { type BatchSource, type FitOptions, type FitResult, InterruptedError, type Trainer } from './trainer.ts';

const version = 1;

/** The number of batches of a source, if it knows. */
function lengthOf(source: BatchSource): number | undefined {
  try {
    return source.length;
  } catch {
    return undefined;
  }
}

/** Iterates a source once; plain iterables work too. */
export async function* batches(source: BatchSource): AsyncGenerator<Batch> {
  if (typeof source !== 'object' || !(source?.[Symbol.asyncIterator] || source?.[Symbol.iterator]))
    throw new ArgumentError('a batch source must be a DataLoader or another iterable of batches');
  for await (const batch of source as AsyncIterable<Batch>) {
    if (typeof batch !== 'object' || batch === null)
      throw new ArgumentError(`a batch must be an object of tensors such as { x, y }, found ${batch}`);
    yield batch;
  }
}

/** What runs ahead of the last finished step: the reading of batches, random numbers, counters of a step that failed. */
interface Moment {
  readonly tally: () => Json;
  readonly position: number;
  readonly loader: Json;
  readonly rng: { seed: number; drawn: number };
  readonly optimizer: { readonly step: number; readonly parameterSteps?: number[] };
  readonly averages: number | null;
}

/** Thrown within validation when the user wants to stop. */
class Stopped extends Error {}

const isEma = (key: string) => key.startsWith('ema.');

/** The moving averages in a checkpoint, if it has some. */
function averagesOf({ state, optimizer }: Pick<Checkpoint, 'state' | 'optimizer'>): Averages | undefined {
  if (typeof state.ema !== 'number') return undefined;
  const own = Object.entries(optimizer).filter(([key]) => isEma(key));
  return { updates: state.ema, tensors: Object.fromEntries(own.map(([key, t]) => [key.slice(4), t])) };
}

interface Averages {
  readonly updates: number;
  readonly tensors: Checkpoint['optimizer'];
}

/** The loop and everything it must remember. */
export class FitRun<M extends Module> implements TrainContext {
  readonly #trainer: Trainer<M>;
  readonly #source: BatchSource;
  readonly #options: FitOptions;
  readonly #callbacks: readonly Callback[];
  readonly #scheduler: Scheduler | undefined;
  readonly #history: Logs[] = [];
  readonly #watch = new InterruptWatch();
  #best: { epoch: number; score: number } | undefined;
  #bestWeights: Record<string, Awaited<ReturnType<typeof snapshot>>[string]> | undefined;
  #bestAverages: Averages | undefined;
  #stopReason: string | undefined;
  #resumedTally: Json = null;
  /** Batches of this epoch that were trained on. */
  #position = 0;
  /** The moment after the last finished optimiser step, for what goes on changing after it. */
  #moment: Moment | undefined;
  /** A finished optimiser step after which no checkpoint was taken yet. */
  #dirty = false;
  epoch = 0;
  step = 0;

  constructor(trainer: Trainer<M>, source: BatchSource, options: FitOptions) {
    checkFit(options);
    this.#trainer = trainer;
    this.#source = source;
    this.#options = options;
    const { schedule, accumulate = 1, callbacks = [], out, progress } = trainer.internals.options;
    const isTerminal = typeof process === 'object' && process.stdout?.isTTY === true;
    this.#callbacks = [
      ...callbacks,
      ...(out === undefined ? [] : [runRecord(out)]),
      ...((progress ?? isTerminal) ? [showProgress(typeof progress === 'object' ? progress : {})] : []),
    ];
    const perEpoch = lengthOf(source);
    const total = perEpoch === undefined ? undefined : Math.ceil(perEpoch / accumulate) * options.epochs;
    this.#scheduler = schedule?.(trainer.optimizer, total);
  }

  get model(): Module {
    return this.#trainer.model;
  }

  get optimizer() {
    return this.#trainer.optimizer;
  }

  get epochs(): number {
    return this.#options.epochs;
  }

  get out(): string | undefined {
    return this.#trainer.internals.options.out;
  }

  get stepsPerEpoch(): number | undefined {
    const length = lengthOf(this.#source);
    return length === undefined ? undefined : Math.ceil(length / (this.#trainer.internals.options.accumulate ?? 1));
  }

  stop(reason: string): void {
    this.#stopReason ??= reason;
  }

  async execute(): Promise<FitResult> {
    try {
      await this.#prepare();
      await this.#call('onFitStart');
      while (this.epoch < this.epochs && this.#stopReason === undefined) await this.#runEpoch();
      await this.#restoreBest();
      // What was evaluated is what the user gets.
      await this.#useAverages(true);
    } catch (error) {
      // What went wrong first is what must be told.
      await this.#end().catch(() => undefined);
      throw error;
    }
    await this.#end();
    return { history: this.#history, stopped: this.#stopReason, bestEpoch: this.#best?.epoch };
  }

  /** Puts the averages of `ema` in the model after training, or takes them out before it goes on. */
  async #useAverages(on: boolean): Promise<void> {
    const { ema } = this.#trainer.internals;
    if (ema?.updates && ema.isSwapped !== on) await ema.swap();
  }

  async #prepare(): Promise<void> {
    await this.#useAverages(false);
    if (this.#options.resume) await this.#resume();
    else if (this.out !== undefined)
      for (const name of ['checkpoints', 'best']) await setAside(this.#folder(name) as string);
    this.#trainer.trainStep.reset();
  }

  async #end(): Promise<void> {
    this.#watch.close();
    this.model.eval();
    await this.#call('onFitEnd');
  }

  async #runEpoch(): Promise<void> {
    this.model.train();
    await this.#call('onEpochStart');
    const tally = new Tally(this.#trainer.internals.metrics);
    if (this.#resumedTally) tally.loadStateDict(this.#resumedTally);
    this.#resumedTally = null;
    const { accumulate = 1 } = this.#trainer.internals.options;
    const total = lengthOf(this.#source);
    // A source that cannot be told where to go on begins anew: what the interrupted run has had of it is passed over.
    let passed = this.#source?.load ? this.#position : 0;
    this.#remember(tally);
    for await (const batch of batches(this.#source)) {
      if (++passed <= this.#position) continue;
      const position = ++this.#position;
      // The last batches of an epoch may be fewer than a full accumulation; they update all the same.
      const last = position % accumulate === 0 || position === total;
      await this.#runBatch(batch, last, tally);
      if (last) await this.#afterStep();
      if (this.#stopReason !== undefined) break;
    }
    // A stream does not tell which batch is its last: an accumulation that it leaves unfinished is dropped.
    if (total === undefined && this.#position % accumulate !== 0) this.#trainer.trainStep.reset();
    this.#position = 0;
    if (!tally.samples)
      throw new ArgumentError('fit: the training source gave no batches; check the data set and dropLast');
    await this.#finishEpoch(tally);
  }

  async #runBatch(batch: Batch, last: boolean, tally: Tally): Promise<void> {
    const step = this.#trainer.trainStep;
    const { loss, ok, output, target } = await step.run(batch, last);
    if (!(await ok.item())) {
      await step.abort();
      throw await this.#notFinite(batch);
    }
    await tally.add(batch, loss, output, target);
    if (!last) return;
    this.step++;
    this.#dirty = true;
    const logs = {
      loss: await loss.item(),
      lr: this.#learningRate(),
      samples: batchSize(batch),
      epochLoss: tally.loss,
    };
    if (!this.#scheduler?.needsMetric) this.#scheduler?.step();
    for (const callback of this.#callbacks) await callback.onStepEnd?.(this, logs);
    this.#remember(tally);
  }

  /** The error that names what is not finite; the state before this step is kept first. */
  async #notFinite(batch: Batch): Promise<NumericError> {
    const error = await diagnose(this.#trainer.model, this.#trainer.internals.step, batch, this.step + 1);
    if (this.out === undefined || this.step === 0) return error;
    const kept = await this.#checkpoint(this.#moment).then(
      () => `The state after step ${this.step} is kept in ${this.#folder('checkpoints')}`,
      (cause: unknown) => `The state before it could not be kept: ${cause instanceof Error ? cause.message : cause}`,
    );
    error.message += `. ${kept}`;
    return error;
  }

  #remember(tally: Tally): void {
    const { step, parameterSteps } = this.optimizer.stateDict();
    // Within an accumulation the tally runs ahead, too; else it can be asked when it is needed.
    const { accumulate = 1 } = this.#trainer.internals.options;
    const sums = accumulate > 1 ? tally.stateDict() : undefined;
    this.#moment = {
      tally: () => sums ?? tally.stateDict(),
      position: this.#position,
      loader: (this.#source?.state?.() ?? null) as Json,
      rng: { ...getRngState() },
      optimizer: { step, ...(parameterSteps ? { parameterSteps } : {}) },
      averages: this.#trainer.internals.ema?.updates || null,
    };
  }

  get #monitor(): string {
    return this.#options.monitor ?? (this.#options.validation ? 'val_loss' : 'loss');
  }

  #learningRate(): number {
    const { hyper } = this.optimizer.groups[0];
    return (hyper as { lr?: number }).lr ?? Number.NaN;
  }

  async #afterStep(): Promise<void> {
    const every = this.#trainer.internals.options.checkpoint?.every;
    if (every && this.step % every === 0) await this.#checkpoint(this.#moment);
    if (this.#watch.requested) await this.#interrupt(this.#moment);
  }

  /** The validation data, until the user wants to stop. */
  async *#untilStopped(source: BatchSource): AsyncGenerator<Batch> {
    for await (const batch of batches(source)) {
      if (this.#watch.requested) throw new Stopped();
      yield batch;
    }
  }

  async #validate(source: BatchSource, logs: Logs): Promise<void> {
    // The same order in a resumed run, whatever the source has been through.
    source.setEpoch?.(this.epoch);
    // Validation uses the same metrics: what training has added up must be taken before.
    const sums = this.#moment?.tally() ?? null;
    const moment = this.#moment && { ...this.#moment, tally: () => sums };
    const evaluated = await this.#trainer.evaluate(this.#untilStopped(source)).catch(async (error: unknown) => {
      if (error instanceof Stopped) return await this.#interrupt(moment);
      throw error;
    });
    for (const [name, value] of Object.entries(evaluated)) logs[`val_${name}`] = value;
  }

  async #finishEpoch(tally: Tally): Promise<void> {
    const logs: Logs = { ...tally.logs(''), lr: this.#learningRate() };
    const { validation } = this.#options;
    if (validation) await this.#validate(validation, logs);
    this.epoch++;
    if (validation) {
      for (const callback of this.#callbacks) await callback.onEvaluateEnd?.(this, logs);
    }
    if (this.#scheduler?.needsMetric) this.#scheduler.step(monitored(logs, this.#monitor));
    this.#history.push(logs);
    await this.#keepBest(logs);
    for (const callback of this.#callbacks) await callback.onEpochEnd?.(this, logs);
    await this.#checkpoint(undefined);
    if (this.#watch.requested) await this.#interrupt(undefined);
  }

  async #keepBest(logs: Logs): Promise<void> {
    const { validation, restoreBest = validation !== undefined, mode } = this.#options;
    if (!restoreBest) return;
    const name = this.#monitor;
    const score = monitored(logs, name);
    const better = isLowerBetter({ monitor: name, ...(mode ? { mode } : {}) })
      ? score < (this.#best?.score ?? Number.POSITIVE_INFINITY)
      : score > (this.#best?.score ?? Number.NEGATIVE_INFINITY);
    if (!better) return;
    this.#best = { epoch: this.epoch, score };
    this.#bestWeights = await snapshot(this.model.stateDict());
    const { ema } = this.#trainer.internals;
    if (ema?.updates) this.#bestAverages = { updates: ema.updates, tensors: await snapshot(ema.stateDict().tensors) };
    if (this.out !== undefined) await this.#save('best', undefined, 1);
  }

  async #restoreBest(): Promise<void> {
    if (!this.#best || this.#best.epoch === this.epoch) return;
    const folder = this.#folder('best');
    const path = this.#bestWeights || folder === undefined ? undefined : await latestCheckpoint(folder);
    const kept = path === undefined ? undefined : await loadCheckpoint(path);
    const weights = this.#bestWeights ?? kept?.model;
    if (weights) await this.model.loadStateDict(weights);
    // The averages are what was evaluated when this epoch was found the best.
    const averages = this.#bestAverages ?? (kept && averagesOf(kept));
    if (averages) await this.#trainer.internals.ema?.loadStateDict(averages);
  }

  #folder(name: string): string | undefined {
    return this.out === undefined ? undefined : nodeFiles().path.join(this.out, name);
  }

  /** Keeps the state of that moment in the middle of an epoch; without one, the present state, between two epochs. */
  async #checkpoint(moment: Moment | undefined): Promise<void> {
    if (this.out === undefined || (!this.#dirty && moment)) return;
    for (const callback of this.#callbacks) await callback.onCheckpoint?.(this);
    await this.#save('checkpoints', moment, this.#trainer.internals.options.checkpoint?.keep ?? 2);
    this.#dirty = false;
  }

  async #save(name: string, moment: Moment | undefined, keep: number): Promise<void> {
    const optimizer = this.optimizer.stateDict();
    const { ema } = this.#trainer.internals;
    const tensors = { ...optimizer.tensors };
    const average = ema?.updates ? ema.stateDict() : undefined;
    for (const [key, value] of Object.entries(average?.tensors ?? {})) tensors[`ema.${key}`] = value;
    const { step, parameterSteps } = moment?.optimizer ?? optimizer;
    const state: CheckpointState = {
      version,
      epoch: this.epoch,
      step: this.step,
      tally: moment?.tally() ?? null,
      position: moment?.position ?? 0,
      optimizer: { step, groups: optimizer.groups as Json, ...(parameterSteps ? { parameterSteps } : {}) },
      ema: (moment ? moment.averages : average?.updates) ?? null,
      scheduler: (this.#scheduler?.stateDict() ?? null) as Json,
      rng: { ...(moment?.rng ?? getRngState()) },
      loader: moment ? moment.loader : ((this.#source.state?.() ?? null) as Json),
      best: this.#best ?? null,
      history: this.#history,
      callbacks: Object.fromEntries(this.#callbacks.map((c) => [c.name, c.stateDict?.() ?? null])),
    };
    const content = { state, model: await snapshot(this.model.stateDict()), optimizer: await snapshot(tensors) };
    await saveCheckpoint(this.#folder(name) as string, this.step, content, keep);
  }

  async #resume(): Promise<void> {
    const folder = this.#folder('checkpoints');
    if (folder === undefined)
      throw new ArgumentError('fit: resume needs the Trainer option `out`, the folder of the run');
    await removeStaleTemporaries(this.out ?? folder);
    const path = await latestCheckpoint(folder);
    if (path === undefined) return;
    const { state, model, optimizer } = await loadCheckpoint(path);
    if (state.version !== version)
      throw new FormatError(`${path}: checkpoint version ${state.version}; this Gradus reads version ${version}`);
    await this.model.loadStateDict(model);
    const { ema } = this.#trainer.internals;
    const entries = Object.entries(optimizer);
    const saved = state.optimizer as { step: number; groups: Record<string, unknown>[] };
    await this.optimizer.loadStateDict({
      ...saved,
      tensors: Object.fromEntries(entries.filter(([key]) => !isEma(key))),
    });
    const averages = averagesOf({ state, optimizer });
    if (averages) await ema?.loadStateDict(averages);
    this.epoch = state.epoch as number;
    this.step = state.step as number;
    this.#resumedTally = state.tally;
    this.#position = (state.position as number | undefined) ?? 0;
    this.#best = (state.best as { epoch: number; score: number } | null) ?? undefined;
    this.#history.push(...(state.history as Logs[]));
    if (state.scheduler && this.#scheduler) this.#scheduler.loadStateDict(state.scheduler as never);
    if (state.loader) this.#source.load?.(state.loader as never);
    for (const callback of this.#callbacks) {
      const own = (state.callbacks as Record<string, Json>)[callback.name];
      if (own !== undefined && own !== null) callback.loadStateDict?.(own);
    }
    setRngState(state.rng as { seed: number; drawn: number });
  }

  async #interrupt(moment: Moment | undefined): Promise<never> {
    await this.#checkpoint(moment);
    const where =
      this.out === undefined
        ? 'nothing was kept: set `out` to keep checkpoints'
        : `checkpoint saved in ${this.out}; fit with { resume: true } goes on`;
    const message = `interrupted at step ${this.step}; ${where}`;
    if ((this.#options.onInterrupt ?? 'exit') === 'throw' || typeof process !== 'object')
      throw new InterruptedError(message);
    await this.#call('onFitEnd');
    console.error(message);
    process.exit(130);
  }

  async #call(hook: 'onFitStart' | 'onEpochStart' | 'onFitEnd'): Promise<void> {
    for (const callback of this.#callbacks) await callback[hook]?.(this);
  }
}
