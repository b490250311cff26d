/** @file Optimisers, schedules, gradient clipping, moving averages. */
export { type AdadeltaOptions, adadelta } from './adadelta.ts';
export { type AdafactorOptions, adafactor } from './adafactor.ts';
export { type AdagradOptions, adagrad } from './adagrad.ts';
export { type AdamOptions, adam } from './adam.ts';
export { type AdamaxOptions, adamax } from './adamax.ts';
export { type AdamWOptions, adamw } from './adamw.ts';
export { type ClipGradNormOptions, clipGradNorm, clipGradValue, gradNorm } from './clip.ts';
export { EMA, type EMAOptions, type EMAState } from './ema.ts';
export { type LambOptions, lamb } from './lamb.ts';
export { type LionOptions, lion } from './lion.ts';
export { type NAdamOptions, nadam } from './nadam.ts';
export {
  defineOptimizer,
  type Hyper,
  Optimizer,
  type OptimizerConstructor,
  type OptimizerDefinition,
  type OptimizerFactory,
  type OptimizerGroup,
  type OptimizerState,
  type ParameterGroup,
  type Parameters,
  zerosLikeParameter,
} from './optimizer.ts';
export { type PlateauOptions, reduceLROnPlateau } from './plateau.ts';
export { type RAdamOptions, radam } from './radam.ts';
export { type RMSpropOptions, rmsprop } from './rmsprop.ts';
export {
  defineSchedule,
  type Prescription,
  type ScheduleConstructor,
  type ScheduledGroup,
  type ScheduleFormula,
  type Scheduler,
  type SchedulerFactory,
  type SchedulerState,
} from './scheduler.ts';
export * from './schedules.ts';
export * from './schedules-warmup.ts';
export { type SGDOptions, sgd } from './sgd.ts';
