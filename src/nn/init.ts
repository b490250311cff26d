/** @file nn.init: first values of parameters, with PyTorch's formulas (torch.nn.init). */
import { dtypes } from '../ir/dtype.ts';
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import type { Random } from '../ir/random.ts';
import { formatShape, type Shape } from '../ir/shape.ts';
import type { Tensor } from '../tensor/index.ts';
import { nextStream } from '../tensor/random.ts';

/** What follows a layer, for the gain. */
export type Nonlinearity =
  | 'linear'
  | 'conv1d'
  | 'conv2d'
  | 'conv3d'
  | 'convTranspose1d'
  | 'convTranspose2d'
  | 'convTranspose3d'
  | 'sigmoid'
  | 'tanh'
  | 'relu'
  | 'leakyRelu'
  | 'selu';

const gains: Readonly<Record<string, number>> = { tanh: 5 / 3, relu: Math.SQRT2, selu: 3 / 4 };

/** The factor that keeps the variance through a nonlinearity (torch.nn.init.calculate_gain); `param` is leakyRelu's slope. */
export function calculateGain(nonlinearity: Nonlinearity, param = 0.01): number {
  return nonlinearity === 'leakyRelu' ? Math.sqrt(2 / (1 + param ** 2)) : (gains[nonlinearity] ?? 1);
}

/**
 * Inputs and outputs that one weight is connected to: [out, in, ...kernel].
 * @throws ShapeError for fewer than two dimensions.
 */
export function calculateFanInAndFanOut(shape: Shape): { fanIn: number; fanOut: number } {
  if (shape.length < 2)
    throw new ShapeError(`fan in and fan out need a tensor of two or more dimensions, found ${formatShape(shape)}`);
  const [out, into, ...kernel] = shape;
  const field = kernel.reduce((a, b) => a * b, 1);
  return { fanIn: into * field, fanOut: out * field };
}

/** Overwrites a tensor with what `next` gives, in row-major order. */
function fill<T extends Tensor>(tensor: T, next: (i: number) => number): T {
  const data = new dtypes[tensor.dtype].array(tensor.numel());
  for (let i = 0; i < data.length; i++) data[i] = next(i);
  return tensor.setData(data);
}

const randomly = <T extends Tensor>(tensor: T, next: (random: Random) => number): T => {
  const random = nextStream();
  return fill(tensor, () => next(random));
};

/** Uniform in [a, b). All functions of this file overwrite the tensor at once and give it back. */
export function uniform<T extends Tensor>(tensor: T, { a = 0, b = 1 }: { a?: number; b?: number } = {}): T {
  return randomly(tensor, (r) => r.uniform(a, b));
}

/** Normal of a mean and standard deviation. */
export function normal<T extends Tensor>(tensor: T, { mean = 0, std = 1 }: { mean?: number; std?: number } = {}): T {
  return randomly(tensor, (r) => r.normal(mean, std));
}

/** One number everywhere. */
export function constant<T extends Tensor>(tensor: T, value: number): T {
  return fill(tensor, () => value);
}

/** Zeros. */
export function zeros<T extends Tensor>(tensor: T): T {
  return constant(tensor, 0);
}

/** Ones. */
export function ones<T extends Tensor>(tensor: T): T {
  return constant(tensor, 1);
}

/** The identity matrix. @throws ShapeError unless the tensor is a matrix. */
export function eye<T extends Tensor>(tensor: T): T {
  requireMatrix(tensor, 'eye');
  const [, columns] = tensor.shape;
  return fill(tensor, (i) => (Math.floor(i / columns) === i % columns ? 1 : 0));
}

function requireMatrix(tensor: Tensor, name: string): void {
  if (tensor.ndim !== 2) throw new ShapeError(`init.${name} needs a matrix, found shape ${formatShape(tensor.shape)}`);
}

/**
 * Convolution weights that pass the input channels through, per group.
 * @throws ShapeError unless the tensor has 3 to 5 dimensions whose first is divisible by `groups`.
 */
export function dirac<T extends Tensor>(tensor: T, { groups = 1 }: { groups?: number } = {}): T {
  const { shape, ndim } = tensor;
  if (ndim < 3 || ndim > 5 || shape[0] % groups !== 0)
    throw new ShapeError(
      `init.dirac needs 3 to 5 dimensions, the first divisible by groups (${groups}), found shape ${formatShape(shape)}`,
    );
  const [out, into, ...kernel] = shape;
  const perGroup = out / groups;
  const field = kernel.reduce((a, b) => a * b, 1);
  const centre = kernel.reduce((at, size) => at * size + Math.floor(size / 2), 0);
  return fill(tensor, (i) => {
    const [row, column, at] = [Math.floor(i / (into * field)), Math.floor(i / field) % into, i % field];
    return row % perGroup === column && at === centre ? 1 : 0;
  });
}

/** Glorot and Bengio 2010, uniform: U(-x, x), x = gain * sqrt(6 / (fanIn + fanOut)). */
export function xavierUniform<T extends Tensor>(tensor: T, { gain = 1 }: { gain?: number } = {}): T {
  const { fanIn, fanOut } = calculateFanInAndFanOut(tensor.shape);
  const bound = gain * Math.sqrt(6 / (fanIn + fanOut));
  return uniform(tensor, { a: -bound, b: bound });
}

