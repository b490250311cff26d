/** @file Scaling fitted on the training split: standardisation, min-max, image channel statistics. */
import { ArgumentError, FormatError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { formatShape } from '../../ir/shape.ts';
import type { DatasetLike } from '../dataset.ts';
import { viewOf } from '../transforms/image.ts';

/** y = (x - offset) / scale along the last axis; the common part of the scalers. */
abstract class LinearScaler {
  abstract readonly kind: string;
  readonly offset: Float64Array;
  readonly scale: Float64Array;

  protected constructor(offset: Float64Array, scale: Float64Array) {
    this.offset = offset;
    this.scale = scale;
  }

  /** Scales [..., features] to float32. @throws ShapeError when the number of features differs. */
  transform(x: NDArray): NDArray {
    return this.#apply(x, (v, f) => (v - this.offset[f]) / this.scale[f]);
  }

  /** Undoes `transform`. */
  inverse(x: NDArray): NDArray {
    return this.#apply(x, (v, f) => v * this.scale[f] + this.offset[f]);
  }

  /** Plain JSON for `fromJSON`. */
  toJSON(): ScalerJSON {
    return { kind: this.kind, offset: [...this.offset], scale: [...this.scale] };
  }

  #apply(x: NDArray, fn: (value: number, feature: number) => number): NDArray {
    const features = featuresOf(x, this.kind);
    if (features !== this.offset.length)
      throw new ShapeError(
        `${this.kind}: fitted on ${this.offset.length} features, found shape ${formatShape(x.shape)}`,
      );
    const data = new Float32Array(x.data.length);
    for (let i = 0; i < data.length; i++) data[i] = fn(x.data[i], i % features);
    return { data, shape: x.shape, dtype: 'float32' };
  }
}

/** Plain JSON of a scaler. */
export interface ScalerJSON {
  readonly kind: string;
  readonly offset: readonly number[];
  readonly scale: readonly number[];
}

function featuresOf(x: NDArray, what: string): number {
  const features = x.shape.at(-1);
  if (features === undefined) throw new ShapeError(`${what}: expected [..., features], found a scalar`);
  return features;
}

/** Calls `visit` with each finite value; NaN stands for a missing value and is left out. */
function eachValue(x: NDArray, features: number, visit: (value: number, feature: number) => void): void {
  for (let i = 0; i < x.data.length; i++) if (!Number.isNaN(x.data[i])) visit(x.data[i], i % features);
}

function fromScalerJSON(json: unknown, kind: string): [Float64Array, Float64Array] {
  const { kind: found, offset, scale } = (json ?? {}) as Partial<ScalerJSON>;
  const numbers = (v: unknown): v is number[] => Array.isArray(v) && v.every((n) => Number.isFinite(n));
  if (found !== kind || !numbers(offset) || !numbers(scale) || offset.length !== scale.length || scale.includes(0))
    throw new FormatError(
      `${kind}.fromJSON: expected { kind: '${kind}', offset: [...], scale: [...] } of equal length, found ${JSON.stringify(json)?.slice(0, 80)}`,
    );
  return [Float64Array.from(offset), Float64Array.from(scale)];
}

/**
 * Mean 0 and standard deviation 1 per feature (scikit-learn's StandardScaler: population variance, NaN left out, a
 * constant feature becomes 0).
 * @example
 * const scaler = Standardizer.fit(trainX);
 * const x = scaler.transform(testX);
 */
export class Standardizer extends LinearScaler {
  readonly kind = 'Standardizer';

  static fit(x: NDArray): Standardizer {
    const features = featuresOf(x, 'Standardizer');
    const count = new Float64Array(features);
    const mean = new Float64Array(features);
    const squares = new Float64Array(features);
    // Welford's update: no cancellation for features far from zero.
    eachValue(x, features, (v, f) => {
      const delta = v - mean[f];
      mean[f] += delta / ++count[f];
      squares[f] += delta * (v - mean[f]);
    });
    const std = squares.map((s, f) => Math.sqrt(s / count[f]));
    // Rounding leaves a constant feature a tiny spread; dividing by it would blow noise up.
    const scale = std.map((s, f) => (s > 1e-12 * Math.max(1, Math.abs(mean[f])) ? s : 1));
    return new Standardizer(mean, scale);
  }

  static fromJSON(json: unknown): Standardizer {
    return new Standardizer(...fromScalerJSON(json, 'Standardizer'));
  }
}

/** Smallest value 0 and largest 1 per feature (scikit-learn's MinMaxScaler; a constant feature becomes 0). */
export class MinMax extends LinearScaler {
  readonly kind = 'MinMax';

  static fit(x: NDArray): MinMax {
    const features = featuresOf(x, 'MinMax');
    const low = new Float64Array(features).fill(Number.POSITIVE_INFINITY);
    const high = new Float64Array(features).fill(Number.NEGATIVE_INFINITY);
    eachValue(x, features, (v, f) => {
      low[f] = Math.min(low[f], v);
      high[f] = Math.max(high[f], v);
    });
    return new MinMax(
      low.map((v) => (Number.isFinite(v) ? v : 0)),
      low.map((v, f) => (high[f] > v && Number.isFinite(high[f] - v) ? high[f] - v : 1)),
    );
  }

  static fromJSON(json: unknown): MinMax {
    return new MinMax(...fromScalerJSON(json, 'MinMax'));
  }
}

/** Mean and standard deviation per channel, for `transforms.normalize`. */
export interface ChannelStatistics {
  readonly mean: number[];
  readonly std: number[];
}

/**
 * Channel statistics over a data set of images, uint8 taken as 0 to 1. Use the training split only.
 * @param image reads the image of a sample
 * @throws ArgumentError for an empty data set or a varying number of channels.
 */
export async function channelStatistics<T>(
  dataset: DatasetLike<T>,
  image: (sample: T) => NDArray,
): Promise<ChannelStatistics> {
  let sums: { count: number; sum: number; squares: number }[] = [];
  for (let i = 0; i < dataset.length; i++) {
    const view = viewOf(image(await dataset.get(i)));
    const scale = view.dtype === 'uint8' ? 255 : 1;
    if (i === 0) sums = Array.from({ length: view.channels }, () => ({ count: 0, sum: 0, squares: 0 }));
    if (view.channels !== sums.length)
      throw new ArgumentError(
        `channelStatistics: image 0 has ${sums.length} channels, image ${i} has ${view.channels}`,
      );
    for (const [c, total] of sums.entries())
      for (let y = 0; y < view.height; y++)
        for (let x = 0; x < view.width; x++) {
          const v = view.data[y * view.strideY + x * view.strideX + c * view.strideC] / scale;
          total.count++;
          total.sum += v;
          total.squares += v * v;
        }
  }
  if (sums.length === 0) throw new ArgumentError('channelStatistics: the data set is empty');
  const mean = sums.map((t) => t.sum / t.count);
  return { mean, std: sums.map((t, c) => Math.sqrt(Math.max(0, t.squares / t.count - mean[c] ** 2))) };
}
