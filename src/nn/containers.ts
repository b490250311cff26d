/** @file Sequential, ModuleList, ModuleDict. */
import { ArgumentError } from '../ir/errors.ts';
import type { Tensor } from '../tensor/index.ts';
import { Module } from './module.ts';

/** Modules one after the other (torch.nn.Sequential); state-dict keys are their indices. */
export class Sequential extends Module implements Iterable<Module> {
  constructor(...modules: Module[]) {
    super();
    for (const module of modules) this.append(module);
  }

  override forward(x: Tensor): Tensor {
    let y = x;
    for (const module of this.children()) y = (module.forward as (x: Tensor) => Tensor).call(module, y);
    return y;
  }

  get length(): number {
    return this.children().length;
  }

  /** The i-th module (negative counts from the end). */
  at(i: number): Module {
    return moduleAt(this.children(), i);
  }

  append(module: Module): this {
    requireModule(module, 'Sequential');
    return defineModule(this, String(this.length), module);
  }

  [Symbol.iterator](): Iterator<Module> {
    return this.children()[Symbol.iterator]();
  }
}

/** @throws ArgumentError for what plain JavaScript may pass instead of a module. */
function requireModule(module: Module, owner: string): void {
  if (!(module instanceof Module))
    throw new ArgumentError(
      `${owner} takes modules, found ${typeof module}; for a function take its layer, such as new nn.ReLU() for F.relu`,
    );
}

function defineModule<M extends Module>(owner: M, name: string, value: Module): M {
  return Object.defineProperty(owner, name, { value, enumerable: true, writable: true, configurable: true });
}

/** A list of modules, found as part of the tree (torch.nn.ModuleList). */
export class ModuleList<T extends Module = Module> extends Module implements Iterable<T> {
  constructor(modules: readonly T[] = []) {
    super();
    for (const module of modules) this.append(module);
  }

  override forward(): never {
    throw new ArgumentError('a ModuleList has no forward; call its modules one by one');
  }

  get length(): number {
    return this.children().length;
  }

  at(i: number): T {
    return moduleAt(this.children(), i) as T;
  }

  append(module: T): this {
    requireModule(module, 'ModuleList');
    return defineModule(this, String(this.length), module);
  }

  [Symbol.iterator](): Iterator<T> {
    return (this.children() as T[])[Symbol.iterator]();
  }
}

/** Modules by name, found as part of the tree (torch.nn.ModuleDict). Names are kept as they are, without case conversion. */
export class ModuleDict<T extends Module = Module> extends Module {
  readonly #names: string[] = [];

  constructor(modules: Readonly<Record<string, T>> = {}) {
    super();
    for (const [name, module] of Object.entries(modules)) this.set(name, module);
  }

  override forward(): never {
    throw new ArgumentError('a ModuleDict has no forward; call its modules by name');
  }

  protected override stateKey(property: string): string {
    return property;
  }

  get(name: string): T {
    const module: unknown = this.#names.includes(name) ? Reflect.get(this, name) : undefined;
    if (!(module instanceof Module))
      throw new ArgumentError(`no module named '${name}'; there are: ${this.#names.join(', ')}`);
    return module as T;
  }

  set(name: string, module: T): this {
    if (!/^[A-Za-z0-9_]+$/.test(name))
      throw new ArgumentError(`'${name}' is not a module name: use letters, digits and _`);
    requireModule(module, 'ModuleDict');
    if (!this.#names.includes(name)) {
      if (name in this)
        throw new ArgumentError(`'${name}' is not a module name: ModuleDict has a property of that name`);
      this.#names.push(name);
    }
    return defineModule(this, name, module);
  }

  keys(): readonly string[] {
    return this.#names;
  }
}

function moduleAt(modules: readonly Module[], i: number): Module {
  const module = modules.at(i);
  if (!module) throw new ArgumentError(`no module at ${i}: there are ${modules.length}`);
  return module;
}
