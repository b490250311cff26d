/** @file OnnxModel: any .onnx file as a module that trains. */
import { type DType, dtypeFromOnnx, isFloat, isInteger } from '../../ir/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../../ir/errors.ts';
import { topologicalOrder, Value } from '../../ir/graph.ts';
import type { TensorProto, ValueInfoProto } from '../../ir/onnx/proto.ts';
import { formatShape } from '../../ir/shape.ts';
import { Buffer, Module, matchesName, type NamePattern, Parameter } from '../../nn/module.ts';
import { apply } from '../../ops/define.ts';
import { fromData, noGrad, Tensor } from '../../tensor/index.ts';
import { constantFromProto } from './attributes.ts';
import { type OnnxFile, readOnnx } from './files.ts';
import { findRoles } from './flow.ts';
import { allSteps, type Body, prepareProgram, unknownOperator, weightsOf } from './program.ts';
import { saveInto, type Written } from './save.ts';
import { Scope, traceBody } from './trace.ts';

export interface OnnxLoadOptions {
  /**
   * Which parameters are trained, by name: the default is every floating point initializer that a gradient reaches.
   * Others that gradients reach are still parameters, frozen.
   */
  trainable?: NamePattern;
  /** The output that `forward` returns; default the first. */
  output?: string;
}

/** Tensors by input name, or in the order of `inputNames`. */
export type OnnxInputs = readonly Tensor[] | readonly [Readonly<Record<string, Tensor>>];

/** A graph traced for certain input shapes, with shape arithmetic folded; replayed on each forward pass. */
interface Template {
  readonly inputs: readonly Value[];
  readonly state: ReadonlyMap<Value, Tensor>;
  readonly outputs: readonly Value[];
  readonly nodes: ReturnType<typeof topologicalOrder>;
  readonly updates: readonly { readonly buffer: Buffer; readonly value: Value }[];
}

/** Input shapes for which a traced graph is kept. */
const maxTemplates = 32;
/**
 * Larger constants that no shape follows from become buffers: programs read them in place instead of holding a copy, and
 * tables are not folded into others that fit one input size only.
 */
const maxConstant = 64;
const prefix = 'onnx:';

/**
 * A network read from an .onnx file. Parameters have the names of the file's initializers; `forward` takes the graph's
 * inputs by position or as one record by name.
 *
 * ```ts
 * const net = await OnnxModel.load('model.onnx', { trainable: 'classifier' });
 * const logits = net.forward({ input_ids: ids, attention_mask: mask });
 * ```
 */
export class OnnxModel extends Module {
  /** Names of the graph's inputs, without those that initializers fill. */
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly #file: OnnxFile;
  readonly #body: Body;
  readonly #inputs: readonly ValueInfoProto[];
  readonly #output: string;
  readonly #weights: ReadonlyMap<string, TensorProto>;
  readonly #state = new Map<string, Parameter | Buffer>();
  readonly #constants = new Map<string, Value>();
  readonly #templates = new Map<string, Template>();

