import { describe, expect, it } from 'vitest';
import { ArgumentError, DataError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { Random } from '../../ir/random.ts';
import type { Sound } from '../formats/wav.ts';
import { inspectSound, prepareSound } from '../prepare/sound.ts';
import { addNoise, randomGain, randomShift, randomStretch, trimSilence } from './audio.ts';

const sound = (values: readonly number[], shape = [values.length]): NDArray => ({
  data: Float32Array.from(values),
  shape,
  dtype: 'float32',
});
const tone = (amplitude: number, length = 800, rate = 8000): number[] =>
  Array.from({ length }, (_, i) => amplitude * Math.sin((2 * Math.PI * 440 * i) / rate));
const energy = ({ data }: NDArray) => Array.from(data).reduce((sum, v) => sum + v * v, 0);

describe('transforms of sounds', () => {
  it('are the same for the same stream, and keep the shape', () => {
    const x = sound([...tone(0.5, 100), ...tone(0.2, 100)], [2, 100]);
    for (const transform of [randomGain(), randomShift(20), addNoise(), randomStretch(60)]) {
      const [a, b, c] = [1, 1, 2].map((seed) => transform(x, new Random(seed)));
      expect(a).toEqual(b);
      expect(a.data).not.toEqual(c.data);
      expect(a.shape[0]).toBe(2);
    }
  });

  it('gain, noise: by the decibels asked for', () => {
    const x = sound(tone(0.1, 8000));
    expect(energy(randomGain([6, 6])(x, new Random(1))) / energy(x)).toBeCloseTo(10 ** 0.6, 4);
    const noisy = addNoise([20, 20])(x, new Random(1));
    const noise = sound(Array.from(noisy.data, (v, i) => v - x.data[i]));
    expect(10 * Math.log10(energy(x) / energy(noise))).toBeCloseTo(20, 0);
    expect(addNoise()(sound([0, 0]), new Random(1)).data).toEqual(Float32Array.of(0, 0));
  });

  it('shift, stretch and trim cut and fill', () => {
    const x = sound([1, 2, 3, 4]);
    const shifts = new Set(Array.from({ length: 40 }, (_, seed) => randomShift(1)(x, new Random(seed)).data.join()));
    expect([...shifts].sort()).toEqual(['0,1,2,3', '1,2,3,4', '2,3,4,0']);
    const cuts = new Set(Array.from({ length: 40 }, (_, seed) => randomStretch(3)(x, new Random(seed)).data.join()));
    expect([...cuts].sort()).toEqual(['1,2,3', '2,3,4']);
    const fills = new Set(Array.from({ length: 40 }, (_, seed) => randomStretch(5)(x, new Random(seed)).data.join()));
    expect([...fills].sort()).toEqual(['0,1,2,3,4', '1,2,3,4,0']);
    expect(trimSilence({ topDb: 20 })(sound([0, 0.01, 1, 0, -0.5, 0.05, 0])).data).toEqual(Float32Array.of(1, 0, -0.5));
    expect(trimSilence({ topDb: 20, margin: 1 })(sound([0, 0.01, 1, 0])).data.length).toBe(3);
    expect(trimSilence()(sound([0, 0, 0])).shape).toEqual([3]);
    expect(trimSilence()(sound([])).shape).toEqual([0]);
    expect(() => randomShift(-1)).toThrow(ArgumentError);
    expect(() => randomGain([2, 1])).toThrow('expected a range [low, high], found [2, 1]');
  });
});

describe('what is wrong with a sound', () => {
  const of = (values: readonly number[], shape?: number[]): Sound => ({
    samples: sound(values, shape),
    sampleRate: 8000,
  });

  it('measures level, peak and clipping', () => {
    const fine = inspectSound(of(tone(0.5)));
    expect(fine.problems).toEqual([]);
    expect(fine.seconds).toBe(0.1);
    expect(fine.level).toBeCloseTo(20 * Math.log10(0.5 / Math.SQRT2), 1);
    // A sine driven to twice full scale is flat two thirds of the time; a sine that just reaches it is not clipped.
    const driven = inspectSound(of(tone(2).map((v) => Math.max(-1, Math.min(32767 / 32768, v)))));
    expect(driven.problems).toEqual(['clipped']);
    expect(driven.clipped).toBeGreaterThan(0.5);
    expect(inspectSound(of(tone(1))).problems).toEqual([]);
    expect(inspectSound(of([...tone(0.0005)])).problems).toEqual(['silent']);
    expect(inspectSound(of([0, 0, 0])).level).toBe(Number.NEGATIVE_INFINITY);
    expect(inspectSound(of([])).problems).toEqual(['empty']);
    expect(inspectSound(of([0.5, Number.NaN])).problems).toEqual(['not finite']);
  });

  it('prepares one channel at one rate, or says why not', () => {
    const stereo = of([...tone(0.4, 400), ...tone(0.2, 400)], [2, 400]);
    const mono = prepareSound(stereo, { sampleRate: 8000 });
    expect(mono.shape).toEqual([400]);
    expect(mono.data[5]).toBeCloseTo(tone(0.3)[5], 6);
    expect(prepareSound(stereo, { sampleRate: 16000 }).shape).toEqual([800]);
    const fails = (samples: Sound, options: Partial<Parameters<typeof prepareSound>[1]> = {}) =>
      expect(() => prepareSound(samples, { sampleRate: 8000, name: 'a.wav', ...options }));
    fails(stereo, { sampleRate: 16000, otherRates: 'error' }).toThrow('a.wav: 8000 Hz, expected 16000 Hz; resample it');
    fails(of([0, 0, 0, 0])).toThrow('a.wav is silent (-Infinity dB)');
    fails(of([])).toThrow(DataError);
    fails(of([1, 1, 1, 1]), { accept: [] }).toThrow('a.wav is clipped (100.00 % of its samples)');
    fails(of([Number.NaN]), { accept: ['not finite'] }).toThrow('a.wav has samples that are NaN or infinite');
    expect(prepareSound(of([0, 0]), { sampleRate: 8000, accept: ['silent'] }).shape).toEqual([2]);
    expect(prepareSound(of([1, 1, 1, 1]), { sampleRate: 8000 }).shape).toEqual([4]);
  });
});
