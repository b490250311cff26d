/** @file Graphs of untrusted files: every name made once, every name that is read made somewhere, no cycles. */
import { FormatError } from '../../ir/errors.ts';
import type { GraphProto, NodeProto } from '../../ir/onnx/proto.ts';

/** `node 'conv1' (Conv)`. */
export function describeNode(node: NodeProto): string {
  return `node '${node.name || (node.output.find((o) => o) ?? '')}' (${node.opType})`;
}

/**
 * Checks the names of a graph.
 * @param outer names that the graph may read without making them.
 * @returns all names that can be read in the graph, and in bodies of its nodes.
 * @throws FormatError naming what is made twice or never.
 */
export function checkGraph(graph: GraphProto, outer: ReadonlySet<string>): Set<string> {
  const names = new Set(outer);
  const makers = new Map<string, string>();
  const make = (name: string, by: string) => {
    const before = makers.get(name);
    if (before) throw new FormatError(`ONNX file: value '${name}' is made twice, by ${before} and by ${by}`);
    makers.set(name, by);
    names.add(name);
  };
  for (const { name } of graph.initializer) make(name, `initializer '${name}'`);
  const initializers = new Set(makers.keys());
  // Files of IR version 3 list initializers among the inputs, too.
  for (const { name } of graph.input) if (!initializers.delete(name)) make(name, `input '${name}'`);
  for (const node of graph.node) {
    if (!node.opType) throw new FormatError(`ONNX file: node '${node.name}' has no operator`);
    for (const name of node.output) if (name) make(name, describeNode(node));
  }
  for (const node of graph.node)
    for (const name of node.input)
      if (name && !names.has(name))
        throw new FormatError(`ONNX file: ${describeNode(node)} reads '${name}', which nothing makes`);
  for (const { name } of graph.output)
    if (!names.has(name)) throw new FormatError(`ONNX file: output '${name}' is made by nothing`);
  return names;
}

/**
 * The nodes, each after those it reads from; the file's order where that is so already.
 * @throws FormatError naming a cycle.
 */
export function sortNodes(graph: GraphProto): NodeProto[] {
  const maker = new Map<string, number>();
  graph.node.forEach((node, i) => {
    for (const name of node.output) if (name) maker.set(name, i);
  });
  const reads = graph.node.map((node) => readsOf(node).flatMap((name) => maker.get(name) ?? []));
  if (reads.every((list, i) => list.every((j) => j < i))) return graph.node;
  const order: NodeProto[] = [];
  const state = new Uint8Array(graph.node.length);
  for (let start = 0; start < state.length; start++) {
    const stack = state[start] ? [] : [{ at: start, next: 0 }];
    while (stack.length) {
      const top = stack[stack.length - 1];
      state[top.at] = 1;
      if (top.next === reads[top.at].length) {
        state[top.at] = 2;
        order.push(graph.node[top.at]);
        stack.pop();
        continue;
      }
      const at = reads[top.at][top.next++];
      if (state[at] === 1)
        throw new FormatError(
          `ONNX file: the graph has a cycle through ${describeNode(graph.node[at])} and ${describeNode(graph.node[top.at])}`,
        );
      if (state[at] === 0) stack.push({ at, next: 0 });
    }
  }
  return order;
}

/** Names that a node reads, in its bodies too. */
function readsOf(node: NodeProto): string[] {
  const names = [...node.input];
  for (const { g } of node.attribute)
    if (g) {
      for (const inner of g.node) names.push(...readsOf(inner));
      for (const { name } of g.output) names.push(name);
    }
  return names;
}
