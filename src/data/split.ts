/** @file Splitting a data set at random, with or without equal class shares in each part. */
import { ArgumentError } from '../ir/errors.ts';
import { Random } from '../ir/random.ts';
import { asDataset, type Dataset, type DatasetLike } from './dataset.ts';

/** Options of the splits. */
export interface SplitOptions {
  /** Default 0. The same seed gives the same parts. */
  readonly seed?: number;
}

/**
 * Sizes of the parts: whole numbers that sum to `length`, or fractions that sum to 1 (PyTorch's rule: each part gets
 * floor(fraction * length), the remainder goes one by one to the first parts).
 */
function partSizes(parts: readonly number[], length: number, what: string): number[] {
  const sum = parts.reduce((a, b) => a + b, 0);
  if (parts.length === 0 || parts.some((p) => !(p >= 0)))
    throw new ArgumentError(`${what}: parts must be numbers of at least 0, found [${parts.join(', ')}]`);
  if (Math.abs(sum - 1) < 1e-6 && !(length === 1 && parts.every(Number.isInteger))) {
    const sizes = parts.map((p) => Math.floor(p * length + 1e-9));
    const rest = length - sizes.reduce((a, b) => a + b, 0);
    for (let i = 0; i < rest; i++) sizes[i % sizes.length]++;
    return sizes;
  }
  if (sum !== length || !parts.every(Number.isInteger))
    throw new ArgumentError(
      `${what}: parts [${parts.join(', ')}] sum to ${sum}; expected fractions that sum to 1, or sizes that sum to the ${length} samples`,
    );
  return [...parts];
}

/**
 * Parts of a data set, drawn without replacement (torch.utils.data.random_split).
 * @example
 * const [train, validation] = randomSplit(dataset, [0.9, 0.1], { seed: 1 });
 * @throws ArgumentError when the parts sum neither to 1 nor to the number of samples.
 */
export function randomSplit<T>(
  dataset: DatasetLike<T>,
  parts: readonly number[],
  { seed = 0 }: SplitOptions = {},
): Dataset<T>[] {
  const sizes = partSizes(parts, dataset.length, 'randomSplit');
  const order = new Random(seed).fork('split').permutation(dataset.length);
  const source = asDataset(dataset);
  let start = 0;
  return sizes.map((size) => {
    start += size;
    return source.subset(order.subarray(start - size, start));
  });
}

/**
 * Indices of each part such that every class has the same share in all parts, as nearly as whole samples allow.
 *
 * Each class is shuffled and cut at its rounded cumulative fractions; the rounding offset differs from class to class,
 * so that many small classes do not all round the same way. A class with fewer samples than parts fills the first
 * (largest-fraction) parts first: a class with one sample goes to the part with the largest fraction, the first of
 * equals, which is the training part in every usual split.
 * @throws ArgumentError unless the fractions sum to 1.
 */
export function stratifiedIndices(
  labels: ArrayLike<number | string | boolean>,
  fractions: readonly number[],
  { seed = 0 }: SplitOptions = {},
): number[][] {
  const sum = fractions.reduce((a, b) => a + b, 0);
  if (fractions.length === 0 || fractions.some((f) => !(f >= 0)) || Math.abs(sum - 1) > 1e-6)
    throw new ArgumentError(`stratifiedSplit: fractions must sum to 1, found [${fractions.join(', ')}]`);
  const classes = new Map<number | string | boolean, number[]>();
  for (let i = 0; i < labels.length; i++) {
    const members = classes.get(labels[i]);
    if (members) members.push(i);
    else classes.set(labels[i], [i]);
  }
  const random = new Random(seed).fork('stratified');
  const parts = fractions.map((): number[] => []);
  const wanted = fractions.filter((f) => f > 0).length;
  const byFraction = fractions.map((f, i) => ({ f, i })).sort((a, b) => b.f - a.f || a.i - b.i);
  for (const [label, members] of classes) {
    const own = random.fork(typeof label === 'boolean' ? String(label) : label);
    own.shuffle(members);
    const counts = fractions.map((f) => Math.floor(f * members.length + 1e-9));
    let rest = members.length - counts.reduce((a, b) => a + b, 0);
    if (members.length <= wanted) {
      for (let k = 0; k < fractions.length; k++) counts[byFraction[k].i] = k < members.length ? 1 : 0;
      rest = 0;
    }
    // Largest remainders, ties and near-ties broken by the class's own stream.
    const remainders = fractions
      .map((f, i) => ({ i, r: f * members.length - Math.floor(f * members.length + 1e-9) + 1e-3 * own.uniform() }))
      .sort((a, b) => b.r - a.r);
    for (let k = 0; k < rest; k++) counts[remainders[k].i]++;
    let start = 0;
    for (const [part, count] of counts.entries()) {
      parts[part].push(...members.slice(start, start + count));
      start += count;
    }
  }
  for (const [i, part] of parts.entries()) random.fork('order', i).shuffle(part);
  return parts;
}

/**
 * Parts of a data set in which every class has its share (see `stratifiedIndices` for small classes).
 * @param labels the label of each sample, or a function that reads it from a sample (then every sample is read once)
 * @example
 * const [train, test] = await stratifiedSplit(dataset, [0.8, 0.2], (s) => s.label, { seed: 1 });
 */
export async function stratifiedSplit<T>(
  dataset: DatasetLike<T>,
  fractions: readonly number[],
  labels: ArrayLike<number | string | boolean> | ((sample: T) => number | string | boolean),
  options: SplitOptions = {},
): Promise<Dataset<T>[]> {
  let list: ArrayLike<number | string | boolean>;
  if (typeof labels === 'function') {
    const read: (number | string | boolean)[] = [];
    for (let i = 0; i < dataset.length; i++) read.push(labels(await dataset.get(i)));
    list = read;
  } else list = labels;
  if (list.length !== dataset.length)
    throw new ArgumentError(`stratifiedSplit: ${list.length} labels for ${dataset.length} samples`);
  const source = asDataset(dataset);
  return stratifiedIndices(list, fractions, options).map((indices) => source.subset(indices));
}
