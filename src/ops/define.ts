/** @file How an operator is declared and applied. Every operator is one definition: type rule, folding, gradient. */

import { type DType, isFloat, type NumericArray } from '../ir/dtype.ts';
import { DTypeError, GradusError, ShapeError } from '../ir/errors.ts';
import {
  type Attrs,
  type GradientSpec,
  Node,
  type OpDefinition,
  type Segment,
  type TensorType,
  Value,
} from '../ir/graph.ts';
import { type Shape, sizeOf } from '../ir/shape.ts';
import { currentSite, rememberSite, userSite } from '../ir/site.ts';

/** Constants with more elements than this are computed by the engine, not folded while tracing. */
const foldLimit = 4096;

type Operand = Value | null | undefined;
/** Operands in ONNX's order (null for an absent one), then the attributes. */
export type OpArguments = readonly (Operand | Attrs)[];

export interface OpSpec {
  /** Default ai.onnx. */
  domain?: '' | 'com.microsoft' | 'com.microsoft.nchwc' | 'gradus';
  /** Output type, or types, from the inputs; throws ShapeError or DTypeError where they do not fit. */
  infer: OpDefinition['infer'];
  /** Elements of the (only) output when every input is a constant. */
  fold?: (inputs: readonly Value[], attrs: Attrs, output: TensorType) => NumericArray | undefined;
  /** A cheaper value that means the same (an identity, a cancelled pair), or undefined. */
  simplify?: OpDefinition['simplify'];
  gradient: GradientSpec;
  /** The same result from other operators; needed for domain 'gradus', and where a device has no kernel. */
  decompose?: OpDefinition['decompose'];
  optionalOutputs?: number;
  /** Equal nodes are different draws. */
  random?: boolean;
  /** Its gradient is zero, but it is one: a parameter below gets zeros, not none (rounding, signs). */
  flat?: boolean;
  /** Its operands are positions, which may turn out to be out of range at run time. */
  indexes?: boolean;
  /** The engine does not know the operator: always decomposed. */
  lowered?: boolean;
}

export type Op = ((...args: OpArguments) => Value) & { readonly definition: OpDefinition };
export type MultiOp = ((...args: OpArguments) => readonly Value[]) & { readonly definition: OpDefinition };

const registry = new Map<string, OpDefinition>();

/** The definition of an operator by ONNX name and domain, or undefined. Import `ops/index.ts` to have all registered. */
export function findOp(type: string, domain = ''): OpDefinition | undefined {
  return registry.get(domain === '' || domain === 'ai.onnx' ? type : `${domain}.${type}`);
}

/** All definitions, by name. */
export function allOps(): readonly OpDefinition[] {
  return [...registry.values()];
}

function register(type: string, spec: OpSpec): OpDefinition {
  const definition: OpDefinition = { ...spec, type, domain: spec.domain ?? '' };
  const key = definition.domain ? `${definition.domain}.${type}` : type;
  if (registry.has(key)) throw new GradusError(`operator ${key} is defined twice`);
  registry.set(key, definition);
  return definition;
}

/** Declares an operator with one output (or whose further outputs are optional and reached through `outputsOf`). */
export function defineOp(type: string, spec: OpSpec): Op {
  const definition = register(type, spec);
  return Object.assign((...args: OpArguments) => applyArguments(definition, args)[0], { definition });
}

/** Declares an operator that returns all of its outputs as an array. */
export function defineMultiOp(type: string, spec: OpSpec): MultiOp {
  const definition = register(type, spec);
  return Object.assign((...args: OpArguments) => applyArguments(definition, args), { definition });
}

function applyArguments(definition: OpDefinition, args: OpArguments): readonly Value[] {
  const last = args[args.length - 1];
  const hasAttrs = last !== null && last !== undefined && !(last instanceof Value);
  const operands = (hasAttrs ? args.slice(0, -1) : args) as readonly Operand[];
  return apply(definition, operands, hasAttrs ? (last as Attrs) : noAttrs);
}

const noAttrs: Attrs = {};
let gradEnabled = true;

/** Whether operations built now can be differentiated. */
export function isGradEnabled(): boolean {
  return gradEnabled;
}

/** Runs `fn` with gradient tracking on or off (PyTorch: `torch.set_grad_enabled`). Synchronous. */
export function withGrad<T>(enabled: boolean, fn: () => T): T {
  const before = gradEnabled;
  gradEnabled = enabled;
  try {
    return fn();
  } finally {
    gradEnabled = before;
  }
}

