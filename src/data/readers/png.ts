/**
 * @file Values of PNG files as they are stored: indices into a palette, small bit depths, 16 bits. Image libraries give
 * colours in their place, which are no classes of pixels. Format: https://www.w3.org/TR/png-3.
 */
import { crc32, inflateSync } from 'node:zlib';
import { FormatError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { join } from '../formats/bytes.ts';

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Samples of a pixel, and the depths that are allowed, by colour type: grey, RGB, palette, grey and alpha, RGBA. */
const kinds: Readonly<Record<number, { samples: number; depths: readonly number[] } | undefined>> = {
  0: { samples: 1, depths: [1, 2, 4, 8, 16] },
  2: { samples: 3, depths: [8, 16] },
  3: { samples: 1, depths: [1, 2, 4, 8] },
  4: { samples: 2, depths: [8, 16] },
  6: { samples: 4, depths: [8, 16] },
};

/** Whether bytes begin like a PNG file. */
export function isPng(bytes: Uint8Array): boolean {
  return bytes.length > 8 && signature.every((v, i) => bytes[i] === v);
}

/**
 * The first sample of every pixel as stored, [height, width, 1]: uint8, or uint16 of 16-bit files.
 * @throws FormatError for damaged, truncated or interlaced files and for more than `maxPixels`.
 */
export function parsePngValues(bytes: Uint8Array, name: string, maxPixels: number): NDArray {
  const { header, data } = chunksOf(bytes, name);
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, type, , , interlaced] = header.subarray(8);
  const kind = kinds[type];
  if (width === 0 || height === 0 || !kind?.depths.includes(depth))
    throw new FormatError(`${name}: no PNG has ${width} x ${height} pixels of type ${type} and ${depth} bits`);
  if (width * height > maxPixels)
    throw new FormatError(`${name}: ${width} x ${height} pixels exceed the pixel limit ${maxPixels}`);
  if (interlaced) throw new FormatError(`${name}: the PNG is interlaced; masks must be saved without interlacing`);
  const pixelBits = kind.samples * depth;
  const rowBytes = Math.ceil((width * pixelBits) / 8);
  const rows = unfiltered(
    inflated(data, height * (rowBytes + 1), name),
    height,
    rowBytes,
    Math.ceil(pixelBits / 8),
    name,
  );
  const size = width * height;
  if (depth === 16) {
    const values = new Uint16Array(size);
    const words = new DataView(rows.buffer, rows.byteOffset, rows.length);
    for (let p = 0; p < size; p++) values[p] = words.getUint16(p * 2 * kind.samples);
    return { data: values, shape: [height, width, 1], dtype: 'uint16' };
  }
  const values = new Uint8Array(size);
  const mask = 2 ** depth - 1;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const bit = x * pixelBits;
      // Several pixels of a byte stand from its high bits on.
      values[y * width + x] = (rows[y * rowBytes + (bit >> 3)] >> (8 - depth - (bit & 7))) & mask;
    }
  return { data: values, shape: [height, width, 1], dtype: 'uint8' };
}

function chunksOf(bytes: Uint8Array, name: string): { header: Uint8Array; data: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let header: Uint8Array | undefined;
  const parts: Uint8Array[] = [];
  for (let at = signature.length; ; ) {
    const length = at + 12 <= bytes.length ? view.getUint32(at) : Number.POSITIVE_INFINITY;
    const end = at + 12 + length;
    if (end > bytes.length) throw new FormatError(`${name}: the PNG ends within a chunk; the file is truncated`);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4))
      throw new FormatError(`${name}: a checksum of the PNG is wrong; the file is damaged`);
    const content = bytes.subarray(at + 8, end - 4);
    if (type === 'IHDR' && length === 13) header = content;
    if (type === 'IDAT') parts.push(content);
    if (type === 'IEND') break;
    at = end;
  }
  if (!header || !parts.length) throw new FormatError(`${name}: the PNG has no header or no pixels`);
  return { header, data: join(parts) };
}

function inflated(data: Uint8Array, size: number, name: string): Uint8Array {
  try {
    const out = inflateSync(data, { maxOutputLength: size });
    if (out.length === size) return out;
  } catch (cause) {
    throw new FormatError(`${name}: the pixels of the PNG are damaged`, { cause });
  }
  throw new FormatError(`${name}: the PNG holds fewer pixels than its header says`);
}

/** Undoes the filter of each row (section 9 of the format): none, left, up, average, Paeth. */
function unfiltered(data: Uint8Array, height: number, rowBytes: number, step: number, name: string): Uint8Array {
  const out = new Uint8Array(height * rowBytes);
  for (let y = 0; y < height; y++) {
    const filter = data[y * (rowBytes + 1)];
    if (filter > 4) throw new FormatError(`${name}: row ${y} of the PNG has filter ${filter}, which there is not`);
    const to = y * rowBytes;
    const from = y * (rowBytes + 1) + 1;
    for (let i = 0; i < rowBytes; i++) {
      const left = i >= step ? out[to + i - step] : 0;
      const up = y > 0 ? out[to + i - rowBytes] : 0;
      const corner = y > 0 && i >= step ? out[to + i - rowBytes - step] : 0;
      out[to + i] = data[from + i] + prediction(filter, left, up, corner);
    }
  }
  return out;
}

function prediction(filter: number, left: number, up: number, corner: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}
