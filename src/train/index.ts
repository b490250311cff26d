/** @file Training: the Trainer, callbacks, metrics, checkpoints, run records, files. */
export type { Callback, Json, Logs, TrainContext } from './callback.ts';
export { type EarlyStoppingOptions, earlyStopping, type Monitor } from './early-stopping.ts';
export { FileError } from './files.ts';
export * from './metrics/index.ts';
export { Progress, type ProgressOptions } from './progress.ts';
export * from './records/index.ts';
export { type RunRecordOptions, runRecord } from './run-record.ts';
export { showProgress } from './show-progress.ts';
export type { Batch, LossFunction, StepFunction, StepResult } from './step.ts';
export {
  type BatchSource,
  type FitOptions,
  type FitResult,
  InterruptedError,
  Trainer,
  type TrainerOptions,
} from './trainer.ts';
