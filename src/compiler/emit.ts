/** @file From graph to the bytes of an ONNX model. */
import { type DType, dtypes } from '../ir/dtype.ts';
import { UnsupportedError } from '../ir/errors.ts';
import { type Attr, constantKey, type Node, type Value } from '../ir/graph.ts';
import { attributeToProto, tensorToProto } from '../ir/onnx/attributes.ts';
import { encodeModel } from '../ir/onnx/encode.ts';
import { irVersionOf } from '../ir/onnx/opsets.ts';
import type {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  ValueInfoProto,
} from '../ir/onnx/proto.ts';

/** ONNX Runtime 1.30 refuses 27 and 28. */
export const emittedOpset = 26;

export interface EmittedModel {
  readonly bytes: Uint8Array;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
}

/** Attributes whose value is an element type. */
export const dtypeAttributes: ReadonlySet<string> = new Set([
  'to',
  'dtype',
  'output_dtype',
  'output_datatype',
  'softmax_precision',
  'stash_type',
]);

/** An attribute as ONNX types it. */
export function attribute(name: string, value: Attr): AttributeProto {
  if (dtypeAttributes.has(name) && typeof value === 'string')
    return attributeToProto(name, dtypes[value as DType].onnx);
  return attributeToProto(name, value);
}

/** Collects the parts of a GraphProto while naming values. */
class Emitter {
  readonly names = new Map<Value, string>();
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  readonly #constants = new Map<string, string>();
  readonly #used = new Set<Value>();
  #count = 0;

  input(value: Value, name: string): ValueInfoProto {
    this.names.set(value, name);
    return { name, elemType: dtypes[value.dtype].onnx, shape: [...value.shape] };
  }

  /** Marks what is read, so that optional outputs nobody wants are left out. */
  markUsed(nodes: readonly Node[], outputs: readonly Value[]): void {
    for (const node of nodes) for (const v of node.inputs) if (v) this.#used.add(v);
    for (const v of outputs) this.#used.add(v);
  }

  nameOf(value: Value | null): string {
    if (!value) return '';
    const known = this.names.get(value);
    if (known !== undefined) return known;
    if (!value.constant) throw new UnsupportedError(`internal: value ${value} is used before it is computed`);
    const name = this.#constantName(value);
    this.names.set(value, name);
    return name;
  }

  #constantName(value: Value): string {
    const tensor = { dtype: value.dtype, shape: value.shape, data: value.constant as NonNullable<Value['constant']> };
    const key = tensor.data.length <= 64 ? constantKey(tensor) : `#${value.id}`;
    let name = this.#constants.get(key);
    if (name === undefined) {
      name = `c${this.#constants.size}`;
      this.#constants.set(key, name);
      this.initializers.push(tensorToProto(name, tensor));
    }
    return name;
  }

  node(node: Node): void {
    if (node.op.domain === 'gradus' || node.op.lowered)
      throw new UnsupportedError(`internal: operator ${node.op.type} was not lowered`);
    const keep = node.op.optionalOutputs ?? node.outputs.length;
    const output = node.outputs.map((v, i) => {
      if (i >= keep && !this.#used.has(v)) return '';
      const name = `v${this.#count++}`;
      this.names.set(v, name);
      return name;
    });
    while (output.length > 1 && output[output.length - 1] === '') output.pop();
    const input = node.inputs.map((v) => this.nameOf(v));
    const attributes: AttributeProto[] = [];
    for (const name in node.attrs) {
      const value = node.attrs[name];
      if (value !== undefined) attributes.push(attribute(name, value));
    }
    this.nodes.push({
      opType: node.op.type,
      domain: node.op.domain,
      name: `${node.op.type}_${this.nodes.length}`,
      input,
      output,
      attribute: attributes,
    });
  }

  /** Names an output. A constant, an input or a value wanted twice needs an Identity of its own. */
  output(value: Value, name: string, taken: Set<string>): ValueInfoProto {
    let inner = this.nameOf(value);
    if (!inner.startsWith('v') || taken.has(inner)) {
      this.nodes.push({
        opType: 'Identity',
        domain: '',
        name: `out_${name}`,
        input: [inner],
        output: [name],
        attribute: [],
      });
      inner = name;
    }
    taken.add(inner);
    return { name: inner, elemType: dtypes[value.dtype].onnx, shape: [...value.shape] };
  }
}

/** The GraphProto of ordered nodes with the given inputs and outputs. */
export function emitGraph(nodes: readonly Node[], inputs: readonly Value[], outputs: readonly Value[]): GraphProto {
  const emitter = new Emitter();
  emitter.markUsed(nodes, outputs);
  const input = inputs.map((v, i) => emitter.input(v, `x${i}`));
  for (const node of nodes) emitter.node(node);
  const taken = new Set<string>();
  const output = outputs.map((v, i) => emitter.output(v, `y${i}`, taken));
  return { name: 'gradus', node: emitter.nodes, initializer: emitter.initializers, input, output, valueInfo: [] };
}

/** A ModelProto around a graph, importing the opsets that its nodes use; ONNX's own in version `opset`. */
export function wrapModel(graph: GraphProto, opset = emittedOpset): ModelProto {
  const domains = new Set(graph.node.map((n) => n.domain));
  domains.add('');
  return {
    irVersion: irVersionOf(opset),
    producerName: 'gradus',
    producerVersion: '',
    opsetImport: [...domains].map((domain) => ({ domain, version: domain === '' ? opset : 1 })),
    graph,
    metadataProps: [],
    functions: [],
  };
}

/**
 * Bytes and names of the program that computes `outputs` from `inputs`, for ONNX Runtime only.
 *
 * The nodes are written in reverse: ONNX Runtime orders nodes itself, depth first from the outputs, entering the input
 * whose node stands last in the file first. Reversed, that is the input which our order computes first, so results are used
 * up early instead of being kept (peak memory of a training step falls by a quarter and more; files for others, which must
 * be in topological order, come from `emitGraph`).
 */
export function emitModel(
  nodes: readonly Node[],
  inputs: readonly Value[],
  outputs: readonly Value[],
  opset = emittedOpset,
): EmittedModel {
  const graph = emitGraph(nodes, inputs, outputs);
  graph.node.reverse();
  return {
    bytes: encodeModel(wrapModel(graph, opset)),
    inputNames: graph.input.map((v) => v.name),
    outputNames: graph.output.map((v) => v.name),
  };
}
