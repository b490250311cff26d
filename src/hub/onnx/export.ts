/** @file exportOnnx: a model as an inference graph that any ONNX runtime runs. */
import { emitGraph, wrapModel } from '../../compiler/emit.ts';
import { dtypes } from '../../ir/dtype.ts';
import { ArgumentError, UnsupportedError } from '../../ir/errors.ts';
import { topologicalOrder, type Value } from '../../ir/graph.ts';
import { tensorToProto } from '../../ir/onnx/attributes.ts';
import { encodeModel } from '../../ir/onnx/encode.ts';
import { oldestOpset, oldestWritten } from '../../ir/onnx/opsets.ts';
import type { GraphProto, ModelProto, TensorProto } from '../../ir/onnx/proto.ts';
import { newestOpset } from '../../ir/onnx/upgrade.ts';
import { trackSites } from '../../ir/site.ts';
import type { Module } from '../../nn/module.ts';
import type { Tensor } from '../../tensor/index.ts';
import { type Storage, StorageLeaf } from '../../tensor/storage.ts';
import { writeFileAtomic } from '../../train/files.ts';
import { nodeFiles } from '../../train/node-files.ts';
import { type DynamicGraph, mergeRecordings } from './dynamic.ts';
import { type Axis, describe, type Expression } from './expression.ts';
import { type Calling, type Recording, record, stateOf } from './record.ts';
import {
  type AxisNames,
  chooseSizes,
  type ExampleInput,
  exampleSizes,
  type InputSpec,
  inputSpecs,
  settleOpenSizes,
  typesAt,
} from './sizes.ts';
import { appendTail, type OnnxTail } from './tail.ts';
import { checkRuns, verifyExport } from './verify.ts';

export interface ExportOptions {
  /**
   * Examples of the inputs: tensors, or shapes (float32 unless a dtype is given). An array for a model that takes tensors
   * one by one, a record for one that takes a record. Default: what the model's own `exampleInputs()` gives.
   */
  inputs?: readonly ExampleInput[] | Readonly<Record<string, ExampleInput>>;
  /** Names of axes whose size may vary, for every input: `['batch', 'sequence']` names the first two. */
  input?: AxisNames;
  /** The same for single inputs, by name. */
  dynamicAxes?: Readonly<Record<string, AxisNames>>;
  /** Names of the inputs in the file, in order, or made of a record's keys; default input, or input_0, input_1, ..., or the keys. */
  inputNames?: Names;
  /** Which outputs the file has, by the keys that forward() returns; default all. */
  outputs?: readonly string[];
  /** Names of the outputs in order, or made of their keys; default output, or the keys that forward() returns. */
  outputNames?: Names;
  /** Free text by key, kept in the file's metadata_props. */
  metadata?: Readonly<Record<string, string>>;
  /** Run the file in ONNX Runtime at the example's sizes and at others, and compare with the model; default true. */
  verify?: boolean;
  /** Keep weights in a file of their own beside the model; default only where one file cannot hold them (2 GB). */
  externalData?: boolean;
  /**
   * Operator set of the file, 18 to 26; operators that are newer are composed of older ones. Default: the oldest in which
   * that can be done, for the sake of old runtimes; 26 keeps operators such as RMSNormalization whole.
   */
  opset?: number;
  /** ONNX nodes behind the outputs, such as `nonMaxSuppressionTail()`. What `verify` compares is the graph before them. */
  tail?: OnnxTail;
}

/** Names in order, or a function that makes a name of a key. */
type Names = readonly string[] | ((key: string) => string);

/** A model that knows what its inputs look like. */
export interface HasExampleInputs {
  exampleInputs(): NonNullable<ExportOptions['inputs']>;
  /** How the model is exported (names, axes, outputs) where the caller of `exportOnnx` does not say otherwise. */
  exportOptions?(): ExportOptions;
}

/** protobuf ends at 2 GiB; what is not weights needs a little. */
const maxInline = 1_900_000_000;

/**
 * Writes a model as an ONNX inference graph: parameters are initializers named by their state-dict keys, the named axes are
 * dynamic, the operator set is the oldest that will do, so that old runtimes read the file. The model is traced in
 * evaluation mode.
 *
 * ```ts
 * await exportOnnx(model, 'model.onnx', { inputs: [zeros([1, 3, 224, 224])], input: ['batch'] });
 * ```
 * @param path where to write (atomically), or null for the bytes only.
 * @returns the bytes of the .onnx file.
 * @throws UnsupportedError naming the operator and the line that built it where the graph cannot hold for all sizes;
 *   ArgumentError for options that contradict each other; NumericError if ONNX Runtime's results differ from the model's;
 *   FileError when the system refuses.
 */
