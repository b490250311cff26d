/** @file Lowering: internal operators become standard ones. */
import { topologicalOrder, type Value } from '../ir/graph.ts';
import { rewrite } from './rewrite.ts';

/** Replaces every operator of domain 'gradus' by its decomposition; decompositions may nest. */
export function decomposeInternal(outputs: readonly Value[]): Value[] {
  let current = [...outputs];
  while (topologicalOrder(current).some((node) => node.op.domain === 'gradus'))
    current = rewrite(current, (node, inputs) => {
      if (node.op.domain !== 'gradus') return undefined;
      const result = node.op.decompose?.(inputs as readonly Value[], node.attrs);
      return result === undefined ? undefined : asList(result);
    });
  return current;
}

function asList(result: Value | readonly Value[]): readonly Value[] {
  return Array.isArray(result) ? (result as readonly Value[]) : [result as Value];
}
