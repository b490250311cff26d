/** @file A model's forward pass as a graph of standard operators, recorded at given input sizes. */
import { rewrite } from '../../compiler/rewrite.ts';
import type { DType, NumericArray } from '../../ir/dtype.ts';
import { ArgumentError, UnsupportedError } from '../../ir/errors.ts';
import { type Node, topologicalOrder, Value } from '../../ir/graph.ts';
import { oldestOpsetOf, oldestWritten } from '../../ir/onnx/opsets.ts';
import type { Module } from '../../nn/module.ts';
import { noGrad, realize, Tensor } from '../../tensor/index.ts';
import { ScalarLeaf, type Storage, StorageLeaf } from '../../tensor/storage.ts';

/** An input of the model at one size. */
export interface InputType {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** The graph of one forward pass. */
export interface Recording {
  readonly inputs: readonly Value[];
  readonly outputs: readonly { readonly name: string; readonly value: Value }[];
  readonly nodes: readonly Node[];
  /** The state-dict key of a value, or undefined. */
  stateName(value: Value): string | undefined;
  /** Elements of constants and of tensors made during the pass; undefined for everything else. */
  elements(value: Value): NumericArray | undefined;
}

/** How inputs are handed to `forward`: one by one, or as one record. */
export type Calling = 'positional' | 'record';

/** Parameters and buffers by name, realised. Tied ones have the first of their names. */
export async function stateOf(model: Module): Promise<Map<Storage, { name: string; tensor: Tensor }>> {
  const named: [string, Tensor][] = [...Object.entries(model.stateDict()), ...model.namedBuffers()];
  await realize(...named.map(([, t]) => t));
  const state = new Map<Storage, { name: string; tensor: Tensor }>();
  for (const [name, tensor] of named)
    if (tensor.storage && !state.has(tensor.storage)) state.set(tensor.storage, { name, tensor });
  return state;
}

/** What is recorded of a model, and how. */
export interface RecordOptions {
  /** Outputs by name; default all. */
  readonly outputs?: readonly string[] | undefined;
  /** Operators of newer sets are composed of older ones; default to the oldest set in which that can be done. */
  readonly opset?: number | undefined;
}

/** Traces `model.forward` for inputs of the given types, all outputs or those wanted. Nothing is computed. */
export function record(
  model: Module,
  types: readonly InputType[],
  calling: Calling,
  state: ReadonlyMap<Storage, { name: string; tensor: Tensor }>,
  { outputs: wanted, opset }: RecordOptions = {},
): Recording {
  const inputs = types.map(({ dtype, shape }) => Value.input({ dtype, shape: [...shape] }));
  const tensors = inputs.map((v) => new Tensor(v));
  const names = types.map(({ name }) => name);
  const named = callModel(model, names, tensors, calling, wanted);
  const traced = named.map(({ tensor }) => tensor.value);
  for (const node of topologicalOrder(traced))
    if (node.op.random || node.inputs.some((v) => v?.leaf instanceof ScalarLeaf && v.leaf.redraw))
      throw new UnsupportedError(
        `${node.op.type} draws random numbers, which an exported model cannot do reproducibly${site(node)}; pass them as an input instead`,
      );
  const values = lowerAll(traced, opset);
  const nodes = topologicalOrder(values);
  return {
    inputs,
    outputs: named.map(({ name }, i) => ({ name, value: values[i] })),
    nodes,
    stateName: (value) => (value.leaf instanceof StorageLeaf ? state.get(value.leaf.storage)?.name : undefined),
    elements: (value) => {
      if (value.constant) return value.constant;
      if (value.leaf instanceof ScalarLeaf) return value.leaf.data;
      if (value.leaf instanceof StorageLeaf && !state.has(value.leaf.storage))
        return value.leaf.storage.host ?? undefined;
      return undefined;
    },
  };
}

/** A model whose `forward` gives one of several outputs. */
interface HasForwardAll {
  forwardAll(...inputs: unknown[]): unknown;
}

/** The model's outputs by name, all or those wanted, without gradients. @throws ArgumentError for one that it has not. */
export function callModel(
  model: Module,
  names: readonly string[],
  tensors: readonly Tensor[],
  calling: Calling,
  wanted?: readonly string[],
): { name: string; tensor: Tensor }[] {
  const args = calling === 'record' ? [Object.fromEntries(names.map((name, i) => [name, tensors[i]]))] : tensors;
  const hasAll = (m: object): m is HasForwardAll => 'forwardAll' in m && typeof m.forwardAll === 'function';
  const call = (): unknown =>
    hasAll(model) ? model.forwardAll(...args) : (model.forward as (...args: unknown[]) => unknown)(...args);
  const all = flattenOutputs(noGrad(call));
  return (
    wanted?.map((name) => {
      const found = all.find((output) => output.name === name);
      if (found) return found;
      const names = all.map((output) => output.name).join(', ');
      throw new ArgumentError(`forward() gives no output '${name}'; there are ${names}`);
    }) ?? all
  );
}

/** ` (at file:line)` of user code, where it is known. */
export function site(node: Node): string {
  return node.site ? ` (at ${node.site})` : '';
}

/** Only operators that ai.onnx has in set `opset` stay, or, without one, those that cannot be composed of old ones. */
function lowerAll(outputs: readonly Value[], wanted: number | undefined): Value[] {
  const opset = wanted ?? oldestWritten;
  const isForeign = ({ op }: Node) => op.domain !== '' || op.lowered === true;
  const isDue = (node: Node) => node.op.decompose !== undefined && (isForeign(node) || oldestOpsetOf(node) > opset);
  let current = [...outputs];
  while (topologicalOrder(current).some(isDue))
    current = rewrite(current, (node, inputs) => {
      if (!isDue(node)) return undefined;
      const parts = node.op.decompose?.(inputs as readonly Value[], node.attrs);
      return parts === undefined || parts instanceof Value ? parts && [parts] : parts;
    });
  const order = topologicalOrder(current);
  const foreign = order.find(isForeign);
  if (foreign)
    throw new UnsupportedError(
      `operator ${foreign.op.domain}.${foreign.op.type} is not of ONNX's own set and has no decomposition${site(foreign)}; the exported file would not run elsewhere`,
    );
  const newer = wanted === undefined ? undefined : order.find((node) => oldestOpsetOf(node) > wanted);
  if (newer)
    throw new UnsupportedError(
      `operator ${newer.op.type}${site(newer)} needs operator set ${oldestOpsetOf(newer)}, the file is to be of set ${wanted}; export with { opset: ${oldestOpsetOf(newer)} } or leave the option out`,
    );
  return current;
}

/** Tensors in a result of tensors, arrays and records, by path. */
function flattenOutputs(result: unknown): { name: string; tensor: Tensor }[] {
  const found: { name: string; tensor: Tensor }[] = [];
  const visit = (item: unknown, path: readonly string[]) => {
    if (item instanceof Tensor) found.push({ name: path.join('_') || 'output', tensor: item });
    else if (Array.isArray(item))
      item.forEach((inner, i) => {
        visit(inner, path.length ? [...path, String(i)] : [`output_${i}`]);
      });
    else if (item && typeof item === 'object')
      for (const [key, inner] of Object.entries(item)) visit(inner, [...path, key]);
  };
  visit(result, []);
  if (!found.length)
    throw new ArgumentError('forward() returned no tensor; an exported model needs at least one output');
  return found;
}
