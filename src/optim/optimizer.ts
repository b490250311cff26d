/** @file Optimisers are formulas: `defineOptimizer` turns an update rule into an optimiser with groups, state and steps. */
import { ArgumentError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import { formatShape, sameShape } from '../ir/shape.ts';
import { storageOf } from '../tensor/assignments.ts';
import { noGrad, Tensor, zeros } from '../tensor/index.ts';
import { ScalarTape, withScalars } from '../tensor/operand.ts';
import { realizeValues } from '../tensor/realize.ts';
import { isTracing, onReplay } from '../tensor/tracing.ts';

/** Hyper-parameters. Numbers enter the compiled program as per-run scalars, so that changing them never recompiles. */
export interface Hyper {
  /** Learning rate. */
  lr: number;
  /** Go up the gradient instead of down. */
  maximize?: boolean;
}

/** Makes the first value of a state tensor from its parameter. */
export type StateInit<H extends Hyper = Hyper> = (parameter: Tensor, hyper: H) => Tensor;

/** What an update rule gets: the parameter, its gradient, the state by name, and the step number (1 at its first). */
export type UpdateInput<S extends string, O extends string = never> = {
  readonly p: Tensor;
  readonly g: Tensor;
  readonly step: number;
} & Readonly<Record<S, Tensor>> &
  Readonly<Partial<Record<O, Tensor>>>;

/** What it returns: the new parameter and the new state. */
export type UpdateOutput<S extends string> = { readonly p: Tensor } & Readonly<Partial<Record<S, Tensor | undefined>>>;

export interface OptimizerDefinition<H extends Hyper, S extends string, O extends string = never> {
  readonly name: string;
  readonly defaults: H;
  /** State tensors of every parameter. */
  readonly state: Readonly<Record<S, StateInit<H>>>;
  /** Further state that only some hyper-parameters or shapes need. */
  readonly optionalState?: (hyper: H, parameter: Tensor) => Readonly<Partial<Record<O, StateInit<H>>>>;
  /**
   * The formula, in tensor operations. Elementwise formulas become one in-place loop over memory. Which operations it uses
   * may depend on the state that is there, not on the step or on numbers: a compiled step is traced once.
   */
  readonly update: (input: UpdateInput<S, O>, hyper: H) => UpdateOutput<S | O>;
  /** @throws ArgumentError for hyper-parameters out of range. */
  readonly check?: (hyper: H) => void;
}

/** Parameters that share hyper-parameters; those not given are the optimiser's. */
export type ParameterGroup<H extends Hyper> = { params: Iterable<Tensor> } & Partial<H>;

/** What an optimiser works on: parameters, or groups of them. */
export type Parameters<H extends Hyper> = Iterable<Tensor> | Iterable<ParameterGroup<H>>;

/** `optim.adamw({ lr: 1e-3 })`: an optimiser that waits for its parameters. */
export type OptimizerFactory<H extends Hyper = Hyper> = (params: Parameters<H>) => Optimizer<H>;

/** Both ways to call an optimiser: with parameters for the optimiser itself, without for a factory. */
export interface OptimizerConstructor<H extends Hyper, S extends string, O extends string> {
  (params: Parameters<H>, hyper?: Partial<H>): Optimizer<H>;
  (hyper?: Partial<H>): OptimizerFactory<H>;
  /** The rule it was made from. */
  readonly definition: OptimizerDefinition<H, S, O>;
}

type State = Readonly<Record<string, Tensor>>;

/** A definition with the names of its state forgotten. */
interface Rule<H extends Hyper> {
  readonly name: string;
  check(hyper: H): void;
  init(parameter: Tensor, hyper: H): State;
  update(p: Tensor, g: Tensor, step: number, state: State, hyper: H): UpdateOutput<string>;
}

interface Slot {
  readonly parameter: Tensor;
  readonly state: State;
  /** Updates of this parameter; fewer than the optimiser's steps if it was frozen or unused at times. */
  steps: number;
}

export interface OptimizerState {
  /** Steps taken. */
  step: number;
  /** Updates of each parameter, where they differ from `step`. */
  parameterSteps?: number[];
  /** `0.m`, `0.v`, `1.m`, ...: state tensors by parameter position and name. */
  tensors: Record<string, Tensor>;
  groups: Record<string, unknown>[];
}

/** A group of parameters with its hyper-parameters; change `hyper.lr` at any time. */
export class OptimizerGroup<H extends Hyper> {
  readonly hyper: H;
  /** @internal */
  readonly slots: readonly Slot[];
  readonly #tapes = new Map<string, ScalarTape>();

  /** @internal */
  constructor(hyper: H, slots: readonly Slot[]) {
    this.hyper = hyper;
    this.slots = slots;
  }

  /** The parameters of the group. */
  parameters(): Tensor[] {
    return this.slots.map((s) => s.parameter);
  }

  /** @internal Parameters of the same state and number of steps run the same formula on the same numbers: one tape. */
  tape(slot: Slot, stepCount: number): ScalarTape {
    const key = `${stepCount - slot.steps} ${Object.keys(slot.state)}`;
    const tape = this.#tapes.get(key) ?? new ScalarTape();
    this.#tapes.set(key, tape);
    return tape.rewind();
  }
}

interface Update<H extends Hyper> {
  readonly group: OptimizerGroup<H>;
  readonly slot: Slot;
}

/** Updates parameters from their gradients. Made by calling `adamw(params, { lr })` or a factory such as `adamw({ lr })`. */
export class Optimizer<H extends Hyper = Hyper> {
  readonly name: string;
  /** Steps taken. */
  stepCount = 0;
  readonly #groups: OptimizerGroup<H>[] = [];
  readonly #rule: Rule<H>;
  readonly #hyper: H;

  /** @internal */
  constructor(rule: Rule<H>, hyper: H, params: Parameters<H>) {
    this.#rule = rule;
    this.#hyper = hyper;
    this.name = rule.name;
    for (const { members, own } of toGroups(params)) this.#add(members, own);
    if (!this.parameters().length)
      throw new ArgumentError(`${this.name}: no parameters to optimise; pass model.parameters()`);
  }

  get groups(): readonly OptimizerGroup<H>[] {
    return this.#groups;
  }

  /** Adds parameters, such as layers unfrozen later. @throws ArgumentError if one is already optimised. */
  addGroup(group: ParameterGroup<H>): void {
    for (const { members, own } of toGroups([group])) this.#add(members, own);
  }

  #add(members: Iterable<Tensor>, own: Partial<H>): void {
    const merged = { ...this.#hyper, ...own };
    checkNames(this.name, own, this.#hyper);
    this.#rule.check(merged);
    const known = new Set(this.parameters());
    const slots = [...members].map((parameter): Slot => {
      if (!(parameter instanceof Tensor) || !storageOf(parameter))
        throw new ArgumentError(`${this.name}: expected parameters (realised tensors), found ${parameter}`);
      if (known.has(parameter)) throw new ArgumentError(`${this.name}: a parameter appears twice`);
      known.add(parameter);
      return { parameter, state: this.#rule.init(parameter, merged), steps: 0 };
    });
    this.#groups.push(new OptimizerGroup(merged, slots));
  }

  /** The optimised parameters. */
  parameters(): Tensor[] {
    return this.#groups.flatMap((g) => g.parameters());
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
    const updates = this.#groups.flatMap((group) =>
      group.slots.filter((slot) => slot.parameter.grad).map((slot): Update<H> => ({ group, slot })),
    );
    this.#count(updates, 1);
    this.#assign(updates);
    if (isTracing()) {
      onReplay(
        () => this.#advance(updates),
        () => this.#count(updates, -1),
      );
      return;
    }
    try {
      await realizeValues([]);
    } catch (error) {
      this.#count(updates, -1);
      throw error;
    }
  }

  #count(updates: readonly Update<H>[], by: number): void {
    this.stepCount += by;
    for (const { slot } of updates) slot.steps += by;
  }

  #assign(updates: readonly Update<H>[]): void {
    noGrad(() => {
      for (const { group, slot } of updates) {
        const { parameter, state } = slot;
        if (!parameter.grad) continue;
        const { p, ...next } = this.#formula(group, slot, parameter.grad);
        parameter.assign(p);
        for (const [name, value] of Object.entries(next)) if (value) state[name].assign(value);
      }
    });
  }

  #formula(group: OptimizerGroup<H>, slot: Slot, gradient: Tensor): UpdateOutput<string> {
    return withScalars(group.tape(slot, this.stepCount), () => {
      const g = group.hyper.maximize ? gradient.neg() : gradient;
      return this.#rule.update(slot.parameter, g, slot.steps, slot.state, group.hyper);
    });
  }

  /** Before a compiled step runs again: the next step number, and the scalars that follow from it. */
  #advance(updates: readonly Update<H>[]): void {
    this.#count(updates, 1);
    const done = new Set<ScalarTape>();
    for (const { group, slot } of updates) {
      const tape = group.tape(slot, this.stepCount);
      if (done.has(tape)) continue;
      done.add(tape);
      noGrad(() => this.#formula(group, slot, slot.parameter));
    }
  }

  /** State for checkpoints; tensors are live, so read them before the next step. */
  stateDict(): OptimizerState {
    const tensors: Record<string, Tensor> = {};
    const slots = this.#slots();
    slots.forEach(({ state }, i) => {
      for (const [name, value] of Object.entries(state)) tensors[`${i}.${name}`] = value;
    });
    return {
      step: this.stepCount,
      ...(slots.some((s) => s.steps !== this.stepCount) ? { parameterSteps: slots.map((s) => s.steps) } : {}),
      tensors,
      groups: this.#groups.map((g) => ({ ...g.hyper }) as Record<string, unknown>),
    };
  }

  /** Restores a state. @throws ArgumentError if it belongs to other parameters or another optimiser; nothing is changed then. */
  async loadStateDict(
    state: Omit<OptimizerState, 'tensors'> & { tensors: Readonly<Record<string, Tensor | NDArray>> },
  ): Promise<void> {
    if (typeof state !== 'object' || state === null || !state.tensors || !Array.isArray(state.groups))
      throw new ArgumentError(`${this.name}: expected a state as stateDict() gives it, found ${state}`);
    const own = this.stateDict().tensors;
    const missing = Object.keys(own).filter((key) => !(key in state.tensors));
    const unexpected = Object.keys(state.tensors).filter((key) => !(key in own));
    if (missing.length || unexpected.length || state.groups.length !== this.#groups.length)
      throw new ArgumentError(
        `${this.name}: the state belongs to another optimiser or model (missing: ${missing.join(', ') || 'none'}; unexpected: ${unexpected.join(', ') || 'none'}; ${state.groups.length} groups for ${this.#groups.length})`,
      );
    const elements = await Promise.all(
      Object.entries(own).map(async ([key, tensor]) => {
        const source = state.tensors[key];
        if (!sameShape(source.shape, tensor.shape) || source.dtype !== tensor.dtype)
          throw new ArgumentError(
            `${this.name}: state tensor '${key}' is ${source.dtype}${formatShape(source.shape)}, expected ${tensor.dtype}${formatShape(tensor.shape)}: it belongs to another model`,
          );
        return source instanceof Tensor ? await source.data() : source.data;
      }),
    );
    Object.values(own).forEach((tensor, i) => {
      tensor.setData(elements[i]);
    });
    this.#groups.forEach((group, i) => {
      Object.assign(group.hyper, state.groups[i]);
    });
    this.stepCount = state.step;
    this.#slots().forEach((slot, i) => {
      slot.steps = state.parameterSteps?.[i] ?? state.step;
    });
  }

  #slots(): Slot[] {
    return this.#groups.flatMap((g) => [...g.slots]);
  }
}

