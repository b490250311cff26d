/** @file What an .onnx file holds: operators, shapes, parameters, what can be trained and what not, and why. */
import { type DType, dtypeFromOnnx, isFloat } from '../../ir/dtype.ts';
import { UnsupportedError } from '../../ir/errors.ts';
import { decodeModel } from '../../ir/onnx/decode.ts';
import type { ModelProto, TensorProto, ValueInfoProto } from '../../ir/onnx/proto.ts';
import { findOp } from '../../ops/index.ts';
import type { NestedNumbers, Tensor } from '../../tensor/index.ts';
import { readFileBounded } from '../../train/files.ts';
import { type OpenBranch, resolveBranches } from './branches.ts';
import { findFeatures, type OnnxFeature } from './features.ts';
import { findRoles, fixedOption, type Verdict } from './flow.ts';
import { fixedInputs } from './inputs.ts';
import { allSteps, type Body, nodesOf, prepareProgram, weightsOf } from './program.ts';
import { findAliases, findLinears } from './scope.ts';

/** How an operator of a file stands in Gradus. */
export type Support =
  /** Runs and has a gradient. */
  | 'trains'
  /** Runs; its result moves in steps or not at all, so that no gradient is needed. */
  | 'constant'
  /** Runs, but a gradient cannot pass it. */
  | 'no gradient'
  /** A function that the file itself defines. */
  | 'function'
  | 'unknown';

export interface OnnxInspection {
  /** `pytorch 2.15.0`; '' where the file does not tell. */
  readonly producer: string;
  readonly irVersion: number;
  /** Operator-set version by domain ('' is ai.onnx). */
  readonly opsets: Readonly<Record<string, number>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Most frequent first; `vendor.Name` outside of ai.onnx. */
  readonly operators: readonly { readonly name: string; readonly count: number; readonly support: Support }[];
  readonly inputs: readonly OnnxTensorInfo[];
  readonly outputs: readonly OnnxTensorInfo[];
  readonly parameters: readonly OnnxParameterInfo[];
  /** Values to cut the graph at (`OnnxModel.cutAt`), to put a head on: nearest to each output first. */
  readonly features: readonly OnnxFeature[];
  /** Branches (If) that elements of inputs decide; nothing trains through them until `fixed` gives those inputs. */
  readonly branches: readonly OnnxBranchInfo[];
  /** Elements of all initializers, and of those that are trained by default. */
  readonly elements: { readonly all: number; readonly trainable: number };
  /** What keeps the file from running in Gradus; empty for files that run. */
  readonly problems: readonly string[];
  /** All of this as text for a terminal. */
  toString(): string;
}

export interface OnnxTensorInfo {
  readonly name: string;
  readonly dtype: DType | 'unknown';
  /** Sizes, names of dynamic axes, null where unknown; undefined where not even the rank is known. */
  readonly shape: readonly (number | string | null)[] | undefined;
}

export interface OnnxBranchInfo {
  readonly node: string;
  /** The inputs that decide. */
  readonly inputs: readonly string[];
  /** Floating point initializers that only run, and train, where the condition holds, and where it does not. */
  readonly thenOnly: readonly string[];
  readonly elseOnly: readonly string[];
}

export interface OnnxParameterInfo extends Verdict {
  readonly name: string;
  /** The name that it has in the layer it belongs to, where the exporter gave it another one (`onnx::MatMul_373`). */
  readonly layer?: string;
  readonly dtype: DType | 'unknown';
  readonly shape: readonly number[];
  readonly trainable: boolean;
}

export interface InspectOptions {
  /** Inputs that keep one value, as of `OnnxModel.load`: the branches that follow from them are taken. */
  fixed?: Readonly<Record<string, Tensor | NestedNumbers>>;
}

/**
 * Looks into an .onnx file without running it. Weights in files beside it are not read.
 * @throws ArgumentError for a fixed input that the file does not have; FileError, FormatError for files that cannot be read; what only cannot be trained or run is told in the result.
 */
