/** @file Sound as time-frequency pictures, inside the graph: spectrogram, mel filters, decibels. They train through and export. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import { formatShape } from '../ir/shape.ts';
import { cat, fromData, pad, type Tensor } from '../tensor/index.ts';
import * as F from './functional/index.ts';
import { Buffer, Module } from './module.ts';

export interface SpectrogramOptions {
  /** Samples per Fourier transform; the output has floor(nFft / 2) + 1 bins. */
  nFft?: number;
  /** Samples of the Hann window, centred within nFft; default nFft. */
  winLength?: number;
  /** Samples from one frame to the next; default half the window. */
  hopLength?: number;
  /** 2 for power, 1 for magnitude. */
  power?: 1 | 2;
  /** Frame t is centred at sample t * hopLength: the signal is mirrored by nFft / 2 at both ends. */
  center?: boolean;
  /** What lies beyond the ends with `center`. */
  padMode?: 'reflect' | 'constant' | 'replicate';
}

function checkWhole(layer: string, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`${layer}: ${name} must be a whole number above 0, found ${value}`);
}

/** The real and imaginary rows of the Fourier transform, each times the window: [2 * bins, 1, nFft]. */
function fourierKernels(nFft: number, winLength: number): Float32Array<ArrayBuffer> {
  const bins = Math.floor(nFft / 2) + 1;
  const left = Math.floor((nFft - winLength) / 2);
  const kernels = new Float32Array(2 * bins * nFft);
  for (let k = 0; k < bins; k++)
    for (let n = 0; n < winLength; n++) {
      // Periodic Hann window, as torch.hann_window. k * n is taken modulo nFft so that large products lose no digits.
      const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / winLength);
      const angle = (2 * Math.PI * ((k * (left + n)) % nFft)) / nFft;
      kernels[k * nFft + left + n] = window * Math.cos(angle);
      kernels[(bins + k) * nFft + left + n] = -window * Math.sin(angle);
    }
  return kernels;
}

/**
 * Short-time Fourier transform with a Hann window, as power or magnitude: [..., samples] to [..., bins, frames]
 * (torchaudio.transforms.Spectrogram). A convolution with windowed sines and cosines, so that it has a gradient and runs
 * on any engine. Nothing of it is part of the state: it follows from the options.
 */
export class Spectrogram extends Module {
  readonly nFft: number;
  readonly winLength: number;
  readonly hopLength: number;
  readonly power: 1 | 2;
  readonly center: boolean;
  readonly padMode: NonNullable<SpectrogramOptions['padMode']>;
  kernels: Buffer;

  /** @throws ArgumentError for sizes that are not whole or a window longer than nFft. */
  constructor(options: SpectrogramOptions = {}) {
    super();
    const { nFft = 400, winLength = nFft, power = 2, center = true, padMode = 'reflect' } = options;
    const hopLength = options.hopLength ?? Math.floor(winLength / 2);
    checkWhole(new.target.name, { nFft, winLength, hopLength });
    if (winLength > nFft)
      throw new ArgumentError(`${new.target.name}: winLength ${winLength} is longer than nFft ${nFft}`);
    if (power !== 1 && power !== 2)
      throw new ArgumentError(`${new.target.name}: power must be 1 (magnitude) or 2 (power), found ${power}`);
    this.nFft = nFft;
    this.winLength = winLength;
    this.hopLength = hopLength;
    this.power = power;
    this.center = center;
    this.padMode = padMode;
    const kernels = () => fourierKernels(nFft, winLength);
    this.kernels = new Buffer(fromData(kernels, [2 * this.bins, 1, nFft]), { persistent: false });
  }

  /** Frequencies from 0 to half the sample rate. */
  get bins(): number {
    return Math.floor(this.nFft / 2) + 1;
  }

