/** @file Schedules: formulas for the learning rate, bound to an optimiser. */
import { ArgumentError } from '../ir/errors.ts';
import type { Hyper, Optimizer, OptimizerGroup } from './optimizer.ts';

/** One parameter group as a schedule sees it. */
export interface ScheduledGroup {
  /** The learning rate before the schedule began. */
  readonly baseLr: number;
  /** Position of the group. */
  readonly index: number;
}

/** What a schedule prescribes; momentum is what its name says, or the first of `betas`. */
export interface Prescription {
  readonly lr: number;
  readonly momentum?: number;
}

/** A schedule as a function of the step (0 before the first `step()`), so that resuming needs no more than the step. */
export type ScheduleFormula = (step: number, group: ScheduledGroup) => Prescription;

/** What a scheduler needs to go on exactly; plain JSON. */
export interface SchedulerState {
  step: number;
  baseLrs: number[];
  /** Numbers of schedules that watch a metric. */
  plateau?: PlateauState;
}

/** What reduceLROnPlateau remembers. */
export interface PlateauState {
  best: number | null;
  badSteps: number;
  cooldown: number;
  lrs: number[];
}

/** A learning rate that follows a plan. Call `step()` after each optimiser step (or epoch: the unit is yours). */
export interface Scheduler {
  readonly name: string;
  /** Calls of `step()` so far. */
  readonly stepCount: number;
  /** Whether `step` needs a metric. */
  readonly needsMetric: boolean;
  /** Goes on by one step. @throws ArgumentError if the schedule watches a metric and none is given. */
  step(metric?: number): void;
  /** Present learning rates, one per parameter group. */
  lrs(): number[];
  stateDict(): SchedulerState;
  /** @throws ArgumentError if the state belongs to an optimiser with another number of groups. */
  loadStateDict(state: SchedulerState): void;
}

/** `optim.cosineAnnealingLR({ tMax: 100 })`: a schedule that waits for its optimiser. */
export interface SchedulerFactory {
  (optimizer: Optimizer): Scheduler;
  /** The plan itself, for schedules that do not watch a metric: used by `sequential`, and to draw it. */
  readonly formula?: ScheduleFormula;
}

/** Both ways to call a schedule: with an optimiser for the scheduler itself, without for a factory. */
export interface ScheduleConstructor<O> {
  (optimizer: Optimizer, options?: Partial<O>): Scheduler;
  (options?: Partial<O>): SchedulerFactory;
}

/** Sets what a schedule prescribes. */
function prescribe(group: OptimizerGroup<Hyper>, { lr, momentum }: Prescription): void {
  const { hyper } = group;
  hyper.lr = lr;
  if (momentum === undefined) return;
  if ('betas' in hyper && Array.isArray(hyper.betas)) Object.assign(hyper, { betas: [momentum, hyper.betas[1]] });
  else if ('momentum' in hyper && hyper.momentum !== 0) Object.assign(hyper, { momentum });
  else
    throw new ArgumentError(
      'the schedule cycles the momentum, but the optimiser has none; give it a momentum or pass { cycleMomentum: false }',
    );
}

class FormulaScheduler implements Scheduler {
  readonly name: string;
  readonly needsMetric = false;
  stepCount = 0;
  readonly #optimizer: Optimizer;
  readonly #formula: ScheduleFormula;
  #baseLrs: number[];

  constructor(name: string, optimizer: Optimizer, formula: ScheduleFormula) {
    this.name = name;
    this.#optimizer = optimizer;
    this.#formula = formula;
    this.#baseLrs = optimizer.groups.map((g) => g.hyper.lr);
    this.#apply();
  }

  #apply(): void {
    this.#optimizer.groups.forEach((group, index) => {
      this.#baseLrs[index] ??= group.hyper.lr;
      prescribe(group, this.#formula(this.stepCount, { baseLr: this.#baseLrs[index], index }));
    });
  }

  step(): void {
    this.stepCount++;
    this.#apply();
  }

  lrs(): number[] {
    return this.#optimizer.groups.map((g) => g.hyper.lr);
  }

  stateDict(): SchedulerState {
    return { step: this.stepCount, baseLrs: [...this.#baseLrs] };
  }

  loadStateDict(state: SchedulerState): void {
    checkGroups(this.name, this.#optimizer, state);
    this.stepCount = state.step;
    this.#baseLrs = [...state.baseLrs];
    this.#apply();
  }
}

/** @throws ArgumentError if it is no state, or has another number of parameter groups. */
export function checkGroups(name: string, optimizer: Optimizer, state: SchedulerState): void {
  const baseLrs: unknown = state?.baseLrs;
  if (!Array.isArray(baseLrs))
    throw new ArgumentError(`${name}: expected a state as stateDict() gives it, found ${state}`);
  if (baseLrs.length !== optimizer.groups.length)
    throw new ArgumentError(
      `${name}: the state is of ${baseLrs.length} parameter groups, the optimiser has ${optimizer.groups.length}`,
    );
}

/** A factory that binds a formula. */
export function formulaFactory(name: string, formula: ScheduleFormula): SchedulerFactory {
  return Object.assign((optimizer: Optimizer) => new FormulaScheduler(name, optimizer, formula), { formula });
}

/** Adds the second way to call: with the optimiser first. */
export function bindable<O>(factory: (options: Partial<O>) => SchedulerFactory): ScheduleConstructor<O> {
  function construct(optimizer: Optimizer, options?: Partial<O>): Scheduler;
  function construct(options?: Partial<O>): SchedulerFactory;
  function construct(first: Optimizer | Partial<O> = {}, options: Partial<O> = {}): Scheduler | SchedulerFactory {
    return isOptimizer(first) ? factory(options)(first) : factory(first);
  }
  return construct;
}

function isOptimizer(x: object): x is Optimizer {
  return 'groups' in x && 'stepCount' in x;
}

/**
 * Makes a schedule from its formula for the learning rate.
 *
 * ```ts
 * const inverseSqrt = defineSchedule({ name: 'inverseSqrt', defaults: { warmup: 100 }, lr: (step, { baseLr }, { warmup }) => baseLr / Math.sqrt(Math.max(1, step / warmup)) });
 * const scheduler = inverseSqrt(optimizer, { warmup: 1000 });
 * ```
 */
export function defineSchedule<O extends object>(definition: {
  readonly name: string;
  readonly defaults: O;
  /** The learning rate of one group after `step` steps, or also the momentum. */
  readonly lr: (step: number, group: ScheduledGroup, options: O) => number | Prescription;
  /** @throws ArgumentError for options out of range. */
  readonly check?: (options: O) => void;
}): ScheduleConstructor<O> {
  const { name, defaults, lr, check } = definition;
  return bindable<O>((given) => {
    for (const key of Object.keys(given))
      if (!(key in defaults))
        throw new ArgumentError(`${name}: unknown option '${key}'; it takes ${Object.keys(defaults).join(', ')}`);
    const options = { ...defaults, ...given };
    check?.(options);
    return formulaFactory(name, (step, group) => {
      const result = lr(step, group, options);
      return typeof result === 'number' ? { lr: result } : result;
    });
  });
}
