/** @file The header of a safetensors file: reading it with every claim checked, and writing it. */
import type { DType } from '../ir/dtype.ts';
import { FormatError } from '../ir/errors.ts';

/** What the header says of one tensor. `start` and `end` count bytes from the end of the header. */
export interface SafetensorsEntry {
  readonly name: string;
  /** The format's name of the element type, such as `F32`. */
  readonly type: string;
  /** Undefined for types that Gradus does not hold (8-bit floats, complex numbers). */
  readonly dtype: DType | undefined;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Where the tensors' bytes begin in the file. */
  readonly dataStart: number;
}

/** Largest header that the format allows, in bytes (the limit of the reference implementation). */
const maxHeaderBytes = 100_000_000;

/** The format's element types in the order of the reference writer (ascending alignment), with bits per element. */
const elementTypes: readonly (readonly [type: string, bits: number, dtype?: DType])[] = [
  ['BOOL', 8, 'bool'],
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['U8', 8, 'uint8'],
  ['I8', 8, 'int8'],
  ['F8_E5M2', 8],
  ['F8_E4M3', 8],
  ['F8_E8M0', 8],
  ['F8_E4M3FNUZ', 8],
  ['F8_E5M2FNUZ', 8],
  ['I16', 16, 'int16'],
  ['U16', 16, 'uint16'],
  ['F16', 16, 'float16'],
  ['BF16', 16, 'bfloat16'],
  ['I32', 32, 'int32'],
  ['U32', 32, 'uint32'],
  ['F32', 32, 'float32'],
  ['C64', 64],
  ['F64', 64, 'float64'],
  ['I64', 64, 'int64'],
  ['U64', 64, 'uint64'],
];
const byType = new Map(elementTypes.map(([type, bits, dtype]) => [type, { bits, dtype }]));
const byDType = new Map(elementTypes.map(([type, , dtype], rank) => [dtype, { type, rank }]));

/** The format's name of a dtype and its place in the writing order; undefined for strings. */
export function elementTypeOf(dtype: DType): { readonly type: string; readonly rank: number } | undefined {
  return byDType.get(dtype);
}

/**
 * The header's length, from the first 8 bytes of a file of `fileBytes` bytes.
 * @throws FormatError where the file is too short for what it claims.
 */
export function headerLength(first: Uint8Array, fileBytes: number, source: string): number {
  if (fileBytes < 10 || first.length < 8)
    throw new FormatError(`${source}: ${fileBytes} bytes are too few for a safetensors file: it is empty or truncated`);
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes))
    throw new FormatError(
      `${source}: header of ${length} bytes, expected at most ${maxHeaderBytes}: this is not a safetensors file, or it is corrupt`,
    );
  if (length > BigInt(fileBytes - 8))
    throw new FormatError(
      `${source}: header of ${length} bytes, but the file has only ${fileBytes - 8} after the length: it is truncated`,
    );
  return Number(length);
}

/**
 * Reads the header and checks it against the file: names once each, known types, sizes that agree with shapes, and byte
 * ranges that cover the rest of the file without gap or overlap.
 * @param json The header's bytes. `fileBytes` is the size of the whole file.
 * @throws FormatError naming the tensor.
 */
export function parseHeader(json: Uint8Array, fileBytes: number, source: string): SafetensorsHeader {
  const dataStart = 8 + json.length;
  const root = parseJson(json, source);
  const entries = new Map<string, SafetensorsEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(root)) {
    if (name === '__metadata__') metadata = parseMetadata(value, source);
    else entries.set(name, parseEntry(name, value, source));
  }
  let end = 0;
  let previous = '';
  for (const entry of [...entries.values()].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (entry.start !== end)
      throw new FormatError(
        `${where(source, entry.name)}: begins at byte ${entry.start} of the data, expected ${end}: ` +
          (entry.start < end ? `it overlaps ${JSON.stringify(previous)}` : 'there is a hole before it'),
      );
    end = entry.end;
    previous = entry.name;
  }
  const dataBytes = fileBytes - dataStart;
  if (end !== dataBytes)
    throw new FormatError(
      end > dataBytes
        ? `${where(source, previous)}: ends at byte ${end} of the data, but the file has only ${dataBytes}: it is truncated`
        : `${source}: ${dataBytes - end} bytes after the last tensor belong to none: the file is corrupt`,
    );
  return { entries, metadata, dataStart };
}