function toGroups<H extends Hyper>(params: Parameters<H>): { members: Iterable<Tensor>; own: Partial<H> }[] {
  const tensors: Tensor[] = [];
  const groups: { members: Iterable<Tensor>; own: Partial<H> }[] = [];
  if (typeof params !== 'object' || params === null || !(Symbol.iterator in params))
    throw new ArgumentError('an optimiser needs parameters or groups of them; pass model.parameters()');
  for (const item of params as Iterable<Tensor | ParameterGroup<H>>) {
    if (item instanceof Tensor) tensors.push(item);
    else if (typeof item?.params !== 'object' || !(Symbol.iterator in item.params))
      throw new ArgumentError(`an optimiser takes parameters or groups { params, ... }, found ${item}`);
    else {
      const own: Partial<H> = { ...item };
      if ('params' in own) delete own.params;
      groups.push({ members: item.params, own });
    }
  }
  if (tensors.length && groups.length)
    throw new ArgumentError('parameters and parameter groups cannot be mixed; put all into groups');
  return groups.length ? groups : [{ members: tensors, own: {} }];
}

/** State that starts as zeros of the parameter's shape. */
export const zerosLikeParameter = (p: Tensor): Tensor => zeros(p.shape, { dtype: p.dtype });

/**
 * Makes an optimiser from its formula:
 *
 * ```ts
 * const sgd = defineOptimizer({ name: 'sgd', defaults: { lr: 1e-3 }, state: {}, update: ({ p, g }, { lr }) => ({ p: p.sub(g.mul(lr)) }) });
 * const optimizer = sgd(model.parameters(), { lr: 0.1 });
 * const forTrainer = sgd({ lr: 0.1 });   // waits for the parameters
 * ```
 */
