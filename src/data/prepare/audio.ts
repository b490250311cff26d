/** @file Audio: resampling and fitting to a length. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { formatShape } from '../../ir/shape.ts';

/** Options of `resample`. */
export interface ResampleOptions {
  /** Zero crossings on each side of the filter: more is sharper and slower. Default 6, as torchaudio. */
  readonly lowpassFilterWidth?: number;
  /** Share of the Nyquist frequency that is kept. Default 0.99. */
  readonly rolloff?: number;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/**
 * Band-limited resampling by a Hann-windowed sinc filter (torchaudio.functional.resample; Smith, "Digital Audio
 * Resampling"). Shape [..., length] to [..., ceil(length * to / from)].
 * @throws ArgumentError unless both rates are whole numbers of at least 1.
 */
export function resample(
  samples: NDArray,
  from: number,
  to: number,
  { lowpassFilterWidth = 6, rolloff = 0.99 }: ResampleOptions = {},
): NDArray {
  if (!Number.isInteger(from) || !Number.isInteger(to) || from < 1 || to < 1)
    throw new ArgumentError(`resample: rates must be whole numbers of at least 1 Hz, found ${from} and ${to}`);
  const length = samples.shape.at(-1);
  if (length === undefined)
    throw new ShapeError(`resample: expected [..., length], found ${formatShape(samples.shape)}`);
  if (from === to) return samples;
  const divisor = gcd(from, to);
  const [old, wanted] = [from / divisor, to / divisor];
  const base = Math.min(old, wanted) * rolloff;
  const width = Math.ceil((lowpassFilterWidth * old) / base);
  const taps = 2 * width + old;
  // One filter per phase: output sample j * wanted + phase is centred at input position j * old + phase * old / wanted.
  const kernels = Array.from({ length: wanted }, (_, phase) =>
    Float64Array.from({ length: taps }, (_, k) => {
      const t = Math.max(
        -lowpassFilterWidth,
        Math.min(lowpassFilterWidth, ((k - width) / old - phase / wanted) * base),
      );
      const window = Math.cos((t * Math.PI) / lowpassFilterWidth / 2) ** 2;
      return (t === 0 ? 1 : Math.sin(Math.PI * t) / (Math.PI * t)) * window * (base / old);
    }),
  );
  const target = Math.ceil((wanted * length) / old);
  const rows = length === 0 ? 0 : samples.data.length / length;
  const data = new Float32Array(rows * target);
  for (let r = 0; r < rows; r++)
    for (let i = 0; i < target; i++) {
      const kernel = kernels[i % wanted];
      const start = Math.floor(i / wanted) * old - width;
      let sum = 0;
      for (let k = Math.max(0, -start); k < Math.min(taps, length - start); k++)
        sum += kernel[k] * samples.data[r * length + start + k];
      data[r * target + i] = sum;
    }
  return { data, shape: [...samples.shape.slice(0, -1), target], dtype: 'float32' };
}

/** Cuts or zero-pads the last axis (at the end) to `length`. */
export function fitDuration(samples: NDArray, length: number): NDArray {
  const old = samples.shape.at(-1);
  if (old === undefined) throw new ShapeError('fitDuration: expected [..., length], found a scalar');
  if (!Number.isInteger(length) || length < 1)
    throw new ArgumentError(`fitDuration: length must be a whole number of at least 1, found ${length}`);
  const rows = old === 0 ? samples.shape.slice(0, -1).reduce((a, b) => a * b, 1) : samples.data.length / old;
  const data = new Float32Array(rows * length);
  for (let r = 0; r < rows; r++) data.set(samples.data.subarray(r * old, r * old + Math.min(old, length)), r * length);
  return { data, shape: [...samples.shape.slice(0, -1), length], dtype: 'float32' };
}
