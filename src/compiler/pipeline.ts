/** @file All passes in order: from the traced graph to the graph that is emitted for a device. */
import { type Node, topologicalOrder, type Value } from '../ir/graph.ts';
import { decomposeInternal } from './lower.ts';
import { rewrite } from './rewrite.ts';

export interface CompiledGraph {
  readonly nodes: readonly Node[];
  readonly outputs: readonly Value[];
}

export interface Target {
  /** 'cpu', 'wasm', 'webgpu', ... */
  readonly device: string;
}

interface Pass {
  readonly name: string;
  run(outputs: readonly Value[], target: Target): Value[];
}

/** Every pass keeps meaning; the order matters only for quality. */
export const passes: readonly Pass[] = [{ name: 'decompose', run: decomposeInternal }];

/**
 * Cuts the graph at values that are already there (`resolve`), then runs all passes. `trace` sees the graph after each.
 */
export function compileGraph(
  outputs: readonly Value[],
  target: Target,
  resolve: (value: Value) => Value,
  trace?: (pass: string, outputs: readonly Value[]) => void,
): CompiledGraph {
  let current: readonly Value[] = rewrite(outputs, () => undefined, resolve);
  for (const pass of passes) {
    current = pass.run(current, target);
    trace?.(pass.name, current);
  }
  return { nodes: topologicalOrder(current), outputs: current };
}