/** Glorot and Bengio 2010, normal: standard deviation gain * sqrt(2 / (fanIn + fanOut)). */
export function xavierNormal<T extends Tensor>(tensor: T, { gain = 1 }: { gain?: number } = {}): T {
  const { fanIn, fanOut } = calculateFanInAndFanOut(tensor.shape);
  return normal(tensor, { std: gain * Math.sqrt(2 / (fanIn + fanOut)) });
}

export interface KaimingOptions {
  /** Slope of the leaky ReLU that follows. */
  a?: number;
  /** Keep the variance of the forward pass, or of the backward pass. */
  mode?: 'fanIn' | 'fanOut';
  nonlinearity?: Nonlinearity;
}

function kaimingStd(tensor: Tensor, { a = 0, mode = 'fanIn', nonlinearity = 'leakyRelu' }: KaimingOptions): number {
  return calculateGain(nonlinearity, a) / Math.sqrt(calculateFanInAndFanOut(tensor.shape)[mode]);
}

/** He et al. 2015, uniform: U(-x, x), x = gain * sqrt(3 / fan). */
export function kaimingUniform<T extends Tensor>(tensor: T, options: KaimingOptions = {}): T {
  if (!tensor.numel()) return tensor;
  const bound = Math.sqrt(3) * kaimingStd(tensor, options);
  return uniform(tensor, { a: -bound, b: bound });
}

/** He et al. 2015, normal: standard deviation gain / sqrt(fan). */
export function kaimingNormal<T extends Tensor>(tensor: T, options: KaimingOptions = {}): T {
  return tensor.numel() ? normal(tensor, { std: kaimingStd(tensor, options) }) : tensor;
}

export interface TruncNormalOptions {
  mean?: number;
  std?: number;
  /** Lowest and highest value, absolute. */
  a?: number;
  b?: number;
}

/** Normal, redrawn until inside of [a, b]. @throws ArgumentError unless a < b. */
export function truncNormal<T extends Tensor>(tensor: T, options: TruncNormalOptions = {}): T {
  const { mean = 0, std = 1, a = -2, b = 2 } = options;
  if (!(a < b)) throw new ArgumentError(`init.truncNormal: a must be below b, found ${a} and ${b}`);
  // Where normal numbers would seldom fall inside, uniform ones are kept with the probability of their density.
  if (a <= mean && mean <= b && b - a > 2.5 * std)
    return randomly(tensor, (r) => {
      for (;;) {
        const x = r.normal(mean, std);
        if (x >= a && x <= b) return x;
      }
    });
  const peak = Math.min(Math.max(mean, a), b);
  const energy = (x: number) => ((x - mean) / std) ** 2 / 2;
  return randomly(tensor, (r) => {
    for (;;) {
      const x = r.uniform(a, b);
      if (r.uniform() <= Math.exp(energy(peak) - energy(x))) return x;
    }
  });
}

/**
 * A (semi-)orthogonal matrix of the dimensions [first, all others] (Saxe et al. 2014): rows or columns, whichever are fewer,
 * are orthogonal and of length `gain`. @throws ShapeError for fewer than two dimensions.
 */
export function orthogonal<T extends Tensor>(tensor: T, { gain = 1 }: { gain?: number } = {}): T {
  if (tensor.ndim < 2)
    throw new ShapeError(`init.orthogonal needs two or more dimensions, found shape ${formatShape(tensor.shape)}`);
  const rows = tensor.shape[0];
  const columns = rows ? tensor.numel() / rows : 0;
  const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
  const random = nextStream();
  const vectors: Float64Array[] = [];
  for (let k = 0; k < count; k++)
    vectors.push(
      orthonormal(
        Float64Array.from({ length }, () => random.normal()),
        vectors,
      ),
    );
  return fill(tensor, (i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    return gain * (rows <= columns ? vectors[row][column] : vectors[column][row]);
  });
}

/** Gram-Schmidt, twice for accuracy. */
function orthonormal(v: Float64Array, basis: readonly Float64Array[]): Float64Array {
  for (let pass = 0; pass < 2; pass++)
    for (const q of basis) {
      let dot = 0;
      for (let i = 0; i < v.length; i++) dot += q[i] * v[i];
      for (let i = 0; i < v.length; i++) v[i] -= dot * q[i];
    }
  const length = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
  return v.map((x) => x / length);
}

/**
 * Normal numbers with a share of zeros in every column (Martens 2010).
 * @throws ShapeError unless the tensor is a matrix.
 */
export function sparse<T extends Tensor>(tensor: T, { sparsity, std = 0.01 }: { sparsity: number; std?: number }): T {
  requireMatrix(tensor, 'sparse');
  const [rows, columns] = tensor.shape;
  const random = nextStream();
  const zeroed = new Set<number>();
  for (let c = 0; c < columns; c++)
    for (const row of random.permutation(rows).subarray(0, Math.ceil(sparsity * rows))) zeroed.add(row * columns + c);
  return fill(tensor, (i) => (zeroed.has(i) ? 0 : random.normal(0, std)));
}
