/** @file Pooling in 1, 2 and 3 dimensions: maximum, average, power average, and pools of a given output size. */
import { isFloat } from '../../ir/dtype.ts';
import { ArgumentError, DTypeError } from '../../ir/errors.ts';
import { constant, type Value } from '../../ir/graph.ts';
import { type Shape, sizeOf } from '../../ir/shape.ts';
import * as ops from '../../ops/index.ts';
import { memoConstant } from '../../ops/memo.ts';
import { Tensor, type ValuesAndIndices } from '../../tensor/index.ts';
import { batched, type Sizes, sizes } from './sizes.ts';

export interface MaxPoolOptions {
  /** Steps between windows; the size of the window by default. */
  stride?: Sizes;
  padding?: Sizes;
  dilation?: Sizes;
  /** Whether a last window may hang over the end. */
  ceilMode?: boolean;
}

/** Also return where the maxima are. */
export interface WithIndices {
  returnIndices: true;
}

function windows(name: string, n: number, kernelSize: Sizes, options: Omit<MaxPoolOptions, 'dilation'>) {
  const { stride = kernelSize, padding = 0, ceilMode = false } = options;
  const kernel = sizes(kernelSize, n, `${name}: kernelSize`, 1);
  const around = sizes(padding, n, `${name}: padding`);
  if (around.some((p, i) => 2 * p > kernel[i]))
    throw new ArgumentError(
      `${name}: padding ${JSON.stringify(padding)} must be at most half of kernelSize ${JSON.stringify(kernelSize)}`,
    );
  return {
    kernel_shape: kernel,
    strides: sizes(stride, n, `${name}: stride`, 1),
    pads: [...around, ...around],
    ceil_mode: ceilMode ? 1 : 0,
  };
}

function requireFloats(x: Tensor, name: string): void {
  if (!isFloat(x.dtype))
    throw new DTypeError(`${name}: expected floating point numbers, found ${x.dtype}; cast with .float()`);
}

type MaxPoolArguments = MaxPoolOptions & { returnIndices?: boolean };

function maxPool(n: number, x: Tensor, kernelSize: Sizes, options: MaxPoolArguments): Tensor | ValuesAndIndices {
  const name = `maxPool${n}d`;
  const attrs = {
    ...windows(name, n, kernelSize, options),
    dilations: sizes(options.dilation ?? 1, n, `${name}: dilation`, 1),
  };
  let indices: Tensor | undefined;
  const values = batched(x, n, name, (b) => {
    requireFloats(b, name);
    const y = ops.maxPool(b.value, attrs);
    if (options.returnIndices) {
      // ONNX counts through the whole batch, PyTorch within each channel.
      const plane = sizeOf(b.shape.slice(2));
      const flat = ops.outputsOf(y)[1];
      indices = new Tensor(ops.mod(flat, constant(plane, 'int64'), { fmod: 0 }));
    }
    return new Tensor(y);
  });
  return indices ? { values, indices: indices.reshape(values.shape) } : values;
}

/**
 * Largest element of each window of x [batch, channels, length]; at a tie the first gets the gradient. With
 * `returnIndices`, also their positions in each channel (int64).
 */
export function maxPool1d(x: Tensor, kernelSize: Sizes, options: MaxPoolOptions & WithIndices): ValuesAndIndices;
export function maxPool1d(x: Tensor, kernelSize: Sizes, options?: MaxPoolOptions): Tensor;
export function maxPool1d(x: Tensor, kernelSize: Sizes, options: MaxPoolArguments = {}): Tensor | ValuesAndIndices {
  return maxPool(1, x, kernelSize, options);
}

/** Largest element of each window of x [batch, channels, height, width]; positions count through height x width. */
export function maxPool2d(x: Tensor, kernelSize: Sizes, options: MaxPoolOptions & WithIndices): ValuesAndIndices;
export function maxPool2d(x: Tensor, kernelSize: Sizes, options?: MaxPoolOptions): Tensor;
export function maxPool2d(x: Tensor, kernelSize: Sizes, options: MaxPoolArguments = {}): Tensor | ValuesAndIndices {
  return maxPool(2, x, kernelSize, options);
}

/** Largest element of each window of x [batch, channels, depth, height, width]. */
export function maxPool3d(x: Tensor, kernelSize: Sizes, options: MaxPoolOptions & WithIndices): ValuesAndIndices;
export function maxPool3d(x: Tensor, kernelSize: Sizes, options?: MaxPoolOptions): Tensor;
export function maxPool3d(x: Tensor, kernelSize: Sizes, options: MaxPoolArguments = {}): Tensor | ValuesAndIndices {
  return maxPool(3, x, kernelSize, options);
}

export interface AvgPoolOptions {
  stride?: Sizes;
  padding?: Sizes;
  ceilMode?: boolean;
  /** Whether padded zeros count in the average. */
  countIncludePad?: boolean;
  /** Divide by this instead of the number of elements. */
  divisorOverride?: number;
}

