/** @file An imported graph made ready for tracing: checked, sorted, functions inlined, operators of the newest opset. */
import { FormatError, GradusError, UnsupportedError } from '../../ir/errors.ts';
import type { Attrs, OpDefinition } from '../../ir/graph.ts';
import {
  type AttributeProto,
  AttributeType,
  type FunctionProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from '../../ir/onnx/proto.ts';
import { checkOpset, newestOpset, upgradeNode } from '../../ir/onnx/upgrade.ts';
import { findOp } from '../../ops/index.ts';
import { attrsFromProto } from './attributes.ts';
import { checkGraph, describeNode, sortNodes } from './check.ts';
import { scopeOf } from './scope.ts';

/** An operator to apply. Names refer to values; '' is an absent one. */
export interface Step {
  readonly type: string;
  readonly domain: string;
  /** The file's name of the node, or of its first output. */
  readonly name: string;
  /** Dotted name of the module that the node comes from, where the exporter tells it. */
  readonly scope: string | undefined;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Undefined where Gradus does not know the operator. */
  readonly op: OpDefinition | undefined;
  /** Attributes as plain values. @throws UnsupportedError where one cannot be held. */
  attrs(): Attrs;
  /** Bodies of If, Loop and Scan by attribute name. */
  readonly bodies: ReadonlyMap<string, Body>;
}

/** A graph or a branch of one. */
export interface Body {
  readonly steps: readonly Step[];
  readonly outputs: readonly string[];
  readonly initializers: readonly TensorProto[];
}

/** More nodes than any model has; functions that call functions could otherwise grow without bound. */
const maxSteps = 300_000;
const maxFunctionDepth = 64;

/**
 * The graph of a model as steps in the order in which they can be applied.
 * @throws FormatError for graphs that contradict themselves; UnsupportedError for operator sets that cannot be read.
 */
export function prepareProgram(model: ModelProto): Body {
  return new Preparer(model).body(model.graph, new Set());
}

/** Operator-set version per domain ('' and ai.onnx are one). */
function versionsOf(imports: readonly { domain: string; version: number }[]): Map<string, number> {
  const versions = new Map(imports.map(({ domain, version }) => [standardDomain(domain), version]));
  const own = versions.get('');
  if (own !== undefined) checkOpset(own);
  return versions;
}

const standardDomain = (domain: string) => (domain === 'ai.onnx' ? '' : domain);

class Preparer {
  readonly #functions: ReadonlyMap<string, FunctionProto>;
  readonly #versions: ReadonlyMap<string, number>;
  readonly #prefix: string;
  #count = 0;
  #steps = 0;

  constructor(model: ModelProto) {
    this.#functions = new Map(model.functions.map((f) => [`${standardDomain(f.domain)}:${f.name}`, f]));
    this.#versions = versionsOf(model.opsetImport);
    let prefix = 'gradus:';
    const taken = (name: string) => name.startsWith(prefix);
    while (model.graph.node.some((n) => n.input.some(taken) || n.output.some(taken))) prefix = `_${prefix}`;
    this.#prefix = prefix;
  }

  readonly #fresh = () => `${this.#prefix}${this.#count++}`;

  body(graph: GraphProto, outer: ReadonlySet<string>): Body {
    const names = checkGraph(graph, outer);
    const steps: Step[] = [];
    for (const node of sortNodes(graph)) this.#expand(node, this.#versions, names, steps, []);
    return { steps, outputs: graph.output.map((o) => o.name), initializers: graph.initializer };
  }

  /** Appends the steps of a node: of the function it calls, or of its form in the newest operator set. */
  #expand(
    node: NodeProto,
    versions: ReadonlyMap<string, number>,
    names: ReadonlySet<string>,
    steps: Step[],
    calls: readonly FunctionProto[],
  ): void {
    const domain = standardDomain(node.domain);
    const fn = findOp(node.opType, domain) ? undefined : this.#functions.get(`${domain}:${node.opType}`);
    if (fn) {
      this.#inline(node, fn, names, steps, calls);
      return;
    }
    for (const part of upgradeNode(node, versions.get('') ?? newestOpset, this.#fresh)) {
      if (++this.#steps > maxSteps) throw new FormatError(`ONNX file: the model has more than ${maxSteps} nodes`);
      steps.push(this.#step(part, domain, names));
    }
  }

  #step(node: NodeProto, domain: string, names: ReadonlySet<string>): Step {
    const bodies = new Map<string, Body>();
    for (const { name, g } of node.attribute) if (g) bodies.set(name, this.body(g, names));
    const plain = node.attribute.filter((a) => !a.g);
    let attrs: Attrs | undefined;
    return {
      type: node.opType,
      domain,
      name: node.name || (node.output.find((o) => o) ?? ''),
      scope: scopeOf(node),
      inputs: node.input,
      outputs: node.output,
      op: findOp(node.opType, domain),
      attrs: () => {
        attrs ??= attrsFromProto(plain, () => describeNode(node));
        return attrs;
      },
      bodies,
    };
  }

  #inline(
    node: NodeProto,
    fn: FunctionProto,
    names: ReadonlySet<string>,
    steps: Step[],
    calls: readonly FunctionProto[],
  ): void {
    if (calls.includes(fn)) throw new FormatError(`ONNX file: function '${fn.name}' calls itself`);
    if (calls.length >= maxFunctionDepth)
      throw new FormatError(`ONNX file: functions call each other more than ${maxFunctionDepth} deep`);
    if (node.input.length > fn.input.length || node.output.length > fn.output.length)
      throw new FormatError(
        `ONNX file: ${describeNode(node)} has ${node.input.length} inputs and ${node.output.length} outputs; its function takes ${fn.input.length} and gives ${fn.output.length}`,
      );
    const prefix = `${this.#fresh()}/`;
    const renamed = new Map<string, string>(fn.input.map((name, i) => [name, node.input[i] ?? '']));
    fn.output.forEach((name, i) => {
      if (node.output[i] && !renamed.has(name)) renamed.set(name, node.output[i]);
    });
    const rename = (name: string) => (name === '' ? '' : (renamed.get(name) ?? prefix + name));
    const given = new Map(fn.attributeProto.concat(node.attribute).map((a) => [a.name, a]));
    const inner: GraphProto = {
      name: fn.name,
      node: fn.node.map((n) => bindNode(n, rename, given)),
      initializer: [],
      input: [],
      output: [],
      valueInfo: [],
    };
    const outer = new Set([...names, ...node.input]);
    const visible = checkGraph(inner, outer);
    const versions = fn.opsetImport.length ? versionsOf(fn.opsetImport) : this.#versions;
    for (const n of sortNodes(inner)) {
      if (++this.#steps > maxSteps) throw new FormatError(`ONNX file: the model has more than ${maxSteps} nodes`);
      this.#expand({ ...n, name: `${node.name}/${n.name}` }, versions, visible, steps, [...calls, fn]);
    }
    // An output that is an input of the function: nothing in the body makes it.
    fn.output.forEach((name, i) => {
      if (!node.output[i] || renamed.get(name) === node.output[i]) return;
      const identity = { opType: 'Identity', domain: '', name: node.name, attribute: [] };
      steps.push(this.#step({ ...identity, input: [rename(name)], output: [node.output[i]] }, '', visible));
    });
  }
}

/** A node of a function's body as a call sees it: names of its own, attributes filled in. */
function bindNode(
  node: NodeProto,
  rename: (name: string) => string,
  given: ReadonlyMap<string, AttributeProto>,
): NodeProto {
  const attribute = node.attribute.flatMap((a): AttributeProto[] => {
    if (a.refAttrName) {
      const value = given.get(a.refAttrName);
      return value ? [{ ...value, name: a.name }] : [];
    }
    return [a.g ? { ...a, g: bindGraph(a.g, rename, given) } : a];
  });
  return { ...node, input: node.input.map(rename), output: node.output.map(rename), attribute };
}

function bindGraph(
  graph: GraphProto,
  rename: (name: string) => string,
  given: ReadonlyMap<string, AttributeProto>,
): GraphProto {
  return {
    ...graph,
    node: graph.node.map((n) => bindNode(n, rename, given)),
    initializer: graph.initializer.map((t) => ({ ...t, name: rename(t.name) })),
    input: graph.input.map((v) => ({ ...v, name: rename(v.name) })),
    output: graph.output.map((v) => ({ ...v, name: rename(v.name) })),
  };
}

/** All steps of a body and of the bodies within. */
export function* allSteps(body: Body): Generator<Step> {
  for (const step of body.steps) {
    yield step;
    for (const inner of step.bodies.values()) yield* allSteps(inner);
  }
}

const floatCodes = [1, 10, 11, 16];
const holdsWeights = ({ dims, dataType }: TensorProto) =>
  floatCodes.includes(dataType) && dims.reduce((n, d) => n * d, 1) > 1;

/**
 * The graph's initializers by name. Where no initializer is floating point, tensors of Constant nodes take their place,
 * also those within branches: some exporters write weights so.
 */
export function weightsOf(model: ModelProto): Map<string, TensorProto> {
  const weights = new Map(model.graph.initializer.map((t) => [t.name, t]));
  if (model.graph.initializer.some(holdsWeights)) return weights;
  const ambiguous = new Set<string>();
  for (const { opType, domain, output, attribute } of nodesOf(model.graph)) {
    const t = attribute[0]?.type === AttributeType.TENSOR ? attribute[0].t : undefined;
    if (opType !== 'Constant' || standardDomain(domain) !== '' || !t || !output[0] || !holdsWeights(t)) continue;
    // Two branches may use one name for different tensors.
    if (weights.has(output[0])) ambiguous.add(output[0]);
    weights.set(output[0], t);
  }
  for (const name of ambiguous) weights.delete(name);
  return weights;
}

/** Nodes of a graph and of the graphs within. */
export function* nodesOf(graph: GraphProto): Generator<NodeProto> {
  for (const node of graph.node) {
    yield node;
    for (const { g } of node.attribute) if (g) yield* nodesOf(g);
  }
}

/** Adds to an error where in the file it happened. */
export function inStep(error: unknown, step: Step): unknown {
  if (!(error instanceof GradusError))
    return new FormatError(
      `ONNX file: node '${step.name}' (${step.type}): ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  if (!error.message.includes(' of the ONNX file')) error.message += `\n    in node '${step.name}' of the ONNX file`;
  return error;
}

/** The error for an operator that Gradus does not know. */
export function unknownOperator(step: Step): UnsupportedError {
  const full = step.domain ? `${step.domain}.${step.type}` : step.type;
  if (step.domain === '' && (step.type === 'Loop' || step.type === 'Scan'))
    return new UnsupportedError(
      `operator ${full} (node '${step.name}' of the ONNX file) is not supported: it runs its body as often as the data says, which a traced program cannot follow. Stop before it with { cutAt: name of a value }, or export the model without loops`,
    );
  const remedy = step.domain
    ? 'it belongs to another vendor: export the model with standard operators, or as a function of them'
    : 'inspectOnnx() lists what the model needs; export it with other operators';
  return new UnsupportedError(`operator ${full} (node '${step.name}' of the ONNX file) is not supported: ${remedy}`);
}
