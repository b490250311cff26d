/** @file The golden cases of operators as one-node models of any operator set, run by plain ONNX Runtime. */
import { readdirSync, readFileSync } from 'node:fs';
import { defaultDevice, loadOrt } from '#ort';
import { emitGraph, emittedOpset, wrapModel } from '../../src/compiler/emit.ts';
import { isFloat, type NumericArray } from '../../src/ir/dtype.ts';
import { type Attrs, constant, type Node, topologicalOrder, Value } from '../../src/ir/graph.ts';
import { encodeModel } from '../../src/ir/onnx/encode.ts';
import { commonDTypes } from '../../src/ir/onnx/opsets.ts';
import { apply, findOp } from '../../src/ops/define.ts';
import '../../src/ops/index.ts';
import { OrtEngine } from '../../src/runtime/ort-engine.ts';
import { type GoldenTensor, reviveTensor } from '../golden/load.ts';

/** A node of one operator, all operands constants or inputs. */
export interface NodeCase {
  readonly name: string;
  readonly node: Node;
  readonly feeds: ReadonlyMap<Value, GoldenTensor>;
}

interface FileCase {
  readonly name: string;
  readonly op: string;
  readonly domain?: string;
  readonly typesOnly?: boolean;
  readonly inputs?: readonly (GoldenTensor | null)[];
  readonly attrs?: Attrs;
  readonly constants?: readonly number[];
  readonly args?: Readonly<Record<string, GoldenTensor>>;
  readonly options?: Attrs;
}

const golden = new URL('../golden/', import.meta.url);

/** Operands by position, which of them are constants, attributes: both kinds of files in one form. */
function operands(c: FileCase) {
  if (c.inputs) return { list: c.inputs, isConstant: (i: number) => c.constants?.includes(i) ?? false, attrs: c.attrs };
  const list: (GoldenTensor | null)[] = [];
  for (const [name, tensor] of Object.entries(c.args ?? {})) {
    const at = Number(name.slice(1));
    while (list.length < at) list.push(null);
    list.push(tensor);
  }
  const isConstant = (i: number) => !isFloat(list[i]?.dtype ?? 'float32') || (c.op === 'Resize' && i > 0);
  return { list, isConstant, attrs: c.options };
}

function nodeCase(c: FileCase): NodeCase | undefined {
  const op = findOp(c.op, c.domain);
  if (!op || c.domain || c.typesOnly || op.lowered || op.random) return undefined;
  const { list, isConstant, attrs } = operands(c);
  const feeds = new Map<Value, GoldenTensor>();
  const inputs = list.map((t, i) => {
    if (!t) return null;
    if (isConstant(i)) return constant(t.data, t.dtype, t.shape);
    const value = Value.input({ dtype: t.dtype, shape: t.shape });
    feeds.set(value, t);
    return value;
  });
  const outputs = apply(op, inputs, attrs ?? {});
  const nodes = topologicalOrder(outputs);
  if (nodes.length !== 1 || nodes[0].op !== op) return undefined;
  const all = [...nodes[0].inputs, ...nodes[0].outputs];
  if (all.some((v) => v && !commonDTypes.has(v.dtype))) return undefined;
  return { name: c.name, node: nodes[0], feeds };
}

/** The cases of ONNX's operators that stay a single node of the usual element types. */
export function nodeCases(): Map<string, NodeCase[]> {
  const files = readdirSync(new URL('ops/', golden)).map((name) => `ops/${name}`);
  const found = new Map<string, NodeCase[]>();
  for (const file of [...files, 'nn_ops.json']) {
    const text = readFileSync(new URL(file, golden), 'utf8');
    for (const c of (JSON.parse(text, reviveTensor) as { cases: FileCase[] }).cases) {
      const made = nodeCase(c);
      if (made) found.set(c.op, [...(found.get(c.op) ?? []), made]);
    }
  }
  return found;
}

/** What ONNX Runtime makes of a case in an operator set; undefined where it refuses the model. */
export async function runAt({ node, feeds }: NodeCase, opset: number): Promise<NumericArray[] | undefined> {
  const engine = new OrtEngine(await loadOrt(defaultDevice), defaultDevice, true);
  const graph = emitGraph([node], [...feeds.keys()], node.outputs);
  const names = { inputs: graph.input.map((v) => v.name), outputs: graph.output.map((v) => v.name) };
  try {
    const program = await engine.compile(encodeModel(wrapModel(graph, opset)), names.inputs, names.outputs, {});
    try {
      const tensors = [...feeds.values()].map((t) => engine.upload(t.dtype, t.shape, t.data));
      const results = await program.run(tensors, []);
      return node.outputs.map((v, i) => engine.view(v.dtype, results[i]) ?? []) as NumericArray[];
    } finally {
      await program.dispose();
    }
  } catch {
    return undefined;
  }
}

/** Whether a case gives in `opset` what it gives in the newest; undefined where the newest has no kernel for it. */
export async function meansTheSame(c: NodeCase, opset: number): Promise<boolean | undefined> {
  const expected = await runAt(c, emittedOpset);
  if (!expected) return undefined;
  const found = await runAt(c, opset);
  return expected.every((y, i) => {
    const other = found?.[i];
    if (other?.length !== y.length) return false;
    return Array.from(y).every(
      (v, k) => Object.is(v, other[k]) || Math.abs(v - other[k]) <= 1e-6 * Math.max(1, Math.abs(v)),
    );
  });
}
