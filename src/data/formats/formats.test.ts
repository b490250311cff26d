/** @file Parsers of bytes in memory: right values on good files, typed errors on bad ones, nothing else on mutated ones. */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { strToU8, zipSync } from 'fflate';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import wavefile from 'wavefile';
import { ArgumentError, FormatError, GradusError, UnsupportedError } from '../../ir/errors.ts';
import { toNested } from '../../ir/ndarray.ts';
import {
  jsonlFromText,
  maybeGunzip,
  parseCifar10,
  parseCifar100,
  parseCsv,
  parseIdx,
  parseJsonl,
  parseNpy,
  parseNpz,
  parseParquet,
  parseWav,
} from './index.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);

/** Cuts, flips and inserts bytes; every parser must give data or a GradusError. */
async function survivesMutation(good: Uint8Array, parse: (b: Uint8Array) => unknown, numRuns = 300) {
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    value: fc.nat(255),
    kind: fc.constantFrom('set', 'ones', 'insert', 'cut', 'delete'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
      let mutated = [...good];
      for (const { at, value, kind } of edits) {
        // Half of the edits hit the first 64 bytes, where headers are.
        const index = Math.floor(at < 0.5 ? at * 2 * Math.min(64, mutated.length) : (at - 0.5) * 2 * mutated.length);
        if (kind === 'set') mutated[index] = value;
        else if (kind === 'ones') mutated.splice(index, 4, 255, 255, 255, 127);
        else if (kind === 'insert') mutated.splice(index, 0, value);
        else if (kind === 'delete') mutated.splice(index, 1);
        else mutated = mutated.slice(0, index);
      }
      try {
        await parse(Uint8Array.from(mutated, (v) => v ?? 0));
      } catch (error) {
        if (!(error instanceof GradusError)) throw error;
      }
    }),
    { numRuns, seed: 7 },
  );
}

describe('gzip', () => {
  const data = Uint8Array.from({ length: 1000 }, (_, i) => i % 7);
  it('inflates gzip, also of several members, and passes other bytes on', async () => {
    expect(await maybeGunzip(gzipSync(data))).toEqual(data);
    expect(await maybeGunzip(Buffer.concat([gzipSync(data), gzipSync(data)]))).toHaveLength(2000);
    expect(await maybeGunzip(data)).toBe(data);
    expect(await maybeGunzip(new Uint8Array())).toHaveLength(0);
  });
  it('refuses truncated and corrupt data and bombs', async () => {
    const good = gzipSync(data);
    await expect(maybeGunzip(good.subarray(0, 15), { name: 'x.gz' })).rejects.toThrow(
      /^x.gz: the gzip data is corrupt or truncated/,
    );
    const flipped = Uint8Array.from(good);
    flipped[flipped.length - 6] ^= 1;
    await expect(maybeGunzip(flipped)).rejects.toThrow(FormatError);
    const bomb = gzipSync(new Uint8Array(50_000_000));
    expect(bomb.length).toBeLessThan(60_000);
    await expect(maybeGunzip(bomb, { maxBytes: 100_000, name: 'bomb.gz' })).rejects.toThrow(
      'bomb.gz: more than 100000 bytes; raise maxBytes',
    );
    await expect(maybeGunzip(data, { maxBytes: 10 })).rejects.toThrow('more than 10 bytes');
  });
  it('survives mutation', () => survivesMutation(gzipSync(data), (b) => maybeGunzip(b), 150));
});

