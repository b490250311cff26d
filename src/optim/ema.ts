/** @file EMA: an exponential moving average of parameters, for evaluation. */
import { ArgumentError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import { sameShape } from '../ir/shape.ts';
import { noGrad, Tensor, zerosLike } from '../tensor/index.ts';
import { ScalarTape, withScalars } from '../tensor/operand.ts';
import { isTracing, onReplay } from '../tensor/tracing.ts';

export interface EMAOptions {
  /** Share of the average that is kept at each update. */
  decay?: number;
  /** Begin with a smaller decay, min(decay, (1 + updates) / (10 + updates)), so that the start is forgotten soon. */
  warmup?: boolean;
}

/** Anything with parameters by name: a Module. */
export interface HasNamedParameters {
  namedParameters(): Iterable<[string, Tensor]>;
}

/** What a moving average needs to go on exactly. */
export interface EMAState {
  updates: number;
  tensors: Record<string, Tensor>;
}

interface Pair {
  readonly name: string;
  readonly parameter: Tensor;
  readonly average: Tensor;
}

/**
 * Keeps an average of the parameters of a module: average = decay * average + (1 - decay) * parameter. The first update
 * takes the parameters as they are (as torch.optim.swa_utils.AveragedModel does).
 *
 * ```ts
 * const ema = new EMA(model, { decay: 0.999 });
 * await optimizer.step();
 * ema.update();            // part of the next program, or inside compile of the same one
 * await ema.swap();        // evaluate with the averages ...
 * await ema.swap();        // ... and go on training
 * ```
 */
export class EMA {
  readonly decay: number;
  readonly warmup: boolean;
  /** Updates made. */
  updates = 0;
  /** Whether the averages are in the module at present. */
  isSwapped = false;
  readonly #pairs: readonly Pair[];
  readonly #tape = new ScalarTape();

  /** @throws ArgumentError unless decay is in [0, 1]. */
  constructor(module: HasNamedParameters, { decay = 0.999, warmup = false }: EMAOptions = {}) {
    if (!(decay >= 0 && decay <= 1)) throw new ArgumentError(`EMA: decay must be in [0, 1], found ${decay}`);
    this.decay = decay;
    this.warmup = warmup;
    this.#pairs = [...module.namedParameters()].map(([name, parameter]) => ({
      name,
      parameter,
      average: zerosLike(parameter),
    }));
  }

  /** Takes the present parameters into the averages. Call it after each optimiser step. */
  update(): void {
    if (this.isSwapped)
      throw new ArgumentError('EMA: the averages are in the module; call swap() again before training goes on');
    this.updates++;
    for (const pair of this.#pairs) pair.average.assign(this.#formula(pair));
    if (!isTracing()) return;
    onReplay(
      () => {
        this.updates++;
        this.#formula(this.#pairs[0]);
      },
      () => {
        this.updates--;
      },
    );
  }

  /** All pairs follow the same formula with the same numbers, so they share the tape. */
  #formula({ parameter, average }: Pair): Tensor {
    const decay = this.#decayNow();
    return noGrad(() =>
      withScalars(this.#tape.rewind(), () => average.mul(decay).add(parameter.detach().mul(1 - decay))),
    );
  }

  #decayNow(): number {
    if (this.updates <= 1) return 0;
    const before = this.updates - 1;
    return this.warmup ? Math.min(this.decay, (1 + before) / (10 + before)) : this.decay;
  }

  /** Exchanges the parameters of the module with their averages; a second call takes it back. */
  async swap(): Promise<void> {
    if (!this.updates) throw new ArgumentError('EMA: there are no averages yet; call update() after an optimiser step');
    const held = await Promise.all(
      this.#pairs.map(async ({ parameter, average }) => [await parameter.data(), await average.data()]),
    );
    this.#pairs.forEach(({ parameter, average }, i) => {
      const [now, mean] = held[i];
      average.setData(now);
      parameter.setData(mean);
    });
    this.isSwapped = !this.isSwapped;
  }

  /** The averages by parameter name. Tensors are live: read them before the next step. */
  stateDict(): EMAState {
    if (this.isSwapped) throw new ArgumentError('EMA: the averages are in the module; call swap() before saving');
    return {
      updates: this.updates,
      tensors: Object.fromEntries(this.#pairs.map(({ name, average }) => [name, average])),
    };
  }

  /** @throws ArgumentError if names or shapes are those of another module; nothing is changed then. */
  async loadStateDict(state: { updates: number; tensors: Readonly<Record<string, Tensor | NDArray>> }): Promise<void> {
    const elements = await Promise.all(
      this.#pairs.map(async ({ name, average }) => {
        const source = state.tensors[name];
        if (!source || !sameShape(source.shape, average.shape))
          throw new ArgumentError(`EMA: the state has no average of the shape of parameter '${name}'`);
        return source instanceof Tensor ? await source.data() : source.data;
      }),
    );
    this.#pairs.forEach(({ average }, i) => {
      average.setData(elements[i]);
    });
    this.updates = state.updates;
  }
}
