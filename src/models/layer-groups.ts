/** @file Learning rates that fall from the head to the embeddings (Howard and Ruder 2018; Clark et al. 2020, ELECTRA). */
import { ArgumentError } from '../ir/errors.ts';
import type { Module, Parameter } from '../nn/module.ts';

/** Parameters with their own learning rate: what optimisers take. */
export interface LayerGroup {
  readonly params: Parameter[];
  readonly lr: number;
  /** Set for biases and norms if `weightDecay` is given. */
  readonly weightDecay?: number;
}

export interface LayerwiseOptions {
  /** Learning rate of what comes after the last layer: the head. */
  lr: number;
  /** Factor from each layer to the one before it; 1 gives all the same. Default 0.9. */
  decay?: number;
  /** Weight decay of matrices; biases and norms get none. */
  weightDecay?: number;
}

/**
 * Trainable parameters in groups by depth: the head has `lr`, the last layer `lr * decay`, the first of n layers
 * `lr * decay^n`, the embeddings `lr * decay^(n + 1)`. Layers are the numbered ones of the longest lists in the model
 * (`encoder.layer.3.`, `h.3.`).
 *
 * ```ts
 * const optimizer = optim.adamw(layerwiseGroups(model, { lr: 2e-5, decay: 0.9 }));
 * ```
 * @throws ArgumentError for a decay outside of (0, 1], and for models without numbered layers.
 */
export function layerwiseGroups(model: Module, options: LayerwiseOptions): LayerGroup[] {
  const { lr, decay = 0.9, weightDecay } = options;
  if (!(decay > 0 && decay <= 1))
    throw new ArgumentError(`layerwiseGroups: decay must be in (0, 1], found ${decay}; it is the factor per layer`);
  if (!(lr > 0)) throw new ArgumentError(`layerwiseGroups: lr must be above 0, found ${lr}`);
  const named = model.namedParameters();
  const lists = new Map<string, number>();
  for (const [name] of named) {
    const found = layerOf(name);
    if (found) lists.set(found.list, Math.max(lists.get(found.list) ?? 0, found.index + 1));
  }
  const count = Math.max(0, ...lists.values());
  if (count < 2)
    throw new ArgumentError(
      `layerwiseGroups: ${model.constructor.name} has no numbered layers such as 'encoder.layer.0'; give optimisers groups of your own: [{ params, lr }]`,
    );
  const groups = new Map<string, LayerGroup>();
  let begun = false;
  for (const [name, parameter] of named) {
    const found = layerOf(name);
    const isLayer = found && lists.get(found.list) === count;
    begun ||= Boolean(isLayer);
    const isStart = !begun || /(^|\.)(embeddings?|wte|wpe|embed_tokens|shared|patch_embed\w*)\./.test(name);
    const depth = isLayer ? count - found.index : isStart ? count + 1 : 0;
    if (!parameter.requiresGrad) continue;
    const rate = weightDecay === undefined ? undefined : parameter.ndim > 1 ? weightDecay : 0;
    const key = `${depth} ${rate}`;
    const group = groups.get(key);
    if (group) group.params.push(parameter);
    else
      groups.set(key, {
        params: [parameter],
        lr: lr * decay ** depth,
        ...(rate === undefined ? {} : { weightDecay: rate }),
      });
  }
  return [...groups.values()].sort((a, b) => b.lr - a.lr);
}

/** `encoder.layer` and 3 of `encoder.layer.3.output.dense.weight`. */
function layerOf(name: string): { list: string; index: number } | undefined {
  const match = /^(.*?[^.\d][^.]*)\.(\d+)\./.exec(name);
  return match ? { list: match[1], index: Number(match[2]) } : undefined;
}