describe('CSV', () => {
  it('reads quotes, BOM, CRLF, other delimiters, comments, missing headers', () => {
    expect(parseCsv('\uFEFFa,b\r\n1,"x, ""y""\nz"\r\n2,\r\n')).toEqual([
      { a: '1', b: 'x, "y"\nz' },
      { a: '2', b: '' },
    ]);
    expect(parseCsv('a;b\n1;2', { delimiter: ';' })).toEqual([{ a: '1', b: '2' }]);
    expect(parseCsv('1\t2', { delimiter: '\t', header: ['p', 'q'] })).toEqual([{ p: '1', q: '2' }]);
    expect(parseCsv('1,2', { header: false })).toEqual([{ column1: '1', column2: '2' }]);
    expect(parseCsv('# note\na, b\n 1, "2"', { comment: '#', trim: true })).toEqual([{ a: '1', b: '2' }]);
    expect(parseCsv("a\n'x,y'", { quote: "'" })).toEqual([{ a: 'x,y' }]);
    expect(parseCsv('a,b\n5" pipe,6"', { quote: false })).toEqual([{ a: '5" pipe', b: '6"' }]);
    expect(parseCsv('a,\n1,2')).toEqual([{ a: '1', column2: '2' }]);
    expect(parseCsv('')).toEqual([]);
    expect(parseCsv(bytes(97, 10, 0xe9), { encoding: 'latin1' })).toEqual([{ a: 'é' }]);
  });
  it('keeps columns with dangerous names', () => {
    const [row] = parseCsv('__proto__,constructor\n1,2');
    expect(Object.entries(row)).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
    ]);
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
  });
  it.each([
    ['a,b\n1,2\n3\n', 't.csv, line 3: expected 2 columns as in the first row, found 1'],
    ['a,b\n1,2,3\n', 't.csv, line 2: expected 2 columns as in the first row, found 3'],
    ['a,b\n1,"x\n', 'a quoted value is not closed'],
    ['a\n1"2\n', 't.csv, line 2'],
    ['a,b,a\n1,2,3', "column 'a' comes twice in the header"],
    [bytes(97, 10, 0xe9), "not valid utf-8 text; if it is in another encoding, say encoding: 'latin1'"],
  ])('refuses %j', (text, message) => {
    expect(() => parseCsv(text, { name: 't.csv' })).toThrow(FormatError);
    expect(() => parseCsv(text, { name: 't.csv' })).toThrow(message);
  });
  it('bounds a row by maxRecordSize, and checks names against columns', () => {
    expect(() => parseCsv(`a,b\n1,"${'x'.repeat(5000)}`, { maxRecordSize: 100 })).toThrow(
      'perhaps by an unclosed quote',
    );
    expect(() => parseCsv('1,2', { header: ['a'] })).toThrow('a row has 2 values for 1 columns');
    expect(() => parseCsv('1', { delimiter: '' })).toThrow(ArgumentError);
  });
  it('reads back what was written', () => {
    const cell = fc.string({ unit: 'grapheme', maxLength: 8 }).filter((s) => !s.includes('\uFEFF'));
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 6 }), (rows) => {
        const quoted = rows.map((r) => r.map((v) => `"${v.replaceAll('"', '""')}"`).join(',')).join('\n');
        expect(parseCsv(`a,b\n${quoted}\n`)).toEqual(rows.map(([a, b]) => ({ a, b })));
      }),
    );
  });
  it('survives mutation', () => survivesMutation(strToU8('a,b\n1,"x, ""y"""\n2,z\n'.repeat(3)), (b) => parseCsv(b)));
});

describe('JSON lines', () => {
  it('reads values, empty lines and CRLF, in one piece and in chunks', async () => {
    const text = '{"a":1}\r\n\n[2]\n"é"';
    expect(parseJsonl(text)).toEqual([{ a: 1 }, [2], 'é']);
    for (const size of [1, 2, 3, 50]) {
      const chunks = async function* () {
        for (let i = 0; i < text.length; i += size) yield text.slice(i, i + size);
      };
      const out: unknown[] = [];
      for await (const value of jsonlFromText(chunks())) out.push(value);
      expect(out).toEqual([{ a: 1 }, [2], 'é']);
    }
  });
  it('names the bad line and bounds its length', async () => {
    expect(() => parseJsonl('1\n{"a":\n', { name: 'd.jsonl' })).toThrow(/^d.jsonl, line 2: not JSON/);
    const endless = async function* () {
      for (;;) yield 'x'.repeat(100);
    };
    await expect(jsonlFromText(endless(), { maxLineLength: 1000 }).next()).rejects.toThrow(
      'line 1: longer than maxLineLength 1000',
    );
  });
  it('survives mutation', () => survivesMutation(strToU8('{"a":[1,2]}\n{"b":"x"}\n'), (b) => parseJsonl(b)));
});

