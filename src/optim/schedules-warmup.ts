/** @file Schedules with a warm-up, as transformers has them, and the one-cycle policy. */
import { ArgumentError } from '../ir/errors.ts';
import { checkCounts, checkFinite } from './check.ts';
import { defineSchedule, type Prescription } from './scheduler.ts';

export interface ConstantWithWarmupOptions {
  /** Steps of linear growth from 0. */
  numWarmupSteps: number;
}

export interface WithWarmupOptions extends ConstantWithWarmupOptions {
  /** All steps, warm-up included. */
  numTrainingSteps: number;
}

export interface CosineWithWarmupOptions extends WithWarmupOptions {
  /** Waves of the cosine; a half ends at 0. */
  numCycles: number;
}

/** Share of the steps after the warm-up that is done. */
const progress = (step: number, { numWarmupSteps, numTrainingSteps }: WithWarmupOptions) =>
  (step - numWarmupSteps) / Math.max(1, numTrainingSteps - numWarmupSteps);

const isWarming = (step: number, { numWarmupSteps }: ConstantWithWarmupOptions) => step < numWarmupSteps;
const warming = (step: number, { numWarmupSteps }: ConstantWithWarmupOptions) => step / Math.max(1, numWarmupSteps);

function checkWarmup(name: string, { numWarmupSteps, numTrainingSteps }: WithWarmupOptions): void {
  checkCounts(name, { numTrainingSteps });
  checkCounts(name, { numWarmupSteps }, 0);
}

/** Grows to the base learning rate, then stays (transformers: get_constant_schedule_with_warmup). */
export const constantWithWarmup = defineSchedule({
  name: 'constantWithWarmup',
  defaults: { numWarmupSteps: 0 } as ConstantWithWarmupOptions,
  check: ({ numWarmupSteps }) => checkCounts('constantWithWarmup', { numWarmupSteps }, 0),
  lr: (step, { baseLr }, options) => baseLr * (isWarming(step, options) ? warming(step, options) : 1),
});

/** Grows, then falls in a straight line to 0 (transformers: get_linear_schedule_with_warmup). `numTrainingSteps` must be given. */
export const linearWithWarmup = defineSchedule({
  name: 'linearWithWarmup',
  defaults: { numWarmupSteps: 0, numTrainingSteps: 0 } as WithWarmupOptions,
  check: (options) => checkWarmup('linearWithWarmup', options),
  lr: (step, { baseLr }, options) =>
    baseLr * (isWarming(step, options) ? warming(step, options) : Math.max(0, 1 - progress(step, options))),
});

/** Grows, then falls along a cosine (transformers: get_cosine_schedule_with_warmup). `numTrainingSteps` must be given. */
export const cosineWithWarmup = defineSchedule({
  name: 'cosineWithWarmup',
  defaults: { numWarmupSteps: 0, numTrainingSteps: 0, numCycles: 0.5 } as CosineWithWarmupOptions,
  check: (options) => {
    checkWarmup('cosineWithWarmup', options);
    checkFinite('cosineWithWarmup', { numCycles: options.numCycles });
  },
  lr: (step, { baseLr }, options) => {
    if (isWarming(step, options)) return baseLr * warming(step, options);
    const wave = Math.cos(Math.PI * options.numCycles * 2 * progress(step, options));
    return baseLr * Math.max(0, (1 + wave) / 2);
  },
});

export interface OneCycleLROptions {
  /** The highest learning rate, for all groups or one per group. */
  maxLr: number | readonly number[];
  /** All steps of the cycle. */
  totalSteps: number;
  /** Share of the steps in which the learning rate grows. */
  pctStart: number;
  annealStrategy: 'cos' | 'linear';
  /** Let the momentum (or first beta) go the opposite way. */
  cycleMomentum: boolean;
  baseMomentum: number;
  maxMomentum: number;
  /** The first learning rate is maxLr / divFactor. */
  divFactor: number;
  /** The last is the first / finalDivFactor. */
  finalDivFactor: number;
  /** Come down to the first learning rate symmetrically, then to the last. */
  threePhase: boolean;
}