let currentSegment: Segment | undefined;

/** Builds what `fn` builds as members of a segment; undefined for none. */
export function withSegment<T>(segment: Segment | undefined, fn: () => T): T {
  const before = currentSegment;
  currentSegment = segment;
  try {
    return fn();
  } finally {
    currentSegment = before;
  }
}

/**
 * Applies an operator: infers types, folds constants, simplifies, or makes a node.
 * @throws GradusError of the rule's own kind, its message completed by operator, operand types and the user's line.
 */
export function apply(definition: OpDefinition, operands: readonly Operand[], attrs: Attrs): readonly Value[] {
  const inputs = operands.map((v) => v ?? null);
  while (inputs.length && inputs[inputs.length - 1] === null) inputs.pop();
  // Rules see absent inputs as undefined; ONNX's own optional inputs make the cast honest only with their checks.
  const seen = inputs as readonly Value[];
  let types: TensorType | readonly TensorType[];
  try {
    const simpler = definition.simplify?.(seen, attrs);
    if (simpler) return isList(simpler) ? simpler : [simpler];
    types = definition.infer(seen, attrs);
  } catch (error) {
    throw explain(error, definition, inputs);
  }
  const list = isTypeList(types) ? types : [types];
  if (definition.fold && list.length === 1 && sizeOf(list[0].shape) <= foldLimit && inputs.every(isConstant)) {
    const folded = definition.fold(seen, attrs, list[0]);
    if (folded) return [Value.constant(list[0].dtype, list[0].shape, folded)];
  }
  const node = new Node(definition, inputs, attrs, currentSite(), currentSegment);
  if (definition.indexes) rememberSite(node);
  const tracked =
    gradEnabled && (definition.gradient !== 'zero' || definition.flat === true) && inputs.some((v) => v?.requiresGrad);
  node.outputs = list.map((type, i) => Value.output(type, node, i, tracked && isFloat(type.dtype)));
  return node.outputs;
}

function isList(values: Value | readonly Value[]): values is readonly Value[] {
  return Array.isArray(values);
}

function isTypeList(types: TensorType | readonly TensorType[]): types is readonly TensorType[] {
  return Array.isArray(types);
}

function isConstant(value: Value | null): boolean {
  return value === null || value.constant !== null;
}

function explain(error: unknown, definition: OpDefinition, inputs: readonly (Value | null)[]): unknown {
  if (!(error instanceof GradusError) || error.message.startsWith('[')) return error;
  const operands = inputs.map((v) => v?.toString() ?? '-').join(', ');
  const site = error.message.includes('\n    at ') ? undefined : userSite();
  error.message = `[${definition.type}(${operands})] ${error.message}${site ? `\n    at ${site}` : ''}`;
  return error;
}

/** Every output of the node that made `value` (for optional outputs such as LayerNormalization's mean). */
export function outputsOf(value: Value): readonly Value[] {
  return value.node?.outputs ?? [value];
}

/** A type, for rules: `type(x.dtype, shape)`. */
export function type(dtype: DType, shape: Shape): TensorType {
  return { dtype, shape };
}

/** Throws DTypeError unless all values share one dtype. */
export function requireSameDType(...values: readonly Value[]): DType {
  for (const v of values)
    if (v.dtype !== values[0].dtype)
      throw new DTypeError(
        `operands have different dtypes: ${values.map((x) => x.dtype).join(' and ')}; cast one with .to(dtype)`,
      );
  return values[0].dtype;
}

/** Throws DTypeError unless the value is floating point. */
export function requireFloat(value: Value): DType {
  if (!isFloat(value.dtype))
    throw new DTypeError(`expected a floating point tensor, found ${value.dtype}; cast it with .to('float32')`);
  return value.dtype;
}

/** Throws ShapeError unless the value has the given rank. */
export function requireRank(value: Value, rank: number, what = 'input'): void {
  if (value.rank !== rank)
    throw new ShapeError(`${what} must have ${rank} dimensions, found shape [${value.shape.join(', ')}]`);
}

/** The integers of a constant operand (shapes, axes, pads). @throws ShapeError when they are not known while tracing. */
export function constantInts(value: Value, what: string): number[] {
  if (!value.constant)
    throw new ShapeError(
      `${what} must be known when the graph is built, found a computed tensor; shapes cannot depend on data`,
    );
  return Array.from(value.constant);
}