describe('IDX', () => {
  const good = bytes(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6);
  it('reads bytes and wider big-endian types', () => {
    expect(parseIdx(good)).toEqual({ data: bytes(1, 2, 3, 4, 5, 6), shape: [2, 3], dtype: 'uint8' });
    expect(toNested(parseIdx(bytes(0, 0, 11, 1, 0, 0, 0, 2, 255, 254, 1, 0)))).toEqual([-2, 256]);
    expect(toNested(parseIdx(bytes(0, 0, 13, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0)))).toEqual([1.5]);
  });
  it.each([
    [bytes(1, 2), 'too few'],
    [bytes(0, 1, 8, 1, 0, 0, 0, 0), 'no IDX file: it begins with 0 1 8 1'],
    [bytes(0, 0, 7, 1, 0, 0, 0, 0), 'no IDX file'],
    [good.subarray(0, 9), 'ends within its 2 sizes'],
    [good.subarray(0, 15), 'sizes [2, 3] of uint8 need 18 bytes, the file has 15'],
    [bytes(0, 0, 14, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1), 'the file has 17'],
  ])('refuses case %#', (data, message) => {
    expect(() => parseIdx(data)).toThrow(FormatError);
    expect(() => parseIdx(data)).toThrow(message);
  });
  it('survives mutation', () => survivesMutation(good, (b) => parseIdx(b)));
});

describe('CIFAR', () => {
  const record = (label: number[], fill: number) => [...label, ...new Array<number>(3072).fill(fill)];
  it('reads labels and images', () => {
    const { images, labels } = parseCifar10(bytes(...record([3], 7), ...record([9], 8)));
    expect([images.shape, images.data[0], images.data[3072]]).toEqual([[2, 3, 32, 32], 7, 8]);
    expect([toNested(labels), labels.dtype]).toEqual([[3, 9], 'int64']);
    const hundred = bytes(...record([19, 99], 1));
    expect([
      toNested(parseCifar100(hundred).labels),
      toNested(parseCifar100(hundred, { coarse: true }).labels),
    ]).toEqual([[99], [19]]);
  });
  it('refuses other sizes and labels', () => {
    expect(() => parseCifar10(new Uint8Array(3000))).toThrow('3000 bytes are no whole number of records of 3073 bytes');
    expect(() => parseCifar10(new Uint8Array())).toThrow(FormatError);
    expect(() => parseCifar10(bytes(...record([10], 0)))).toThrow('record 0 has label 10; expected 0 to 9');
  });
});