interface Phase {
  readonly end: number;
  readonly lr: readonly [number, number];
  readonly momentum: readonly [number, number];
}

function phases(maxLr: number, options: OneCycleLROptions): Phase[] {
  const { totalSteps, pctStart, divFactor, finalDivFactor, threePhase, baseMomentum, maxMomentum } = options;
  const first = maxLr / divFactor;
  const last = first / finalDivFactor;
  const end = totalSteps - 1;
  const up: Phase = { end: pctStart * totalSteps - 1, lr: [first, maxLr], momentum: [maxMomentum, baseMomentum] };
  const down = (at: number, to: number): Phase => ({ end: at, lr: [maxLr, to], momentum: [baseMomentum, maxMomentum] });
  if (!threePhase) return [up, down(end, last)];
  const rest: Phase = { end, lr: [first, last], momentum: [maxMomentum, maxMomentum] };
  return [up, down(2 * pctStart * totalSteps - 2, first), rest];
}

/**
 * One cycle up and down (Smith and Topin 2018; torch.optim.lr_scheduler.OneCycleLR); the optimiser's own learning rate is
 * not used. `maxLr` and `totalSteps` must be given. @throws ArgumentError if stepped beyond `totalSteps`.
 */
export const oneCycleLR = defineSchedule({
  name: 'oneCycleLR',
  defaults: {
    maxLr: Number.NaN,
    totalSteps: 0,
    pctStart: 0.3,
    annealStrategy: 'cos',
    cycleMomentum: true,
    baseMomentum: 0.85,
    maxMomentum: 0.95,
    divFactor: 25,
    finalDivFactor: 1e4,
    threePhase: false,
  } as OneCycleLROptions,
  check: ({ maxLr, totalSteps, pctStart, annealStrategy, ...numbers }) => {
    checkCounts('oneCycleLR', { totalSteps });
    const { baseMomentum, maxMomentum, divFactor, finalDivFactor } = numbers;
    checkFinite('oneCycleLR', { baseMomentum, maxMomentum });
    for (const [name, value] of Object.entries({ divFactor, finalDivFactor }))
      if (!(value > 0 && Number.isFinite(value)))
        throw new ArgumentError(`oneCycleLR: ${name} must be above 0, found ${value}`);
    if (annealStrategy !== 'cos' && annealStrategy !== 'linear')
      throw new ArgumentError(`oneCycleLR: annealStrategy must be 'cos' or 'linear', found '${annealStrategy}'`);
    if (![maxLr].flat().every((lr) => lr > 0 && Number.isFinite(lr)))
      throw new ArgumentError(`oneCycleLR: maxLr must be above 0, found ${maxLr}`);
    if (!(pctStart >= 0 && pctStart <= 1))
      throw new ArgumentError(`oneCycleLR: pctStart must be in [0, 1], found ${pctStart}`);
  },
  lr: (step, { index }, options): Prescription => {
    const { maxLr, totalSteps, annealStrategy, cycleMomentum } = options;
    if (step > totalSteps)
      throw new ArgumentError(`oneCycleLR: step ${step} is beyond the ${totalSteps} steps of the cycle`);
    const highest = typeof maxLr === 'number' ? maxLr : maxLr[index];
    const plan = phases(highest, options);
    const i = plan.findIndex(({ end }, k) => step <= end || k === plan.length - 1);
    const start = plan[i - 1]?.end ?? 0;
    const part = (step - start) / (plan[i].end - start);
    const anneal = ([from, to]: readonly [number, number]) =>
      annealStrategy === 'cos' ? to + ((from - to) / 2) * (1 + Math.cos(Math.PI * part)) : from + (to - from) * part;
    return { lr: anneal(plan[i].lr), ...(cycleMomentum ? { momentum: anneal(plan[i].momentum) } : {}) };
  },
});
