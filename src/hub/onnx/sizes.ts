/** @file Inputs of an export: names, types, which axes vary, and the sizes at which the model is traced. */
import type { DType } from '../../ir/dtype.ts';
import { ArgumentError, GradusError } from '../../ir/errors.ts';
import { Tensor } from '../../tensor/index.ts';
import type { InputType } from './record.ts';

/** An example of an input: a tensor, or its shape, in which a name stands for an axis whose size may vary. */
export type ExampleInput =
  | Tensor
  | readonly (number | string)[]
  | { readonly shape: readonly (number | string)[]; readonly dtype?: DType };

/** Names of axes, by position: an array with null (or a number) for fixed ones, or a record of positions. */
export type AxisNames = readonly (string | number | null)[] | Readonly<Record<number, string>>;

export interface InputSpec {
  readonly name: string;
  readonly dtype: DType;
  /** Sizes in the example. */
  readonly shape: readonly number[];
  /** Names of axes that vary, null elsewhere. */
  readonly axes: readonly (string | null)[];
  /** Axes whose size the user left open. */
  readonly open: readonly string[];
  readonly example: Tensor | undefined;
}

/** For axes given by name only, the first that the model accepts. */
const defaultSizes = [4, 8, 16, 32, 64, 128, 224, 1];

/** Joins examples and axis names. @throws ArgumentError where they contradict each other. */
export function inputSpecs(
  examples: readonly (readonly [string, ExampleInput])[],
  everywhere: AxisNames | undefined,
  perInput: Readonly<Record<string, AxisNames>>,
): InputSpec[] {
  for (const name of Object.keys(perInput))
    if (!examples.some(([n]) => n === name))
      throw new ArgumentError(
        `dynamicAxes names input '${name}'; the inputs are ${examples.map(([n]) => `'${n}'`).join(', ')}`,
      );
  const specs = examples.map(([name, example]) => {
    const dims = example instanceof Tensor ? example.shape : 'shape' in example ? example.shape : example;
    const dtype = example instanceof Tensor || 'shape' in example ? example.dtype : undefined;
    const axes = dims.map((dim, i) => {
      if (typeof dim === 'string') return dim;
      const named = perInput[name] ? nameAt(perInput[name], i) : everywhere && nameAt(everywhere, i);
      return typeof named === 'string' ? named : null;
    });
    const shape = dims.map((dim) => (typeof dim === 'string' ? defaultSizes[0] : dim));
    const open = dims.filter((dim) => typeof dim === 'string');
    return {
      name,
      dtype: dtype ?? 'float32',
      shape,
      axes,
      open,
      example: example instanceof Tensor ? example : undefined,
    };
  });
  const sizes = exampleSizes(specs);
  for (const { name, shape, axes } of specs)
    axes.forEach((axis, i) => {
      if (axis !== null && !specs.some((s) => s.open.includes(axis)) && sizes.get(axis) !== shape[i])
        throw new ArgumentError(
          `axis '${axis}' has size ${shape[i]} in input '${name}' and ${sizes.get(axis)} in another; give examples in which it agrees`,
        );
    });
  return specs;
}

/**
 * Gives axes that have a name only a size at which the model can be traced.
 * @param works throws if it cannot.
 * @throws what the model throws at the first size, if it refuses all.
 */
