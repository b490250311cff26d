/** @file Optimisers are formulas: `defineOptimizer` turns an update rule into an optimiser with groups, state and steps. */
import { ArgumentError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import type { Shape } from '../ir/shape.ts';
import { fromData, noGrad, Tensor, zeros } from '../tensor/index.ts';
import { ScalarTape, withScalars } from '../tensor/operand.ts';
import { realizeValues } from '../tensor/realize.ts';
import { isTracing, onReplay } from '../tensor/tracing.ts';

/** Hyper-parameters: numbers enter the compiled program as per-run scalars, so changing them never recompiles. */
export type Hyper = object;

/** Makes the first value of a state tensor from its parameter. */
export type StateInit = (parameter: Tensor) => Tensor;

/** What an update rule gets: the parameter, its gradient, the state by name, and the step number (1 at the first). */
export type UpdateInput<S extends string> = {
  readonly p: Tensor;
  readonly g: Tensor;
  readonly step: number;
} & Readonly<Record<S, Tensor>>;

/** What it returns: the new parameter and the new state. */
export type UpdateOutput<S extends string> = { readonly p: Tensor } & Readonly<Partial<Record<S, Tensor>>>;

export interface OptimizerDefinition<H extends Hyper, S extends string> {
  readonly name: string;
  readonly defaults: H;
  /** State tensors per parameter; a function of the hyper-parameters where they decide which are needed. */
  readonly state:
    | Readonly<Record<S, StateInit>>
    | ((hyper: H, shape: Shape) => Readonly<Partial<Record<S, StateInit>>>);
  /** The formula, in tensor operations. Elementwise formulas become one in-place loop over memory. */
  readonly update: (input: UpdateInput<S>, hyper: H) => UpdateOutput<S>;
  /** @throws ArgumentError for hyper-parameters out of range. */
  readonly check?: (hyper: H) => void;
}

/** Parameters that share hyper-parameters; those not given are the optimiser's. */
export type ParameterGroup<H extends Hyper> = { params: Iterable<Tensor> } & Partial<H>;

/** `optim.adamw({ lr: 1e-3 })`: an optimiser waiting for its parameters; `new`-free and serialisable by its name. */
export type OptimizerFactory<H extends Hyper> = (
  params: Iterable<Tensor> | Iterable<ParameterGroup<H>>,
) => Optimizer<H>;

interface Slot {
  readonly parameter: Tensor;
  readonly state: Record<string, Tensor>;
}

export interface OptimizerState {
  step: number;
  /** `0.m`, `0.v`, `1.m`, ...: state tensors by parameter position and name. */
  tensors: Record<string, Tensor>;
  groups: Record<string, unknown>[];
}

/** A group of parameters with its hyper-parameters; change `hyper.lr` at any time. */
export class OptimizerGroup<H extends Hyper> {
  readonly hyper: H;
  readonly slots: readonly Slot[];
  readonly tape = new ScalarTape();

  constructor(hyper: H, slots: readonly Slot[]) {
    this.hyper = hyper;
    this.slots = slots;
  }
}

/** Updates parameters from their gradients. Made by calling a factory such as `adamw({ lr })` with parameters. */
export class Optimizer<H extends Hyper = Hyper> {
  readonly name: string;
  readonly groups: readonly OptimizerGroup<H>[];
  /** Steps taken. */
  stepCount = 0;
  readonly #definition: OptimizerDefinition<H, string>;

  /** @internal */
  constructor(
    definition: OptimizerDefinition<H, string>,
    hyper: H,
    params: Iterable<Tensor> | Iterable<ParameterGroup<H>>,
  ) {
    this.#definition = definition;
    this.name = definition.name;
    this.groups = toGroups(params).map(({ members, own }) => {
      const merged = { ...hyper, ...own };
      definition.check?.(merged);
      return new OptimizerGroup(
        merged,
        [...members].map((p) => this.#slot(p, merged)),
      );
    });
    const all = this.groups.flatMap((g) => g.slots.map((s) => s.parameter));
    if (!all.length) throw new ArgumentError(`${this.name}: no parameters to optimise; pass model.parameters()`);
    if (new Set(all).size !== all.length) throw new ArgumentError(`${this.name}: a parameter appears twice`);
  }

  #slot(parameter: Tensor, hyper: H): Slot {
    if (!(parameter instanceof Tensor) || !parameter.storage)
      throw new ArgumentError(`${this.name}: expected parameters (realised tensors), found ${parameter}`);
    const { state } = this.#definition;
    const inits = typeof state === 'function' ? state(hyper, parameter.shape) : state;
    const entries = Object.entries(inits) as [string, StateInit][];
    return { parameter, state: Object.fromEntries(entries.map(([name, init]) => [name, init(parameter)])) };
  }

  /** The optimised parameters. */
  parameters(): Tensor[] {
    return this.groups.flatMap((g) => g.slots.map((s) => s.parameter));
  }

  /** Forgets the gradients of all parameters. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = null;
  }

  /**
   * Updates every parameter that has a gradient, and computes all that is pending (forward, backward, update) as one
   * program. Inside `compile` the program runs when the compiled function does.
   */
  async step(): Promise<void> {
    this.stepCount++;
    this.#assign();
    if (isTracing()) onReplay(() => this.#advance());
    else await realizeValues([]);
  }

  #assign(): void {
    noGrad(() => {
      for (const group of this.groups) {
        for (const slot of group.slots) {
          const { parameter, state } = slot;
          if (!parameter.grad) continue;
          const { p, ...next } = this.#formula(group, slot, parameter.grad);
          parameter.assign(p);
          for (const [name, value] of Object.entries(next)) if (value) state[name].assign(value);
        }
      }
    });
  }

  #formula(group: OptimizerGroup<H>, { parameter, state }: Slot, g: Tensor): UpdateOutput<string> {
    const input = { p: parameter, g, step: this.stepCount, ...state } as UpdateInput<string>;
    // Every parameter of a group runs the same formula on the same numbers, so they share one tape of scalars.
    return withScalars(group.tape.rewind(), () => this.#definition.update(input, group.hyper));
  }

  /** Before a compiled step runs again: the next step number, and the scalars that follow from it. */
  #advance(): void {
    this.stepCount++;
    for (const group of this.groups) {
      const slot = group.slots.find(({ parameter }) => parameter.requiresGrad);
      if (slot) noGrad(() => this.#formula(group, slot, slot.parameter));
    }
  }

  /** State for checkpoints; tensors are live, so read them before the next step. */
  stateDict(): OptimizerState {
    const tensors: Record<string, Tensor> = {};
    this.#allSlots().forEach(({ state }, i) => {
      for (const [name, value] of Object.entries(state)) tensors[`${i}.${name}`] = value;
    });
    return {
      step: this.stepCount,
      tensors,
      groups: this.groups.map((g) => ({ ...g.hyper }) as Record<string, unknown>),
    };
  }

  /** Restores a state. @throws ArgumentError if it belongs to other parameters or another optimiser. */
  async loadStateDict(
    state: Omit<OptimizerState, 'tensors'> & { tensors: Readonly<Record<string, Tensor | NDArray>> },
  ): Promise<void> {
    const own = this.stateDict().tensors;
    const missing = Object.keys(own).filter((key) => !(key in state.tensors));
    const unexpected = Object.keys(state.tensors).filter((key) => !(key in own));
    if (missing.length || unexpected.length || state.groups.length !== this.groups.length)
      throw new ArgumentError(
        `${this.name}: the state belongs to another optimiser or model (missing: ${missing.join(', ') || 'none'}; unexpected: ${unexpected.join(', ') || 'none'}; ${state.groups.length} groups for ${this.groups.length})`,
      );
    for (const [key, tensor] of Object.entries(own)) {
      const source = state.tensors[key];
      const from = source instanceof Tensor ? source : fromData(source.data, source.shape, { dtype: source.dtype });
      tensor.setData(await from.data());
    }
    this.groups.forEach((group, i) => {
      Object.assign(group.hyper, state.groups[i]);
    });
    this.stepCount = state.step;
  }

  #allSlots(): Slot[] {
    return this.groups.flatMap((g) => [...g.slots]);
  }
}

