/** @file Default and padding collation. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError, DTypeError, ShapeError } from '../ir/errors.ts';
import { fromNested, toNested } from '../ir/ndarray.ts';
import { defaultCollate } from './collate.ts';
import { fitLength, padArrays, padCollate } from './pad-collate.ts';

describe('defaultCollate', () => {
  it('stacks every kind of leaf', () => {
    const sample = (i: number) => ({
      array: fromNested([i, i + 1], 'uint8'),
      typed: Float32Array.of(i, i),
      clamped: Uint8ClampedArray.of(i),
      label: i,
      price: i + 0.5,
      list: [i, 2],
      table: [
        [i, 0.5],
        [1, 2],
      ],
      flag: i > 0,
      name: `n${i}`,
      pair: [fromNested(1.5), 'text'] as const,
      nested: { deep: { big: BigInt(i) } },
    });
    const batch = defaultCollate([sample(0), sample(1)]);
    const plain = ({ shape, dtype, data }: { shape: readonly number[]; dtype: string; data: ArrayLike<number> }) => [
      dtype,
      shape,
      Array.from(data),
    ];
    expect(plain(batch.array)).toEqual(['uint8', [2, 2], [0, 1, 1, 2]]);
    expect(plain(batch.typed)).toEqual(['float32', [2, 2], [0, 0, 1, 1]]);
    expect(plain(batch.clamped)).toEqual(['uint8', [2, 1], [0, 1]]);
    expect(plain(batch.label)).toEqual(['int64', [2], [0, 1]]);
    expect(plain(batch.price)).toEqual(['float32', [2], [0.5, 1.5]]);
    expect(plain(batch.list)).toEqual(['int64', [2, 2], [0, 2, 1, 2]]);
    expect(plain(batch.table)).toEqual(['float32', [2, 2, 2], [0, 0.5, 1, 2, 1, 0.5, 1, 2]]);
    expect(plain(batch.flag)).toEqual(['bool', [2], [0, 1]]);
    expect(batch.name).toEqual(['n0', 'n1']);
    expect(plain(batch.pair[0])).toEqual(['float32', [2], [1.5, 1.5]]);
    expect(batch.pair[1]).toEqual(['text', 'text']);
    expect(plain(batch.nested.deep.big)).toEqual(['int64', [2], [0, 1]]);
  });

  it('collates plain numbers and tuples at the top', () => {
    expect(toNested(defaultCollate([1, 2]))).toEqual([1, 2]);
    const [x, y] = defaultCollate([[Float32Array.of(1), 'a'] as const, [Float32Array.of(2), 'b'] as const]);
    expect(toNested(x)).toEqual([[1], [2]]);
    expect(y).toEqual(['a', 'b']);
    expect(defaultCollate([1, 2], { dtypes: { '': 'float32' } }).dtype).toBe('float32');
  });

  it.each([
    [
      [{ x: [1, 2] }, { x: [1] }],
      ShapeError,
      "field 'x' is ragged: sample 0 of the batch has shape [2], sample 1 [1]; make shapes equal in the data set, or pad with collate: padCollate({ key: 'x' })",
    ],
    [
      [{ a: { x: Float32Array.of(1) } }, { a: { x: new Float32Array(3) } }],
      ShapeError,
      "field 'a.x' is ragged: sample 0 of the batch has shape [1], sample 1 [3]",
    ],
    [[{ x: 1 }, { x: 'one' }], DTypeError, "field 'x': sample 0 of the batch is number, sample 1 is string"],
    [[{ x: 1 }, { x: null }], DTypeError, 'sample 1 is null'],
    [[{ x: fromNested([1]) }, { x: fromNested([1], 'int32') }], DTypeError, 'float32, sample 1 is int32'],
    [
      [{ x: 1 }, { y: 1 }],
      ArgumentError,
      "key 'x' is not in all samples of the batch (sample 0 has x; sample 1 has y)",
    ],
    [[{ x: 1 }, { x: 1, y: 1 }], ArgumentError, "key 'y' is not in all samples"],
    [[{ x: undefined }], DTypeError, "field 'x' is undefined, which cannot be batched"],
    [[{ x: new Date() }], DTypeError, "field 'x' is Date"],
    [[{ x: [[1], [1, 2]] }], ShapeError, 'ragged'],
    [[], ArgumentError, 'at least one sample'],
  ])('refuses %j', (samples, type, message) => {
    expect(() => defaultCollate<unknown>(samples)).toThrow(type);
    expect(() => defaultCollate<unknown>(samples)).toThrow(message);
  });
});

describe('padCollate', () => {
  const samples = [
    { ids: [5, 6, 7], y: 1 },
    { ids: [8], y: 0 },
  ];

  it('pads to the longest, masks, counts, and collates the rest', () => {
    const batch = padCollate<(typeof samples)[0], 'mask', 'n'>({ key: 'ids', value: 9, lengths: 'n' })(samples);
    expect(toNested(batch.ids)).toEqual([
      [5, 6, 7],
      [8, 9, 9],
    ]);
    expect(batch.ids.dtype).toBe('int64');
    expect([toNested(batch.mask), batch.mask.dtype]).toEqual([
      [
        [1, 1, 1],
        [1, 0, 0],
      ],
      'bool',
    ]);
    expect(toNested(batch.n)).toEqual([3, 1]);
    expect(toNested(batch.y)).toEqual([1, 0]);
  });

  it('rounds up, cuts, pads left, to a fixed length, and several fields with their own value', () => {
    expect(padCollate<(typeof samples)[0]>({ key: 'ids', multipleOf: 8 })(samples).ids.shape).toEqual([2, 8]);
    expect(padCollate<(typeof samples)[0]>({ key: 'ids', maxLength: 2 })(samples).ids.shape).toEqual([2, 2]);
    expect(
      padCollate<(typeof samples)[0]>({ key: 'ids', multipleOf: 4, maxLength: 6, toMaxLength: true })(samples).ids
        .shape,
    ).toEqual([2, 6]);
    const left = padCollate<{ ids: number[]; tags: number[] }, 'attentionMask'>({
      key: ['ids', 'tags'],
      values: { tags: -100 },
      side: 'left',
      mask: 'attentionMask',
    })(samples.map(({ ids }) => ({ ids, tags: ids.map((v) => v * 10) })));
    expect(toNested(left.ids)).toEqual([
      [5, 6, 7],
      [0, 0, 8],
    ]);
    expect(toNested(left.tags)).toEqual([
      [50, 60, 70],
      [-100, -100, 80],
    ]);
    expect(toNested(left.attentionMask)).toEqual([
      [1, 1, 1],
      [0, 0, 1],
    ]);
    expect(padCollate({ key: 'ids', mask: false })(samples)).not.toHaveProperty('mask');
  });

  it('keeps every element and marks exactly the real ones', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.float({ noNaN: true }), { maxLength: 12 }), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom('left', 'right'),
        (rows, multipleOf, side) => {
          const arrays = rows.map((r) => ({
            data: Float32Array.from(r),
            shape: [r.length],
            dtype: 'float32' as const,
          }));
          const { array, lengths } = padArrays(arrays, { multipleOf, side, value: -1 });
          const length = array.shape[1];
          expect(length % multipleOf).toBe(0);
          expect(lengths).toEqual(rows.map((r) => r.length));
          for (const [i, r] of rows.entries()) {
            const start = i * length + (side === 'left' ? length - r.length : 0);
            expect([...array.data.subarray(start, start + r.length)]).toEqual(r);
          }
          expect(array.data.filter((v) => v === -1).length).toBeGreaterThanOrEqual(
            length * rows.length - rows.flat().length,
          );
        },
      ),
    );
  });

  it('names what is wrong', () => {
    expect(() => padCollate({ key: 'x' })(samples)).toThrow("sample 0 of the batch has no field 'x'; it has ids, y");
    expect(() => padCollate({ key: 'y' })(samples)).toThrow(
      "field 'y': sample 0 of the batch is number; padding needs",
    );
    expect(() => padCollate({ key: 'ids', multipleOf: 0 })(samples)).toThrow('multipleOf');
    expect(() => padCollate({ key: 'ids', maxLength: 0 })(samples)).toThrow('maxLength');
    expect(() => padCollate({ key: 'ids', toMaxLength: true })(samples)).toThrow('needs maxLength');
    expect(() => padCollate({ key: [] })).toThrow(ArgumentError);
    expect(() => padArrays([fromNested([[1, 2]]), fromNested([[1]])], {}, 'x')).toThrow(
      'shape [1, 2], sample 1 [1, 1]; only the first axis may differ',
    );
    expect(() => padArrays([fromNested(1)])).toThrow('is a scalar');
    expect(() => padArrays([fromNested([1]), fromNested([1], 'int32')])).toThrow(DTypeError);
  });

  it('fits one sequence to a length', () => {
    expect(fitLength([1, 2, 3], 2)).toEqual([1, 2]);
    expect(fitLength([1], 3, 7, 'left')).toEqual([7, 7, 1]);
    expect(fitLength(Float32Array.of(1), 2)).toEqual(Float32Array.of(1, 0));
  });
});
