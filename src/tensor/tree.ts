/** @file Tensors in arrays and records of any depth: the tensors themselves, and the same form with other tensors. */
import { ArgumentError } from '../ir/errors.ts';
import { Tensor } from './tensor.ts';

/** What remains of a tree without its tensors. */
export interface TreeForm {
  /** Equal for trees of the same form whose tensors have the same dtypes and shapes. */
  readonly signature: string;
  /** The same tree with the tensors that `next` gives, in order. */
  readonly rebuild: (next: () => Tensor) => unknown;
}

const tensorForm = (next: () => Tensor): Tensor => next();

/**
 * Appends the tensors of a tree to `found` and tells its form. Records are plain objects; undefined (an optional tensor that
 * is not there) stays what it is. `what` names the tree in errors.
 * @throws ArgumentError for anything else among the tensors.
 */
export function takeApart(tree: unknown, what: string, found: Tensor[]): TreeForm {
  if (tree instanceof Tensor) {
    found.push(tree);
    return { signature: `${tree.dtype}[${tree.shape}]`, rebuild: tensorForm };
  }
  if (tree === undefined) return { signature: '-', rebuild: () => undefined };
  if (Array.isArray(tree)) {
    const forms = tree.map((part, i) => takeApart(part, `${what}[${i}]`, found));
    return {
      signature: `(${forms.map(({ signature }) => signature)})`,
      rebuild: (next) => forms.map(({ rebuild }) => rebuild(next)),
    };
  }
  if (!isRecord(tree))
    throw new ArgumentError(
      `${what} is ${nameOf(tree)}; a compiled function takes and gives tensors, and arrays and records of tensors. What does not change may be used inside without being an argument; numbers that change become tensors`,
    );
  const forms = Object.entries(tree).map(([name, part]) => [name, takeApart(part, `${what}.${name}`, found)] as const);
  return {
    signature: `{${forms.map(([name, { signature }]) => `${name}:${signature}`)}}`,
    rebuild: (next) => Object.fromEntries(forms.map(([name, { rebuild }]) => [name, rebuild(next)])),
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function nameOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value !== 'object') return `a ${typeof value}`;
  return `an object of class ${value.constructor.name}`;
}