export function settleOpenSizes(
  specs: readonly InputSpec[],
  works: (specs: readonly InputSpec[]) => void,
): InputSpec[] {
  const open = new Set(specs.flatMap((s) => s.open));
  let failure: unknown;
  for (const size of open.size ? defaultSizes : [0]) {
    const settled = specs.map((spec) => ({
      ...spec,
      shape: spec.shape.map((n, i) => (open.has(spec.axes[i] ?? '') ? size : n)),
    }));
    try {
      works(settled);
      return settled;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

const nameAt = (names: AxisNames, i: number) => (names as Readonly<Record<number, string | number | null>>)[i];

/** Sizes of the named axes in the examples. */
export function exampleSizes(specs: readonly InputSpec[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { shape, axes } of specs)
    axes.forEach((axis, i) => {
      if (axis !== null && !sizes.has(axis)) sizes.set(axis, shape[i]);
    });
  return sizes;
}

/** The inputs' types with the named axes at these sizes. */
export function typesAt(specs: readonly InputSpec[], sizes: ReadonlyMap<string, number>): InputType[] {
  return specs.map(({ name, dtype, shape, axes }) => ({
    name,
    dtype,
    shape: shape.map((size, i) => {
      const axis = axes[i];
      return axis === null ? size : (sizes.get(axis) ?? size);
    }),
  }));
}

/**
 * Sizes of the named axes for each trace: the base; for axis k two traces (2k + 1, 2k + 2) in which it alone differs; and
 * last one in which all differ. Sizes are told apart from each other and from `taken` wherever the model allows.
 * @param works throws if the model cannot be traced at these sizes.
 * @throws ArgumentError naming an axis that cannot vary, and why.
 */
export function chooseSizes(
  specs: readonly InputSpec[],
  taken: ReadonlySet<number>,
  works: (sizes: ReadonlyMap<string, number>) => void,
): Map<string, number>[] {
  const example = exampleSizes(specs);
  const used = new Set(taken);
  const chosen = new Map<string, number[]>();
  for (const [axis, size] of example) {
    const sizes = sizesOf(axis, size, used, (n) => works(new Map(example).set(axis, n)));
    for (const n of sizes) used.add(n);
    chosen.set(axis, sizes);
  }
  const axes = [...chosen];
  const pick = (index: (k: number) => number) => new Map(axes.map(([axis, sizes], k) => [axis, sizes[index(k)]]));
  const single = axes.flatMap((_, k) => [1, 2].map((i) => pick((other) => (other === k ? i : 0))));
  return axes.length ? [pick(() => 0), ...single, pick(() => 3)] : [new Map()];
}

function sizesOf(axis: string, size: number, used: ReadonlySet<number>, works: (size: number) => void): number[] {
  const free = (n: number) => n > 2 && !used.has(n);
  // Three primes, which no product of other sizes equals, and an even number, lest only odd ones work.
  const primes = take(3, size + 1, 1, (n) => free(n) && isPrime(n));
  // The same, far apart: sizes close together give equally many windows of a large stride, as if there were no choice.
  const far = [1, 1.6, 2.3].flatMap((by) => take(1, Math.floor(by * size) + 1, 1, (n) => free(n) && isPrime(n)));
  const strategies = [
    size < 64 ? [] : [...far, ...take(1, 3 * size, 1, (n) => free(n) && n % 2 === 0)],
    [...primes, ...take(1, primes[2] + 1, 1, (n) => free(n) && n % 2 === 0)],
    // No larger than the example: tables of positions end somewhere.
    take(4, size, -1, free),
    take(4, size, -1, (n) => n > 1),
    // Multiples: sizes that are halved several times.
    [2, 3, 5, 7].map((n) => n * size),
    [1, 2, 3, 4].map((n) => n * size),
  ];
  let failure: unknown;
  for (const sizes of strategies) {
    if (sizes.length < 4) continue;
    try {
      for (const n of sizes) works(n);
      return sizes;
    } catch (error) {
      if (!(error instanceof GradusError)) throw error;
      failure ??= error;
    }
  }
  throw new ArgumentError(
    `axis '${axis}' cannot vary: the model could not be traced at other sizes than the example's ${size}: ${failure instanceof Error ? failure.message : failure}. Leave it fixed, or mend the model`,
    { cause: failure },
  );
}

function take(count: number, from: number, step: number, wanted: (n: number) => boolean): number[] {
  const out: number[] = [];
  for (let n = from; n > 1 && out.length < count; n += step) if (wanted(n)) out.push(n);
  return out;
}

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return n > 1;
}
