/** @file Reads TensorProto: every way in which a file may hold elements becomes raw little-endian bytes. */

import { dtypeFromOnnx } from '../dtype.ts';
import { FormatError, UnsupportedError } from '../errors.ts';
import { formatShape } from '../shape.ts';
import type { TensorProto } from './proto.ts';
import { ByteSink, type Fields, type Source } from './source.ts';

type TypedField = 'float' | 'double' | 'int32' | 'int64' | 'uint64';

/** By TensorProto.DataType: bits per element and the typed field that holds elements where raw_data does not. */
const storage = new Map<number, { bits: number; field: TypedField }>();
const declare = (field: TypedField, bits: number, ...codes: number[]) => {
  for (const code of codes) storage.set(code, { bits, field });
};
declare('float', 32, 1);
declare('float', 64, 14); // complex64
declare('double', 64, 11);
declare('double', 128, 15); // complex128
declare('int64', 64, 7);
declare('uint64', 32, 12);
declare('uint64', 64, 13);
declare('int32', 32, 6);
declare('int32', 16, 4, 5, 10, 16);
declare('int32', 8, 2, 3, 9, 17, 18, 19, 20, 24); // 17 to 20 and 24 are float8
declare('int32', 4, 21, 22, 23); // uint4, int4, float4, two to a byte
declare('int32', 2, 25, 26); // uint2, int2

const stringType = 8;
const boolType = 9;

interface Draft {
  name: string;
  dims: number[];
  dataType: number;
  raw?: Uint8Array;
  typed: Record<TypedField, ByteSink | undefined>;
  strings: Uint8Array[];
  external: [string, string][];
  isExternal: boolean;
  docString?: string;
}

const sink = (t: Draft, field: TypedField): ByteSink => {
  t.typed[field] ??= new ByteSink();
  return t.typed[field];
};

/** StringStringEntryProto. */
export const entryFields: Fields<{ key: string; value: string }> = {
  1: (e, s) => {
    e.key = s.string();
  },
  2: (e, s) => {
    e.value = s.string();
  },
};

const tensorFields: Fields<Draft> = {
  1: (t, s) => s.varints((r) => t.dims.push(Number(r.int64()))),
  2: (t, s) => {
    t.dataType = s.int32();
  },
  3: (t) => {
    throw new UnsupportedError(`ONNX file: tensor '${t.name}' is stored in segments, which no known writer produces`);
  },
  4: (t, s) => sink(t, 'float').append(s.fixed(4)),
  5: (t, s) => s.varints((r) => sink(t, 'int32').int32(r.int32())),
  6: (t, s) => {
    t.strings.push(s.bytes());
  },
  7: (t, s) => s.varints((r) => sink(t, 'int64').int64(BigInt(r.int64()))),
  8: (t, s) => {
    t.name = s.string();
  },
  9: (t, s) => {
    t.raw = s.bytes();
  },
  10: (t, s) => sink(t, 'double').append(s.fixed(8)),
  11: (t, s) => s.varints((r) => sink(t, 'uint64').int64(BigInt(r.int64()))),
  12: (t, s) => {
    t.docString = s.string();
  },
  13: (t, s) => {
    const { key, value } = s.message({ key: '', value: '' }, entryFields);
    t.external.push([key, value]);
  },
  14: (t, s) => {
    t.isExternal = s.int32() === 1;
  },
};

/**
 * The current field of the source as a tensor.
 * @throws FormatError where dimensions are not sizes or do not match the elements that are there.
 */
export function readTensor(source: Source): TensorProto {
  const none = { float: undefined, double: undefined, int32: undefined, int64: undefined, uint64: undefined };
  const draft: Draft = {
    name: '',
    dims: [],
    dataType: 0,
    typed: none,
    strings: [],
    external: [],
    isExternal: false,
  };
  const t = source.message(draft, tensorFields);
  const { name, dims, dataType } = t;
  const out: TensorProto = { name, dims, dataType };
  if (t.docString !== undefined) out.docString = t.docString;
  const count = countElements(t);
  if (t.isExternal) {
    byteLength(t, count);
    // fromEntries, because a key may be __proto__.
    out.externalData = Object.fromEntries(t.external);
  } else if (dataType === stringType) {
    if (t.strings.length !== count)
      throw new FormatError(`ONNX file: ${describe(t)} needs ${count} strings; the file holds ${t.strings.length}`);
    out.stringData = t.strings;
  } else {
    const needed = byteLength(t, count);
    const data = t.raw?.length ? t.raw : typedData(t);
    if (data.length !== needed)
      throw new FormatError(`ONNX file: ${describe(t)} needs ${needed} bytes; the file holds ${data.length}`);
    out.rawData = data;
  }
  return out;
}

/** Bytes that a tensor's elements take, by its dimensions and type. @throws FormatError for strings and unknown types. */
export function tensorByteLength(tensor: { name: string; dims: readonly number[]; dataType: number }): number {
  return byteLength(tensor, countElements(tensor));
}

function countElements(t: { name: string; dims: readonly number[]; dataType: number }): number {
  let count = 1;
  for (const dim of t.dims) {
    if (!Number.isSafeInteger(dim) || dim < 0)
      throw new FormatError(`ONNX file: ${describe(t)} has a dimension of ${dim}; expected 0 to 2^53`);
    count *= dim;
  }
  if (t.dims.includes(0)) return 0;
  if (!Number.isSafeInteger(count))
    throw new FormatError(`ONNX file: ${describe(t)} claims ${count} elements, more than any file holds`);
  return count;
}

function byteLength(t: { name: string; dims: readonly number[]; dataType: number }, count: number): number {
  const bits = storage.get(t.dataType)?.bits;
  if (bits === undefined)
    throw new FormatError(
      `ONNX file: tensor '${t.name}' has element type ${t.dataType}; expected a numeric TensorProto.DataType`,
    );
  return Math.ceil((count * bits) / 8);
}

function describe(t: { name: string; dims: readonly number[]; dataType: number }): string {
  const shape = t.dims.length > 8 ? `[${t.dims.slice(0, 8).join(', ')}, ...]` : formatShape(t.dims);
  return `tensor '${t.name}' (${dtypeFromOnnx(t.dataType) ?? `type ${t.dataType}`} ${shape})`;
}

/** Elements from the typed field that belongs to the type, in the type's own width. */
function typedData(t: Draft): Uint8Array {
  const type = storage.get(t.dataType);
  const wide = type && t.typed[type.field]?.bytes();
  if (!wide) return new Uint8Array(0);
  const view = new DataView(wide.buffer, wide.byteOffset, wide.byteLength);
  if (type.field === 'int32' && type.bits <= 8) {
    const out = new Uint8Array(wide.length / 4);
    for (let i = 0; i < out.length; i++) {
      const value = view.getInt32(4 * i, true);
      out[i] = t.dataType === boolType ? Number(value !== 0) : value;
    }
    return out;
  }
  if (type.field === 'int32' && type.bits === 16) {
    const out = new Uint16Array(wide.length / 4);
    for (let i = 0; i < out.length; i++) out[i] = view.getInt32(4 * i, true);
    return new Uint8Array(out.buffer);
  }
  if (type.field === 'uint64' && type.bits === 32) {
    const out = new Uint32Array(wide.length / 8);
    for (let i = 0; i < out.length; i++) out[i] = view.getUint32(8 * i, true);
    return new Uint8Array(out.buffer);
  }
  return wide;
}
