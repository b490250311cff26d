/** @file The driver of all passes: rebuilds a graph node by node, merging equal nodes on the way. */
import { type Node, topologicalOrder, type Value } from '../ir/graph.ts';
import { copySite } from '../ir/site.ts';
import { apply, withGrad } from '../ops/define.ts';
import { constantIdentity } from './linearize.ts';

/**
 * What becomes of a node: new outputs built from already rewritten inputs, or undefined to keep it.
 * Outputs that nobody reads may be missing at the end.
 */
export type RewriteRule = (node: Node, inputs: readonly (Value | null)[]) => readonly Value[] | undefined;

/**
 * Rebuilds the graph below `outputs` under a rule. Inputs and constants stay the same values.
 * @param resolve what a value stands for; where it answers another value, the graph is cut there.
 */
export function rewrite(
  outputs: readonly Value[],
  rule: RewriteRule,
  resolve: (value: Value) => Value = (v) => v,
): Value[] {
  return withGrad(false, () => {
    const replaced = new Map<Value, Value>();
    const numbering = new Map<string, readonly Value[]>();
    const roots = outputs.map(resolve);
    for (const node of topologicalOrder(roots, (v) => resolve(v) !== v)) {
      const inputs = node.inputs.map((v) => (v ? (replaced.get(resolve(v)) ?? resolve(v)) : null));
      const results = rule(node, inputs) ?? merged(node, inputs, numbering);
      node.outputs.forEach((output, i) => {
        if (results[i]) replaced.set(output, results[i]);
      });
    }
    return roots.map((v) => replaced.get(v) ?? v);
  });
}

/** Common-subexpression elimination by value numbering; shapes and axes are constants made anew for every node. Nodes marked `recompute` stay apart: they were doubled on purpose. */
function merged(node: Node, inputs: readonly (Value | null)[], numbering: Map<string, readonly Value[]>) {
  const key = `${node.op.domain}.${node.op.type}|${inputs.map((v) => v && (constantIdentity(v) || v.id)).join(';')}|${node.attrsKey}`;
  let outputs = numbering.get(key);
  if (!outputs) {
    const same = inputs.every((v, i) => v === node.inputs[i]);
    outputs = same ? node.outputs : apply(node.op, inputs, node.attrs);
    const built = outputs[0]?.node;
    if (built && built !== node) copySite(node, built);
    if (!node.op.random) numbering.set(key, outputs);
  }
  return outputs;
}
