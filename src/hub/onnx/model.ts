/** @file OnnxModel: any .onnx file as a module that trains. */
import { type DType, dtypeFromOnnx, isFloat } from '../../ir/dtype.ts';
import { ArgumentError } from '../../ir/errors.ts';
import { topologicalOrder, Value } from '../../ir/graph.ts';
import type { TensorProto, ValueInfoProto } from '../../ir/onnx/proto.ts';
import { Buffer, Module, matchesName, type NamePattern, Parameter } from '../../nn/module.ts';
import { apply } from '../../ops/define.ts';
import { fromData, type NestedNumbers, noGrad, Tensor } from '../../tensor/index.ts';
import { nextSeed } from '../../tensor/random.ts';
import { ScalarLeaf } from '../../tensor/storage.ts';
import { constantFromProto } from './attributes.ts';
import { type OpenBranch, resolveBranches } from './branches.ts';
import { findFeatures, type OnnxFeature, pruned } from './features.ts';
import { type OnnxFile, readOnnx } from './files.ts';
import { findRoles } from './flow.ts';
import { checkShape, fixedInputs, withDType } from './inputs.ts';
import { allSteps, type Body, prepareProgram, type Step, unknownOperator, weightsOf } from './program.ts';
import { saveInto, type Written } from './save.ts';
import { findAliases, findLinears, type LinearUse } from './scope.ts';
import { Scope, type TraceOptions, traceBody } from './trace.ts';

export interface OnnxLoadOptions {
  /**
   * Which parameters are trained, by name: the default is every floating point initializer that a gradient reaches.
   * Others that gradients reach are still parameters, frozen.
   */
  trainable?: NamePattern;
  /** The output that `forward` returns; default the first. */
  output?: string;
  /**
   * A value inside of the graph (`features()` lists some) to stop at: it becomes the only output, to put a head on. What
   * comes after it is not computed, but stays in the file.
   */
  cutAt?: string;
  /**
   * Inputs that keep one value, such as a sampling rate: they are no longer inputs of `forward`, and what follows from them
   * (the branch that an If takes) is decided once.
   */
  fixed?: Readonly<Record<string, Tensor | NestedNumbers>>;
}

/** A matrix product of the graph, as a layer. */
export interface OnnxLinear {
  /** Dotted name of the layer, as far as the file tells. */
  readonly name: string;
  readonly weight: Parameter;
  /** Whether the weight is [in, out] (MatMul) instead of [out, in]. */
  readonly transposed: boolean;
}

/** What is added to the result of a matrix product, such as a low-rank update. */
export interface OnnxAdapter {
  /** Holds the parameters; it becomes a child of the model. */
  readonly module: Module;
  readonly parameters: readonly Parameter[];
  isActive(): boolean;
  /** @param parameters tensors that stand for the parameters. */
  add(x: Tensor, parameters: readonly Tensor[]): Tensor;
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
  /** Seeds of random masks, drawn anew each time. */
  readonly seeds: readonly Value[];
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
  readonly #options: OnnxLoadOptions;
  readonly #fixed: ReadonlyMap<string, Value>;
  readonly #linears: readonly LinearUse[];
  readonly #aliases: ReadonlyMap<string, string>;
  readonly #adapters = new Map<string, OnnxAdapter>();
  readonly #state = new Map<string, Parameter | Buffer>();
  readonly #constants = new Map<string, Value>();
  readonly #templates = new Map<string, Template>();

