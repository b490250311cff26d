/** @file Adapters that are still attached to a model when it is written. */
import { ArgumentError } from '../ir/errors.ts';
import type { Module } from '../nn/module.ts';
import { LoraLayer } from './peft/lora-layer.ts';

/**
 * Keys of adapters that are merged: the weights hold what they say, so that files need them no more.
 * @throws ArgumentError while adapters are attached that are not merged: a model's folder has no place for them, and no
 *   reader would look for their keys.
 */
export function mergedAdapterKeys(model: Module, what: string): string[] {
  const adapters = [...model.namedModules()].filter(([, module]) => module instanceof LoraLayer);
  const active = adapters.find(([, module]) => module instanceof LoraLayer && module.active);
  if (active)
    throw new ArgumentError(
      `${what}: the model has LoRA adapters (${adapters.length}, the first at ${active[0].replace(/\.lora$/, '')}) that are not merged into its weights; write peft.mergeAndUnload(), which is a whole model, or the adapters alone: peft.savePretrained(folder)`,
    );
  return adapters.flatMap(([name, module]) => Object.keys(module.stateDict()).map((key) => `${name}.${key}`));
}
