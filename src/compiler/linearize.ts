/** @file A graph in canonical form: ordered nodes, ordered inputs, and a key that is equal for equal programs. */
import { constantKey, type Node, topologicalOrder, type Value } from '../ir/graph.ts';

export interface LinearGraph {
  readonly nodes: readonly Node[];
  /** Inputs (values without node or constant) in the order of their first use. */
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Equal for graphs that compute the same from inputs of the same types. */
  readonly key: string;
}

/** Small constants are compared by content, large ones by identity of their memory (hashing 100 MB per step would not pay). */
// At least what define.ts folds: a folded constant lies in new memory in every trace.
const contentLimit = 4096;
const memoryIds = new WeakMap<object, number>();
let nextMemoryId = 1;

/** A string that is equal for equal constants; empty for a value that is none. */
export function constantIdentity(value: Value): string {
  const data = value.constant;
  if (!data) return '';
  if (data.length <= contentLimit) return constantKey({ dtype: value.dtype, shape: value.shape, data });
  let id = memoryIds.get(data);
  if (id === undefined) {
    id = nextMemoryId++;
    memoryIds.set(data, id);
  }
  return `${value.dtype}[${value.shape}]#${id}`;
}

/**
 * Orders the graph below `outputs`.
 * @param resolve what a value stands for: itself, or a leaf that already holds it.
 * @param targets inputs that must be among the inputs even if nothing reads them; the key tells their positions.
 */
export function linearize(
  outputs: readonly Value[],
  resolve: (value: Value) => Value = (v) => v,
  targets: readonly Value[] = [],
): LinearGraph {
  const resolved = outputs.map(resolve);
  const nodes = topologicalOrder(resolved, (v) => resolve(v) !== v);
  const inputs: Value[] = [];
  const names = new Map<Value, string>();
  const parts: string[] = [];
  const name = (raw: Value | null): string => {
    if (!raw) return '';
    const value = resolve(raw);
    let known = names.get(value);
    if (known === undefined) {
      if (value.constant) known = constantIdentity(value);
      else {
        known = `i${inputs.length}`;
        parts.push(`${known}:${value.dtype}[${value.shape}]`);
        inputs.push(value);
      }
      names.set(value, known);
    }
    return known;
  };
  nodes.forEach((node, n) => {
    parts.push(`${node.op.domain}.${node.op.type}(${node.inputs.map(name).join()}){${node.attrsKey}}`);
    for (const output of node.outputs) names.set(output, `${n}.${output.index}`);
  });
  parts.push(`->${resolved.map(name).join()};${targets.map(name).join()}`);
  return { nodes, inputs, outputs: resolved, key: parts.join('\n') };
}
