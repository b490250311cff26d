/** @file The graph: values and nodes. Values are immutable apart from bookkeeping that never changes what they mean. */
import { type DType, dtypes, type NumericArray } from './dtype.ts';
import { encodeNumber, fromBfloat16, fromFloat16 } from './half.ts';
import { formatShape, type Shape, sizeOf } from './shape.ts';

/** An ONNX attribute. Whether a number is written as INT or FLOAT follows from its name (see onnx/attributes.ts). */
export type Attr = number | string | readonly number[] | readonly string[] | ConstantTensor | Subgraph;
export type Attrs = Readonly<Record<string, Attr | undefined>>;

export interface ConstantTensor {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: NumericArray;
}

/** A body of If, Loop or Scan in an imported model; kept, never executed by Gradus itself. */
export interface Subgraph {
  readonly subgraph: unknown;
}

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** What a gradient rule sees of the node it differentiates. */
export interface GradientContext {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attrs: Attrs;
  /** Whether a gradient is wanted for input i; rules skip costly work where it is not. */
  readonly needs: readonly boolean[];
}

/** Gradients for the inputs, in order; undefined or null means none (zero). Broadcast dimensions are summed by the walker. */
export type GradientRule = (
  node: GradientContext,
  dys: readonly (Value | undefined)[],
) => readonly (Value | undefined | null)[];

/**
 * `'zero'`: the derivative is zero almost everywhere or the output is discrete, so nothing flows.
 * `'decompose'`: differentiate the decomposition. `'unsupported'`: asking for it is an error.
 */
export type GradientSpec = GradientRule | 'zero' | 'decompose' | 'unsupported';

/** Everything Gradus knows of an operator; see ops/define.ts for how one is declared. */
export interface OpDefinition {
  readonly type: string;
  /** '' is ai.onnx, 'gradus' is internal (always decomposed or lowered before it reaches the engine). */
  readonly domain: string;
  readonly infer: (inputs: readonly Value[], attrs: Attrs) => TensorType | readonly TensorType[];
  readonly fold?: (inputs: readonly Value[], attrs: Attrs, output: TensorType) => NumericArray | undefined;
  /** All outputs, if the operator has several. */
  readonly simplify?: (inputs: readonly Value[], attrs: Attrs) => Value | readonly Value[] | undefined;
  readonly gradient: GradientSpec;
  readonly decompose?: (inputs: readonly Value[], attrs: Attrs) => Value | readonly Value[];
  /** Outputs from this index on may be left out of the emitted node when nobody uses them. */
  readonly optionalOutputs?: number;
  /** Draws random numbers: two equal nodes are two draws, and are not merged. */
  readonly random?: boolean;
  /** The gradient is zero but differentiable: what it was computed from gets zeros, as torch.round's input does. */
  readonly flat?: boolean;
  /** Reads or writes at positions that are data: the engine may find one out of range, and the error names the line. */
  readonly indexes?: boolean;
  /** Newer than the opset that is emitted, so it is decomposed like an operator of domain 'gradus'. */
  readonly lowered?: boolean;
}

/** What an input value stands for at run time; the tensor layer decides (a storage, a scalar that changes per step). */
export interface Leaf {
  readonly leaf: string;
}

let nextId = 1;

/** A tensor-valued point of the graph: a constant, an input (leaf), or one output of a node. */
export class Value {
  readonly id = nextId++;
  readonly dtype: DType;
  readonly shape: Shape;
  /** The producing node, or null for constants and inputs. */
  readonly node: Node | null;
  readonly index: number;
  /** Elements of a constant. */
  readonly constant: NumericArray | null;
  leaf: Leaf | null;
  /** Set when the value has been computed: programs built later start from this leaf instead of computing it again. */
  realized: Value | null = null;
  requiresGrad: boolean;

  private constructor(
    type: TensorType,
    node: Node | null,
    index: number,
    constant: NumericArray | null,
    leaf: Leaf | null,
    requiresGrad: boolean,
  ) {
    this.dtype = type.dtype;
    this.shape = type.shape;
    this.node = node;
    this.index = index;
    this.constant = constant;
    this.leaf = leaf;
    this.requiresGrad = requiresGrad;
  }

  static constant(dtype: DType, shape: Shape, data: NumericArray): Value {
    return new Value({ dtype, shape }, null, 0, data, null, false);
  }

  static input(type: TensorType, leaf: Leaf | null = null, requiresGrad = false): Value {
    return new Value(type, null, 0, null, leaf, requiresGrad);
  }