export function defineOptimizer<H extends Hyper, S extends string = never, O extends string = never>(
  definition: OptimizerDefinition<H, S, O>,
): OptimizerConstructor<H, S, O> {
  const rule = toRule(definition);
  const build = (hyper: Partial<H>, params: Parameters<H>) => {
    checkNames(definition.name, hyper, definition.defaults);
    return new Optimizer(rule, { ...definition.defaults, ...hyper }, params);
  };
  function construct(params: Parameters<H>, hyper?: Partial<H>): Optimizer<H>;
  function construct(hyper?: Partial<H>): OptimizerFactory<H>;
  function construct(first: Parameters<H> | Partial<H> = {}, hyper: Partial<H> = {}) {
    if (isIterable(first)) return build(hyper, first);
    return (params: Parameters<H>) => build(first, params);
  }
  return Object.assign(construct, { definition });
}

function isIterable<H extends Hyper>(x: Parameters<H> | Partial<H>): x is Parameters<H> {
  return Symbol.iterator in x;
}

function checkNames(optimizer: string, given: object, defaults: object): void {
  for (const name of Object.keys(given))
    if (!(name in defaults) && name !== 'maximize')
      throw new ArgumentError(
        `${optimizer}: unknown option '${name}'; it takes ${Object.keys(defaults).join(', ')}, maximize`,
      );
}

function toRule<H extends Hyper, S extends string, O extends string>(
  definition: OptimizerDefinition<H, S, O>,
): Rule<H> {
  const { name, state, optionalState, update, check } = definition;
  return {
    name,
    check: (hyper) => check?.(hyper),
    init: (parameter, hyper) => {
      const inits = Object.entries<StateInit<H> | undefined>({ ...state, ...optionalState?.(hyper, parameter) });
      return Object.fromEntries(inits.flatMap(([key, init]) => (init ? [[key, init(parameter, hyper)]] : [])));
    },
    update: (p, g, step, held, hyper) => update({ p, g, step, ...held } as UpdateInput<S, O>, hyper),
  };
}
