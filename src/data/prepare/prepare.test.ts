/** @file Scalers, table encoder, vocabulary, audio: against scikit-learn and NumPy (test/golden/data_prepare.json). */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError, FormatError, ShapeError } from '../../ir/errors.ts';
import { fromNested, ndarray, toNested } from '../../ir/ndarray.ts';
import { ArrayDataset } from '../dataset.ts';
import { parseCsv } from '../formats/csv.ts';
import { fitDuration, resample } from './audio.ts';
import { detectKind, isMissing } from './columns.ts';
import { channelStatistics, MinMax, Standardizer } from './scale.ts';
import { TableEncoder } from './table.ts';
import { Vocabulary } from './vocabulary.ts';

interface Golden {
  x: (number | null)[][];
  test: number[][];
  standard: number[][];
  minmax: number[][];
  wave: number[];
  resampled: { from: number; to: number; out: number[] }[];
}
const golden: Golden = JSON.parse(
  readFileSync(new URL('../../../test/golden/data_prepare.json', import.meta.url), 'utf8'),
);
const train = fromNested(
  golden.x.map((row) => row.map((v) => v ?? Number.NaN)),
  'float64',
);
const flat = (values: number[][]) => values.flat();
const expectClose = (got: ArrayLike<number>, want: readonly number[], digits = 5) => {
  expect(got).toHaveLength(want.length);
  for (const [i, v] of want.entries()) expect(got[i] / (Math.abs(v) + 1)).toBeCloseTo(v / (Math.abs(v) + 1), digits);
};

describe.each([
  [Standardizer, golden.standard],
  [MinMax, golden.minmax],
] as const)('%o', (Scaler, expected) => {
  const scaler = Scaler.fit(train);
  it('agrees with scikit-learn, missing values and a constant feature included', () => {
    expectClose(scaler.transform(fromNested(golden.test)).data, flat(expected));
  });
  it('undoes itself, and survives JSON', () => {
    const x = fromNested(golden.test);
    expectClose(scaler.inverse(scaler.transform(x)).data, flat(golden.test), 4);
    const again = Scaler.fromJSON(JSON.parse(JSON.stringify(scaler)));
    expect(again.transform(x)).toEqual(scaler.transform(x));
    expect(() => scaler.transform(fromNested([1, 2]))).toThrow(ShapeError);
    expect(() => scaler.transform(fromNested([1, 2]))).toThrow('fitted on 3 features, found shape [2]');
    for (const bad of [
      null,
      {},
      { kind: scaler.kind, offset: [1], scale: [0] },
      { kind: 'Other', offset: [1], scale: [1] },
    ])
      expect(() => Scaler.fromJSON(bad)).toThrow(FormatError);
    expect(() => Scaler.fit(fromNested(1))).toThrow('a scalar');
  });
  it('keeps large offsets and empty columns finite', () => {
    const x = Scaler.fit(
      fromNested(
        [
          [1e9, Number.NaN],
          [1e9 + 1, Number.NaN],
        ],
        'float64',
      ),
    ).transform(fromNested([[1e9, 3]], 'float64'));
    expect([...x.data].every(Number.isFinite)).toBe(true);
  });
});

describe('channelStatistics', () => {
  it('computes mean and std per channel on the 0 to 1 scale', async () => {
    const image = (v: number) => ndarray(Uint8Array.of(v, 0, 255, v, 0, 255), [1, 2, 3]);
    const { mean, std } = await channelStatistics(new ArrayDataset([{ x: image(0) }, { x: image(255) }]), (s) => s.x);
    expect(mean).toEqual([0.5, 0, 1]);
    expect(std).toEqual([0.5, 0, 0]);
    await expect(
      channelStatistics(new ArrayDataset([image(0), ndarray(new Uint8Array(4), [2, 2, 1])]), (s) => s),
    ).rejects.toThrow('image 0 has 3 channels, image 1 has 1');
    await expect(channelStatistics(new ArrayDataset([]), () => image(0))).rejects.toThrow('empty');
  });
});

