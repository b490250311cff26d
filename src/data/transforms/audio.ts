/** @file Sounds [..., length]: louder and softer, earlier and later, noise, cutting to a length, silence at the ends. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import type { Random } from '../../ir/random.ts';
import { streamOr } from './image.ts';

/** From samples to samples; `random` is the stream of this sample in this epoch. */
export type AudioTransform = (samples: NDArray, random?: Random) => NDArray;

function lengthOf(name: string, { shape }: NDArray): number {
  const length = shape.at(-1);
  if (length === undefined) throw new ShapeError(`${name}: expected [..., length], found a scalar`);
  return length;
}

/** `count` samples from `start` on, of every row; zeros where the sound has none. */
function window({ data, shape }: NDArray, length: number, start: number, count: number): NDArray {
  const rows = length ? data.length / length : shape.slice(0, -1).reduce((a, b) => a * b, 1);
  const out = new Float32Array(rows * count);
  const [from, to] = [Math.max(0, start), Math.min(length, start + count)];
  if (from < to)
    for (let r = 0; r < rows; r++) out.set(data.subarray(r * length + from, r * length + to), r * count + from - start);
  return { data: out, shape: [...shape.slice(0, -1), count], dtype: 'float32' };
}

const scaled = ({ data, shape }: NDArray, factor: number): NDArray => ({
  data: Float32Array.from(data, (v) => v * factor),
  shape,
  dtype: 'float32',
});

function range(name: string, [low, high]: readonly [number, number]): void {
  if (!(low <= high)) throw new ArgumentError(`${name}: expected a range [low, high], found [${low}, ${high}]`);
}

/** Changes the volume by a random number of decibels between the two. */
export function randomGain(decibels: readonly [number, number] = [-6, 6]): AudioTransform {
  range('randomGain', decibels);
  return (samples, random) => scaled(samples, 10 ** (streamOr(random).uniform(...decibels) / 20));
}

/** Moves the sound by up to `most` samples in either direction; what leaves is lost, zeros come in. */
export function randomShift(most: number): AudioTransform {
  if (!Number.isInteger(most) || most < 0)
    throw new ArgumentError(`randomShift: expected a whole number of samples of at least 0, found ${most}`);
  return (samples, random) => {
    const length = lengthOf('randomShift', samples);
    return window(samples, length, streamOr(random).int(-most, most + 1), length);
  };
}

/** Adds normal noise at a random signal-to-noise ratio (decibels) between the two; silence stays as it is. */
export function addNoise(ratio: readonly [number, number] = [10, 40]): AudioTransform {
  range('addNoise', ratio);
  return (samples, random) => {
    const stream = streamOr(random);
    const { data } = samples;
    let power = 0;
    for (const v of data) power += (v * v) / data.length;
    const std = Math.sqrt(power / 10 ** (stream.uniform(...ratio) / 10));
    return { data: Float32Array.from(data, (v) => v + stream.normal(0, std)), shape: samples.shape, dtype: 'float32' };
  };
}

/** A random stretch of `length` samples; a shorter sound is placed at random among zeros. */
export function randomStretch(length: number): AudioTransform {
  if (!Number.isInteger(length) || length < 1)
    throw new ArgumentError(`randomStretch: expected a whole number of samples above 0, found ${length}`);
  return (samples, random) => {
    const old = lengthOf('randomStretch', samples);
    const [low, high] = [Math.min(0, old - length), Math.max(0, old - length)];
    return window(samples, old, streamOr(random).int(low, high + 1), length);
  };
}

/**
 * Cuts quiet ends off: samples before the first and after the last that is within `topDb` of the loudest (librosa's
 * `effects.trim` measures frames; here single samples, widened by `margin` on both sides). Silence stays as it is.
 */
export function trimSilence({ topDb = 40, margin = 0 }: { topDb?: number; margin?: number } = {}): AudioTransform {
  if (!(topDb > 0) || !Number.isInteger(margin) || margin < 0)
    throw new ArgumentError(
      `trimSilence: topDb must be above 0 and margin a whole number of at least 0, found ${topDb} and ${margin}`,
    );
  return (samples) => {
    const length = lengthOf('trimSilence', samples);
    const { data } = samples;
    let peak = 0;
    for (const v of data) peak = Math.max(peak, Math.abs(v));
    const least = peak * 10 ** (-topDb / 20);
    if (!(least > 0)) return samples;
    let [first, last] = [length, 0];
    data.forEach((v: number, i: number) => {
      if (Math.abs(v) < least) return;
      first = Math.min(first, i % length);
      last = Math.max(last, i % length);
    });
    const start = Math.max(0, first - margin);
    return window(samples, length, start, Math.min(length, last + 1 + margin) - start);
  };
}
