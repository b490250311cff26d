/** @file Multiply-adds of a graph, counted from its nodes. */
import type { Node, Value } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/graph.ts';
import { sizeOf } from '../ir/shape.ts';

const size = (value: Value | null | undefined) => (value ? sizeOf(value.shape) : 0);

/** Multiply-adds of gates x hidden x (inputs + hidden) at every step, sequence and direction. */
const recurrent = ({ inputs: [x, w, r] }: Node) => {
  const [steps, batch] = x?.shape ?? [0, 0];
  return steps * batch * (size(w) + size(r));
};

/** Operators that multiply and add; all others count as none. */
const counters: Readonly<Record<string, (node: Node) => number>> = {
  MatMul: ({ inputs: [a], outputs: [y] }) => size(y) * (a?.shape.at(-1) ?? 1),
  Gemm: ({ inputs: [a], outputs: [y], attrs }) => size(y) * (a?.shape[attrs.transA ? 0 : 1] ?? 1),
  Conv: ({ inputs: [, w], outputs: [y] }) => size(y) * (size(w) / (w?.shape[0] || 1)),
  ConvTranspose: ({ inputs: [x, w] }) => size(x) * (size(w) / (w?.shape[0] || 1)),
  LSTM: recurrent,
  GRU: recurrent,
  RNN: recurrent,
};

function nodeMultiplyAdds(node: Node): number {
  const count = counters[node.op.type];
  if (count) return count(node);
  const { decompose, domain } = node.op;
  if (domain !== 'gradus' || !decompose) return 0;
  const parts = decompose(node.inputs as readonly Value[], node.attrs);
  const given = new Set(node.inputs);
  return countMultiplyAdds(Array.isArray(parts) ? parts : [parts as Value], (v) => given.has(v));
}

/** Multiply-adds of all nodes that the values depend on, as far as `stop` lets one go. */
export function countMultiplyAdds(values: readonly Value[], stop: (value: Value) => boolean): number {
  return topologicalOrder(values, stop).reduce((sum, node) => sum + nodeMultiplyAdds(node), 0);
}