export async function inspectOnnx(
  source: string | Uint8Array,
  { fixed = {} }: InspectOptions = {},
): Promise<OnnxInspection> {
  const model = decodeModel(typeof source === 'string' ? await readFileBounded(source, 2 ** 31) : source);
  const weights = weightsOf(model);
  const problems: string[] = [];
  const given = await fixedInputs(model.graph, fixed);
  let roles = new Map<string, Verdict>();
  let aliases: ReadonlyMap<string, string> = new Map();
  let features: OnnxFeature[] = [];
  let branches: OnnxBranchInfo[] = [];
  try {
    const { body, open } = resolveBranches(prepareProgram(model), model.graph, weights, given);
    const linears = findLinears(body, weights);
    roles = findRoles(body, body.outputs, weights, open);
    aliases = findAliases(body, weights, linears);
    features = findFeatures(body, model.graph, weights, linears);
    branches = open.map((branch) => describeBranch(branch, weights));
    for (const step of allSteps(body))
      if (step.type === 'Loop' || step.type === 'Scan')
        problems.push(
          `${step.type} (node '${step.name}') runs its body as often as the data says and cannot be traced; cut the graph before it: OnnxModel.load(path, { cutAt: name })`,
        );
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    problems.push(error.message);
  }
  const operators = countOperators(model);
  for (const { name, support } of operators)
    if (support === 'unknown') problems.push(`operator ${name} is not known to Gradus`);
  const unread: Verdict = { role: 'constant', reason: 'the graph could not be read' };
  const parameters = [...weights.values()].map(({ dims, dataType }, i): OnnxParameterInfo => {
    const name = [...weights.keys()][i];
    const verdict = roles.get(name) ?? unread;
    const dtype = dtypeFromOnnx(dataType) ?? 'unknown';
    const layer = ['parameter', 'blocked'].includes(verdict.role) ? aliases.get(name) : undefined;
    return { ...verdict, name, ...(layer && { layer }), dtype, shape: dims, trainable: verdict.role === 'parameter' };
  });
  const count = (list: readonly OnnxParameterInfo[]) =>
    list.reduce((n, { shape }) => n + shape.reduce((m, d) => m * d, 1), 0);
  const content: Omit<OnnxInspection, 'toString'> = {
    producer: [model.producerName, model.producerVersion].filter((s) => s).join(' '),
    irVersion: model.irVersion,
    opsets: Object.fromEntries(model.opsetImport.map(({ domain, version }) => [domain, version])),
    metadata: Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value])),
    operators,
    inputs: model.graph.input.filter(({ name }) => !weights.has(name) && !given.has(name)).map(tensorInfo),
    outputs: model.graph.output.map(tensorInfo),
    parameters,
    features,
    branches,
    elements: { all: count(parameters), trainable: count(parameters.filter((p) => p.trainable)) },
    problems,
  };
  return { ...content, toString: () => report(content) };
}

function describeBranch({ step, inputs }: OpenBranch, weights: ReadonlyMap<string, TensorProto>): OnnxBranchInfo {
  const names = (body: Body | undefined) => {
    const read = new Set(body ? [...allSteps(body)].flatMap((s) => [...s.inputs, ...s.outputs]) : []);
    return [...weights].flatMap(([name, { dataType }]) => {
      const dtype = dtypeFromOnnx(dataType);
      return dtype && isFloat(dtype) && read.has(name) ? [name] : [];
    });
  };
  const yes = names(step.bodies.get('then_branch'));
  const no = names(step.bodies.get('else_branch'));
  return {
    node: step.name,
    inputs,
    thenOnly: yes.filter((name) => !no.includes(name)),
    elseOnly: no.filter((name) => !yes.includes(name)),
  };
}

function tensorInfo({ name, elemType, shape }: ValueInfoProto): OnnxTensorInfo {
  return { name, dtype: (elemType !== undefined && dtypeFromOnnx(elemType)) || 'unknown', shape };
}

function countOperators(model: ModelProto): OnnxInspection['operators'] {
  const counts = new Map<string, { count: number; support: Support }>();
  const functions = new Set(model.functions.map((f) => `${f.domain}:${f.name}`));
  for (const { opType, domain } of nodesOf(model.graph)) {
    const isStandard = domain === '' || domain === 'ai.onnx';
    const name = isStandard ? opType : `${domain}.${opType}`;
    const entry = counts.get(name) ?? {
      count: 0,
      support: supportOf(opType, isStandard ? '' : domain, functions.has(`${domain}:${opType}`)),
    };
    entry.count++;
    counts.set(name, entry);
  }
  return [...counts]
    .map(([name, entry]) => ({ name, ...entry }))
    .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
}

