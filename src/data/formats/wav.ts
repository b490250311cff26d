/**
 * @file WAV files: PCM 8 to 32 bits, float, A-law and mu-law to float32.
 *
 * Parsed here rather than by a library so that every size claimed by a header is checked against the bytes there.
 */
import { FormatError, UnsupportedError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { type ReadOptions, withDefaults } from './bytes.ts';

/** Sound: samples [channels, length] in -1 to 1. */
export interface Sound {
  readonly samples: NDArray;
  /** Samples per second and channel. */
  readonly sampleRate: number;
}

/** Options of the WAV readers. */
export interface WavOptions extends ReadOptions {
  /** Average all channels into one. Default false. */
  readonly mono?: boolean;
}

interface Format {
  readonly code: number;
  readonly channels: number;
  readonly sampleRate: number;
  readonly bits: number;
}

type Decode = (view: DataView, at: number) => number;

/** ITU-T G.711 A-law byte to linear. */
function aLaw(byte: number): number {
  const a = byte ^ 0x55;
  const exponent = (a & 0x70) >> 4;
  const mantissa = ((a & 0x0f) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return (a & 0x80 ? magnitude : -magnitude) / 32768;
}

/** ITU-T G.711 mu-law byte to linear. */
function muLaw(byte: number): number {
  const u = ~byte & 0xff;
  const magnitude = ((((u & 0x0f) << 3) + 0x84) << ((u & 0x70) >> 4)) - 0x84;
  return (u & 0x80 ? -magnitude : magnitude) / 32768;
}

const decoders: Record<string, Decode | undefined> = {
  '1/8': (v, at) => (v.getUint8(at) - 128) / 128,
  '1/16': (v, at) => v.getInt16(at, true) / 32768,
  '1/24': (v, at) => ((v.getInt8(at + 2) << 16) | v.getUint16(at, true)) / 8388608,
  '1/32': (v, at) => v.getInt32(at, true) / 2147483648,
  '3/32': (v, at) => v.getFloat32(at, true),
  '3/64': (v, at) => v.getFloat64(at, true),
  '6/8': (v, at) => aLaw(v.getUint8(at)),
  '7/8': (v, at) => muLaw(v.getUint8(at)),
};

function parseFormat(view: DataView, at: number, size: number, name: string): Format {
  if (size < 16) throw new FormatError(`${name}: the 'fmt ' chunk has ${size} bytes, expected at least 16`);
  let code = view.getUint16(at, true);
  if (code === 0xfffe) {
    if (size < 26)
      throw new FormatError(`${name}: the extensible 'fmt ' chunk has ${size} bytes, expected at least 26`);
    code = view.getUint16(at + 24, true); // WAVE_FORMAT_EXTENSIBLE: the first two bytes of the sub-format
  }
  const format = {
    code,
    channels: view.getUint16(at + 2, true),
    sampleRate: view.getUint32(at + 4, true),
    bits: view.getUint16(at + 14, true),
  };
  if (format.channels < 1 || format.sampleRate < 1)
    throw new FormatError(`${name}: ${format.channels} channels at ${format.sampleRate} Hz make no sound`);
  return format;
}

/**
 * The sound of a WAV file (RIFF; big RF64 files too if they fit).
 * @throws FormatError for damaged or truncated files, UnsupportedError for compressed kinds, by name.
 */
export function parseWav(bytes: Uint8Array, options: WavOptions = {}): Sound {
  const { name } = withDefaults(options);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const tag = (at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || (tag(0) !== 'RIFF' && tag(0) !== 'RF64') || tag(8) !== 'WAVE')
    throw new FormatError(`${name}: no WAV file (it does not begin with RIFF....WAVE)`);
  let format: Format | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    const rest = bytes.length - start;
    if (tag(at) === 'fmt ') {
      if (size > rest) throw new FormatError(`${name}: the file ends within its 'fmt ' chunk`);
      format = parseFormat(view, start, size, name);
    }
    if (tag(at) === 'data') {
      if (format === undefined) throw new FormatError(`${name}: the 'data' chunk comes before the 'fmt ' chunk`);
      // A stream that did not know its length writes 0 or 0xFFFFFFFF: take what is there.
      if (size > rest && size !== 0xffffffff)
        throw new FormatError(
          `${name}: the 'data' chunk claims ${size} bytes, ${rest} are there; the file is truncated`,
        );
      return decode(view, start, size === 0xffffffff ? rest : size, format, name, options.mono ?? false);
    }
    at = start + size + (size & 1);
  }
  throw new FormatError(`${name}: the file has no 'data' chunk`);
}

function decode(view: DataView, start: number, size: number, format: Format, name: string, mono: boolean): Sound {
  const { code, channels, bits, sampleRate } = format;
  const read = decoders[`${code}/${bits}`];
  if (read === undefined)
    throw new UnsupportedError(
      `${name}: WAV format ${code} with ${bits} bits is not supported; expected PCM 8, 16, 24, 32, float 32, 64, A-law or mu-law`,
    );
  const width = bits / 8;
  const length = Math.floor(size / (width * channels));
  if (length * width * channels !== size)
    throw new FormatError(
      `${name}: ${size} bytes of sound are no whole number of frames of ${channels} x ${width} bytes; the file is truncated`,
    );
  const rows = mono ? 1 : channels;
  const data = new Float32Array(rows * length);
  for (let i = 0, at = start; i < length; i++)
    for (let c = 0; c < channels; c++, at += width)
      if (mono) data[i] += read(view, at) / channels;
      else data[c * length + i] = read(view, at);
  return { samples: { data, shape: [rows, length], dtype: 'float32' }, sampleRate };
}