  private constructor(
    file: OnnxFile,
    options: OnnxLoadOptions,
    fixed: ReadonlyMap<string, Value>,
    shared?: ReadonlyMap<string, Parameter | Buffer>,
  ) {
    super();
    const { graph } = file.model;
    this.#file = file;
    this.#options = options;
    this.#fixed = fixed;
    this.#weights = weightsOf(file.model);
    this.#inputs = graph.input.filter(({ name }) => !this.#weights.has(name) && !fixed.has(name));
    this.inputNames = this.#inputs.map(({ name }) => name);
    const { body: whole, open } = resolveBranches(prepareProgram(file.model), graph, this.#weights, fixed);
    const { cutAt } = options;
    const body = cutAt === undefined ? whole : pruned(whole, [cutAt]);
    if (!body)
      throw new ArgumentError(
        `cutAt: no node of the model makes a value '${cutAt}'; candidates are ${list(findFeatures(whole, graph, this.#weights, []).map((f) => f.name))}`,
      );
    this.#body = body;
    this.outputNames = body.outputs;
    this.#output = options.output ?? this.outputNames[0];
    if (!this.outputNames.includes(this.#output))
      throw new ArgumentError(
        `the model has no output '${options.output}'; it has ${list(this.outputNames)}. For a value inside of the graph pass it as cutAt`,
      );
    for (const step of this.#body.steps) if (!step.op && step.bodies.size === 0) throw unknownOperator(step);
    const linears = findLinears(this.#body, this.#weights);
    this.#aliases = findAliases(this.#body, this.#weights, linears);
    this.#makeState(options.trainable, open, shared);
    this.#linears = linears.filter(({ weight }) => this.#state.get(weight) instanceof Parameter);
  }

  /**
   * Reads a model.
   * @param source the path of an .onnx file (with external data beside it), or its bytes.
   * @throws FileError, FormatError for files that are corrupt or contradict themselves; UnsupportedError naming operator
   *   sets, operators and element types that Gradus cannot compute with; ArgumentError if `trainable` matches nothing.
   */
  static async load(source: string | Uint8Array, options: OnnxLoadOptions = {}): Promise<OnnxModel> {
    const file = await readOnnx(source);
    return new OnnxModel(file, options, await fixedInputs(file.model.graph, options.fixed ?? {}));
  }

  /**
   * The model up to a value inside of its graph, which becomes its output; `features()` lists candidates. Both models share
   * their parameters.
   *
   * ```ts
   * const backbone = net.cutAt('/pool/GlobalAveragePool_output_0');
   * const model = new nn.Sequential(backbone, new nn.Flatten(), new nn.Linear(512, 3));
   * ```
   * @throws ArgumentError for a name that no node makes.
   */
  cutAt(name: string): OnnxModel {
    const { output: _, ...options } = this.#options;
    return new OnnxModel(this.#file, { ...options, cutAt: name }, this.#fixed, this.#state);
  }

  /** Values that make good features: the inputs of the last layers before each output, nearest first. */
  features(): OnnxFeature[] {
    return findFeatures(this.#body, this.#file.model.graph, this.#weights, this.#linears);
  }

  /** The matrix products with a weight: the graph's linear layers. */
  linears(): OnnxLinear[] {
    return this.#linears.map(({ name, weight, transposed }) => {
      const parameter = this.#state.get(weight);
      if (!(parameter instanceof Parameter)) throw new ArgumentError(`'${weight}' is no parameter`);
      return { name, weight: parameter, transposed };
    });
  }

  /**
   * Adds something to what a linear layer gives, such as LoRA's update.
   * @returns what takes it off again. @throws ArgumentError for a layer that is not in `linears()` or has an adapter.
   */
  adapt(layer: string, adapter: OnnxAdapter): () => void {
    if (!this.#linears.some(({ name }) => name === layer))
      throw new ArgumentError(`no linear layer '${layer}'; there are ${list(this.#linears.map((l) => l.name))}`);
    if (this.#adapters.has(layer)) throw new ArgumentError(`layer '${layer}' has an adapter already`);
    const property = `${prefix}${layer}.lora`;
    const set = (on: boolean) => {
      if (on) this.#adapters.set(layer, adapter);
      else this.#adapters.delete(layer);
      this.#templates.clear();
    };
    Object.defineProperty(this, property, { value: adapter.module, enumerable: true, configurable: true });
    set(true);
    return () => {
      Reflect.deleteProperty(this, property);
      set(false);
    };
  }

  /** Whether a parameter is chosen by its name in the file or by the name of its layer. */
  #matches(name: string, pattern: NamePattern): boolean {
    const alias = this.#aliases.get(name);
    return matchesName(name, pattern) || (alias !== undefined && matchesName(alias, pattern));
  }

  /** As of every module; names of layers count too where the file's exporter renamed a weight. */
  override freeze(pattern?: NamePattern): this {
    return super.freeze(this.#byLayer(pattern));
  }

  /** As of every module; names of layers count too where the file's exporter renamed a weight. */
  override unfreeze(pattern?: NamePattern): this {
    return super.unfreeze(this.#byLayer(pattern));
  }

  #byLayer(pattern: NamePattern | undefined): NamePattern | undefined {
    const isAlias = pattern !== undefined && [...this.#aliases.values()].some((alias) => matchesName(alias, pattern));
    return isAlias ? (name) => this.#matches(name, pattern) : pattern;
  }

  #makeState(
    trainable: NamePattern | undefined,
    open: readonly OpenBranch[],
    shared?: ReadonlyMap<string, Parameter | Buffer>,
  ): void {
    const roles = findRoles(this.#body, this.outputNames, this.#weights, open);
    const used = new Set([...allSteps(this.#body)].flatMap((s) => s.inputs).concat(this.outputNames));
    let matched = 0;
    for (const [name, tensor] of this.#weights) {
      if (!used.has(name) && !this.#body.steps.some((s) => s.outputs.includes(name))) continue;
      const before = shared?.get(name);
      if (before) {
        this.#keep(name, before);
        matched++;
        continue;
      }
      const { role, pinned } = roles.get(name) ?? { role: 'constant', pinned: false };
      const chosen = trainable !== undefined && this.#matches(name, trainable);
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
          .map(([name]) => this.#aliases.get(name) ?? name)
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
    const active = [...this.#adapters.values()].map((a) => a.isActive() && a.module.training);
    const key = `${this.training}|${active}|${given.map((t) => `${t.dtype}[${t.shape}]`).join()}`;
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
    for (const [name, value] of [...this.#constants, ...this.#fixed]) scope.set(name, value);
    const state = new Map<Value, Tensor>();
    for (const [name, tensor] of this.#state) {
      const value = Value.input({ dtype: tensor.dtype, shape: tensor.shape }, null, tensor.requiresGrad);
      state.set(value, tensor);
      scope.set(name, value);
    }
    const updates: { buffer: Buffer; value: Value }[] = [];
    const outputs = traceBody(this.#body, scope, {
      training: this.training,
      adapt: this.#adapters.size ? this.#adaptSteps(state) : undefined,
      onStatistics: (step, mean, variance) => {
        for (const [i, value] of [mean, variance].entries()) {
          const buffer = this.#state.get(step.inputs[3 + i]);
          if (buffer instanceof Buffer) updates.push({ buffer, value });
        }
      },
    });
    const nodes = topologicalOrder([...outputs, ...updates.map((u) => u.value)]);
    const isSeed = (v: Value | null): v is Value => v?.leaf instanceof ScalarLeaf && v.dtype === 'uint32';
    const seeds = [...new Set(nodes.flatMap((node) => node.inputs.filter(isSeed)))];
    return { inputs, state, outputs, nodes, updates, seeds };
  }

  /** Adds what the active adapters give; placeholders of their parameters go into `state`. */
  #adaptSteps(state: Map<Value, Tensor>): TraceOptions['adapt'] {
    const adding = new Map<Step, (x: Tensor) => Tensor>();
    for (const { name, steps } of this.#linears) {
      const adapter = this.#adapters.get(name);
      if (!adapter?.isActive()) continue;
      const stand = adapter.parameters.map((parameter) => {
        const { dtype, shape, requiresGrad } = parameter;
        const value = Value.input({ dtype, shape }, null, requiresGrad);
        state.set(value, parameter);
        return new Tensor(value);
      });
      for (const step of steps) adding.set(step, (x) => adapter.add(x, stand));
    }
    return (step, [x], result) => {
      const more = adding.get(step);
      return more && x ? new Tensor(result).add(more(new Tensor(x))).value : result;
    };
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
   * @throws FileError when the system refuses; ArgumentError for null if the model has external data, and while adapters
   *   are attached.
   */
  async save(path: string | null): Promise<Uint8Array> {
    if ([...this.#adapters.values()].some((adapter) => adapter.isActive()))
      throw new ArgumentError(
        'save: the graph has no place for adapters; merge them into its weights first: peft.mergeAndUnload()',
      );
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
  for (const seed of template.seeds) now.set(seed, nextSeed());
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
