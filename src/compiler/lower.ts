/** @file Lowering: internal operators become standard ones. */
import { type Node, topologicalOrder, type Value } from '../ir/graph.ts';
import { rewrite } from './rewrite.ts';

/** Whether the engine does not know an operator. */
const isInternal = (node: Node) => node.op.domain === 'gradus' || node.op.lowered === true;

/** Replaces every operator of domain 'gradus', but those in `keep`, by its decomposition; decompositions may nest. */
export function decomposeInternal(outputs: readonly Value[], keep: ReadonlySet<string> = new Set()): Value[] {
  const isDue = (node: Node) => isInternal(node) && !keep.has(node.op.type);
  let current = [...outputs];
  while (topologicalOrder(current).some(isDue))
    current = rewrite(current, (node, inputs) => {
      if (!isDue(node)) return undefined;
      const result = node.op.decompose?.(inputs as readonly Value[], node.attrs);
      return result === undefined ? undefined : asList(result);
    });
  return current;
}

function asList(result: Value | readonly Value[]): readonly Value[] {
  return Array.isArray(result) ? (result as readonly Value[]) : [result as Value];
}
