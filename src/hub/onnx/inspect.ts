/** @file What an .onnx file holds: operators, shapes, parameters, what can be trained and what not, and why. */
import { type DType, dtypeFromOnnx } from '../../ir/dtype.ts';
import { UnsupportedError } from '../../ir/errors.ts';
import { decodeModel } from '../../ir/onnx/decode.ts';
import type { ModelProto, ValueInfoProto } from '../../ir/onnx/proto.ts';
import { findOp } from '../../ops/index.ts';
import { readFileBounded } from '../../train/files.ts';
import { findRoles, type Verdict } from './flow.ts';
import { allSteps, nodesOf, prepareProgram, weightsOf } from './program.ts';

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
  /** Elements of all initializers, and of those that are trained by default. */
  readonly elements: { readonly all: number; readonly trainable: number };
  /** What keeps the file from being loaded; empty for files that load. */
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

export interface OnnxParameterInfo extends Verdict {
  readonly name: string;
  readonly dtype: DType | 'unknown';
  readonly shape: readonly number[];
  readonly trainable: boolean;
}

/**
 * Looks into an .onnx file without running it. Weights in files beside it are not read.
 * @throws FileError, FormatError for files that cannot be read; what only cannot be trained or run is told in the result.
 */
export async function inspectOnnx(source: string | Uint8Array): Promise<OnnxInspection> {
  const model = decodeModel(typeof source === 'string' ? await readFileBounded(source, 2 ** 31) : source);
  const weights = weightsOf(model);
  const problems: string[] = [];
  let roles = new Map<string, Verdict>();
  try {
    const body = prepareProgram(model);
    roles = findRoles(
      body,
      model.graph.output.map((o) => o.name),
      weights,
    );
    for (const step of allSteps(body))
      if (step.type === 'Loop' || step.type === 'Scan')
        problems.push(`${step.type} (node '${step.name}') runs a body depending on data and cannot be traced`);
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
    return { ...verdict, name, dtype, shape: dims, trainable: verdict.role === 'parameter' };
  });
  const count = (list: readonly OnnxParameterInfo[]) =>
    list.reduce((n, { shape }) => n + shape.reduce((m, d) => m * d, 1), 0);
  const content: Omit<OnnxInspection, 'toString'> = {
    producer: [model.producerName, model.producerVersion].filter((s) => s).join(' '),
    irVersion: model.irVersion,
    opsets: Object.fromEntries(model.opsetImport.map(({ domain, version }) => [domain, version])),
    metadata: Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value])),
    operators,
    inputs: model.graph.input.filter(({ name }) => !weights.has(name)).map(tensorInfo),
    outputs: model.graph.output.map(tensorInfo),
    parameters,
    elements: { all: count(parameters), trainable: count(parameters.filter((p) => p.trainable)) },
    problems,
  };
  return { ...content, toString: () => report(content) };
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
  const width = Math.min(60, Math.max(0, ...i.parameters.map((p) => p.name.length)));
  const lines = [
    `${i.producer || 'unknown producer'}, IR version ${i.irVersion}, operator sets: ${opsets.join(', ')}`,
    ...Object.entries(i.metadata).map(([key, value]) => `  ${key}: ${value}`),
    'inputs',
    ...tensors(i.inputs),
    'outputs',
    ...tensors(i.outputs),
    `operators (${number(i.operators.reduce((n, o) => n + o.count, 0))} nodes)`,
    ...i.operators.map((o) => `  ${String(o.count).padStart(5)}  ${o.name}${mark(o.support)}`),
    `initializers: ${number(i.elements.all)} elements, ${number(i.elements.trainable)} trainable`,
    ...i.parameters.map(
      (p) =>
        `  ${p.trainable ? 'train' : '     '}  ${p.name.padEnd(width)}  ${p.dtype} ${shape(p.shape)}${p.reason ? `  ${p.reason}` : ''}`,
    ),
  ];
  if (i.problems.length) lines.push('cannot be loaded', ...i.problems.map((p) => `  ${p}`));
  return lines.join('\n');
}

function mark(support: Support): string {
  if (support === 'no gradient') return '  (no gradient passes)';
  if (support === 'unknown') return '  (unknown)';
  return support === 'function' ? '  (function of the file)' : '';
}
