/** @file One training or evaluation step as a compiled program. */
import { dtypes, type NumericArray } from '../ir/dtype.ts';
import { ArgumentError } from '../ir/errors.ts';
import type { Module } from '../nn/module.ts';
import { Buffer } from '../nn/module.ts';
import type { EMA, Optimizer } from '../optim/index.ts';
import { clipGradNorm, clipGradValue } from '../optim/index.ts';
import { guardAssignments } from '../tensor/assignments.ts';
import { compile, noGrad, Tensor, zeros } from '../tensor/index.ts';

/** A batch: tensors by name (`{ x, y }`); other fields pass through untouched and are not part of the program. */
export type Batch = Readonly<Record<string, unknown>>;

/** What a step makes of a batch. */
export interface StepResult {
  /** Scalar. */
  readonly loss: Tensor;
  /** For metrics: predictions and what they should have been. */
  readonly output?: Tensor;
  readonly target?: Tensor;
}

/** How a batch becomes a loss; must be pure tensor code (it is compiled). */
export type StepFunction<M extends Module> = (model: M, batch: Batch) => StepResult;

export type LossFunction = (output: Tensor, target: Tensor) => Tensor;

/** The default step: batches are `{ x, y }`; loss(model.forward(x), y). */
export function supervised<M extends Module>(loss: LossFunction): StepFunction<M> {
  return (model, batch) => {
    const { x, y } = batch;
    if (!(x instanceof Tensor) || !(y instanceof Tensor))
      throw new ArgumentError(
        `a batch must be { x, y } with tensors, found fields ${Object.keys(batch).join(', ') || 'none'}; pass a \`step\` function to the Trainer for other batches`,
      );
    const output = model.forward(...([x] as never[])) as Tensor;
    return { loss: loss(output, y), output, target: y };
  };
}

/** The tensor `logits` of what a model returns. */
function logitsOf(result: unknown): Tensor | undefined {
  const logits = typeof result === 'object' && result !== null && 'logits' in result ? result.logits : undefined;
  return logits instanceof Tensor ? logits : undefined;
}

/** For errors: what forward() returned. */
function found(result: unknown): string {
  if (result instanceof Tensor) return 'a tensor';
  return typeof result === 'object' && result !== null ? `{ ${Object.keys(result).join(', ')} }` : typeof result;
}

/**
 * The step of a model that computes its own loss, as the Trainer of Python's transformers does it: forward(batch) gives
 * `{ loss, logits }`; metrics compare the logits with the batch's `labels`.
 */
export function modelLoss<M extends Module>(): StepFunction<M> {
  return (model, batch) => {
    const fields = Object.keys(batch);
    const advice = `give the Trainer a \`loss\` (for batches { x, y }) or a \`step\`, or batches with the \`labels\` from which the model computes its loss (found fields ${fields.join(', ') || 'none'})`;
    if (batch.x instanceof Tensor && batch.y instanceof Tensor && !('labels' in batch))
      throw new ArgumentError(`the Trainer has neither \`loss\` nor \`step\`: ${advice}`);
    const result: unknown = model.forward(...([batch] as never[]));
    const loss = typeof result === 'object' && result !== null && 'loss' in result ? result.loss : undefined;
    if (!(loss instanceof Tensor))
      throw new ArgumentError(`the model gives no loss: forward() gave ${found(result)}; ${advice}`);
    const output = logitsOf(result);
    const { labels } = batch;
    return { loss, ...(output ? { output } : {}), ...(labels instanceof Tensor ? { target: labels } : {}) };
  };
}

export interface TrainStepOptions {
  /** Micro-batches whose gradients are averaged before each update; default 1. */
  accumulate: number;
  clipNorm?: number;
  clipValue?: number;
  ema?: EMA;
  /** Whether outputs are wanted for metrics. */
  keepOutput: boolean;
}

/** What comes back from the program. `ok` is 0 where loss or gradients were not finite; then nothing was changed. */
export interface StepOutcome {
  readonly loss: Tensor;
  readonly ok: Tensor;
  readonly output: Tensor | undefined;
  readonly target: Tensor | undefined;
}

/** The tensors of a batch; what else it holds (names of files, say) takes no part. */
function tensorsOf(batch: Batch): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(batch).filter((field): field is [string, Tensor] => field[1] instanceof Tensor),
  );
}

/** True unless an element of loss or gradients is NaN or infinite: their sum times zero is then NaN. */
function allFinite(loss: Tensor, gradients: readonly Tensor[]): Tensor {
  const total = gradients.reduce((sum, g) => sum.add(g.sum()), loss.sum());
  return total.mul(0).eq(0);
}

/** Compiles training: forward, backward, clipping, update and guard are one program per batch signature. */
export class TrainStep<M extends Module> {
  readonly #model: M;
  readonly #step: StepFunction<M>;
  readonly #optimizer: Optimizer;
  readonly #options: TrainStepOptions;
  readonly #accumulators: Map<Tensor, Buffer>;
  /** Whether an accumulation is under way. */
  #isOpen = false;
  /** The buffers before the present step, where earlier micro-batches of it have changed them. */
  #statistics: readonly [Tensor, NumericArray][] | undefined;
  readonly #update: (batch: Batch) => Promise<Record<string, Tensor>>;
  readonly #gather: (batch: Batch) => Promise<Record<string, Tensor>>;