/** The tensor's name for messages, shortened because a hostile header may hold names of megabytes. */
export function where(source: string, name: string): string {
  return `${source}: tensor ${JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}...` : name)}`;
}

function parseJson(bytes: Uint8Array, source: string): Record<string, unknown> {
  if (bytes[0] !== 0x7b)
    throw new FormatError(`${source}: the header does not begin with "{": this is not a safetensors file`);
  let root: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    scanKeys(text, source);
    root = JSON.parse(text);
  } catch (error) {
    if (error instanceof FormatError) throw error;
    throw new FormatError(`${source}: the header is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (!isRecord(root)) throw new FormatError(`${source}: the header is not a JSON object`);
  return root;
}

/**
 * What JSON.parse does not do: refuse an object with two equal keys (it would keep the last in silence), and deep or
 * wide nesting, by which a small file could take gigabytes. Whether the text is JSON at all is left to JSON.parse.
 */
function scanKeys(text: string, source: string): void {
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '{' || c === '[') {
      if (open.length === 3 || (open.length > 0 && open.at(-1) === undefined))
        throw new FormatError(`${source}: the header is nested deeper than tensors with shapes: the file is corrupt`);
      open.push(c === '{' ? new Set() : undefined);
    } else if (c === '}' || c === ']') {
      open.pop();
    } else if (c === '"') {
      const start = i;
      let escaped = false;
      for (i++; i < text.length && text[i] !== '"'; i++)
        if (text[i] === '\\') {
          escaped = true;
          i++;
        }
      const end = i;
      while (' \n\r\t'.includes(text[i + 1] ?? '-')) i++;
      if (text[i + 1] !== ':') continue;
      const name: string = escaped ? JSON.parse(text.slice(start, end + 1)) : text.slice(start + 1, end);
      const keys = open.at(-1);
      if (keys?.has(name)) throw new FormatError(`${where(source, name)}: the header names it twice`);
      keys?.add(name);
    }
  }
}

function parseMetadata(value: unknown, source: string): Record<string, string> {
  if (!isRecord(value)) throw new FormatError(`${source}: __metadata__ is not an object of strings`);
  const out: [string, string][] = [];
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string')
      throw new FormatError(
        `${source}: __metadata__ key ${JSON.stringify(key)} is a ${typeof text}, expected a string`,
      );
    out.push([key, text]);
  }
  return Object.fromEntries(out);
}

function parseEntry(name: string, value: unknown, source: string): SafetensorsEntry {
  const at = where(source, name);
  if (!isRecord(value)) throw new FormatError(`${at}: expected an object with dtype, shape and data_offsets`);
  const { dtype: type, shape, data_offsets: offsets } = value;
  const known = typeof type === 'string' ? byType.get(type) : undefined;
  if (typeof type !== 'string' || known === undefined)
    throw new FormatError(`${at}: unknown dtype ${JSON.stringify(type)?.slice(0, 100)}`);
  if (!isSizes(shape)) throw new FormatError(`${at}: shape is not a list of non-negative integers`);
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1])
    throw new FormatError(`${at}: data_offsets are not [begin, end] in bytes`);
  const [start, end] = offsets;
  let bits = known.bits;
  for (const dim of shape) {
    bits *= dim;
    if (!Number.isSafeInteger(bits))
      throw new FormatError(`${at}: shape [${shape.slice(0, 16)}] is too large to count`);
  }
  if (bits !== (end - start) * 8)
    throw new FormatError(
      `${at}: ${type} of shape [${shape.slice(0, 16)}] takes ${bits / 8} bytes, but data_offsets [${start}, ${end}] hold ${end - start}`,
    );
  return { name, type, dtype: known.dtype, shape: shape.map((dim) => dim + 0), start, end };
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The length prefix and JSON header for these entries in this order, padded by spaces to a multiple of 8. */
export function encodeHeader(
  entries: readonly SafetensorsEntry[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const pairs: string[] = [];
  const texts = Object.entries(metadata);
  if (texts.length > 0) pairs.push(`"__metadata__":${JSON.stringify(Object.fromEntries(texts))}`);
  // Built by hand: an object would put names that look like numbers first.
  for (const { name, type, shape, start, end } of entries)
    pairs.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype: type, shape, data_offsets: [start, end] })}`);
  const json = new TextEncoder().encode(`{${pairs.join(',')}}`);
  const length = Math.ceil(json.length / 8) * 8;
  if (length > maxHeaderBytes)
    throw new FormatError(
      `safetensors header of ${length} bytes, expected at most ${maxHeaderBytes}: write several files`,
    );
  const out = new Uint8Array(8 + length).fill(0x20);
  new DataView(out.buffer).setBigUint64(0, BigInt(length), true);
  out.set(json, 8);
  return out;
}
