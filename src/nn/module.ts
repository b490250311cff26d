/** @file Module: the base of all layers and models; parameters and buffers found by walking the object tree. */
import { isFloat } from '../ir/dtype.ts';
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import { formatShape, sameShape } from '../ir/shape.ts';
import { fromData, noGrad, Tensor, zeros } from '../tensor/index.ts';

/** A tensor that is trained: assign it to a property of a Module and it is found (torch.nn.Parameter). */
export class Parameter extends Tensor {
  constructor(data: Tensor, options: { requiresGrad?: boolean } = {}) {
    super(leafFor(data));
    if (options.requiresGrad ?? true) this.requiresGrad = true;
    fill(this, data);
  }
}

/** A tensor that belongs to the state of a Module but is not trained, such as running statistics (torch.nn.Buffer). */
export class Buffer extends Tensor {
  /** Whether it is part of the state dict. */
  readonly persistent: boolean;

  constructor(data: Tensor, options: { persistent?: boolean } = {}) {
    super(leafFor(data));
    fill(this, data);
    this.persistent = options.persistent ?? true;
  }
}

/** The elements of a realised tensor themselves, or room for those of a computed one. */
function leafFor(data: Tensor) {
  if (!data.storage) return zeros(data.shape, { dtype: data.dtype }).value;
  return (data.requiresGrad ? data.detach() : data).value;
}

/** Elements of a computed tensor (`randn([8, 8]).mul(0.02)`) follow with the next program. */
function fill(target: Tensor, data: Tensor): void {
  if (!data.storage) noGrad(() => target.assign(data.detach()));
}

/** A frozen-or-not choice of parameters: a name, a prefix (`'encoder.'`), a pattern, or a function of the name. */
export type NamePattern = string | RegExp | ((name: string) => boolean);

/** Whether a parameter name is chosen by a pattern; a plain string matches the name itself or everything below it. */
export function matchesName(name: string, pattern: NamePattern): boolean {
  if (typeof pattern === 'function') return pattern(name);
  if (pattern instanceof RegExp) return pattern.test(name);
  return name === pattern || name.startsWith(pattern.endsWith('.') ? pattern : `${pattern}.`);
}

export type StateDict = Record<string, Tensor>;

export interface LoadResult {
  /** Keys the module has but the dict lacks. */
  missingKeys: string[];
  /** Keys of the dict that the module does not know. */
  unexpectedKeys: string[];
}

type ForwardHook = (module: Module, inputs: readonly unknown[], output: unknown) => unknown;
type ForwardPreHook = (module: Module, inputs: readonly unknown[]) => readonly unknown[] | undefined;

/**
 * Base class of layers and models (torch.nn.Module). Properties that hold a Parameter, a Buffer or another Module belong to
 * its tree; a subclass defines `forward`.
 */
export abstract class Module {
  /** True while training: dropout drops, batch norm uses batch statistics. Set it by train() and eval(). */
  training = true;

  abstract forward(...inputs: never[]): unknown;

  /** The state-dict key of a property: camelCase becomes snake_case as in PyTorch (`runningMean` is `running_mean`). */
  protected stateKey(property: string): string {
    return property.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
  }