  constructor(model: M, step: StepFunction<M>, optimizer: Optimizer, options: TrainStepOptions) {
    this.#model = model;
    this.#step = step;
    this.#optimizer = optimizer;
    this.#options = options;
    const accumulating = options.accumulate > 1 ? optimizer.parameters().filter((p) => p.requiresGrad) : [];
    this.#accumulators = new Map(accumulating.map((p) => [p, new Buffer(zeros(p.shape))]));
    this.#update = compile(async (batch: Batch) => await this.#traceUpdate(batch));
    this.#gather = compile((batch: Batch) => this.#traceGather(batch));
  }

  /** Runs one micro-batch; `last` of an accumulation updates the parameters. */
  async run(batch: Batch, last: boolean): Promise<StepOutcome> {
    if (!this.#isOpen) this.#statistics = last ? undefined : await this.#buffers();
    this.#isOpen = !last;
    const { loss, ok, output, target } = await (last ? this.#update : this.#gather)(tensorsOf(batch));
    return { loss, ok, output, target };
  }

  /** Notes what earlier micro-batches of a step will change: the buffers, such as running statistics. */
  async #buffers(): Promise<[Tensor, NumericArray][]> {
    return await Promise.all(
      this.#model.buffers().map(async (b): Promise<[Tensor, NumericArray]> => [b, await b.data()]),
    );
  }

  /** Takes back what the micro-batches of an unfinished step have done: gradients and running statistics. */
  async abort(): Promise<void> {
    for (const [buffer, data] of this.#statistics ?? []) buffer.setData(data);
    this.reset();
  }

  /** Forgets the gradients of an accumulation that was left unfinished. */
  reset(): void {
    this.#isOpen = false;
    for (const sum of this.#accumulators.values()) sum.setData(new dtypes[sum.dtype].array(sum.numel()));
  }

  #forwardBackward(batch: Batch): StepResult {
    this.#optimizer.zeroGrad();
    const result = this.#step(this.#model, batch);
    if (!(result?.loss instanceof Tensor))
      throw new ArgumentError(
        `the loss must be a scalar tensor, found ${typeof result?.loss}; a \`step\` returns { loss, output?, target? } at once, not as a promise`,
      );
    if (result.loss.numel() !== 1)
      throw new ArgumentError(
        `the loss must be a scalar, found shape [${result.loss.shape}]; use reduction 'mean' or .mean()`,
      );
    result.loss.backward();
    return result;
  }

  #gradients(): Tensor[] {
    return this.#optimizer.parameters().flatMap((p) => (p.grad ? [p.grad] : []));
  }

  #outcome({ loss, output, target }: StepResult, ok: Tensor): Record<string, Tensor> {
    return this.#options.keepOutput && output && target ? { loss, ok, output, target } : { loss, ok };
  }

  #traceGather(batch: Batch): Record<string, Tensor> {
    const result = this.#forwardBackward(batch);
    return noGrad(() => {
      const ok = allFinite(result.loss, this.#gradients());
      for (const [parameter, sum] of this.#accumulators) if (parameter.grad) sum.assign(sum.add(parameter.grad));
      guardAssignments(ok.value);
      return this.#outcome(result, ok);
    });
  }

  async #traceUpdate(batch: Batch): Promise<Record<string, Tensor>> {
    const { accumulate, clipNorm, clipValue, ema } = this.#options;
    const result = this.#forwardBackward(batch);
    const ok = noGrad(() => {
      for (const [parameter, sum] of this.#accumulators) {
        if (!parameter.grad) continue;
        parameter.grad = sum.add(parameter.grad).div(accumulate);
        sum.assign(sum.mul(0));
      }
      const finite = allFinite(result.loss, this.#gradients());
      if (clipValue !== undefined) clipGradValue(this.#optimizer.parameters(), clipValue);
      if (clipNorm !== undefined) clipGradNorm(this.#optimizer.parameters(), clipNorm);
      return finite;
    });
    await this.#optimizer.step();
    noGrad(() => {
      ema?.update();
      guardAssignments(ok.value);
    });
    return this.#outcome(result, ok);
  }
}

/** Compiles evaluation: forward and loss without gradients. */
export function evaluationStep<M extends Module>(
  model: M,
  step: StepFunction<M>,
): (batch: Batch) => Promise<Record<string, Tensor>> {
  const run = compile((batch: Batch) =>
    noGrad(() => {
      const { loss, output, target } = step(model, batch);
      return { loss, ...(output ? { output } : {}), ...(target ? { target } : {}) };
    }),
  );
  return async (batch) => await run(tensorsOf(batch));
}

/**
 * Compiles prediction: the model's output for the batch's `x`; for batches without one, and for models that compute their
 * own loss (`asRecord`), the logits of forward(batch).
 */
export function predictionStep(
  model: Module,
  { asRecord }: { asRecord: boolean },
): (batch: Batch) => Promise<Record<string, Tensor>> {
  const run = compile((batch: Batch) =>
    noGrad(() => {
      const result: unknown = model.forward(...([asRecord || !batch.x ? batch : batch.x] as never[]));
      const output = result instanceof Tensor ? result : logitsOf(result);
      if (!output)
        throw new ArgumentError(
          `predict: forward() must give a tensor or { logits }, found ${found(result)} for a batch with the fields ${Object.keys(batch).join(', ') || 'none'}; for other models call forward`,
        );
      return { output };
    }),
  );
  return async (batch) => await run(tensorsOf(batch));
}
