/** @file PreTrainedModel: a module with a configuration, in folders as Python's transformers reads and writes them. */
import type { ExportOptions } from '../hub/onnx/index.ts';
import { type ModelSource, openSource, readJson, type SourceOptions } from '../hub/source.ts';
import { inFloat32, openWeights } from '../hub/weights.ts';
import { ArgumentError, FormatError, ShapeError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import { formatShape, sameShape } from '../ir/shape.ts';
import { Embedding } from '../nn/embedding.ts';
import * as init from '../nn/init.ts';
import { Linear } from '../nn/linear.ts';
import { Module, Parameter } from '../nn/module.ts';
import { type Tensor, zeros } from '../tensor/index.ts';
import { snapshot } from '../train/checkpoint.ts';
import { writeFileAtomic } from '../train/files.ts';
import { nodeFiles } from '../train/node-files.ts';
import { saveSafetensors } from '../train/safetensors.ts';
import { mergedAdapterKeys } from './attached-adapters.ts';
import { type ConfigDefinition, defaultLabels, labelsOf, type PretrainedConfig, snake } from './config.ts';
import { gradientCheckpointing } from './gradient-checkpointing.ts';

/** What became of the tensors of a checkpoint. */
export interface LoadReport {
  /** Keys of the model that the checkpoint lacks; they have new, random weights: a head that is to be trained. */
  readonly newKeys: readonly string[];
  /** Keys of the checkpoint that the model has no use for, such as another head. */
  readonly unusedKeys: readonly string[];
  /** Element types of the checkpoint, such as float16; the model computes, trains and is saved in float32. */
  readonly dtypes: readonly string[];
}

export interface FromPretrainedOptions extends SourceOptions {
  /** Number of classes, or of targets of a regression; their names are LABEL_0, ... */
  numLabels?: number;
  /** Names of the classes. */
  labels?: readonly string[];
  problemType?: PretrainedConfig['problemType'];
  /** Changes of the configuration, such as `{ hiddenDropoutProb: 0 }`. */
  config?: Readonly<Record<string, unknown>>;
  /** Take a head of another shape from the checkpoint as new instead of refusing it. */
  ignoreMismatchedSizes?: boolean;
  /** Called with what was loaded and what was not. */
  onLoad?: (report: LoadReport) => void;
}

/** What a class of models says of itself. */
interface PretrainedConstructor {
  readonly name: string;
  readonly definition: ConfigDefinition<PretrainedConfig>;
}

/** A class of models of one family: what `fromPretrained` needs to know of it. */
export interface PretrainedClass<M extends PreTrainedModel = PreTrainedModel> extends PretrainedConstructor {
  new (config: never): M;
}

/** Base of all models that have a configuration (transformers.PreTrainedModel). */
export abstract class PreTrainedModel<C extends PretrainedConfig = PretrainedConfig> extends Module {
  // biome-ignore lint/complexity/useLiteralKeys: TypeScript refuses a field named constructor
  declare ['constructor']: PretrainedConstructor;

  readonly config: C;

  /** Property under which a model with a head keeps its backbone; its keys begin with it (`bert.`). Empty for a backbone. */
  readonly baseModelPrefix: string = '';

  constructor(config: C) {
    super();
    this.config = config;
  }

  /** Keys that share another's elements and that checkpoints may therefore lack, with the key that they share. */
  tiedKeys(): Readonly<Record<string, string>> {
    return {};
  }

  /** Old names of keys as this model has them (`LayerNorm.gamma`); the key itself where it is no old name. */
  protected renamedKey(key: string): string {
    return key.replace(/\.gamma$/, '.weight').replace(/\.beta$/, '.bias');
  }

  /** Tensors of checkpoints that are never needed, such as stored positions. */
  protected ignoredKey(key: string): boolean {
    return /(^|\.)(position|token_type)_ids$/.test(key);
  }

  /** Keys of the backbone that a checkpoint may lack and that are then new, as those of a head are. */
  optionalKey(_key: string): boolean {
    return false;
  }

  /** How `exportOnnx` names inputs and outputs: as exports of Python's transformers do. */
  exportOptions(): ExportOptions {
    return { inputNames: snake, outputNames: snake, input: ['batch_size', 'sequence_length'] };
  }

  /** New weights for a module as transformers draws them: normal for matrices, zero for biases. */
  initWeights(module: Module): void {
    const std = this.config.initializerRange;
    if (module instanceof Linear) {
      init.normal(module.weight, { std });
      if (module.bias) init.zeros(module.bias);
    } else if (module instanceof Embedding) {
      init.normal(module.weight, { std });
      const { weight, paddingIdx, embeddingDim } = module;
      if (paddingIdx !== null)
        weight.storage?.host?.fill(0, paddingIdx * embeddingDim, (paddingIdx + 1) * embeddingDim);
    }
  }

  /**
   * A model with new weights (drawn by `manualSeed`'s numbers, as transformers distributes them).
   * @throws FormatError naming the entry of the configuration that is wrong.
   */
  static fromConfig<M extends PreTrainedModel>(this: PretrainedClass<M>, config: PretrainedConfig): M {
    // biome-ignore lint/complexity/noThisInStatic: `this` is the class that was asked for, not this base
    return newModel(this, config);
  }

  /**
   * Loads a model: config.json and safetensors of a folder or of a hub repository. Weights of a backbone fit a model with
   * a head and the other way round; a head that the checkpoint lacks is new.
   * @throws FormatError for files that are broken or of another family, ShapeError for a tensor of another shape,
   *   ArgumentError if tensors of the backbone are missing.
   */
  static async fromPretrained<M extends PreTrainedModel>(
    this: PretrainedClass<M>,
    source: string,
    options: FromPretrainedOptions = {},
  ): Promise<M> {
    const files = await openSource(source, options);
    // biome-ignore lint/complexity/noThisInStatic: `this` is the class that was asked for, not this base
    return await loadPretrained(this, files, await readJson(files, 'config.json'), options);
  }

  /**
   * While training, keeps only the inputs of each layer and computes what is inside again in the backward pass: less memory
   * for more time, the same losses and gradients. @throws ArgumentError for a model without layers in a list.
   */
  gradientCheckpointingEnable(): void {
    gradientCheckpointing(this);
  }

  /** Undoes `gradientCheckpointingEnable`. */
  gradientCheckpointingDisable(): void {
    gradientCheckpointing(this, false);
  }

  /**
   * Writes config.json and model.safetensors; Python's `from_pretrained(folder)` reads them.
   * @throws FileError; ArgumentError while adapters are attached that are not merged.
   */
  async savePretrained(folder: string): Promise<void> {
    const { definition, name } = this.constructor;
    const merged = mergedAdapterKeys(this, 'savePretrained');
    const state = { ...this.stateDict() };
    for (const key of merged) delete state[key];
    for (const [key, kept] of Object.entries(this.tiedKeys())) if (state[key] === state[kept]) delete state[key];
    const { path } = nodeFiles();
    await saveSafetensors(path.join(folder, 'model.safetensors'), await snapshot(state), { format: 'pt' });
    const json = definition.toJson(this.config);
    // Python loads weights in the type that is noted here: the one that they are saved in.
    for (const key of ['dtype', 'torch_dtype']) if (key in json) json[key] = 'float32';
    const config = { ...json, architectures: [name] };
    await writeFileAtomic(path.join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  }

  /** Reads what a model's files hold besides weights and config.json. @internal */
  async loadSettings(_files: ModelSource): Promise<void> {}

  /** Copies a checkpoint into this model; what it lacks gets new weights. @internal */
  async loadCheckpoint(
    entries: ReadonlyMap<string, { shape: readonly number[]; dtype?: string | undefined }>,
    read: (name: string) => Promise<NDArray>,
    { source, ignoreMismatchedSizes = false }: { source: string; ignoreMismatchedSizes?: boolean },
  ): Promise<LoadReport> {
    const own = this.stateDict();
    const prefix = this.baseModelPrefix ? `${this.baseModelPrefix}.` : '';
    const names = new Map<string, string>();
    const unusedKeys: string[] = [];
    for (const name of entries.keys()) {
      if (this.ignoredKey(name)) continue;
      const key = this.#ownKey(this.renamedKey(name), own, prefix);
      const other = key === undefined ? undefined : names.get(key);
      if (other !== undefined)
        throw new FormatError(
          `${source}: tensors '${other}' and '${name}' are both ${this.constructor.name}'s '${key}'`,
        );
      if (key === undefined) unusedKeys.push(name);
      else names.set(key, name);
    }
    // Tied tensors have several keys, one of which is enough.
    const found = new Set([...names.keys()].map((key) => own[key]));
    const newKeys = Object.keys(own).filter((key) => !found.has(own[key]));
    const lost = newKeys.filter((key) => key.startsWith(prefix) && !this.optionalKey(key));
    if (lost.length)
      throw new ArgumentError(
        `${source}: ${this.constructor.name} needs tensors that the checkpoint lacks: ${some(lost)}. It has: ${some([...entries.keys()])}. Check that the model type fits, or that the file is complete`,
      );
    for (const [key, name] of names) {
      const shape = entries.get(name)?.shape ?? [];
      if (sameShape(shape, own[key].shape)) continue;
      const isHead = prefix !== '' && !key.startsWith(prefix);
      if (!isHead || !ignoreMismatchedSizes)
        throw new ShapeError(
          `${source}: tensor '${name}' has shape ${formatShape(shape)}, ${this.constructor.name} needs ${formatShape(own[key].shape)}${isHead ? '; pass { ignoreMismatchedSizes: true } to train a new head' : '; check config.json'}`,
        );
      newKeys.push(key);
      names.delete(key);
    }
    const fresh = new Set(newKeys.map((key) => key.slice(0, key.lastIndexOf('.'))));
    for (const [name, module] of this.namedModules()) if (fresh.has(name)) this.initWeights(module);
    const state: Record<string, NDArray> = {};
    const first = new Map<Tensor, string>();
    for (const [key, name] of names) {
      const array = inFloat32(await read(name));
      const other = first.get(own[key]);
      if (other === undefined) first.set(own[key], key);
      else if (!equal(array, state[other])) this.#untie(key, other, source);
      state[key] = array;
    }
    await this.loadStateDict(state, { strict: false });
    const dtypes = new Set([...names.values()].map((name) => entries.get(name)?.dtype ?? 'unknown'));
    return { newKeys, unusedKeys, dtypes: [...dtypes] };
  }

  /** A checkpoint whose tied tensors differ was trained without tying them: they are two from here on, as in Python. */
  #untie(key: string, other: string, source: string): void {
    const at = key.lastIndexOf('.');
    for (const [name, owner] of this.namedModules()) {
      if (name !== key.slice(0, at)) continue;
      const own = owner.stateDict()[key.slice(at + 1)];
      for (const [property, value] of Object.entries(owner))
        if (value === own) Object.assign(owner, { [property]: new Parameter(zeros(own.shape)) });
    }
    const state = this.stateDict();
    if (state[key] !== state[other]) return;
    throw new FormatError(
      `${source}: tensors '${other}' and '${key}' differ, but ${this.constructor.name} has one tensor for both`,
    );
  }

  #ownKey(key: string, own: Readonly<Record<string, Tensor>>, prefix: string): string | undefined {
    if (key in own) return key;
    if (prefix && prefix + key in own) return prefix + key;
    // A checkpoint with a head, for a backbone alone: its keys have the prefix of the family.
    const rest = key.slice(key.indexOf('.') + 1);
    return !prefix && rest in own ? rest : undefined;
  }
}

