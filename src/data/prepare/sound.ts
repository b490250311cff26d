/** @file Sounds from outside: what is wrong with them, and one form for all (one channel, one rate). */
import { ArgumentError, DataError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import type { Sound } from '../formats/wav.ts';
import { resample } from './audio.ts';

/** What can be wrong with a sound: no samples, NaN or infinite ones, nothing to hear, cut off at full scale. */
export type SoundProblem = 'empty' | 'not finite' | 'silent' | 'clipped';

export interface SoundLimits {
  /** A sound whose root mean square lies below this is silent, in decibels relative to full scale. Default -60. */
  readonly silence?: number;
  /** A sound is clipped from this share of clipped samples on. Default 0.001. */
  readonly clipping?: number;
}

export interface SoundReport {
  readonly seconds: number;
  /** Largest magnitude; 1 is full scale. */
  readonly peak: number;
  /** Root mean square in decibels relative to full scale; -Infinity for digital silence. */
  readonly level: number;
  /** Share of samples that lie in runs of three or more at the sound's extreme value, near full scale (0.99 or more). */
  readonly clipped: number;
  readonly problems: readonly SoundProblem[];
}

/** Magnitude from which a flat top counts as clipping. */
const fullScale = 0.99;
const shortestRun = 3;

function clippedSamples({ data, shape }: NDArray, peak: number): number {
  if (peak < fullScale) return 0;
  const length = shape.at(-1) ?? 0;
  let count = 0;
  for (let from = 0; from < data.length; from += length)
    for (let i = from, run = 0; i <= from + length; i++) {
      // 16-bit PCM ends at 32767 / 32768 above and at -1 below.
      const isTop = i < from + length && Math.abs(data[i]) >= peak - 2 / 32768;
      if (isTop && (run === 0 || data[i] * data[i - 1] > 0)) run++;
      else {
        if (run >= shortestRun) count += run;
        run = isTop ? 1 : 0;
      }
    }
  return count;
}

/** Measures a sound, samples [channels, length] or [length]. */
export function inspectSound(sound: Sound, { silence = -60, clipping = 0.001 }: SoundLimits = {}): SoundReport {
  const { data, shape } = sound.samples;
  const length = shape.at(-1) ?? 0;
  let peak = 0;
  let squares = 0;
  let finite = true;
  for (const v of data) {
    if (!Number.isFinite(v)) finite = false;
    peak = Math.max(peak, Math.abs(v));
    squares += v * v;
  }
  const level = data.length ? 10 * Math.log10(squares / data.length) : Number.NEGATIVE_INFINITY;
  const clipped = data.length && finite ? clippedSamples(sound.samples, peak) / data.length : 0;
  const problems: SoundProblem[] = [];
  if (length === 0) problems.push('empty');
  else if (!finite) problems.push('not finite');
  else if (level < silence) problems.push('silent');
  if (clipped >= clipping && clipped > 0) problems.push('clipped');
  return { seconds: length / sound.sampleRate, peak, level, clipped, problems };
}

export interface PrepareSoundOptions extends SoundLimits {
  /** Samples per second of the result. */
  readonly sampleRate: number;
  /** Problems that are let through. Default: 'clipped', which can still be understood. */
  readonly accept?: readonly SoundProblem[];
  /** 'resample' (default) changes other rates; 'error' refuses them. */
  readonly otherRates?: 'resample' | 'error';
  /** Name for messages, usually the path. */
  readonly name?: string;
}

/**
 * A sound as a model wants it: one channel (the mean), one rate, checked. float32 [length].
 * @throws DataError naming sound and problem, unless it is accepted; 'not finite' always.
 */
export function prepareSound(sound: Sound, options: PrepareSoundOptions): NDArray {
  const { sampleRate, accept = ['clipped'], otherRates = 'resample', name = 'the sound' } = options;
  if (!Number.isInteger(sampleRate) || sampleRate < 1)
    throw new ArgumentError(`prepareSound: sampleRate must be a whole number of at least 1 Hz, found ${sampleRate}`);
  if (sound.sampleRate !== sampleRate && otherRates === 'error')
    throw new DataError(`${name}: ${sound.sampleRate} Hz, expected ${sampleRate} Hz; resample it`);
  const { problems, level, clipped } = inspectSound(sound, options);
  for (const problem of problems) {
    if (problem !== 'not finite' && accept.includes(problem)) continue;
    const detail: Readonly<Record<SoundProblem, string>> = {
      empty: 'has no samples',
      'not finite': 'has samples that are NaN or infinite',
      silent: `is silent (${level.toFixed(1)} dB)`,
      clipped: `is clipped (${(100 * clipped).toFixed(2)} % of its samples)`,
    };
    throw new DataError(`${name} ${detail[problem]}`);
  }
  const { data, shape } = sound.samples;
  const length = shape.at(-1) ?? 0;
  const channels = length ? data.length / length : 1;
  const mono = new Float32Array(length);
  for (let c = 0; c < channels; c++) for (let i = 0; i < length; i++) mono[i] += data[c * length + i] / channels;
  return resample({ data: mono, shape: [length], dtype: 'float32' }, sound.sampleRate, sampleRate);
}
