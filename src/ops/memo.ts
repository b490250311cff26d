/** @file Large constants that formulas need again and again. */
import type { Value } from '../ir/graph.ts';

const limit = 256;
const known = new Map<string, Value>();

/**
 * The constant that `make` gives, the same value for the same key as long as it is in use. Programs are told apart by the
 * memory of large constants, so a formula that made them anew in every trace would be compiled anew every time.
 */
export function memoConstant(key: string, make: () => Value): Value {
  const value = known.get(key) ?? make();
  // Moved to the end: the least recently used goes first.
  known.delete(key);
  known.set(key, value);
  if (known.size > limit) {
    const [oldest] = known.keys();
    known.delete(oldest);
  }
  return value;
}
