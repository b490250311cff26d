import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { DType } from '../ir/dtype.ts';
import { ArgumentError, DTypeError, FormatError, GradusError, ShapeError, UnsupportedError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import {
  loadSafetensors,
  openSafetensors,
  openShardedSafetensors,
  parseSafetensors,
  saveSafetensors,
  writeSafetensors,
} from './safetensors.ts';

const golden = path.resolve('test/golden/safetensors');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'gradus-safetensors-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

interface Expected {
  tensors: Record<string, { dtype: DType; shape: number[]; values: (number | string)[] }>;
}
const expected: Expected = JSON.parse(fs.readFileSync(path.join(golden, 'all.json'), 'utf8'));

function float32(...data: number[]): NDArray {
  return { data: Float32Array.from(data), shape: [data.length], dtype: 'float32' };
}

/** A file with this header text, which may be anything, and this many zero bytes of data. */
function fileOf(header: unknown, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + json.length + dataBytes);
  new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true);
  out.set(json, 8);
  return out;
}

function entry(dtype: unknown, shape: unknown, ...offsets: unknown[]) {
  return { dtype, shape, data_offsets: offsets };
}

function check(tensors: ReadonlyMap<string, NDArray>) {
  expect([...tensors.keys()].sort()).toEqual(Object.keys(expected.tensors).sort());
  for (const [name, want] of Object.entries(expected.tensors)) {
    const got = tensors.get(name)!;
    expect({ dtype: got.dtype, shape: got.shape }, name).toEqual({ dtype: want.dtype, shape: want.shape });
    const values = want.values.map((v) => (typeof v === 'number' ? v : Number(v.replace('inf', 'Infinity'))));
    expect([...got.data], name).toEqual(values);
  }
}

describe('against the reference library', () => {
  it('reads every dtype, scalars, empty tensors and odd names', async () => {
    const file = path.join(golden, 'all.safetensors');
    const parsed = parseSafetensors(fs.readFileSync(file));
    check(parsed.tensors);
    expect(parsed.metadata).toEqual({ format: 'pt' });
    check((await loadSafetensors(file)).tensors);
    expect(parseSafetensors(fs.readFileSync(path.join(golden, 'none.safetensors'))).tensors.size).toBe(0);
  });

  it('writes the same bytes', async () => {
    const bytes = fs.readFileSync(path.join(golden, 'all.safetensors'));
    const { tensors, metadata } = parseSafetensors(bytes);
    expect(Buffer.from(writeSafetensors(tensors, metadata)).equals(bytes)).toBe(true);
    const file = path.join(folder, 'same.safetensors');
    expect(await saveSafetensors(file, Object.fromEntries(tensors), metadata)).toBe(bytes.length);
    expect(fs.readFileSync(file).equals(bytes)).toBe(true);
    const none = fs.readFileSync(path.join(golden, 'none.safetensors'));
    expect(Buffer.from(writeSafetensors({})).equals(none)).toBe(true);
  });

  it('refuses 64-bit integers beyond 2^53 - 1 and element types it does not hold, naming the tensor', async () => {
    const file = path.join(golden, 'int64_beyond.safetensors');
    expect(() => parseSafetensors(fs.readFileSync(file), 'm.safetensors')).toThrow(
      new FormatError(
        'm.safetensors: tensor "big": element 1 is about 9007199254740992: int64 is held exactly only within ±(2^53 - 1)',
      ),
    );
    await using reader = await openSafetensors(path.join(golden, 'float8.safetensors'));
    expect([...(await reader.read('ok')).data]).toEqual([1, 1]);
    await expect(reader.read('fp8')).rejects.toThrow(UnsupportedError);
    await expect(reader.read('fp8')).rejects.toThrow(/tensor "fp8": elements of type F8_E4M3 are not supported/);
    await expect(reader.read('none')).rejects.toThrow(/tensor "none" is not in the file; it holds ok, fp8/);
  });
});