  static output(type: TensorType, node: Node, index: number, requiresGrad: boolean): Value {
    return new Value(type, node, index, null, null, requiresGrad);
  }

  get rank(): number {
    return this.shape.length;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  toString(): string {
    return `${this.dtype}${formatShape(this.shape)}`;
  }
}

/** Marks nodes whose results are dropped after the forward pass and computed again for the backward. */
export interface Segment {
  readonly segment: number;
}

/** An application of an operator. An absent optional input is null. */
export class Node {
  readonly op: OpDefinition;
  readonly inputs: readonly (Value | null)[];
  readonly attrs: Attrs;
  outputs: readonly Value[] = [];
  /** Where user code built the node; captured only while debugging (see site.ts). */
  readonly site: string | undefined;
  /** The part of the graph to be computed again in the backward pass, if the node belongs to one (see autograd/checkpoint.ts). */
  readonly segment: Segment | undefined;
  #attrsKey: string | undefined;

  constructor(
    op: OpDefinition,
    inputs: readonly (Value | null)[],
    attrs: Attrs,
    site: string | undefined,
    segment?: Segment,
  ) {
    this.op = op;
    this.inputs = inputs;
    this.attrs = attrs;
    this.site = site;
    this.segment = segment;
  }

  /** Attributes as a string, for hashing and common-subexpression elimination. */
  get attrsKey(): string {
    this.#attrsKey ??= attrsKey(this.attrs);
    return this.#attrsKey;
  }

  toString(): string {
    return `${this.op.type}(${this.inputs.map((v) => v?.toString() ?? '-').join(', ')})`;
  }
}

function attrsKey(attrs: Attrs): string {
  let key = '';
  for (const name in attrs) {
    const value = attrs[name];
    if (value === undefined) continue;
    key += `${name}=${typeof value === 'object' && 'dtype' in value ? constantKey(value) : JSON.stringify(value)};`;
  }
  return key;
}

/** Content of a constant as a string: equal strings mean equal constants. */
export function constantKey(c: { dtype: DType; shape: Shape; data: NumericArray }): string {
  // Joined as it is, -0 would read as 0.
  const signs = c.dtype.includes('float') && (c.data as Float32Array).includes(0);
  const elements = signs ? Array.from(c.data, signed) : c.data;
  return `${c.dtype}[${c.shape}]${Array.prototype.join.call(elements, ',')}`;
}

const signed = (x: number) => (Object.is(x, -0) ? '-0' : x);

/** The number that a constant of one element stands for, or undefined for every other value. */
export function scalarConstant(value: Value): number | undefined {
  if (!value.constant || value.size !== 1) return undefined;
  const [element] = value.constant;
  if (value.dtype === 'float16') return fromFloat16(element);
  return value.dtype === 'bfloat16' ? fromBfloat16(element) : element;
}

/** A constant of the given elements (`shape` defaults to one dimension, or to a scalar for a bare number). */
export function constant(data: number | readonly number[] | NumericArray, dtype: DType, shape?: Shape): Value {
  if (typeof data === 'number') {
    const one = new dtypes[dtype].array(shape ? sizeOf(shape) : 1).fill(encodeNumber(data, dtype));
    return Value.constant(dtype, shape ?? [], one);
  }
  const ArrayType = dtypes[dtype].array;
  const elements = data instanceof ArrayType ? data : new ArrayType(data.length);
  if (elements !== data) for (let i = 0; i < data.length; i++) elements[i] = encodeNumber(data[i], dtype);
  return Value.constant(dtype, shape ?? [data.length], elements);
}

/**
 * The nodes that the given values depend on, each after its inputs. Values for which `stop` answers true count as given.
 * Iterative, so that deep graphs (unrolled recurrences) do not exhaust the stack.
 */
export function topologicalOrder(outputs: Iterable<Value>, stop: (value: Value) => boolean = () => false): Node[] {
  const order: Node[] = [];
  const state = new Map<Node, number>();
  const stack: Node[] = [];
  const visit = (value: Value | null) => {
    if (value?.node && !state.has(value.node) && !stop(value)) {
      state.set(value.node, 0);
      stack.push(value.node);
    }
  };
  for (const output of outputs) {
    visit(output);
    while (stack.length) {
      const node = stack[stack.length - 1];
      const next = state.get(node) ?? 0;
      if (next < node.inputs.length) {
        state.set(node, next + 1);
        visit(node.inputs[next]);
      } else {
        stack.pop();
        order.push(node);
      }
    }
  }
  return order;
}