function supportOf(type: string, domain: string, isFunction: boolean): Support {
  // The two that an import replaces, and branches that are decided while tracing.
  if (domain === '' && ['Upsample', 'Scatter', 'If'].includes(type)) return 'trains';
  const op = findOp(type, domain);
  if (!op) return isFunction ? 'function' : 'unknown';
  if (op.gradient === 'unsupported') return 'no gradient';
  return op.gradient === 'zero' ? 'constant' : 'trains';
}

function report(i: Omit<OnnxInspection, 'toString'>): string {
  const number = (n: number) => n.toLocaleString('en-US');
  const shape = (s: OnnxTensorInfo['shape']) => (s ? `[${s.map((d) => d ?? '?').join(', ')}]` : '[any shape]');
  const opsets = Object.entries(i.opsets).map(([domain, version]) => `${domain || 'ai.onnx'} ${version}`);
  const tensors = (list: readonly OnnxTensorInfo[]) => list.map((t) => `  ${t.name}  ${t.dtype} ${shape(t.shape)}`);
  const nameOf = ({ name, layer }: OnnxParameterInfo) => layer ?? name;
  const inGroups = i.parameters.map((p) => ({ ...p, reason: shortReason(p, i.branches) }));
  const trained = inGroups.filter((p) => p.trainable);
  const others = inGroups.filter((p) => !p.trainable);
  const width = Math.min(60, Math.max(0, ...i.parameters.map((p) => nameOf(p).length)));
  const parameter = (p: OnnxParameterInfo) => {
    const notes = [p.layer && `initializer ${p.name}`, p.reason].filter((s) => s).join('; ');
    return `  ${nameOf(p).padEnd(width)}  ${p.dtype} ${shape(p.shape)}${notes && `  ${notes}`}`;
  };
  return [
    `${i.producer || 'unknown producer'}, IR version ${i.irVersion}, operator sets: ${opsets.join(', ')}`,
    ...Object.entries(i.metadata).map(([key, value]) => `  ${key}: ${value}`),
    'inputs',
    ...tensors(i.inputs),
    'outputs',
    ...tensors(i.outputs),
    `operators (${number(i.operators.reduce((n, o) => n + o.count, 0))} nodes)`,
    ...i.operators.map((o) => `  ${String(o.count).padStart(5)}  ${o.name}${mark(o.support)}`),
    `trains: ${number(i.elements.trainable)} of ${number(i.elements.all)} elements, in ${number(trained.length)} of ${number(i.parameters.length)} initializers`,
    ...trained.map(parameter),
    ...(others.length ? ['does not train', ...others.map(parameter)] : []),
    ...i.branches.flatMap(branch),
    ...(i.features.length ? ['features: values to cut at for a head of your own (cutAt), last ones first'] : []),
    ...i.features.map((f) => `  ${f.name}  ${f.dtype} ${shape(f.shape)}  read by ${f.readBy}`),
    ...(i.problems.length ? ['cannot run', ...i.problems.map((p) => `  ${p}`)] : []),
  ].join('\n');
}

/** The list of branches says the rest. */
function shortReason({ name, reason, blockedBy }: OnnxParameterInfo, branches: readonly OnnxBranchInfo[]): string {
  const at = branches.find(({ node }) => blockedBy?.operator === 'If' && blockedBy.node === node);
  if (!at) return reason;
  const where = at.thenOnly.includes(name) ? 'where it holds' : at.elseOnly.includes(name) ? 'where it fails' : '';
  return `cannot train before If '${at.node}' is decided${where && `; then ${where}`}`;
}

function branch({ node, inputs, thenOnly, elseOnly }: OnnxBranchInfo): string[] {
  return [
    `If '${node}' follows from ${inputs.length === 1 ? 'input' : 'inputs'} ${inputs.join(', ')}; nothing before it can train until that is given once:`,
    `  gradus inspect ${inputs.map((name) => `--fixed ${name}=VALUE`).join(' ')}, OnnxModel.load(path, ${fixedOption(inputs)})`,
    `  initializers that then train: ${thenOnly.length} where it holds, ${elseOnly.length} where it fails`,
  ];
}

function mark(support: Support): string {
  if (support === 'no gradient') return '  (no gradient passes)';
  if (support === 'unknown') return '  (unknown)';
  return support === 'function' ? '  (function of the file)' : '';
}