export async function exportOnnx(
  model: Module,
  path: string | null,
  callerOptions: ExportOptions = {},
): Promise<Uint8Array> {
  const options = { ...(hasExamples(model) ? model.exportOptions?.() : {}), ...callerOptions };
  const { opset: wanted } = options;
  if (wanted !== undefined && !(Number.isInteger(wanted) && wanted >= oldestWritten && wanted <= newestOpset))
    throw new ArgumentError(
      `opset is ${wanted}; files are written in operator sets ${oldestWritten} to ${newestOpset}`,
    );
  const { examples, calling, fileNames } = examplesOf(model, options);
  const given = inputSpecs(examples, options.input, options.dynamicAxes ?? {});
  const modes = model.modules().map((module) => [module, module.training] as const);
  model.eval();
  try {
    const state = await stateOf(model);
    const { specs, graph, weights, opset } = await withSites(async () => {
      // Errors of the model itself come as they are, before any talk of axes.
      const settled = settleOpenSizes(given, (s) =>
        record(model, typesAt(s, exampleSizes(s)), calling, state, options),
      );
      return { specs: settled, ...(await traceModel(model, settled, calling, state, fileNames, options)) };
    });
    const proto = wrapModel(graph, wanted ?? opset);
    proto.producerVersion = '0.1';
    proto.metadataProps = Object.entries(options.metadata ?? {}).map(([key, value]) => ({ key, value }));
    const size = weights.reduce((n, t) => n + (t.rawData?.length ?? 0), 0);
    const external = options.externalData ?? size > maxInline;
    if (external && path === null)
      throw new ArgumentError(
        `the weights (${size} bytes) need a file of their own; give exportOnnx a path instead of null`,
      );
    const verify = async (bytes: Uint8Array) =>
      await verifyExport({
        model,
        bytes,
        specs,
        calling,
        inputNames: fileNames,
        outputNames: graph.output.map((o) => o.name),
        wanted: options.outputs,
      });
    const checked = (options.verify ?? true) && size <= maxInline;
    const encode = () => (external && !checked ? undefined : encodeModel(proto));
    let bytes = encode();
    if (checked && bytes) await verify(bytes);
    if (options.tail) {
      appendTail(graph, options.tail);
      bytes = encode();
      if (checked && bytes)
        await checkRuns(
          bytes,
          fileNames,
          graph.output.map((o) => o.name),
        );
    }
    if (external && path !== null) return await writeWithData(proto, weights, path);
    bytes ??= encodeModel(proto);
    if (path !== null) await writeFileAtomic(path, bytes);
    return bytes;
  } finally {
    for (const [module, training] of modes) module.training = training;
  }
}

function examplesOf(model: Module, options: ExportOptions) {
  const given = options.inputs ?? (hasExamples(model) ? model.exampleInputs() : undefined);
  if (!given)
    throw new ArgumentError(
      "exportOnnx needs examples of the model's inputs: pass { inputs: [zeros([1, 3, 32, 32])] } or shapes such as { inputs: [['batch', 3, 32, 32]] }",
    );
  const isList = Array.isArray(given);
  const list = (isList ? given : Object.values(given)) as readonly ExampleInput[];
  const keys = isList ? null : Object.keys(given);
  const defaults = keys ?? list.map((_, i) => (list.length === 1 ? 'input' : `input_${i}`));
  const fileNames = namesOf(options.inputNames, defaults);
  if (fileNames.length !== list.length)
    throw new ArgumentError(`inputNames has ${fileNames.length} names for ${list.length} inputs`);
  const names = keys ?? fileNames;
  const calling: Calling = isList ? 'positional' : 'record';
  return { examples: list.map((example, i) => [names[i], example] as const), calling, fileNames };
}

const namesOf = (names: Names | undefined, keys: readonly string[]): readonly string[] =>
  typeof names === 'function' ? keys.map(names) : (names ?? keys);

function hasExamples(model: Module): model is Module & HasExampleInputs {
  return 'exampleInputs' in model && typeof model.exampleInputs === 'function';
}

type State = Map<Storage, { name: string; tensor: Tensor }>;

async function traceModel(
  model: Module,
  specs: readonly InputSpec[],
  calling: Calling,
  state: State,
  fileNames: readonly string[],
  options: ExportOptions,
) {
  const trace = (sizes: ReadonlyMap<string, number>) => record(model, typesAt(specs, sizes), calling, state, options);
  const taken = new Set([...state.keys()].flatMap((s) => [...s.shape]));
  for (const { shape, axes } of specs) for (const [i, n] of shape.entries()) if (axes[i] === null) taken.add(n);
  const sizes = chooseSizes(specs, taken, trace);
  const merged = merge(specs, sizes, trace);
  const outputNames = namesOf(
    options.outputNames,
    merged.outputs.map((o) => o.name),
  );
  if (outputNames.length !== merged.outputs.length)
    throw new ArgumentError(
      `outputNames has ${outputNames.length} names; forward() returns ${merged.outputs.length} tensors`,
    );
  return await emit(merged, specs, { inputNames: fileNames, outputNames }, state);
}

function merge(
  specs: readonly InputSpec[],
  sizes: readonly ReadonlyMap<string, number>[],
  trace: (sizes: ReadonlyMap<string, number>) => Recording,
): DynamicGraph {
  const recordings = sizes.map(trace);
  const axes = [...exampleSizes(specs).keys()].map((name): Axis => {
    const input = specs.findIndex((s) => s.axes.includes(name));
    const axis = specs[input].axes.indexOf(name);
    return { name, of: recordings[0].inputs[input], axis, sizes: sizes.map((s) => s.get(name) ?? 0) };
  });
  return mergeRecordings(recordings, axes);
}