function toGroups<H extends Hyper>(
  params: Iterable<Tensor> | Iterable<ParameterGroup<H>>,
): { members: Iterable<Tensor>; own: Partial<H> }[] {
  const tensors: Tensor[] = [];
  const groups: { members: Iterable<Tensor>; own: Partial<H> }[] = [];
  for (const item of params as Iterable<Tensor | ParameterGroup<H>>) {
    if (item instanceof Tensor) tensors.push(item);
    else {
      const { params: members, ...own } = item;
      groups.push({ members, own: own as Partial<H> });
    }
  }
  if (tensors.length && groups.length)
    throw new ArgumentError('parameters and parameter groups cannot be mixed; put all into groups');
  return groups.length ? groups : [{ members: tensors, own: {} }];
}

/** State that starts as zeros of the parameter's shape. */
export const zerosLikeParameter: StateInit = (p) => zeros(p.shape, { dtype: p.dtype });

/**
 * Makes an optimiser from its formula:
 *
 * ```ts
 * const sgd = defineOptimizer({ name: 'sgd', defaults: { lr: 1e-3 }, state: {}, update: ({ p, g }, { lr }) => ({ p: p.sub(g.mul(lr)) }) });
 * const optimizer = sgd({ lr: 0.1 })(model.parameters());
 * ```
 */
export function defineOptimizer<H extends Hyper, S extends string = never>(
  definition: OptimizerDefinition<H, S>,
): (hyper?: Partial<H>) => OptimizerFactory<H> {
  return (hyper = {}) =>
    (params) =>
      new Optimizer(
        definition as unknown as OptimizerDefinition<H, string>,
        { ...definition.defaults, ...hyper },
        params,
      );
}