  private constructor(file: OnnxFile, options: OnnxLoadOptions) {
    super();
    const { graph } = file.model;
    this.#file = file;
    this.#body = prepareProgram(file.model);
    this.#weights = weightsOf(file.model);
    this.#inputs = graph.input.filter(({ name }) => !this.#weights.has(name));
    this.inputNames = this.#inputs.map(({ name }) => name);
    this.outputNames = graph.output.map(({ name }) => name);
    this.#output = options.output ?? this.outputNames[0];
    if (!this.outputNames.includes(this.#output))
      throw new ArgumentError(
        `the model has no output '${options.output}'; it has ${this.outputNames.map((n) => `'${n}'`).join(', ') || 'none'}`,
      );
    for (const step of this.#body.steps) if (!step.op && step.bodies.size === 0) throw unknownOperator(step);
    this.#makeState(options.trainable);
  }

  /**
   * Reads a model.
   * @param source the path of an .onnx file (with external data beside it), or its bytes.
   * @throws FileError, FormatError for files that are corrupt or contradict themselves; UnsupportedError naming operator
   *   sets, operators and element types that Gradus cannot compute with; ArgumentError if `trainable` matches nothing.
   */
  static async load(source: string | Uint8Array, options: OnnxLoadOptions = {}): Promise<OnnxModel> {
    return new OnnxModel(await readOnnx(source), options);
  }

  #makeState(trainable: NamePattern | undefined): void {
    const roles = findRoles(this.#body, this.outputNames, this.#weights);
    const used = new Set([...allSteps(this.#body)].flatMap((s) => s.inputs).concat(this.outputNames));
    let matched = 0;
    for (const [name, tensor] of this.#weights) {
      if (!used.has(name) && !this.#body.steps.some((s) => s.outputs.includes(name))) continue;
      const { role, pinned } = roles.get(name) ?? { role: 'constant', pinned: false };
      const chosen = trainable !== undefined && matchesName(name, trainable);
      const dtype = dtypeFromOnnx(tensor.dataType);
      const canTrain = dtype !== undefined && isFloat(dtype) && !pinned;
      if (role === 'parameter' || role === 'blocked' || (chosen && canTrain)) {
        if (chosen) matched++;
        const requiresGrad = trainable === undefined ? role === 'parameter' : chosen;
        this.#keep(name, new Parameter(this.#tensorOf(tensor), { requiresGrad }));
      } else if (role === 'statistics' || (!pinned && sizeOfProto(tensor) > maxConstant)) {
        this.#keep(name, new Buffer(this.#tensorOf(tensor)));
      } else if (dtype !== undefined && dtype !== 'string') {
        const { shape, data } = constantFromProto(tensor, 'ONNX file');
        this.#constants.set(name, Value.constant(dtype, shape, data));
      }
    }
    if (trainable !== undefined && !matched)
      throw new ArgumentError(
        `no trainable initializer matches ${String(trainable)}; there are: ${this.namedParameters()
          .map(([name]) => name)
          .join(', ')}`,
      );
  }

  #tensorOf(proto: TensorProto): Tensor {
    const { dtype, shape, data } = constantFromProto(proto, 'ONNX file');
    return fromData(data, shape, { dtype });
  }

  /** Properties carry a prefix, so that no name of a file can shadow a member of this class. */
  #keep(name: string, tensor: Parameter | Buffer): void {
    this.#state.set(name, tensor);
    Object.defineProperty(this, prefix + name, { value: tensor, enumerable: true });
  }

  /** Keys are the file's names as they are. */
  protected override stateKey(property: string): string {
    return property.startsWith(prefix) ? property.slice(prefix.length) : property;
  }

  /**
   * The output chosen when loading (the first by default).
   * @param inputs tensors in the order of `inputNames`, or one record by name.
   * @throws ArgumentError for missing inputs, ShapeError and DTypeError for those that do not fit.
   */
  override forward(...inputs: OnnxInputs): Tensor {
    return this.forwardAll(...inputs)[this.#output];
  }

  /** All outputs by name. */
  forwardAll(...inputs: OnnxInputs): Record<string, Tensor> {
    const given = this.#arrange(inputs);
    const key = `${this.training}|${given.map((t) => `${t.dtype}[${t.shape}]`).join()}`;
    let template = this.#templates.get(key);
    if (template) this.#templates.delete(key);
    else template = this.#trace(given);
    this.#templates.set(key, template);
    const [oldest] = this.#templates.keys();
    if (this.#templates.size > maxTemplates) this.#templates.delete(oldest);
    const outputs = replay(template, given);
    return Object.fromEntries(this.outputNames.map((name, i) => [name, outputs[i]]));
  }

  /** Traces the graph for the shapes of these inputs. */
  #trace(given: readonly Tensor[]): Template {
    const scope = new Scope();
    const inputs = given.map((t) => Value.input({ dtype: t.dtype, shape: t.shape }));
    this.inputNames.forEach((name, i) => {
      scope.set(name, inputs[i]);
    });
    for (const [name, value] of this.#constants) scope.set(name, value);
    const state = new Map<Value, Tensor>();
    for (const [name, tensor] of this.#state) {
      const value = Value.input({ dtype: tensor.dtype, shape: tensor.shape }, null, tensor.requiresGrad);
      state.set(value, tensor);
      scope.set(name, value);
    }
    const updates: { buffer: Buffer; value: Value }[] = [];
    const outputs = traceBody(this.#body, scope, {
      training: this.training,
      onStatistics: (step, mean, variance) => {
        for (const [i, value] of [mean, variance].entries()) {
          const buffer = this.#state.get(step.inputs[3 + i]);
          if (buffer instanceof Buffer) updates.push({ buffer, value });
        }
      },
    });
    const nodes = topologicalOrder([...outputs, ...updates.map((u) => u.value)]);
    return { inputs, state, outputs, nodes, updates };
  }

  #arrange(inputs: OnnxInputs): Tensor[] {
    const [first] = inputs;
    const record = inputs.length === 1 && first !== undefined && !(first instanceof Tensor) ? first : undefined;
    if (record) {
      const unknown = Object.keys(record).filter((name) => !this.inputNames.includes(name));
      if (unknown.length)
        throw new ArgumentError(`the model has no input ${list(unknown)}; its inputs are ${list(this.inputNames)}`);
    } else if (inputs.length > this.inputNames.length)
      throw new ArgumentError(
        `the model takes ${this.inputNames.length} inputs (${list(this.inputNames)}), found ${inputs.length}`,
      );
    const symbols = new Map<string, { size: number; by: string }>();
    return this.#inputs.map((info, i) => {
      const tensor = record ? record[info.name] : (inputs[i] as Tensor | undefined);
      if (!(tensor instanceof Tensor))
        throw new ArgumentError(`input '${info.name}' is missing; the model needs ${list(this.inputNames)}`);
      checkShape(info, tensor, symbols);
      return withDType(info, tensor);
    });
  }

  /**
   * Writes the model with its present weights: the bytes of the file it was read from, with only the elements of
   * initializers replaced (node order, names, dynamic axes and metadata stay).
   * @param path where to write (atomically), with external data beside it if the model had any; null gives the bytes.
   * @throws FileError when the system refuses; ArgumentError for null if the model has external data.
   */
  async save(path: string | null): Promise<Uint8Array> {
    const written: Written[] = [];
    for (const [name, tensor] of this.#state) {
      const proto = this.#weights.get(name);
      if (proto) written.push({ proto, dtype: tensor.dtype, data: await tensor.data() });
    }
    return await saveInto(this.#file, written, path);
  }

  /** Inputs as the file describes them, for `exportOnnx`; sizes that the file leaves open get names. */
  exampleInputs(): Record<string, { shape: readonly (number | string)[]; dtype: DType }> {
    const examples = this.#inputs.map(({ name, elemType, shape }) => {
      const dtype = elemType === undefined ? undefined : dtypeFromOnnx(elemType);
      if (!dtype || !shape)
        throw new ArgumentError(`the file does not tell the shape of input '${name}'; pass examples to exportOnnx`);
      return [name, { dtype, shape: shape.map((dim, i) => dim ?? `${name}_${i}`) }];
    });
    return Object.fromEntries(examples);
  }

  override extraRepr(): string {
    return `${list(this.inputNames)} -> ${list(this.outputNames)}, ${this.#body.steps.length} nodes`;
  }
}

const list = (names: readonly string[]) => names.map((n) => `'${n}'`).join(', ') || 'none';
const sizeOfProto = (t: TensorProto) => t.dims.reduce((n, d) => n * d, 1);

/** Applies a template's nodes to the present inputs and weights. */
function replay(template: Template, given: readonly Tensor[]): Tensor[] {
  const now = new Map<Value, Value>(template.inputs.map((v, i) => [v, given[i].value]));
  for (const [value, tensor] of template.state) now.set(value, tensor.value);
  const map = (v: Value) => now.get(v) ?? v;
  for (const node of template.nodes) {
    const results = apply(
      node.op,
      node.inputs.map((v) => v && map(v)),
      node.attrs,
    );
    node.outputs.forEach((v, i) => {
      if (results[i]) now.set(v, results[i]);
    });
  }
  noGrad(() => {
    for (const { buffer, value } of template.updates) buffer.assign(new Tensor(map(value)).detach());
  });
  return template.outputs.map((v) => new Tensor(map(v)));
}

/** Sizes must be those of the file; one symbol stands for one size. */
function checkShape(info: ValueInfoProto, tensor: Tensor, symbols: Map<string, { size: number; by: string }>): void {
  const { shape, name } = info;
  if (!shape) return;
  const expected = `expected [${shape.map((d) => d ?? '?').join(', ')}], found ${formatShape(tensor.shape)}`;
  if (shape.length !== tensor.ndim) throw new ShapeError(`input '${name}': ${expected}`);
  shape.forEach((dim, i) => {
    const size = tensor.shape[i];
    if (typeof dim === 'number' && dim !== size) throw new ShapeError(`input '${name}': ${expected}`);
    if (typeof dim !== 'string') return;
    const before = symbols.get(dim);
    if (before && before.size !== size)
      throw new ShapeError(
        `input '${name}': ${expected}; '${dim}' is ${size} here and ${before.size} in input '${before.by}'`,
      );
    symbols.set(dim, { size, by: name });
  });
}

/** Integers are brought to the width that the file wants; everything else must fit. */
function withDType({ name, elemType }: ValueInfoProto, tensor: Tensor): Tensor {
  const wanted = elemType === undefined ? undefined : dtypeFromOnnx(elemType);
  if (!wanted || wanted === tensor.dtype) return tensor;
  if ((isInteger(wanted) || wanted === 'bool') && !isFloat(tensor.dtype)) return tensor.to(wanted);
  throw new DTypeError(`input '${name}' takes ${wanted}, found ${tensor.dtype}; cast it with .to('${wanted}')`);
}