/** What fails is done once more, slower, so that the error names the line of user code. */
async function withSites<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch {
    trackSites(true);
    try {
      return await task();
    } finally {
      trackSites(false);
    }
  }
}

/** The GraphProto with final names. */
async function emit(
  merged: DynamicGraph,
  specs: readonly InputSpec[],
  { inputNames, outputNames }: { inputNames: readonly string[]; outputNames: readonly string[] },
  state: State,
) {
  const outputs = merged.outputs.map((o) => o.value);
  const nodes = topologicalOrder(outputs);
  // Several values may stand for one parameter; the first is kept.
  const leaves = new Map<Value, Storage>();
  const look = (v: Value | null) => {
    if (v?.leaf instanceof StorageLeaf) leaves.set(v, v.leaf.storage);
  };
  for (const node of nodes) node.inputs.forEach(look);
  outputs.forEach(look);
  const graph = emitGraph(nodes, [...merged.inputs, ...leaves.keys()], outputs);
  const renamed = new Map<string, string>();
  const rename = (from: string, to: string) => renamed.set(from, to);
  inputNames.forEach((name, i) => {
    rename(graph.input[i].name, name);
  });
  const weights: TensorProto[] = [];
  const kept = new Set<Storage>();
  const ordered = [...leaves.values()];
  for (const [i, storage] of ordered.entries()) {
    const name = state.get(storage)?.name;
    if (name === undefined) throw new UnsupportedError('internal: a tensor made while tracing was left in the graph');
    rename(graph.input[specs.length + i].name, name);
    if (kept.has(storage)) continue;
    kept.add(storage);
    weights.push(tensorToProto(name, { dtype: storage.dtype, shape: storage.shape, data: await storage.read() }));
  }
  graph.output.forEach(({ name }, i) => {
    rename(name, outputNames[i]);
  });
  graph.input = specs.map(({ dtype, shape, axes }, i) => ({
    name: inputNames[i],
    elemType: dtypes[dtype].onnx,
    shape: shape.map((n, axis) => axes[axis] ?? n),
  }));
  graph.output.forEach((info, i) => {
    info.shape = merged.outputs[i].dims.map(dimension);
  });
  applyNames(graph, renamed, weights);
  graph.initializer = [...weights, ...graph.initializer];
  return { graph, weights, opset: oldestOpset(nodes) };
}

/** A dimension of an output: a number, the name of an axis, or a formula as its own symbol. */
function dimension(e: Expression | null): number | string | null {
  if (!e) return null;
  return e.kind === 'constant' ? e.value : describe(e) || null;
}

/** Gives values their final names; inner ones move out of the way of names that users know. */
function applyNames(graph: GraphProto, renamed: ReadonlyMap<string, string>, weights: readonly TensorProto[]): void {
  const reserved = [...graph.input.map((v) => v.name), ...weights.map((t) => t.name)];
  const finalOutputs = graph.output.map((v) => renamed.get(v.name) ?? v.name);
  const all = [...reserved, ...finalOutputs];
  const twice = all.find((name, i) => all.indexOf(name) !== i);
  if (twice !== undefined)
    throw new ArgumentError(
      `name '${twice}' is wanted for two of the file's inputs, outputs and parameters; choose others by inputNames or outputNames`,
    );
  const taken = new Set(all);
  const map = (name: string) => {
    const known = renamed.get(name);
    if (known !== undefined) return known;
    let free = name;
    while (free !== '' && taken.has(free)) free = `_${free}`;
    return free;
  };
  for (const node of graph.node) {
    node.input = node.input.map(map);
    node.output = node.output.map(map);
  }
  for (const tensor of graph.initializer) tensor.name = map(tensor.name);
  for (const info of graph.output) info.name = map(info.name);
}

/** Weights of 1 KB and more go to `<model>.data`, each at a multiple of a page. */
async function writeWithData(proto: ModelProto, weights: readonly TensorProto[], path: string): Promise<Uint8Array> {
  const location = `${nodeFiles().path.basename(path)}.data`;
  const large = weights.filter((t) => (t.rawData?.length ?? 0) >= 1024);
  let at = 0;
  const chunks: Uint8Array[] = [];
  const data = large.map((t) => t.rawData ?? new Uint8Array(0));
  large.forEach((tensor, i) => {
    const gap = (4096 - (at % 4096)) % 4096;
    if (gap) chunks.push(new Uint8Array(gap));
    chunks.push(data[i]);
    tensor.externalData = { location, offset: String(at + gap), length: String(data[i].length) };
    delete tensor.rawData;
    at += gap + data[i].length;
  });
  await writeFileAtomic(`${path}.data`, chunks);
  const bytes = encodeModel(proto);
  await writeFileAtomic(path, bytes);
  return bytes;
}
