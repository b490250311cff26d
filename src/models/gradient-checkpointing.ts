/** @file Rematerialisation of a model's layers: less memory for long sequences, for more time. */
import { ArgumentError } from '../ir/errors.ts';
import { ModuleList } from '../nn/containers.ts';
import type { Module } from '../nn/module.ts';
import { checkpoint } from '../tensor/index.ts';

type Forward = (...inputs: readonly unknown[]) => unknown;

const wrapped = new WeakSet<Module>();

/**
 * While training, keeps only the inputs of each layer of the model's lists (`encoder.layer.0`, ...) and computes what is
 * inside of a layer again in the backward pass (transformers' gradient_checkpointing_enable; Chen et al. 2016). Losses and
 * gradients stay the same, random masks included.
 * @param on false takes it off again. @throws ArgumentError for a model without a ModuleList.
 */
export function gradientCheckpointing<M extends Module>(model: M, on = true): M {
  const layers = model
    .modules()
    .filter((module) => module instanceof ModuleList)
    .flatMap((list) => list.children());
  if (!layers.length)
    throw new ArgumentError(
      `gradientCheckpointing: ${model.constructor.name} has no ModuleList of layers; wrap parts of its forward in checkpoint(fn, ...inputs)`,
    );
  for (const layer of layers) {
    if (on === wrapped.has(layer)) continue;
    if (!on) {
      wrapped.delete(layer);
      Reflect.deleteProperty(layer, 'forward');
      continue;
    }
    wrapped.add(layer);
    const plain = layer.forward.bind(layer) as Forward;
    const value: Forward = (...inputs) =>
      layer.training ? checkpoint(() => plain(...inputs) as never) : plain(...inputs);
    Object.defineProperty(layer, 'forward', { value, configurable: true, enumerable: false });
  }
  return model;
}