describe('writeSafetensors', () => {
  const cases: [string, NDArray, new (m: string) => GradusError, RegExp][] = [
    [
      'class',
      { data: new Uint8Array(1), shape: [1], dtype: 'float32' },
      DTypeError,
      /"t": dtype float32 is held in a Float32Array, found Uint8Array/,
    ],
    [
      'dtype',
      { data: new Uint8Array(1), shape: [1], dtype: 'string' },
      DTypeError,
      /"t": dtype string cannot be stored/,
    ],
    [
      'shape',
      { data: new Uint8Array(1), shape: [2, 3], dtype: 'uint8' },
      ShapeError,
      /"t": shape \[2, 3\] holds 6 elements, the data has 1/,
    ],
    [
      'fraction',
      { data: Float64Array.of(1, 0.5), shape: [2], dtype: 'int64' },
      DTypeError,
      /"t": element 1 is 0.5: int64 takes integers within ±\(2\^53 - 1\)/,
    ],
    [
      'sign',
      { data: Float64Array.of(-1), shape: [1], dtype: 'uint64' },
      DTypeError,
      /"t": element 0 is -1: uint64 takes integers from 0 to/,
    ],
    ['size', { data: Float64Array.of(2 ** 53), shape: [1], dtype: 'int64' }, DTypeError, /9007199254740992/],
  ];
  it.each(cases)('refuses a wrong %s', (_, tensor, error, message) => {
    expect(() => writeSafetensors({ t: tensor })).toThrow(error);
    expect(() => writeSafetensors({ t: tensor })).toThrow(message);
  });

  it('refuses the name of the metadata and leaves no file after an error', async () => {
    expect(() => writeSafetensors({ __metadata__: float32(1) })).toThrow(ArgumentError);
    const file = path.join(folder, 'wrong', 'x.safetensors');
    const wrong: NDArray = { data: Float64Array.of(0.5), shape: [], dtype: 'int64' };
    await expect(saveSafetensors(file, { ok: float32(1), wrong })).rejects.toThrow(DTypeError);
    expect(fs.readdirSync(path.dirname(file))).toEqual([]);
  });

  it('aligns the header to 8 bytes and stores any true as 1', () => {
    const bytes = writeSafetensors({ a: { data: Uint8Array.of(0, 2), shape: [2], dtype: 'bool' } }, { k: 'v', x: 'y' });
    expect(bytes[0] % 8).toBe(0);
    expect([...bytes.subarray(-2)]).toEqual([0, 1]);
    expect(parseSafetensors(bytes).metadata).toEqual({ k: 'v', x: 'y' });
  });

  it('round-trips any tensors', () => {
    const tensor = fc.oneof(
      fc.array(fc.float()).map((a) => float32(...a)),
      fc
        .array(fc.maxSafeInteger())
        .map((a): NDArray => ({ data: Float64Array.from(a), shape: [1, a.length], dtype: 'int64' })),
      fc.uint16Array().map((data): NDArray => ({ data, shape: [data.length], dtype: 'bfloat16' })),
      fc.int8Array().map((data): NDArray => ({ data, shape: [data.length, 1], dtype: 'int8' })),
    );
    const names = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', '1'));
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(names, tensor), { selector: ([name]) => name }), (pairs) => {
        const { tensors } = parseSafetensors(writeSafetensors(new Map(pairs)));
        expect(tensors).toEqual(new Map(pairs));
      }),
    );
  });
});

