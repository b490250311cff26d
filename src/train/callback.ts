/** @file Callbacks: what may be hooked into a training run, and the context that hooks see. */
import type { Module } from '../nn/module.ts';
import type { Optimizer } from '../optim/index.ts';

/** Numbers of an epoch or evaluation by name: `loss`, `accuracy`, `val_loss`, `lr`, ... */
export type Logs = Record<string, number>;

/** Plain JSON. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** What hooks see; `stop` ends training after the current step. */
export interface TrainContext {
  readonly model: Module;
  readonly optimizer: Optimizer;
  /** Epochs finished. */
  readonly epoch: number;
  /** Epochs to run. */
  readonly epochs: number;
  /** Optimiser steps taken. */
  readonly step: number;
  /** Steps of this epoch, if the loader knows; else undefined. */
  readonly stepsPerEpoch: number | undefined;
  /** Folder of the run, if it is kept. */
  readonly out: string | undefined;
  stop(reason: string): void;
}

/**
 * Something that watches or steers training. Hooks run in the order of the list: onFitStart, then per epoch onEpochStart,
 * onStepEnd (each step), onEvaluateEnd (if there is validation data), onEpochEnd; onFitEnd last.
 */
export interface Callback {
  readonly name: string;
  onFitStart?(context: TrainContext): void | Promise<void>;
  onEpochStart?(context: TrainContext): void | Promise<void>;
  /** `logs` of the step: loss, lr, samples. */
  onStepEnd?(context: TrainContext, logs: Logs): void | Promise<void>;
  onEvaluateEnd?(context: TrainContext, logs: Logs): void | Promise<void>;
  /** `logs` of the epoch: means and metrics of training and validation. */
  onEpochEnd?(context: TrainContext, logs: Logs): void | Promise<void>;
  /** Before a checkpoint is written: what the callback has recorded should be safe by then. */
  onCheckpoint?(context: TrainContext): void | Promise<void>;
  /** Also after an error; must bear being called twice. */
  onFitEnd?(context: TrainContext): void | Promise<void>;
  /** State that a checkpoint must keep, so that a resumed run goes on the same way. */
  stateDict?(): Json;
  loadStateDict?(state: Json): void;
}
