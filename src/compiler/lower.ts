/** @file Lowering: internal operators become standard ones. */
import { type Node, topologicalOrder, type Value } from '../ir/graph.ts';
import { rewrite } from './rewrite.ts';

/** Whether the engine does not know an operator. */
const isInternal = (node: Node) => node.op.domain === 'gradus' || node.op.lowered === true;

/** Replaces every internal operator by its decomposition; decompositions may nest. */
export function decomposeInternal(outputs: readonly Value[]): Value[] {
  let current = [...outputs];
  while (topologicalOrder(current).some(isInternal))
    current = rewrite(current, (node, inputs) => {
      if (!isInternal(node)) return undefined;
      const result = node.op.decompose?.(inputs as readonly Value[], node.attrs);
      return result === undefined ? undefined : asList(result);
    });
  return current;
}

function asList(result: Value | readonly Value[]): readonly Value[] {
  return Array.isArray(result) ? (result as readonly Value[]) : [result as Value];
}
