/** @file The graph as text: one line per node. The one printer, used by debug output, errors and snapshots. */
import { type Attr, topologicalOrder, type Value } from '../ir/graph.ts';

const printAttr = (value: Attr): string =>
  typeof value === 'object' && ('dtype' in value || 'subgraph' in value) ? '<...>' : JSON.stringify(value);

function printConstant(value: Value): string {
  const data = value.constant;
  if (!data) return '?';
  if (data.length > 8) return `<${value}>`;
  const elements = Array.from(data, (x) => Number(x.toPrecision(7)));
  return value.rank === 0 ? String(elements[0]) : `[${elements.join(' ')}]`;
}

/** `%3 = MatMul(%1, %2) {attr=1} : float32[2, 3]` for every node, then the outputs. */
export function printGraph(outputs: readonly Value[]): string {
  const names = new Map<Value, string>();
  let inputs = 0;
  const name = (value: Value | null): string => {
    if (!value) return '-';
    let text = names.get(value);
    if (text === undefined) {
      text = value.constant ? printConstant(value) : `$${inputs++}:${value}`;
      names.set(value, text);
    }
    return text;
  };
  let count = 0;
  const lines = topologicalOrder(outputs).map((node) => {
    const operands = node.inputs.map(name).join(', ');
    const attrs = Object.entries(node.attrs).flatMap(([k, v]) => (v === undefined ? [] : [`${k}=${printAttr(v)}`]));
    const results = node.outputs.map((v) => {
      names.set(v, `%${count++}`);
      return names.get(v);
    });
    return `${results.join(', ')} = ${node.op.type}(${operands})${attrs.length ? ` {${attrs.join(' ')}}` : ''} : ${node.outputs.join(', ')}`;
  });
  lines.push(`return ${outputs.map(name).join(', ')}`);
  return lines.join('\n');
}
