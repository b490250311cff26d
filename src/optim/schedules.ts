/** @file Learning rate schedules of PyTorch in closed form. */
import { ArgumentError } from '../ir/errors.ts';
import { checkCounts, checkFinite, checkMilestones, checkShares } from './check.ts';
import { bindable, defineSchedule, formulaFactory, type SchedulerFactory } from './scheduler.ts';

/** Half a cosine from 1 at 0 to 0 at 1. */
const halfCosine = (part: number) => (1 + Math.cos(Math.PI * part)) / 2;

export interface ConstantLROptions {
  /** Factor of the learning rate before `totalIters`. */
  factor: number;
  totalIters: number;
}

/** A smaller learning rate at first (torch.optim.lr_scheduler.ConstantLR). */
export const constantLR = defineSchedule({
  name: 'constantLR',
  defaults: { factor: 1 / 3, totalIters: 5 } as ConstantLROptions,
  check: ({ factor, totalIters }) => {
    checkShares('constantLR', { factor });
    checkCounts('constantLR', { totalIters }, 0);
  },
  lr: (step, { baseLr }, { factor, totalIters }) => (step < totalIters ? baseLr * factor : baseLr),
});

export interface StepLROptions {
  /** Steps between reductions. */
  stepSize: number;
  /** Factor of each reduction. */
  gamma: number;
}

/** Multiplies by gamma every `stepSize` steps (StepLR). `stepSize` must be given. */
export const stepLR = defineSchedule({
  name: 'stepLR',
  defaults: { stepSize: 0, gamma: 0.1 } as StepLROptions,
  check: ({ stepSize, gamma }) => {
    checkCounts('stepLR', { stepSize });
    checkFinite('stepLR', { gamma });
  },
  lr: (step, { baseLr }, { stepSize, gamma }) => baseLr * gamma ** Math.floor(step / stepSize),
});

export interface MultiStepLROptions {
  /** Steps at which the learning rate is reduced. */
  milestones: readonly number[];
  /** Factor of each reduction. */
  gamma: number;
}

/** Multiplies by gamma at each milestone (MultiStepLR). */
export const multiStepLR = defineSchedule({
  name: 'multiStepLR',
  defaults: { milestones: [], gamma: 0.1 } as MultiStepLROptions,
  check: ({ milestones, gamma }) => {
    checkMilestones('multiStepLR', milestones);
    checkFinite('multiStepLR', { gamma });
  },
  lr: (step, { baseLr }, { milestones, gamma }) => baseLr * gamma ** milestones.filter((m) => m <= step).length,
});

export interface ExponentialLROptions {
  /** Factor per step. */
  gamma: number;
}

/** Multiplies by gamma every step (ExponentialLR). `gamma` must be given. */
export const exponentialLR = defineSchedule({
  name: 'exponentialLR',
  defaults: { gamma: Number.NaN } as ExponentialLROptions,
  check: ({ gamma }) => {
    if (!(gamma > 0 && Number.isFinite(gamma)))
      throw new ArgumentError(`exponentialLR: gamma must be above 0, found ${gamma}`);
  },
  lr: (step, { baseLr }, { gamma }) => baseLr * gamma ** step,
});

export interface LinearLROptions {
  /** Factor of the learning rate at the start. */
  startFactor: number;
  /** Factor at the end. */
  endFactor: number;
  /** Steps from one to the other. */
  totalIters: number;
}

/** A straight line between two factors, constant afterwards (LinearLR). */
export const linearLR = defineSchedule({
  name: 'linearLR',
  defaults: { startFactor: 1 / 3, endFactor: 1, totalIters: 5 } as LinearLROptions,
  check: ({ startFactor, endFactor, totalIters }) => {
    checkShares('linearLR', { startFactor, endFactor });
    if (startFactor === 0)
      throw new ArgumentError('linearLR: startFactor must be above 0 (for a start at 0, take linearWithWarmup)');
    checkCounts('linearLR', { totalIters });
  },
  lr: (step, { baseLr }, { startFactor, endFactor, totalIters }) =>
    baseLr * (startFactor + ((endFactor - startFactor) * Math.min(step, totalIters)) / totalIters),
});

export interface PolynomialLROptions {
  /** Steps until the learning rate is 0. */
  totalIters: number;
  power: number;
}

/** (1 - step / totalIters)^power (PolynomialLR). */
export const polynomialLR = defineSchedule({
  name: 'polynomialLR',
  defaults: { totalIters: 5, power: 1 } as PolynomialLROptions,
  check: ({ totalIters, power }) => {
    checkCounts('polynomialLR', { totalIters });
    checkFinite('polynomialLR', { power });
  },
  lr: (step, { baseLr }, { totalIters, power }) => baseLr * (1 - Math.min(step, totalIters) / totalIters) ** power,
});