  *#entries(): Generator<[string, unknown]> {
    for (const property of Object.keys(this)) yield [this.stateKey(property), this[property as keyof this]];
  }

  /** Direct submodules by name. */
  *namedChildren(): Generator<[string, Module]> {
    for (const [name, value] of this.#entries()) if (value instanceof Module) yield [name, value];
  }

  /** Direct submodules. */
  children(): Module[] {
    return [...this.namedChildren()].map(([, module]) => module);
  }

  /** This module and all below it, each once, by dotted name ('' is this one). */
  *namedModules(prefix = '', seen = new Set<Module>()): Generator<[string, Module]> {
    if (seen.has(this)) return;
    seen.add(this);
    yield [prefix, this];
    for (const [name, child] of this.namedChildren()) yield* child.namedModules(join(prefix, name), seen);
  }

  /** This module and all below it. */
  modules(): Module[] {
    return [...this.namedModules()].map(([, module]) => module);
  }

  *#namedTensors<T extends Tensor>(kind: new (...args: never[]) => T, all: boolean): Generator<[string, T]> {
    const seen = new Set<Tensor>();
    for (const [prefix, module] of this.namedModules())
      for (const [name, value] of module.#entries())
        if (value instanceof kind && (all || !seen.has(value))) {
          seen.add(value);
          yield [join(prefix, name), value];
        }
  }

  /** All parameters below this module by dotted name, shared ones once. */
  namedParameters(): [string, Parameter][] {
    return [...this.#namedTensors(Parameter, false)];
  }

  /** All parameters below this module. */
  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }

  /** All buffers below this module by dotted name. */
  namedBuffers(): [string, Buffer][] {
    return [...this.#namedTensors(Buffer, false)];
  }

  /** All buffers below this module. */
  buffers(): Buffer[] {
    return this.namedBuffers().map(([, buffer]) => buffer);
  }

  /** Parameters and persistent buffers by PyTorch's keys, in PyTorch's order (each module's parameters, then its buffers). */
  stateDict(prefix = ''): StateDict {
    const state: StateDict = {};
    const own = [...this.#entries()];
    for (const [name, value] of own) if (value instanceof Parameter) state[join(prefix, name)] = value;
    for (const [name, value] of own) if (value instanceof Buffer && value.persistent) state[join(prefix, name)] = value;
    for (const [name, child] of this.namedChildren()) Object.assign(state, child.stateDict(join(prefix, name)));
    return state;
  }

  /**
   * Copies elements into parameters and buffers (torch.nn.Module.load_state_dict). Nothing is changed if an error is thrown.
   * @throws ShapeError for a tensor of another shape; ArgumentError for missing or unexpected keys unless `strict: false`.
   */
  async loadStateDict(
    state: Readonly<Record<string, Tensor | NDArray>>,
    options: { strict?: boolean } = {},
  ): Promise<LoadResult> {
    if (typeof state !== 'object' || state === null || Array.isArray(state) || state instanceof Tensor)
      throw new ArgumentError(
        `loadStateDict: expected tensors by name, as stateDict() gives them, found ${state === null ? 'null' : typeof state}`,
      );
    const own = this.stateDict();
    const missingKeys = Object.keys(own).filter((key) => !(key in state));
    const unexpectedKeys = Object.keys(state).filter((key) => !(key in own));
    if ((options.strict ?? true) && (missingKeys.length || unexpectedKeys.length))
      throw new ArgumentError(
        `state dict does not fit ${this.constructor.name}:${list(' missing', missingKeys)}${list(' unexpected', unexpectedKeys)} Pass { strict: false } to load what fits`,
      );
    const matching = Object.entries(own).filter(([key]) => key in state);
    for (const [key, target] of matching)
      if (!sameShape(target.shape, state[key].shape))
        throw new ShapeError(
          `state dict entry '${key}' has shape ${formatShape(state[key].shape)}, the model needs ${formatShape(target.shape)}`,
        );
    const elements = await Promise.all(matching.map(async ([key, target]) => await elementsOf(state[key], target)));
    matching.forEach(([, target], i) => {
      target.setData(elements[i]);
    });
    return { missingKeys, unexpectedKeys };
  }

  /** Switches this module and all below it to training (or evaluation) behaviour. */
  train(mode = true): this {
    for (const module of this.modules()) module.training = mode;
    return this;
  }

  /** Switches to evaluation behaviour. */
  eval(): this {
    return this.train(false);
  }

  /** Stops training the parameters whose names match (all by default). @throws ArgumentError if none matches. */
  freeze(pattern: NamePattern = () => true): this {
    return this.#setTrainable(pattern, false);
  }

  /** Trains the parameters whose names match (all by default). @throws ArgumentError if none matches. */
  unfreeze(pattern: NamePattern = () => true): this {
    return this.#setTrainable(pattern, true);
  }

  #setTrainable(pattern: NamePattern, on: boolean): this {
    const named = this.namedParameters();
    const chosen = named.filter(([name]) => matchesName(name, pattern));
    if (!chosen.length && named.length)
      throw new ArgumentError(
        `no parameter matches ${String(pattern)}; there are: ${named.map(([name]) => name).join(', ')}`,
      );
    for (const [, parameter] of chosen) parameter.requiresGrad = on;
    return this;
  }

  /** Forgets the gradients of all parameters. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = null;
  }

  /** Calls `fn` for every module below this one, then for this one (torch.nn.Module.apply). */
  apply(fn: (module: Module) => void): this {
    for (const child of this.children()) child.apply(fn);
    fn(this);
    return this;
  }

  /**
   * Calls `hook(module, inputs, output)` after each forward of this module; a returned value other than undefined replaces
   * the output. @returns a function that removes the hook.
   */
  registerForwardHook(hook: ForwardHook): () => void {
    return this.#wrapForward((forward) => (...inputs) => {
      const output = forward(...inputs);
      return hook(this, inputs, output) ?? output;
    });
  }

  /**
   * Calls `hook(module, inputs)` before each forward of this module; a returned array replaces the inputs.
   * @returns a function that removes the hook.
   */
  registerForwardPreHook(hook: ForwardPreHook): () => void {
    return this.#wrapForward(
      (forward) =>
        (...inputs) =>
          forward(...(hook(this, inputs) ?? inputs)),
    );
  }

  readonly #wrappers: ((forward: Forward) => Forward)[] = [];

  /** Hooks live in an own `forward` that shadows the class's, so that modules without hooks pay nothing. */
  #wrapForward(wrapper: (forward: Forward) => Forward): () => void {
    const rebuild = () => {
      Reflect.deleteProperty(this, 'forward');
      if (!this.#wrappers.length) return;
      const plain = this.forward.bind(this) as Forward;
      const value = this.#wrappers.reduce((forward, wrap) => wrap(forward), plain);
      Object.defineProperty(this, 'forward', { value, configurable: true, enumerable: false });
    };
    this.#wrappers.push(wrapper);
    rebuild();
    return () => {
      this.#wrappers.splice(this.#wrappers.indexOf(wrapper), 1);
      rebuild();
    };
  }

  /** A few words for the printed tree, such as `10, 20, bias=true`. */
  extraRepr(): string {
    return '';
  }

  /** What console.log shows in Node: the tree of layers. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  /** The tree of layers, as PyTorch prints it. */
  toString(): string {
    const children = [...this.namedChildren()].map(
      ([name, child]) => `  (${name}): ${child.toString().replaceAll('\n', '\n  ')}`,
    );
    const body = children.length ? `\n${children.join('\n')}\n` : this.extraRepr();
    return `${this.constructor.name}(${body})`;
  }
}

type Forward = (...inputs: readonly unknown[]) => unknown;

const join = (prefix: string, name: string) => (prefix ? `${prefix}.${name}` : name);
const list = (what: string, keys: readonly string[]) => (keys.length ? `${what}: ${keys.join(', ')}.` : '');

async function elementsOf(source: Tensor | NDArray, target: Tensor) {
  const tensor = source instanceof Tensor ? source : fromData(source.data, source.shape, { dtype: source.dtype });
  if (tensor.dtype === target.dtype) return await tensor.data();
  if (isFloat(tensor.dtype) !== isFloat(target.dtype))
    throw new ArgumentError(`cannot load ${tensor.dtype} into a ${target.dtype} tensor; convert the checkpoint first`);
  return await tensor.to(target.dtype).data();
}