/** Padding before and after all dimensions such that the windows of a ceiling-mode pool fit exactly. */
function overhang(spatial: Shape, { kernel_shape, strides, pads, ceil_mode }: ReturnType<typeof windows>) {
  const after = spatial.map((size, i) => {
    const room = size + 2 * pads[i] - kernel_shape[i];
    const steps = Math.floor(room / strides[i]);
    // A window that would begin in the padding at the end is left out.
    const isOver = ceil_mode === 1 && room % strides[i] > 0 && (steps + 1) * strides[i] < size + pads[i];
    return pads[i] + (isOver ? (steps + 1) * strides[i] - room : 0);
  });
  return [
    [0, 0, ...pads.slice(0, spatial.length)],
    [0, 0, ...after],
  ] as const;
}

function avgPool(n: number, x: Tensor, kernelSize: Sizes, options: AvgPoolOptions): Tensor {
  const name = `avgPool${n}d`;
  const { countIncludePad = true, divisorOverride } = options;
  if (divisorOverride === 0) throw new ArgumentError(`${name}: divisorOverride must not be 0`);
  const attrs = windows(name, n, kernelSize, options);
  return batched(x, n, name, (b) => {
    if (divisorOverride === undefined)
      return new Tensor(ops.averagePool(b.value, { ...attrs, count_include_pad: countIncludePad ? 1 : 0 }));
    // With zeros put around, what hangs over the end included, every window has the same size.
    const padded = ops.pad(b.value, ...overhang(b.shape.slice(2), attrs));
    const mean = ops.averagePool(padded, { ...attrs, pads: attrs.pads.map(() => 0), ceil_mode: 0 });
    return new Tensor(mean).mul(sizeOf(attrs.kernel_shape) / divisorOverride);
  });
}