describe('TableEncoder', () => {
  const rows = parseCsv(`id,age,colour,member,score,species
u1,20,red,yes,1.5,cat
u2,,blue,no,NA,dog
u3,40,red,yes,2.5,cat
u4,30,,no,3.5,bird`);

  it('encodes numbers, categories, booleans and missing values', () => {
    const encoder = TableEncoder.fit(rows, {
      target: 'species',
      columns: { id: { kind: 'ignore' }, score: { missing: 'mean', standardize: false } },
    });
    expect(encoder.featureNames).toEqual([
      'age',
      'age=missing',
      'colour=blue',
      'colour=red',
      'member',
      'score',
      'score=missing',
    ]);
    expect(encoder.classes).toEqual(['bird', 'cat', 'dog']);
    const { x, y } = encoder.transform(rows);
    const s = Math.sqrt(2);
    expectClose(x.data, [-s, 0, 0, 1, 1, 1.5, 0, 0, 1, 1, 0, 0, 2.5, 1, s, 0, 0, 1, 1, 2.5, 0, 0, 0, 0, 0, 0, 3.5, 0]);
    expect([x.shape, y && toNested(y), y?.dtype]).toEqual([[4, 7], [1, 2, 1, 0], 'int64']);
  });

  it('gives unknown categories zeros or index 0, and rows without target no y', () => {
    const encoder = TableEncoder.fit(rows, {
      target: 'species',
      columns: {
        id: { kind: 'ignore' },
        age: { kind: 'ignore' },
        score: { kind: 'ignore' },
        member: { kind: 'ignore' },
      },
    });
    expect(toNested(encoder.transform([{ colour: 'green' }, { colour: 'red' }]).x)).toEqual([
      [0, 0],
      [0, 1],
    ]);
    expect(encoder.transform([{ colour: 'red' }])).not.toHaveProperty('y');
    const index = TableEncoder.fit(rows, { columns: { colour: { encoding: 'index' } } });
    const at = index.featureNames.indexOf('colour');
    const values = ['blue', 'red', 'green', ''].map((colour) => index.transform([{ ...rows[0], colour }]).x.data[at]);
    expect(values).toEqual([1, 2, 0, 0]);
  });

  it('tells column kinds and tasks apart', () => {
    expect(detectKind(['1', '2.5', '', 'NA'])).toBe('numeric');
    expect(detectKind(['0', '1'])).toBe('numeric');
    expect(detectKind(['true', 'FALSE'])).toBe('boolean');
    expect(detectKind([true, false])).toBe('boolean');
    expect(detectKind(['a', '1'])).toBe('categorical');
    expect(detectKind(['', null, undefined])).toBe('ignore');
    expect(detectKind(Array.from({ length: 200 }, (_, i) => `name ${i}`))).toBe('ignore');
    expect([isMissing('  '), isMissing('?'), isMissing(Number.NaN), isMissing(0), isMissing('x')]).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    const task = (values: unknown[]) =>
      TableEncoder.fit(
        values.map((t, a) => ({ a, t })),
        { target: 't' },
      ).target?.task;
    expect([
      task([0, 1, 1]),
      task(['1.5', '2', '3']),
      task(['x', 'y', 'x']),
      task(Array.from({ length: 30 }, (_, i) => i)),
    ]).toEqual(['classification', 'regression', 'classification', 'regression']);
    const encoder = TableEncoder.fit(
      [
        { a: 1, t: '10' },
        { a: 2, t: '9' },
        { a: 3, t: '9' },
      ],
      { target: 't' },
    );
    expect(encoder.classes).toEqual(['9', '10']);
  });

  it('survives JSON, and refuses other JSON', () => {
    const encoder = TableEncoder.fit(rows, { target: 'species' });
    const again = TableEncoder.fromJSON(JSON.parse(JSON.stringify(encoder)));
    expect(again.transform(rows)).toEqual(encoder.transform(rows));
    expect(() => TableEncoder.fromJSON({ kind: 'TableEncoder', columns: [{ kind: 'numeric' }], target: null })).toThrow(
      FormatError,
    );
    expect(() => TableEncoder.fromJSON(null)).toThrow(FormatError);
  });

  it.each<[() => unknown, string]>([
    [() => TableEncoder.fit([]), 'there are no rows'],
    [() => TableEncoder.fit(rows, { target: 'kind' }), "no column 'kind'; the table has id, age"],
    [() => TableEncoder.fit([{ a: 1, t: null }], { target: 't' }), "row 0 has no value in the target column 't'"],
    [() => TableEncoder.fit([{ t: 'x' }], { target: 't' }), 'no column of t can be used as a feature'],
    [() => TableEncoder.fit(rows, { columns: { colour: { kind: 'numeric' } } }), "column 'colour': 'red' is no number"],
    [() => TableEncoder.fit(rows, { target: 'species', task: 'regression' }), "holds 'cat', no number"],
    [
      () => TableEncoder.fit(rows, { target: 'species' }).transform([{ ...rows[0], age: 'old' }]),
      "row 0: 'old' is no number, and column 'age' was fitted as numeric",
    ],
    [
      () => TableEncoder.fit(rows, { target: 'species' }).transform([{ ...rows[0], member: 'maybe' }]),
      "'maybe' is no boolean",
    ],
    [
      () => TableEncoder.fit(rows, { target: 'species' }).transform([{ ...rows[0], species: 'fox' }]),
      "row 0: target 'species' is 'fox'; expected one of bird, cat, dog",
    ],
  ])('case %# is refused by name', (run, message) => {
    expect(run).toThrow(ArgumentError);
    expect(run).toThrow(message);
  });
});