const equal = (a: NDArray, b: NDArray) => a.data.every((value, i) => Object.is(value, b.data[i]));

const some = (keys: readonly string[]) =>
  keys.length > 6 ? `${keys.slice(0, 6).join(', ')} and ${keys.length - 6} more` : keys.join(', ');

/** A model of a class with new weights. @internal */
export function newModel<M extends PreTrainedModel>(modelClass: PretrainedClass<M>, config: PretrainedConfig): M {
  const model = new modelClass(config as never);
  for (const module of model.modules()) model.initWeights(module);
  return model;
}

/** Builds a model of a class from a parsed config.json and loads its weights. @internal */
export async function loadPretrained<M extends PreTrainedModel>(
  modelClass: PretrainedClass<M>,
  files: ModelSource,
  json: unknown,
  options: FromPretrainedOptions,
): Promise<M> {
  const { definition } = modelClass;
  const read = definition.fromJson(json, `${files.name}/config.json`);
  const { numLabels, labels } = options;
  const config = definition.fromJson(
    definition.toJson({
      ...read,
      ...(numLabels === undefined ? {} : defaultLabels(numLabels)),
      ...(labels ? labelsOf(labels) : {}),
      ...(options.problemType ? { problemType: options.problemType } : {}),
      ...options.config,
    }),
    `${files.name}/config.json`,
  );
  const model = new modelClass(config as never);
  await using weights = await openWeights(files);
  const report = await model.loadCheckpoint(weights.entries, (name) => weights.read(name), {
    source: files.name,
    ...options,
  });
  await model.loadSettings(files);
  options.onLoad?.(report);
  return model;
}