/** Mean of each window of x [batch, channels, length]. */
export function avgPool1d(x: Tensor, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor {
  return avgPool(1, x, kernelSize, options);
}

/** Mean of each window of x [batch, channels, height, width]. */
export function avgPool2d(x: Tensor, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor {
  return avgPool(2, x, kernelSize, options);
}

/** Mean of each window of x [batch, channels, depth, height, width]. */
export function avgPool3d(x: Tensor, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor {
  return avgPool(3, x, kernelSize, options);
}

/** Sizes of an adaptive pool's output; null keeps the input's. */
export type OutputSize = number | readonly (number | null)[];

/** From where to where window i of `outputs` reaches in `size` elements. */
const span = (i: number, size: number, outputs: number) =>
  [Math.floor((i * size) / outputs), Math.ceil(((i + 1) * size) / outputs)] as const;

function adaptive(
  kind: 'Avg' | 'Max',
  n: number,
  x: Tensor,
  outputSize: OutputSize,
  even: (x: Tensor, kernel: number[]) => Tensor,
  uneven: (x: Value, axis: number, outputs: number) => Value,
): Tensor {
  const name = `adaptive${kind}Pool${n}d`;
  return batched(x, n, name, (b) => {
    const spatial = b.shape.slice(2);
    const wanted = typeof outputSize === 'number' ? outputSize : outputSize.map((s, i) => s ?? spatial[i]);
    const outputs = sizes(wanted, n, `${name}: outputSize`, 1);
    if (spatial.every((size, i) => size % outputs[i] === 0))
      return even(
        b,
        spatial.map((size, i) => size / outputs[i]),
      );
    return new Tensor(outputs.reduce((v, count, i) => (spatial[i] === count ? v : uneven(v, i + 2, count)), b.value));
  });
}

/** Means along one axis as a product with a matrix of shares. */
function meanAlong(x: Value, axis: number, outputs: number): Value {
  const size = x.shape[axis];
  const shares = memoConstant(`pool shares ${x.dtype} ${size} ${outputs}`, () => {
    const data = new Array<number>(size * outputs).fill(0);
    for (let i = 0; i < outputs; i++) {
      const [start, end] = span(i, size, outputs);
      for (let k = start; k < end; k++) data[k * outputs + i] = 1 / (end - start);
    }
    return constant(data, x.dtype, [size, outputs]);
  });
  const moved = new Tensor(x).movedim(axis, -1).value;
  return new Tensor(ops.matMul(moved, shares)).movedim(-1, axis).value;
}

/** Maxima along one axis; short windows repeat their last element, which changes neither maximum nor gradient. */
function maxAlong(x: Value, axis: number, outputs: number): Value {
  const size = x.shape[axis];
  const index = memoConstant(`pool windows ${size} ${outputs}`, () => {
    const spans = Array.from({ length: outputs }, (_, i) => span(i, size, outputs));
    const longest = Math.max(...spans.map(([start, end]) => end - start));
    const places = spans.flatMap(([start, end]) =>
      Array.from({ length: longest }, (_, k) => Math.min(start + k, end - 1)),
    );
    return constant(places, 'int64', [outputs, longest]);
  });
  const gathered = ops.gather(x, index, { axis });
  return ops.reduceMax(gathered, ops.ints([axis + 1]), { keepdims: 0 });
}

const evenMean = (n: number) => (x: Tensor, kernel: number[]) =>
  kernel.every((k, i) => k === x.shape[i + 2]) ? new Tensor(ops.globalAveragePool(x.value)) : avgPool(n, x, kernel, {});
const evenMax = (n: number) => (x: Tensor, kernel: number[]) =>
  new Tensor(ops.maxPool(x.value, windows(`adaptiveMaxPool${n}d`, n, kernel, {})));

/** Means of x [batch, channels, length] over windows that give an output of the wanted size. */
export function adaptiveAvgPool1d(x: Tensor, outputSize: OutputSize): Tensor {
  return adaptive('Avg', 1, x, outputSize, evenMean(1), meanAlong);
}

/** Means of x [batch, channels, height, width] over windows that give an output of the wanted size. */
export function adaptiveAvgPool2d(x: Tensor, outputSize: OutputSize): Tensor {
  return adaptive('Avg', 2, x, outputSize, evenMean(2), meanAlong);
}

/** Means of x [batch, channels, depth, height, width] over windows that give an output of the wanted size. */
export function adaptiveAvgPool3d(x: Tensor, outputSize: OutputSize): Tensor {
  return adaptive('Avg', 3, x, outputSize, evenMean(3), meanAlong);
}

/** Maxima of x [batch, channels, length] over windows that give an output of the wanted size. */
export function adaptiveMaxPool1d(x: Tensor, outputSize: OutputSize): Tensor {
  return adaptive('Max', 1, x, outputSize, evenMax(1), maxAlong);
}

/** Maxima of x [batch, channels, height, width] over windows that give an output of the wanted size. */
export function adaptiveMaxPool2d(x: Tensor, outputSize: OutputSize): Tensor {
  return adaptive('Max', 2, x, outputSize, evenMax(2), maxAlong);
}

/** Maxima of x [batch, channels, depth, height, width] over windows that give an output of the wanted size. */
export function adaptiveMaxPool3d(x: Tensor, outputSize: OutputSize): Tensor {
  return adaptive('Max', 3, x, outputSize, evenMax(3), maxAlong);
}

export interface MaxUnpoolOptions {
  stride?: Sizes;
  padding?: Sizes;
  /** Spatial sizes of the result, where the pool could have come from several. */
  outputSize?: readonly number[];
}

function maxUnpool(n: number, x: Tensor, indices: Tensor, kernelSize: Sizes, options: MaxUnpoolOptions): Tensor {
  const name = `maxUnpool${n}d`;
  const { kernel_shape, strides, pads } = windows(name, n, kernelSize, options);
  return batched(x, n, name, (b) => {
    const [batch, channels, ...spatial] = b.shape;
    const implied = spatial.map((size, i) => (size - 1) * strides[i] - 2 * pads[i] + kernel_shape[i]);
    const target = options.outputSize ? sizes(options.outputSize.slice(-n), n, `${name}: outputSize`, 1) : implied;
    const zeros = new Tensor(ops.expand(constant(0, b.dtype), [batch, channels, sizeOf(target)]));
    const flat = (v: Tensor) => v.reshape([batch, channels, sizeOf(spatial)]);
    return zeros.scatter(2, flat(indices), flat(b)).reshape([batch, channels, ...target]);
  });
}

/** Undoes maxPool1d: each element of x goes where `indices` says, the rest is 0. */
export function maxUnpool1d(x: Tensor, indices: Tensor, kernelSize: Sizes, options: MaxUnpoolOptions = {}): Tensor {
  return maxUnpool(1, x, indices, kernelSize, options);
}

/** Undoes maxPool2d: each element of x goes where `indices` says, the rest is 0. */
export function maxUnpool2d(x: Tensor, indices: Tensor, kernelSize: Sizes, options: MaxUnpoolOptions = {}): Tensor {
  return maxUnpool(2, x, indices, kernelSize, options);
}

/** Undoes maxPool3d: each element of x goes where `indices` says, the rest is 0. */
export function maxUnpool3d(x: Tensor, indices: Tensor, kernelSize: Sizes, options: MaxUnpoolOptions = {}): Tensor {
  return maxUnpool(3, x, indices, kernelSize, options);
}

/** (sum of x^p over each window)^(1/p), p = `normType`; 0 where the sum is negative, as in PyTorch. */
function lpPool(
  n: number,
  x: Tensor,
  normType: number,
  kernelSize: Sizes,
  options: { stride?: Sizes; ceilMode?: boolean },
) {
  const count = sizeOf(sizes(kernelSize, n, `lpPool${n}d: kernelSize`, 1));
  return avgPool(n, x.pow(normType), kernelSize, options)
    .relu()
    .mul(count)
    .pow(1 / normType);
}

/** Power-average pool of x [batch, channels, length]: (sum of x^p)^(1/p) over each window. */
export function lpPool1d(
  x: Tensor,
  normType: number,
  kernelSize: Sizes,
  options: { stride?: Sizes; ceilMode?: boolean } = {},
): Tensor {
  return lpPool(1, x, normType, kernelSize, options);
}

/** Power-average pool of x [batch, channels, height, width]: (sum of x^p)^(1/p) over each window. */
export function lpPool2d(
  x: Tensor,
  normType: number,
  kernelSize: Sizes,
  options: { stride?: Sizes; ceilMode?: boolean } = {},
): Tensor {
  return lpPool(2, x, normType, kernelSize, options);
}
