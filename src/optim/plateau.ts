/** @file reduceLROnPlateau: a schedule that watches a metric. */
import { ArgumentError } from '../ir/errors.ts';
import { refuseUnknown } from '../ir/options.ts';
import { checkCounts, checkNonNegative } from './check.ts';
import type { Optimizer } from './optimizer.ts';
import { bindable, checkGroups, type Scheduler, type SchedulerState } from './scheduler.ts';

export interface PlateauOptions {
  /** Whether the metric should fall or rise. */
  mode: 'min' | 'max';
  /** Factor of each reduction, below 1. */
  factor: number;
  /** Steps without improvement that are tolerated. */
  patience: number;
  /** Least improvement that counts: a share of the best value ('rel') or an amount ('abs'). */
  threshold: number;
  thresholdMode: 'rel' | 'abs';
  /** Steps after a reduction in which nothing is counted. */
  cooldown: number;
  /** Lowest learning rate, for all groups or one per group. */
  minLr: number | readonly number[];
  /** Reductions smaller than this are not made. */
  eps: number;
}

const defaults: PlateauOptions = {
  mode: 'min',
  factor: 0.1,
  patience: 10,
  threshold: 1e-4,
  thresholdMode: 'rel',
  cooldown: 0,
  minLr: 0,
  eps: 1e-8,
};

class PlateauScheduler implements Scheduler {
  readonly name = 'reduceLROnPlateau';
  readonly needsMetric = true;
  stepCount = 0;
  readonly #optimizer: Optimizer;
  readonly #options: PlateauOptions;
  #baseLrs: number[];
  #best: number | null = null;
  #badSteps = 0;
  #cooldown = 0;

  constructor(optimizer: Optimizer, options: PlateauOptions) {
    this.#optimizer = optimizer;
    this.#options = options;
    this.#baseLrs = this.lrs();
  }

  step(metric?: number): void {
    if (metric === undefined)
      throw new ArgumentError('reduceLROnPlateau: step(metric) needs the watched value, such as the validation loss');
    this.stepCount++;
    if (this.#isBetter(metric)) {
      this.#best = metric;
      this.#badSteps = 0;
    } else this.#badSteps++;
    if (this.#cooldown > 0) {
      this.#cooldown--;
      this.#badSteps = 0;
    }
    if (this.#badSteps <= this.#options.patience) return;
    this.#reduce();
    this.#cooldown = this.#options.cooldown;
    this.#badSteps = 0;
  }

  #isBetter(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    if (this.#best === null) return !Number.isNaN(metric);
    const sign = mode === 'min' ? -1 : 1;
    const bar = thresholdMode === 'rel' ? this.#best * (1 + sign * threshold) : this.#best + sign * threshold;
    return mode === 'min' ? metric < bar : metric > bar;
  }

  #reduce(): void {
    const { factor, minLr, eps } = this.#options;
    this.#optimizer.groups.forEach(({ hyper }, i) => {
      const lr = Math.max(hyper.lr * factor, typeof minLr === 'number' ? minLr : (minLr[i] ?? 0));
      if (hyper.lr - lr > eps) hyper.lr = lr;
    });
  }

  lrs(): number[] {
    return this.#optimizer.groups.map((g) => g.hyper.lr);
  }

  stateDict(): SchedulerState {
    return {
      step: this.stepCount,
      baseLrs: [...this.#baseLrs],
      plateau: { best: this.#best, badSteps: this.#badSteps, cooldown: this.#cooldown, lrs: this.lrs() },
    };
  }

  loadStateDict(state: SchedulerState): void {
    checkGroups(this.name, this.#optimizer, state);
    const { plateau } = state;
    if (!plateau) throw new ArgumentError('reduceLROnPlateau: the state belongs to another schedule');
    this.stepCount = state.step;
    this.#baseLrs = [...state.baseLrs];
    this.#best = plateau.best;
    this.#badSteps = plateau.badSteps;
    this.#cooldown = plateau.cooldown;
    this.#optimizer.groups.forEach(({ hyper }, i) => {
      hyper.lr = plateau.lrs[i];
    });
  }
}

/**
 * Reduces the learning rate when a metric stops improving (torch.optim.lr_scheduler.ReduceLROnPlateau); call `step(metric)`.
 * @throws ArgumentError for options out of range.
 */
export const reduceLROnPlateau = bindable<PlateauOptions>((given) => {
  const options = { ...defaults, ...given };
  refuseUnknown('reduceLROnPlateau', given, Object.keys(defaults));
  const { mode, factor, patience, threshold, thresholdMode, cooldown, minLr, eps } = options;
  if (!(factor > 0 && factor < 1))
    throw new ArgumentError(`reduceLROnPlateau: factor must be above 0 and below 1, found ${factor}`);
  if (mode !== 'min' && mode !== 'max')
    throw new ArgumentError(`reduceLROnPlateau: mode must be 'min' or 'max', found '${mode}'`);
  if (thresholdMode !== 'rel' && thresholdMode !== 'abs')
    throw new ArgumentError(`reduceLROnPlateau: thresholdMode must be 'rel' or 'abs', found '${thresholdMode}'`);
  checkCounts('reduceLROnPlateau', { patience, cooldown }, 0);
  checkNonNegative('reduceLROnPlateau', { threshold, eps });
  for (const lr of [minLr].flat()) checkNonNegative('reduceLROnPlateau', { minLr: lr });
  return (optimizer) => new PlateauScheduler(optimizer, options);
});