/** A .npy file by NumPy's description. */
function npy(descr: string, shape: string, data: Uint8Array, fortran = 'False'): Uint8Array {
  const header = `${`{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`.padEnd(117)}\n`;
  return Uint8Array.from([0x93, ...strToU8('NUMPY'), 1, 0, header.length, 0, ...strToU8(header), ...data]);
}

describe('NumPy', () => {
  const f32 = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
  it('reads dtypes, byte orders and both layouts', () => {
    expect(toNested(parseNpy(npy('<f4', '(2, 3)', f32)))).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(toNested(parseNpy(npy('<f4', '(2, 3)', f32, 'True')))).toEqual([
      [1, 3, 5],
      [2, 4, 6],
    ]);
    expect(toNested(parseNpy(npy('>i2', '(2,)', bytes(1, 0, 255, 255))))).toEqual([256, -1]);
    expect(parseNpy(npy('<i8', '(1,)', new Uint8Array(BigInt64Array.of(-5n).buffer)))).toMatchObject({
      dtype: 'int64',
      data: Float64Array.of(-5),
    });
    expect(parseNpy(npy('|b1', '()', bytes(1)))).toMatchObject({ dtype: 'bool', shape: [] });
  });
  it('reads npz, stored and deflated', () => {
    for (const level of [0, 9] as const) {
      const zip = zipSync(
        { 'a.npy': npy('<f4', '(6,)', f32), 'b.npy': npy('|u1', '(1, 2)', bytes(7, 8)), 'note.txt': strToU8('hi') },
        { level },
      );
      const arrays = parseNpz(zip);
      expect(Object.keys(arrays)).toEqual(['a', 'b']);
      expect(toNested(arrays.b)).toEqual([[7, 8]]);
    }
  });
  it.each([
    [strToU8('not numpy at all'), FormatError, 'does not begin with'],
    [npy('<f4', '(2, 4)', f32), FormatError, 'needs 32 bytes, the file holds 24'],
    [npy('<f8', '(1000000, 1000000, 1000)', f32), FormatError, 'the file holds 24'],
    [npy('<U5', '(1,)', f32), UnsupportedError, "element type '<U5'"],
    [npy('|O', '(1,)', f32), UnsupportedError, 'not supported'],
    [npy('<f4', '(6,)', f32).subarray(0, 60), FormatError, 'beyond the end'],
    [npy('<f4', '(6', f32), FormatError, 'header is damaged'],
  ])('refuses case %#', (data, type, message) => {
    expect(() => parseNpy(data)).toThrow(type);
    expect(() => parseNpy(data)).toThrow(message);
  });
  it('refuses archives that lie or unpack to too much', () => {
    const zip = zipSync({ 'a.npy': npy('|u1', '(5000000,)', new Uint8Array(5_000_000)) }, { level: 9 });
    expect(() => parseNpz(zip, { maxBytes: 1_000_000, name: 'z.npz' })).toThrow('z.npz: more than 1000000 bytes');
    const lying = Uint8Array.from(zip);
    const central = Buffer.from(lying).lastIndexOf('PK\x01\x02', undefined, 'latin1');
    new DataView(lying.buffer).setUint32(central + 24, 0xfffffff0, true);
    expect(() => parseNpz(lying)).toThrow(/claims 4294967280 bytes from/);
    expect(() => parseNpz(zip.subarray(0, zip.length - 30))).toThrow('archive is damaged');
    expect(() => parseNpz(bytes(1, 2, 3))).toThrow(FormatError);
  });
  it('survives mutation', async () => {
    await survivesMutation(npy('<f4', '(2, 3)', f32), (b) => parseNpy(b));
    await survivesMutation(zipSync({ 'a.npy': npy('<f4', '(2, 3)', f32) }), (b) => parseNpz(b));
  });
});

describe('WAV', () => {
  const wave = (channels: number, rate: number, depth: string, samples: number[] | number[][]) => {
    const file = new wavefile.WaveFile();
    file.fromScratch(channels, rate, depth, samples);
    return file;
  };
  const sound = [0, 0.5, -0.5, 0.25, -1];
  it.each([
    ['8', (v: number) => Math.round(v * 128 + 128), 1 / 64],
    ['16', (v: number) => Math.round(v * 32767), 1e-4],
    ['24', (v: number) => Math.round(v * 8388607), 1e-6],
    ['32', (v: number) => Math.round(v * 2147483647), 1e-6],
    ['32f', (v: number) => v, 0],
    ['64', (v: number) => v, 0],
  ] as const)('reads what wavefile writes at %s bits', (depth, encode, tolerance) => {
    const { samples, sampleRate } = parseWav(wave(1, 8000, depth, sound.map(encode)).toBuffer());
    expect([samples.shape, sampleRate]).toEqual([[1, 5], 8000]);
    for (const [i, v] of sound.entries()) expect(Math.abs(samples.data[i] - v)).toBeLessThanOrEqual(tolerance);
  });
  it('decodes A-law and mu-law as wavefile does', () => {
    for (const law of ['toALaw', 'toMuLaw'] as const) {
      const file = wave(1, 8000, '16', [0, 100, -100, 5000, -5000, 32000, -32000]);
      file[law]();
      const ours = parseWav(file.toBuffer()).samples;
      if (law === 'toALaw') file.fromALaw();
      else file.fromMuLaw();
      const theirs = Array.from(file.getSamples() as ArrayLike<number>);
      for (const [i, v] of theirs.entries()) expect(ours.data[i] * 32768).toBeCloseTo(v, 3);
    }
  });
  it('keeps channels apart or averages them', () => {
    const file = wave(2, 16_000, '32f', [
      [0.5, 0.25],
      [-0.5, 0.75],
    ]).toBuffer();
    expect(toNested(parseWav(file).samples)).toEqual([
      [0.5, 0.25],
      [-0.5, 0.75],
    ]);
    expect(toNested(parseWav(file, { mono: true }).samples)).toEqual([[0, 0.5]]);
  });
  const good = wave(1, 8000, '16', [1, 2, 3, 4]).toBuffer();
  it('refuses damaged files by name', () => {
    expect(() => parseWav(good.subarray(0, 8), { name: 'a.wav' })).toThrow('a.wav: no WAV file');
    expect(() => parseWav(good.subarray(0, good.length - 3))).toThrow(
      /claims 8 bytes, 5 are there; the file is truncated/,
    );
    expect(() => parseWav(good.subarray(0, 30))).toThrow("ends within its 'fmt '");
    expect(() => parseWav(good.subarray(0, 36))).toThrow("no 'data' chunk");
    const adpcm = Uint8Array.from(good);
    adpcm[20] = 2;
    expect(() => parseWav(adpcm)).toThrow(UnsupportedError);
    const silent = Uint8Array.from(good);
    silent[22] = 0;
    expect(() => parseWav(silent)).toThrow('0 channels at 8000 Hz');
    const odd = Uint8Array.from(good.subarray(0, good.length - 1));
    odd[40] = 7;
    expect(() => parseWav(odd)).toThrow('no whole number of frames');
  });
  it('survives mutation', () => survivesMutation(good, (b) => parseWav(b)));
});

describe('Parquet', () => {
  const write = (codec?: 'SNAPPY' | 'UNCOMPRESSED') =>
    new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          { name: 'id', data: [1n, 2n, 3n], type: 'INT64' },
          { name: 'price', data: [0.5, 1.5, -2], type: 'DOUBLE' },
          { name: 'name', data: ['a', 'b', 'a'], type: 'STRING' },
          { name: 'ok', data: [true, false, null], type: 'BOOLEAN' },
        ],
        codec,
      }),
    );
  it('reads rows, columns and ranges', async () => {
    for (const codec of ['SNAPPY', 'UNCOMPRESSED'] as const)
      expect(await parseParquet(write(codec))).toEqual([
        { id: 1, price: 0.5, name: 'a', ok: true },
        { id: 2, price: 1.5, name: 'b', ok: false },
        { id: 3, price: -2, name: 'a', ok: null },
      ]);
    expect(await parseParquet(write(), { columns: ['id'], rowStart: 1, rowEnd: 2 })).toEqual([{ id: 2 }]);
  });
  it('refuses damaged files, missing columns and too much data', async () => {
    const good = write();
    await expect(parseParquet(good, { columns: ['nope'], name: 'p.parquet' })).rejects.toThrow(
      "p.parquet: no column 'nope'; it has id, price, name, ok",
    );
    await expect(parseParquet(good.subarray(0, good.length - 5))).rejects.toThrow(FormatError);
    await expect(parseParquet(good.subarray(0, 5))).rejects.toThrow('too few');
    await expect(parseParquet(good.slice(100))).rejects.toThrow(FormatError);
    await expect(parseParquet(good, { maxBytes: 50 })).rejects.toThrow('more than 50 bytes');
  });
  it('ends a decoder that bytes in memory keep busy', async () => {
    const greedy = new Uint8Array(
      parquetWriteBuffer({
        columnData: [{ name: 'v', data: Array.from({ length: 40 }, (_, i) => `s${i % 3}`), type: 'STRING' }],
        codec: 'UNCOMPRESSED',
      }),
    );
    greedy.set([254, 255, 255, 255, 15], 43); // a run length of 2^31 in place of a short one
    await expect(parseParquet(greedy, { timeout: 10, maxBytes: 2 ** 27, name: 'greedy' })).rejects.toThrow(
      /greedy: (the decoder ran out of memory|not parsed within 10 s).*; the file is damaged or hostile/,
    );
    await expect(parseParquet(greedy, { timeout: 0 })).rejects.toThrow(ArgumentError);
  });
});