export interface CosineAnnealingLROptions {
  /** Steps from the highest to the lowest learning rate. */
  tMax: number;
  /** The lowest learning rate. */
  etaMin: number;
}

/** A cosine down to `etaMin` in `tMax` steps and, beyond, up again (CosineAnnealingLR). `tMax` must be given. */
export const cosineAnnealingLR = defineSchedule({
  name: 'cosineAnnealingLR',
  defaults: { tMax: 0, etaMin: 0 } as CosineAnnealingLROptions,
  check: ({ tMax, etaMin }) => {
    checkCounts('cosineAnnealingLR', { tMax });
    checkFinite('cosineAnnealingLR', { etaMin });
  },
  lr: (step, { baseLr }, { tMax, etaMin }) => etaMin + (baseLr - etaMin) * halfCosine(step / tMax),
});

export interface WarmRestartsOptions {
  /** Steps of the first cycle. */
  t0: number;
  /** Each cycle is this many times as long as the one before. */
  tMult: number;
  /** The lowest learning rate. */
  etaMin: number;
}

/** Cosines down to `etaMin`, each starting at the top again (CosineAnnealingWarmRestarts). `t0` must be given. */
export const cosineAnnealingWarmRestarts = defineSchedule({
  name: 'cosineAnnealingWarmRestarts',
  defaults: { t0: 0, tMult: 1, etaMin: 0 } as WarmRestartsOptions,
  check: ({ t0, tMult, etaMin }) => {
    checkCounts('cosineAnnealingWarmRestarts', { t0, tMult });
    checkFinite('cosineAnnealingWarmRestarts', { etaMin });
  },
  lr: (step, { baseLr }, { t0, tMult, etaMin }) => {
    let [start, length] = [0, t0];
    if (tMult === 1) start = step - (step % t0);
    else
      while (step >= start + length) {
        start += length;
        length *= tMult;
      }
    return etaMin + (baseLr - etaMin) * halfCosine((step - start) / length);
  },
});

export interface LambdaLROptions {
  /** Factor of the learning rate after `step` steps; one function, or one per parameter group. */
  lrLambda: ((step: number) => number) | readonly ((step: number) => number)[];
}

/** A factor given by a function of the step (LambdaLR). */
export const lambdaLR = defineSchedule({
  name: 'lambdaLR',
  defaults: { lrLambda: () => 1 } as LambdaLROptions,
  check: ({ lrLambda }) => {
    if (![lrLambda].flat().every((factor) => typeof factor === 'function'))
      throw new ArgumentError(
        'lambdaLR: lrLambda must be a function of the step, or a list of one per parameter group',
      );
  },
  lr: (step, { baseLr, index }, { lrLambda }) => {
    const factor = typeof lrLambda === 'function' ? lrLambda : lrLambda[index];
    if (!factor) throw new ArgumentError(`lambdaLR: no function for parameter group ${index}`);
    return baseLr * factor(step);
  },
});

export interface SequentialOptions {
  /** Schedules one after the other, each counting from its own start. */
  schedules: readonly SchedulerFactory[];
  /** Steps at which the second, third, ... begins. */
  milestones: readonly number[];
}

/**
 * Several schedules one after the other (SequentialLR): `sequential({ schedules: [linearLR(), cosineAnnealingLR({ tMax: 95 })],
 * milestones: [5] })`. @throws ArgumentError unless there is one milestone less than schedules, in rising order.
 */
export const sequential = bindable<SequentialOptions>(({ schedules = [], milestones = [] }) => {
  if (!schedules.length || milestones.length !== schedules.length - 1)
    throw new ArgumentError(
      `sequential: ${schedules.length} schedules need ${Math.max(0, schedules.length - 1)} milestones, found ${milestones.length}`,
    );
  checkMilestones('sequential', milestones);
  if (milestones.some((m, i) => m <= (milestones[i - 1] ?? 0)))
    throw new ArgumentError(`sequential: milestones must rise, found ${milestones.join(', ')}`);
  const formulas = schedules.map(({ formula }) => {
    if (!formula) throw new ArgumentError('sequential: a schedule that watches a metric cannot be part of a sequence');
    return formula;
  });
  return formulaFactory('sequential', (step, group) => {
    const i = milestones.filter((m) => m <= step).length;
    return formulas[i](step - (milestones[i - 1] ?? 0), group);
  });
});
