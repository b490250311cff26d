/** @file PeftModel: a model whose weights stay, with low-rank updates that are trained (peft.PeftModel). */
import { openSource, readJson, type SourceOptions } from '../../hub/source.ts';
import { ArgumentError, FormatError, ShapeError, UnsupportedError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { formatShape, sameShape } from '../../ir/shape.ts';
import { Module, type Parameter } from '../../nn/module.ts';
import type { Tensor } from '../../tensor/index.ts';
import { snapshot } from '../../train/checkpoint.ts';
import { writeFileAtomic } from '../../train/files.ts';
import { nodeFiles } from '../../train/node-files.ts';
import { openSafetensors, saveSafetensors } from '../../train/safetensors.ts';
import { PreTrainedModel } from '../pretrained-model.ts';
import { type LoraConfig, loraConfigFromJson, loraConfigToJson } from './config.ts';
import { LoraLayer, type Site } from './lora-layer.ts';
import { isEndOf, isTarget, targetsOf, valueFor, wholeModules } from './match.ts';
import { modulesNotAdaptable, sitesOf } from './sites.ts';

const configFile = 'adapter_config.json';
const weightsFile = 'adapter_model.safetensors';
const prefix = 'base_model.model.';

export interface PeftFromPretrainedOptions extends SourceOptions {
  /** Go on training the adapter; default false, then everything is frozen. */
  isTrainable?: boolean;
}

/** What a model's forward takes. */
type InputsOf<M extends Module> = M['forward'] extends (...inputs: infer I extends readonly unknown[]) => unknown
  ? I
  : never;

interface Adapter {
  readonly site: Site;
  readonly layer: LoraLayer;
  readonly detach: () => void;
}

/** Which layers get adapters, and of which rank. */
interface Plan {
  readonly site: Site;
  readonly r: number;
  readonly alpha: number;
}

/**
 * A model with LoRA adapters. Only these, and the modules of `modulesToSave`, are trained. Made by `getPeftModel` or
 * `PeftModel.fromPretrained`; it changes the model that it is given, until `unload` or `mergeAndUnload`.
 */
export class PeftModel<M extends Module = Module> extends Module {
  /** The model inside. */
  readonly baseModel: M;
  readonly peftConfig: LoraConfig;
  readonly #adapters: Adapter[] = [];
  /** Weights of the model that came with the adapter's file, such as embeddings, by their names in the model. */
  #besides: ReadonlySet<string> = new Set();
  #isMerged = false;

  /** @internal */
  constructor(model: M, config: LoraConfig, plan: readonly Plan[]) {
    super();
    this.baseModel = model;
    this.peftConfig = config;
    this.training = model.training;
    for (const { site, r, alpha } of plan) {
      const layer = new LoraLayer(site, config, { r, alpha });
      layer.training = model.training;
      this.#adapters.push({ site, layer, detach: site.attach(layer) });
    }
    for (const [name, parameter] of model.namedParameters()) parameter.requiresGrad = this.#isTrained(name);
  }

  /** Python's peft nests two modules around the model. */
  protected override stateKey(property: string): string {
    return property === 'baseModel' ? 'base_model.model' : super.stateKey(property);
  }

  #isTrained(name: string): boolean {
    if (loraKey.test(name)) return true;
    const [owner, own] = splitName(name);
    if (wholeModules(this.peftConfig).some((whole) => `.${owner}.`.includes(`.${whole}.`))) return true;
    const isBias = own === 'bias';
    if (this.peftConfig.bias === 'all') return isBias;
    return this.peftConfig.bias === 'lora_only' && isBias && this.#adapters.some(({ site }) => site.name === owner);
  }

  /** What the model inside gives. */
  override forward(...inputs: InputsOf<M>): ReturnType<M['forward']> {
    return (this.baseModel.forward as (...given: readonly unknown[]) => unknown).call(
      this.baseModel,
      ...inputs,
    ) as ReturnType<M['forward']>;
  }

  /** Names of the adapted layers. */
  adaptedLayers(): string[] {
    return this.#adapters.map(({ site }) => site.name);
  }

  /** Trained and all parameters, as numbers of elements (peft's get_nb_trainable_parameters). */
  countParameters(): { trainable: number; all: number } {
    const count = (list: readonly Parameter[]) => list.reduce((n, p) => n + p.numel(), 0);
    const all = this.parameters();
    return { trainable: count(all.filter((p) => p.requiresGrad)), all: count(all) };
  }

  /** The tensors of the adapter under peft's keys: A and B, modules trained whole, trained biases. */
  adapterStateDict(): Record<string, Tensor> {
    const state = Object.entries(this.baseModel.stateDict()).filter(
      ([name]) => this.#isTrained(name) || this.#besides.has(name),
    );
    const adapted = new Set(this.adaptedLayers());
    return Object.fromEntries(
      state.map(([name, tensor]) => {
        const [owner, own] = splitName(name);
        // peft wraps an adapted layer around its base.
        const key = adapted.has(owner) ? `${owner}.base_layer.${own}` : name.replace(loraKey, '.$1');
        return [prefix + key, tensor];
      }),
    );
  }

  /**
   * Writes adapter_config.json and adapter_model.safetensors, which Python's `PeftModel.from_pretrained(model, folder)`
   * and `PeftModel.fromPretrained` read. @throws FileError; ArgumentError while the adapter is merged into the weights.
   */
  async savePretrained(folder: string): Promise<void> {
    this.#requireUnmerged('savePretrained');
    const { path } = nodeFiles();
    const base = this.peftConfig.targetModules === 'all-linear' ? { targetModules: this.#endsOfNames() } : {};
    const config = loraConfigToJson({ ...this.peftConfig, ...base, modulesToSave: this.#saved() });
    await saveSafetensors(path.join(folder, weightsFile), await snapshot(this.adapterStateDict()), { format: 'pt' });
    await writeFileAtomic(path.join(folder, configFile), `${JSON.stringify(config, null, 2)}\n`);
  }

  /** 'all-linear' means the same layers to every reader only if they are named. */
  #endsOfNames(): string[] {
    return this.#adapters.map(({ site }) => site.name);
  }

  /** peft wants every module that it is told to save to be there. */
  #saved(): string[] | null {
    const names = [...this.baseModel.namedModules()].map(([name]) => name);
    const saved = wholeModules(this.peftConfig).filter((whole) => names.some((name) => isEndOf(whole, name)));
    return saved.length ? saved : null;
  }

  /**
   * Puts an adapter that peft (Python's or this one) saved onto a model.
   * @param source a folder, or a hub repository.
   * @throws FormatError for files that are broken, UnsupportedError for other methods than LoRA, ShapeError and
   *   ArgumentError for an adapter of another model.
   */
  static async fromPretrained<M extends Module>(
    model: M,
    source: string,
    options: PeftFromPretrainedOptions = {},
  ): Promise<PeftModel<M>> {
    const files = await openSource(source, options);
    const config = loraConfigFromJson(await readJson(files, configFile), `${files.name}/${configFile}`);
    if (!(await files.has(weightsFile)) && (await files.has('adapter_model.bin')))
      throw new FormatError(
        `${files.name} has its weights only as adapter_model.bin, a pickle file, which can run code when read; load it in Python and save it again: PeftModel.from_pretrained(...).save_pretrained('folder')`,
      );
    await using reader = await openSafetensors(await files.path(weightsFile));
    const shapes = new Map([...reader.entries].map(([name, { shape }]) => [name, shape]));
    const peft = new PeftModel(model, config, planFromFile(model, config, shapes, files.name));
    try {
      const given = new Map([...shapes.keys()].map((name) => [ownName(name), name]));
      peft.#besides = weightsBesides(model, given.keys());
      const own = peft.adapterStateDict();
      const missing = Object.keys(own).filter((key) => !given.has(key));
      const unknown = [...given.keys()].filter((key) => !(key in own));
      if (missing.length || unknown.length)
        throw new ArgumentError(
          `${files.name}: the adapter does not fit the model:${list(' it lacks', missing)}${list(' the model has no', unknown)} Load the model that it was trained on (${config.baseModelNameOrPath ?? 'not named in the file'})`,
        );
      const arrays: [Tensor, NDArray][] = [];
      for (const [key, target] of Object.entries(own)) {
        const array = await reader.read(given.get(key) ?? key);
        if (!sameShape(array.shape, target.shape))
          throw new ShapeError(
            `${files.name}: tensor '${key}' has shape ${formatShape(array.shape)}, the model needs ${formatShape(target.shape)}`,
          );
        const other = arrays.find(([before]) => before === target);
        if (other && !other[1].data.every((value, i) => value === array.data[i]))
          throw new UnsupportedError(
            `${files.name}: tensor '${key}' is one with others in this model (tied weights), but the file holds several that differ; merge the adapter in Python (merge_and_unload) and load the model`,
          );
        arrays.push([target, array]);
      }
      const named = new Holder(arrays.map(([target]) => target as Parameter));
      await named.loadStateDict(Object.fromEntries(arrays.map(([, array], i) => [String(i), array])));
    } catch (error) {
      peft.unload();
      throw error;
    }
    if (!options.isTrainable) for (const parameter of peft.parameters()) parameter.requiresGrad = false;
    return peft.train(options.isTrainable ?? false);
  }

  /**
   * Adds the updates to the model's weights, so that a forward pass costs what it cost without; `unmerge` takes them out.
   * @throws ArgumentError if an adapted weight serves another layer too (GPT-2's output and embedding).
   */
  merge(): this {
    this.#requireUnmerged('merge');
    const places = tiedPlaces(this.baseModel);
    for (const { site } of this.#adapters) {
      const names = places.get(site.weight) ?? [];
      if (names.length > 1)
        throw new ArgumentError(
          `merge: the weight of '${site.name}' is also ${names.filter((n) => n !== `${site.name}.weight`).join(', ')} (tied weights), which the update must not change; leave the layer out of targetModules, or use the model with its adapters`,
        );
    }
    for (const { layer } of this.#adapters) {
      layer.fold(1);
      layer.active = false;
    }
    this.#isMerged = true;
    return this;
  }

  /** Undoes `merge`, up to rounding. @throws ArgumentError if nothing is merged. */
  unmerge(): this {
    if (!this.#isMerged) throw new ArgumentError('unmerge: the adapter is not merged');
    for (const { layer } of this.#adapters) {
      layer.fold(-1);
      layer.active = true;
    }
    this.#isMerged = false;
    return this;
  }

  /** The model with the updates in its weights and without adapters, all of it trainable: to save, export or serve. */
  mergeAndUnload(): M {
    if (!this.#isMerged) this.merge();
    return this.unload();
  }

  /** Takes the adapters off; modules trained whole keep what they learned. What is merged stays merged. */
  unload(): M {
    for (const { detach } of this.#adapters.splice(0)) detach();
    for (const parameter of this.baseModel.parameters()) parameter.requiresGrad = true;
    return this.baseModel;
  }

  /** Runs `fn` with the adapters switched off: what the model said before. Synchronous, as building a graph is. */
  withoutAdapters<T>(fn: () => T): T {
    this.#requireUnmerged('withoutAdapters');
    for (const { layer } of this.#adapters) layer.active = false;
    try {
      return fn();
    } finally {
      for (const { layer } of this.#adapters) layer.active = true;
    }
  }

  #requireUnmerged(what: string): void {
    if (this.#isMerged)
      throw new ArgumentError(`${what}: the adapter is merged into the weights; call unmerge() first`);
  }
}

/** Names of every tensor of a model; tied ones have several. */
function tiedPlaces(model: Module): Map<Tensor, string[]> {
  const places = new Map<Tensor, string[]>();
  for (const [name, tensor] of Object.entries(model.stateDict()))
    places.set(tensor, [...(places.get(tensor) ?? []), name]);
  return places;
}

/**
 * peft trains a copy of a module that is saved whole, so that tied weights come apart. Here they stay one.
 * @throws UnsupportedError for tied weights of which only some belong to such modules.
 */
function checkTied(model: Module, config: LoraConfig, what: string): void {
  const whole = wholeModules(config);
  const isWhole = (name: string) => whole.some((module) => `.${splitName(name)[0]}.`.includes(`.${module}.`));
  for (const names of tiedPlaces(model).values()) {
    const [inside, outside] = [names.filter(isWhole), names.filter((name) => !isWhole(name))];
    if (inside.length && outside.length)
      throw new UnsupportedError(
        `${what}: ${inside.join(', ')} would be trained whole, but is one with ${outside.join(', ')} (tied weights), and Python's peft would part them; name the modules of both in modulesToSave, or merge the adapter in Python (merge_and_unload)`,
      );
  }
}

/** Weights of the model itself that peft saved too: embeddings and outputs that were adapted or got more rows. */
function weightsBesides(model: Module, keys: Iterable<string>): Set<string> {
  const own = model.stateDict();
  const names = [...keys].map((key) => key.slice(prefix.length).replace('.base_layer.', '.'));
  return new Set(names.filter((name) => Object.hasOwn(own, name)));
}

/** `<layer>.lora.lora_A.weight` here is `<layer>.lora_A.weight` in peft. */
const loraKey = /\.lora\.(lora_[AB]\.weight)$/;

/** Module and tensor: `encoder.query` and `bias`. */
function splitName(name: string): [string, string] {
  const at = name.lastIndexOf('.');
  return at < 0 ? ['', name] : [name.slice(0, at), name.slice(at + 1)];
}

/** Older versions of peft wrote the wrapper's name into keys of modules that are saved whole. */
const ownName = (key: string) => key.replace(/\.modules_to_save(\.default)?\./, '.');

const list = (what: string, keys: readonly string[]) =>
  keys.length ? `${what} ${keys.slice(0, 4).join(', ')}${keys.length > 4 ? ` and ${keys.length - 4} more` : ''}.` : '';

/** Tensors by position, to be filled like a state dict. */
class Holder extends Module {
  constructor(parameters: readonly Parameter[]) {
    super();
    parameters.forEach((value, i) => {
      Object.defineProperty(this, String(i), { value, enumerable: true });
    });
  }

  override forward(): never {
    throw new ArgumentError('tensors to be loaded have no forward');
  }
}

/** Layers and ranks are what the file has tensors for, so that no pattern of it needs to be followed. */
function planFromFile(
  model: Module,
  config: LoraConfig,
  shapes: ReadonlyMap<string, readonly number[]>,
  source: string,
): Plan[] {
  const sites = new Map(sitesOf(model).map((site) => [site.name, site]));
  const plan: Plan[] = [];
  checkTied(model, config, source);
  for (const [key, shape] of shapes) {
    if (key.endsWith('.lora_embedding_A') || (key.endsWith('.lora_A.weight') && shape.length > 2))
      throw new UnsupportedError(
        `${source}: '${key}' adapts an embedding or a convolution; Gradus computes LoRA of linear layers only: merge the adapter in Python (merge_and_unload) and load the model`,
      );
    if (!key.endsWith('.lora_A.weight')) continue;
    const name = key.slice(key.startsWith(prefix) ? prefix.length : 0, -'.lora_A.weight'.length);
    const site = sites.get(name);
    if (!site)
      throw new ArgumentError(
        `${source}: the adapter is for a layer '${name}' that the model does not have; it has ${some([...sites.keys()])}`,
      );
    const [r, inFeatures] = shape;
    if (shape.length !== 2 || !r || inFeatures !== site.weight.size(site.transposed ? 0 : 1))
      throw new ShapeError(
        `${source}: tensor '${key}' has shape ${formatShape(shape)}, the model needs [r, ${site.weight.size(site.transposed ? 0 : 1)}]`,
      );
    plan.push({ site, r, alpha: valueFor(config.alphaPattern, name, config.loraAlpha) });
  }
  return plan;
}

const some = (names: readonly string[]) =>
  names.length > 8 ? `${names.slice(0, 8).join(', ')} and ${names.length - 8} more` : names.join(', ') || 'none';

/**
 * Freezes a model and adds LoRA adapters to some of its linear layers (peft.get_peft_model): a Linear, GPT-2's Conv1D, or a
 * MatMul or Gemm of an OnnxModel.
 *
 * ```ts
 * const peft = getPeftModel(model, loraConfig({ r: 8, loraAlpha: 16, targetModules: ['query', 'value'], modulesToSave: ['classifier'] }));
 * ```
 * @throws ArgumentError if no layer matches; UnsupportedError if one that does is an embedding or a convolution, and for
 *   modulesToSave that hold one end of tied weights.
 */
export function getPeftModel<M extends Module>(model: M, config: LoraConfig): PeftModel<M> {
  const modelType = model instanceof PreTrainedModel ? model.config.modelType : undefined;
  const targets = targetsOf(config, modelType);
  if ([...model.namedModules()].some(([, module]) => module instanceof LoraLayer))
    throw new ArgumentError('getPeftModel: the model has adapters already; merge or unload them first');
  const sites = sitesOf(model);
  const chosen = sites.filter(({ name }) => isTarget(config, targets, name));
  if (!chosen.length)
    throw new ArgumentError(
      `loraConfig: targetModules: no layer matches ${JSON.stringify(targets)}; the model has ${some(sites.map((s) => s.name))}`,
    );
  const modules = [...model.namedModules()].map(([name]) => name);
  for (const whole of config.modulesToSave ?? [])
    if (!modules.some((name) => isEndOf(whole, name)))
      throw new ArgumentError(
        `loraConfig: modulesToSave: the model has no module '${whole}'; it has ${some(modules.filter((name) => name))}`,
      );
  const other = modulesNotAdaptable(model).find((name) => targets !== 'all-linear' && isTarget(config, targets, name));
  if (other !== undefined)
    throw new UnsupportedError(
      `loraConfig: targetModules: ${JSON.stringify(targets)} matches '${other}', an embedding or a convolution; Gradus computes LoRA of linear layers only: name these, or the others in excludeModules`,
    );
  checkTied(model, config, 'loraConfig: modulesToSave');
  const plan = chosen.map((site) => ({
    site,
    r: valueFor(config.rankPattern, site.name, config.r),
    alpha: valueFor(config.alphaPattern, site.name, config.loraAlpha),
  }));
  return new PeftModel(model, { ...config, targetModules: typeof targets === 'string' ? targets : [...targets] }, plan);
}