  /** Frames that a signal of so many samples gives. */
  frames(samples: number): number {
    return (
      Math.floor((this.center ? samples + 2 * this.#margin - this.nFft : samples - this.nFft) / this.hopLength) + 1
    );
  }

  get #margin(): number {
    return Math.floor(this.nFft / 2);
  }

  /** @throws ShapeError where the signal is too short for one frame (with 'reflect': not longer than nFft / 2). */
  override forward(waveform: Tensor): Tensor {
    const { shape } = waveform;
    const samples = shape.at(-1);
    const least = !this.center ? this.nFft : this.padMode === 'reflect' ? this.#margin + 1 : 1;
    if (samples === undefined || samples < least)
      throw new ShapeError(
        `${this.constructor.name}: expected [..., samples] with at least ${least} samples for nFft ${this.nFft}, found ${formatShape(shape)}; pad the signal first`,
      );
    const leading = shape.slice(0, -1);
    let x = waveform.reshape([-1, 1, samples]);
    if (this.center) x = pad(x, [this.#margin, this.#margin], { mode: this.padMode });
    const parts = F.conv1d(x, this.kernels, null, { stride: this.hopLength });
    const [re, im] = parts.chunk(2, 1);
    const y = this.power === 2 ? re.square().add(im.square()) : cat([re.unsqueeze(0), im.unsqueeze(0)]).norm(0);
    return leading.length === 1 ? y : y.reshape([...leading, this.bins, y.size(-1)]);
  }

  override extraRepr(): string {
    return `nFft=${this.nFft}, winLength=${this.winLength}, hopLength=${this.hopLength}, power=${this.power}`;
  }
}

/** `htk`: 2595 log10(1 + f / 700). `slaney`: linear below 1000 Hz, logarithmic above (Slaney's Auditory Toolbox). */
export type MelScale = 'htk' | 'slaney';

const slaneyStep = 200 / 3;
const slaneyLog = Math.log(6.4) / 27;

/** Hertz to mel (librosa.hz_to_mel, torchaudio). */
export function hzToMel(hz: number, scale: MelScale = 'htk'): number {
  if (scale === 'htk') return 2595 * Math.log10(1 + hz / 700);
  return hz < 1000 ? hz / slaneyStep : 15 + Math.log(hz / 1000) / slaneyLog;
}

/** Mel to hertz (librosa.mel_to_hz, torchaudio). */
export function melToHz(mel: number, scale: MelScale = 'htk'): number {
  if (scale === 'htk') return 700 * (10 ** (mel / 2595) - 1);
  return mel < 15 ? mel * slaneyStep : 1000 * Math.exp(slaneyLog * (mel - 15));
}

export interface MelOptions {
  /** Samples per second. */
  sampleRate?: number;
  nMels?: number;
  /** Lowest frequency in hertz. */
  fMin?: number;
  /** Highest frequency in hertz; default half the sample rate. */
  fMax?: number;
  melScale?: MelScale;
  /** 'slaney': each triangle has area 1. Default: height 1. */
  norm?: 'slaney' | null;
}

/**
 * Triangular filters evenly spaced in mel over `bins` frequencies from 0 to half the sample rate: row-major
 * [nMels, bins] (torchaudio.functional.melscale_fbanks, transposed).
 * @throws ArgumentError for frequencies out of order, or a filter that no frequency falls into.
 */
export function melFilters(bins: number, options: MelOptions = {}): Float32Array<ArrayBuffer> {
  const { sampleRate = 16000, nMels = 128, fMin = 0, melScale = 'htk', norm = null } = options;
  const fMax = options.fMax ?? sampleRate / 2;
  checkWhole('melFilters', { bins, sampleRate, nMels });
  if (!(fMin >= 0 && fMin < fMax && fMax <= sampleRate / 2))
    throw new ArgumentError(
      `melFilters: expected 0 <= fMin < fMax <= ${sampleRate / 2} (half the sample rate), found fMin ${fMin} and fMax ${fMax}`,
    );
  const [low, high] = [hzToMel(fMin, melScale), hzToMel(fMax, melScale)];
  const edges = Array.from({ length: nMels + 2 }, (_, i) => melToHz(low + ((high - low) * i) / (nMels + 1), melScale));
  const filters = new Float32Array(nMels * bins);
  for (let m = 0; m < nMels; m++) {
    const [left, middle, right] = edges.slice(m, m + 3);
    const scale = norm === 'slaney' ? 2 / (right - left) : 1;
    let any = false;
    for (let k = 0; k < bins; k++) {
      const f = bins === 1 ? 0 : (k * sampleRate) / 2 / (bins - 1);
      const height = Math.min((f - left) / (middle - left), (right - f) / (right - middle));
      if (height <= 0) continue;
      any = true;
      filters[m * bins + k] = height * scale;
    }
    if (!any)
      throw new ArgumentError(
        `melFilters: filter ${m} of ${nMels} (${left.toFixed(1)} to ${right.toFixed(1)} Hz) holds none of the ${bins} frequencies; use fewer nMels or a larger nFft`,
      );
  }
  return filters;
}

/** Options of `MelSpectrogram`: those of the spectrogram and of the filters. */
export interface MelSpectrogramOptions extends SpectrogramOptions, MelOptions {}

/**
 * A spectrogram through mel filters: [..., samples] to [..., nMels, frames] (torchaudio.transforms.MelSpectrogram). For
 * log-mel features add a small number before the logarithm, so that silence stays finite:
 * `mel.forward(x).add(1e-6).log()`.
 */
export class MelSpectrogram extends Module {
  readonly nMels: number;
  readonly sampleRate: number;
  spectrogram: Spectrogram;
  filters: Buffer;

  /** @throws ArgumentError as `Spectrogram` and `melFilters`. */
  constructor(options: MelSpectrogramOptions = {}) {
    super();
    const { sampleRate = 16000, nMels = 128 } = options;
    this.nMels = nMels;
    this.sampleRate = sampleRate;
    this.spectrogram = new Spectrogram(options);
    const filters = melFilters(this.spectrogram.bins, options);
    this.filters = new Buffer(fromData(filters, [nMels, this.spectrogram.bins]), { persistent: false });
  }

  /** Frames that a signal of so many samples gives. */
  frames(samples: number): number {
    return this.spectrogram.frames(samples);
  }

  override forward(waveform: Tensor): Tensor {
    return this.filters.matmul(this.spectrogram.forward(waveform));
  }

  override extraRepr(): string {
    return `sampleRate=${this.sampleRate}, nMels=${this.nMels}`;
  }
}

export interface AmplitudeToDBOptions {
  /** Whether the input is power (10 log10) or magnitude (20 log10). */
  stype?: 'power' | 'magnitude';
  /** Smaller numbers count as this one. */
  amin?: number;
  /** Nothing is further below the loudest element of its sample than this. Default: no bound. */
  topDb?: number | null;
}

/**
 * Decibels relative to 1 (torchaudio.transforms.AmplitudeToDB): 10 log10(max(x, amin)) of power. With `topDb` the loudest
 * element is looked for within each sample, [..., frequencies, frames] having one per leading index.
 */
export class AmplitudeToDB extends Module {
  readonly #factor: number;
  readonly #amin: number;
  readonly #topDb: number | null;

  constructor({ stype = 'power', amin = 1e-10, topDb = null }: AmplitudeToDBOptions = {}) {
    super();
    if (!(amin > 0) || (topDb !== null && !(topDb >= 0)))
      throw new ArgumentError(
        `AmplitudeToDB: amin must be above 0 and topDb at least 0, found amin ${amin} and topDb ${topDb}`,
      );
    this.#factor = (stype === 'power' ? 10 : 20) / Math.LN10;
    this.#amin = amin;
    this.#topDb = topDb;
  }

  override forward(x: Tensor): Tensor {
    const db = x.clamp({ min: this.#amin }).log().mul(this.#factor);
    if (this.#topDb === null) return db;
    return db.maximum(db.amax([-2, -1], { keepdim: true }).sub(this.#topDb));
  }
}
