/** @file Compiled programs of models by size, kept for further calls. */
import type { Module } from '../../nn/module.ts';
import type { Tensor } from '../../tensor/index.ts';

interface Entry {
  readonly key: string;
  readonly programs: unknown;
  isBusy: boolean;
}

interface Kept {
  readonly parts: readonly (Module | Tensor)[];
  entries: Entry[];
}

/** Programs with their memory that one model keeps at most while they are not in use. */
const maxIdle = 6;
const kept = new WeakMap<Module, Kept>();

/** What the programs of a model depend on: replaced parameters or layers need new programs. */
const partsOf = (model: Module) => [...model.modules(), ...model.parameters()];

/**
 * Programs of that key which nobody uses at present, or new ones.
 * @returns them, and a function that gives them back.
 */
export function borrow<P>(model: Module, key: string, make: () => P): { programs: P; giveBack: () => void } {
  const parts = partsOf(model);
  let own = kept.get(model);
  if (!own || own.parts.length !== parts.length || own.parts.some((part, i) => part !== parts[i])) {
    own = { parts, entries: [] };
    kept.set(model, own);
  }
  const { entries } = own;
  let entry = entries.find((e) => e.key === key && !e.isBusy);
  if (!entry) {
    entry = { key, programs: make(), isBusy: true };
    entries.push(entry);
  }
  const taken = entry;
  taken.isBusy = true;
  return {
    programs: taken.programs as P,
    giveBack: () => {
      taken.isBusy = false;
      // The most recently used stand last.
      entries.splice(entries.indexOf(taken), 1);
      entries.push(taken);
      const idle = entries.filter((e) => !e.isBusy);
      if (idle.length > maxIdle) entries.splice(entries.indexOf(idle[0]), 1);
    },
  };
}

/** Runs a program with the model in evaluation mode. */
export async function evaluating<T>(model: Module, work: () => Promise<T>): Promise<T> {
  if (!model.training) return await work();
  const modes = model.modules().map((module) => [module, module.training] as const);
  model.eval();
  try {
    return await work();
  } finally {
    for (const [module, training] of modes) module.training = training;
  }
}
