/** @file Parameter groups as transformers' Trainer makes them: biases and norms are not pulled towards 0. */
import type { Module } from '../nn/module.ts';
import type { Tensor } from '../tensor/index.ts';

/**
 * Groups for an optimiser: weight decay for matrices, none for biases and the weights of normalisations. Frozen parameters
 * are left out.
 *
 *     const optimizer = optim.adamw(decayGroups(model, 0.01), { lr: 2e-5 });
 */
export function decayGroups(model: Module, weightDecay: number): { params: Tensor[]; weightDecay: number }[] {
  const norms = new Set(
    model
      .modules()
      .filter(isNorm)
      .flatMap((module) => module.parameters()),
  );
  const trained = model.namedParameters().filter(([, p]) => p.requiresGrad);
  const isFree = ([name, p]: (typeof trained)[number]) => norms.has(p) || /(^|\.)bias$/.test(name);
  const groups = [
    { params: trained.filter((entry) => !isFree(entry)).map(([, p]) => p), weightDecay },
    { params: trained.filter(isFree).map(([, p]) => p), weightDecay: 0 },
  ];
  return groups.filter(({ params }) => params.length > 0);
}

/** Normalisations by their names, so that those of model families count too. */
const isNorm = (module: Module): boolean => /(Layer|RMS|Group|Batch|Instance)Norm(\dd)?$/.test(module.constructor.name);