describe('hostile files', () => {
  const one = entry('F32', [1], 0, 4);
  const cases: [string, Uint8Array, RegExp][] = [
    ['empty', new Uint8Array(0), /^f: 0 bytes are too few .* truncated$/],
    [
      'huge header',
      Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 123, 125),
      /header of 18446744073709551615 bytes, expected at most 100000000/,
    ],
    [
      'header past the end',
      Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 123, 125),
      /header of 3 bytes, but the file has only 2 after the length/,
    ],
    ['not an object', fileOf('[1]'), /does not begin with "{"/],
    ['byte order mark', fileOf('\ufeff{}'), /does not begin with "{"/],
    ['not JSON', fileOf('{"a":}'), /the header is not JSON/],
    ['not UTF-8', fileOf('{"a":1}').map((b) => (b === 97 ? 0xff : b)), /the header is not JSON/],
    ['deep nesting', fileOf(`{"a":${'['.repeat(100_000)}`), /nested deeper/],
    ['wide nesting', fileOf(`{"a":{"b":[${'[],'.repeat(9)}[]]}}`), /nested deeper/],
    [
      'a name twice',
      fileOf('{"a\\u0062":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}, "ab" :{}}', 4),
      /tensor "ab": the header names it twice/,
    ],
    ['a key twice', fileOf('{"a":{"dtype":"F32","dtype":"F32"}}'), /tensor "dtype": the header names it twice/],
    [
      'truncated',
      fileOf({ a: one }, 3),
      /tensor "a": ends at byte 4 of the data, but the file has only 3: it is truncated/,
    ],
    ['trailing bytes', fileOf({ a: one }, 5), /1 bytes after the last tensor belong to none/],
    [
      'hole at the front',
      fileOf({ a: entry('F32', [1], 4, 8) }, 8),
      /tensor "a": begins at byte 4 of the data, expected 0: there is a hole/,
    ],
    [
      'hole',
      fileOf({ a: one, b: entry('F32', [1], 5, 9) }, 9),
      /tensor "b": begins at byte 5 of the data, expected 4: there is a hole/,
    ],
    ['overlap', fileOf({ a: one, b: entry('F32', [1], 2, 6) }, 6), /tensor "b": begins at byte 2 .* it overlaps "a"/],
    ['same bytes twice', fileOf({ a: one, b: one }, 4), /tensor "b": .* it overlaps "a"/],
    [
      'size and offsets',
      fileOf({ a: entry('F32', [2], 0, 4) }, 4),
      /tensor "a": F32 of shape \[2\] takes 8 bytes, but data_offsets \[0, 4\] hold 4/,
    ],
    [
      'overflow',
      fileOf({ a: entry('F32', [2 ** 32, 2 ** 32], 0, 0) }),
      /tensor "a": shape \[4294967296,4294967296\] is too large/,
    ],
    ['overflow with zero', fileOf({ a: entry('F32', [2 ** 40, 2 ** 40, 0], 0, 0) }), /too large/],
    ['unknown dtype', fileOf({ a: entry('F33', [1], 0, 4) }, 4), /tensor "a": unknown dtype "F33"/],
    ['prototype dtype', fileOf({ a: entry('constructor', [1], 0, 4) }, 4), /unknown dtype/],
    ['negative size', fileOf({ a: entry('F32', [-1], 0, 4) }, 4), /tensor "a": shape is not a list of non-negative/],
    ['fractional size', fileOf({ a: entry('F32', [0.5, 2], 0, 4) }, 4), /shape is not a list/],
    ['offsets reversed', fileOf({ a: entry('F32', [1], 4, 0) }, 4), /tensor "a": data_offsets are not/],
    [
      'offsets beyond counting',
      fileOf('{"a":{"dtype":"U8","shape":[1],"data_offsets":[1e300,1e300]}}'),
      /data_offsets are not/,
    ],
    ['three offsets', fileOf({ a: entry('F32', [1], 0, 4, 4) }, 4), /data_offsets are not/],
    ['no fields', fileOf({ a: {} }), /tensor "a": unknown dtype undefined/],
    ['null', fileOf({ a: null }), /tensor "a": expected an object/],
    ['metadata of numbers', fileOf({ __metadata__: { a: 1 } }), /__metadata__ key "a" is a number/],
    ['metadata list', fileOf({ __metadata__: [] }), /__metadata__ is not an object/],
    ['very long name', fileOf({ ['x'.repeat(9999)]: null }), /x{200}\.\.\."/],
  ];
  it.each(cases)('refuses: %s', async (name, bytes, message) => {
    expect(() => parseSafetensors(bytes, 'f')).toThrow(FormatError);
    expect(() => parseSafetensors(bytes, 'f')).toThrow(message);
    const file = path.join(folder, `${name}.safetensors`);
    fs.writeFileSync(file, bytes);
    await expect(openSafetensors(file)).rejects.toThrow(FormatError);
  });

  it('gives an error or equal data for every damaged header, and never allocates by a claim', () => {
    const whole = fs.readFileSync(path.join(golden, 'all.safetensors'));
    const dataStart = 8 + Number(whole.readBigUInt64LE(0));
    const position = fc.nat({ max: dataStart - 1 });
    const damage = fc.oneof(
      fc.record({ at: position, insert: fc.uint8Array({ maxLength: 4 }), remove: fc.nat({ max: 4 }) }),
      fc.record({
        at: position,
        insert: fc.constantFrom('0', '9', '99999999', '-', '"', '{', '[', ','),
        remove: fc.nat({ max: 2 }),
      }),
      fc.record({ at: fc.nat({ max: whole.length }), insert: fc.constant(''), remove: fc.constant(whole.length) }),
    );
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), fc.boolean(), (damages, fixLength) => {
        let bytes: Buffer<ArrayBufferLike> = Buffer.from(whole);
        for (const { at, insert, remove } of damages)
          bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(insert), bytes.subarray(at + remove)]);
        // Half of the time the length is mended, so that damage reaches the checks behind it.
        if (fixLength && bytes.length >= 8)
          bytes.writeBigUInt64LE(BigInt(Math.max(0, dataStart - 8 + bytes.length - whole.length)));
        try {
          const read = parseSafetensors(bytes);
          // A damaged name or dtype can still be a sound file: then every byte of data belongs to one tensor.
          let size = 0;
          for (const tensor of read.tensors.values()) size += tensor.data.byteLength;
          expect(size).toBe(bytes.length - 8 - Number(bytes.readBigUInt64LE(0)));
        } catch (error) {
          if (!(error instanceof GradusError)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('refuses a file that shrinks while open', async () => {
    const file = path.join(folder, 'shrinks.safetensors');
    await saveSafetensors(file, { a: float32(1, 2), b: float32(3, 4) });
    await using reader = await openSafetensors(file);
    fs.truncateSync(file, fs.statSync(file).size - 1);
    await expect(reader.read('b')).rejects.toThrow(/truncated while open/);
    expect([...(await reader.read('a')).data]).toEqual([1, 2]);
  });
});

describe('shards', () => {
  const index = path.join(folder, 'sharded', 'model.safetensors.index.json');
  const write = (weightMap: unknown) =>
    fs.writeFileSync(index, JSON.stringify({ metadata: { total_size: 12 }, weight_map: weightMap }));

  it('reads tensors through the index', async () => {
    await saveSafetensors(path.join(folder, 'sharded', 's-1.safetensors'), { a: float32(1), b: float32(2) });
    await saveSafetensors(path.join(folder, 'sharded', 's-2.safetensors'), { c: float32(3) });
    write({ a: 's-1.safetensors', b: 's-1.safetensors', c: 's-2.safetensors' });
    await using reader = await openShardedSafetensors(index);
    expect([...reader.entries.keys()]).toEqual(['a', 'b', 'c']);
    expect(reader.metadata).toEqual({ total_size: '12' });
    expect([...(await reader.read('c')).data]).toEqual([3]);
    await expect(reader.read('d')).rejects.toThrow(ArgumentError);
  });

  it('refuses lies and paths out of the folder', async () => {
    write({ a: '../same.safetensors' });
    await expect(openShardedSafetensors(index)).rejects.toThrow(FormatError);
    await expect(openShardedSafetensors(index)).rejects.toThrow(/"..\/same.safetensors" leaves the folder/);
    write({ a: 's-1.safetensors', z: 's-2.safetensors' });
    await expect(openShardedSafetensors(index)).rejects.toThrow(
      /tensor "z": the index says it is in s-2.safetensors, which lacks it/,
    );
    write({ a: 'absent.safetensors' });
    await expect(openShardedSafetensors(index)).rejects.toThrow(
      /cannot open .*absent.safetensors: there is no such file/,
    );
    write({ a: 1 });
    await expect(openShardedSafetensors(index)).rejects.toThrow(/tensor "a": its file name is not a string/);
    for (const text of ['{', '[]', 'null', '{"weight_map":[]}']) {
      fs.writeFileSync(index, text);
      await expect(openShardedSafetensors(index)).rejects.toThrow(FormatError);
    }
  });
});
