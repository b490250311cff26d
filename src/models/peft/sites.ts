/** @file Where adapters can attach: the linear layers of a module tree, and the matrix products of ONNX graphs in it. */
import { OnnxModel } from '../../hub/onnx/index.ts';
import { Conv1d, Conv2d, Conv3d } from '../../nn/conv.ts';
import { Embedding } from '../../nn/embedding.ts';
import { Linear } from '../../nn/linear.ts';
import { type Module, Parameter } from '../../nn/module.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { LoraLayer, Site } from './lora-layer.ts';

/** Property of a layer that holds its adapter. */
const property = 'lora';

/**
 * A layer that multiplies by its `weight`: Linear, or another with a matrix [in, out] that says so by `fanInFanOut = true`
 * (GPT-2's Conv1D).
 */
function isAdaptable(module: Module): module is Module & { readonly weight: Parameter } {
  if (!('weight' in module && module.weight instanceof Parameter) || module.weight.ndim !== 2) return false;
  if (module instanceof Embedding) return false;
  return module instanceof Linear || ('fanInFanOut' in module && module.fanInFanOut === true);
}

function siteOf(name: string, module: Module & { readonly weight: Parameter }): Site {
  return {
    name,
    weight: module.weight,
    transposed: !(module instanceof Linear),
    attach(layer: LoraLayer) {
      Object.defineProperty(module, property, { value: layer, enumerable: true, configurable: true, writable: true });
      const unhook = module.registerForwardHook((_, [x], output) =>
        layer.active ? (output as Tensor).add(layer.forward(x as Tensor)) : output,
      );
      return () => {
        unhook();
        Reflect.deleteProperty(module, property);
      };
    },
  };
}

/** Names of layers that Python's peft adapts and Gradus does not: embeddings and convolutions. */
export function modulesNotAdaptable(model: Module): string[] {
  const isOther = (module: Module) => [Embedding, Conv1d, Conv2d, Conv3d].some((type) => module instanceof type);
  return [...model.namedModules()].flatMap(([name, module]) => (isOther(module) ? [name] : []));
}

/** All places of a model that an adapter can attach to, in the order of the tree. */
export function sitesOf(model: Module): Site[] {
  const sites: Site[] = [];
  for (const [prefix, module] of model.namedModules()) {
    if (module instanceof OnnxModel)
      for (const { name, weight, transposed } of module.linears())
        sites.push({
          name: prefix ? `${prefix}.${name}` : name,
          weight,
          transposed,
          attach: (layer) =>
            module.adapt(name, {
              module: layer,
              parameters: [layer.loraA, layer.loraB],
              isActive: () => layer.active,
              add: (x, [a, b]) => layer.forward(x, a, b),
            }),
        });
    else if (isAdaptable(module)) sites.push(siteOf(prefix, module));
  }
  return sites;
}