describe('Vocabulary', () => {
  it('fits by frequency, encodes, decodes, marks unknown tokens', () => {
    const v = Vocabulary.fit(['b a a', 'a c'], { minCount: 1 });
    expect(v.tokens).toEqual(['<pad>', '<unk>', 'a', 'b', 'c']);
    expect(v.encode(' a  zebra\nc ')).toEqual([2, 1, 4]);
    expect(v.decode([2, 1, 4, 0, 0])).toBe('a <unk> c');
    expect(Vocabulary.fit(['b a a'], { minCount: 2 }).tokens).toEqual(['<pad>', '<unk>', 'a']);
    expect(Vocabulary.fit(['b a a c'], { maxSize: 3 }).size).toBe(3);
    expect([v.id('b'), v.id('?'), v.padId, v.unknownId]).toEqual([3, 1, 0, 1]);
    expect(() => v.decode([99])).toThrow('token number 99 at position 0 is outside of 0 to 4');
    expect(() => Vocabulary.fit([], { special: ['<pad>'] })).toThrow("must contain pad '<pad>' and unknown '<unk>'");
    expect(() => Vocabulary.fit([], { maxSize: 1 })).toThrow(ArgumentError);
  });

  it('splits by characters and patterns, without splitting surrogate pairs', () => {
    expect(Vocabulary.fit(['aé😀'], { tokens: 'char' }).tokens.slice(2)).toEqual(['a', 'é', '😀']);
    expect(Vocabulary.fit(['Don’t, DO'], { tokens: /\w+|[^\w\s]/u, lowercase: true }).tokens.slice(2)).toEqual([
      'don',
      '’',
      't',
      ',',
      'do',
    ]);
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 12 }), { minLength: 1 }), (texts) => {
        const v = Vocabulary.fit(texts, { tokens: 'char' });
        for (const text of texts) expect(v.decode(v.encode(text))).toBe(text);
      }),
    );
  });

  it('encodes batches with padding, and survives JSON', () => {
    const v = Vocabulary.fit(['a b', 'c'], { tokens: /\w/ });
    const { ids, lengths } = v.encodeBatch(['a b', 'c'], { multipleOf: 4 });
    expect(toNested(ids)).toEqual([
      [2, 3, 0, 0],
      [4, 0, 0, 0],
    ]);
    expect([ids.dtype, lengths]).toEqual(['int64', [2, 1]]);
    const again = Vocabulary.fromJSON(JSON.parse(JSON.stringify(v)));
    expect(again.encode('c b x')).toEqual(v.encode('c b x'));
    for (const bad of [
      null,
      {},
      { ...v.toJSON(), tokens: ['a', 'a'] },
      { ...v.toJSON(), rule: { pattern: '(', flags: '' } },
      { ...v.toJSON(), pad: 'x' },
    ])
      expect(() => Vocabulary.fromJSON(bad)).toThrow(FormatError);
  });
});

describe('audio', () => {
  it.each(golden.resampled.map((c) => [c.from, c.to, c.out] as const))(
    'resamples %i Hz to %i Hz as torchaudio',
    (from, to, out) => {
      const wave = fromNested([golden.wave, golden.wave]);
      const result = resample(wave, from, to);
      expect(result.shape).toEqual([2, out.length]);
      expectClose(result.data, [...out, ...out]);
    },
  );

  it('keeps a tone below the cut-off and removes one above', () => {
    const tone = (hz: number, rate: number, n: number) =>
      Float32Array.from({ length: n }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rate));
    const low = resample(ndarray(tone(500, 16_000, 4000)), 16_000, 8000);
    const want = tone(500, 8000, 2000);
    for (let i = 100; i < 1900; i++) expect(Math.abs(low.data[i] - want[i])).toBeLessThan(0.01);
    const high = resample(ndarray(tone(6000, 16_000, 4000)), 16_000, 8000);
    for (let i = 100; i < 1900; i++) expect(Math.abs(high.data[i])).toBeLessThan(0.02);
  });

  it('fits durations and refuses wrong rates', () => {
    const x = fromNested([
      [1, 2],
      [3, 4],
    ]);
    expect(toNested(fitDuration(x, 3))).toEqual([
      [1, 2, 0],
      [3, 4, 0],
    ]);
    expect(toNested(fitDuration(x, 1))).toEqual([[1], [3]]);
    expect(resample(x, 8000, 8000)).toBe(x);
    expect(() => resample(x, 0, 8000)).toThrow('found 0 and 8000');
    expect(() => fitDuration(x, 0)).toThrow(ArgumentError);
    expect(() => resample(fromNested(1), 1, 2)).toThrow(ShapeError);
  });
});
