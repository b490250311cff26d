/** @file NDArray helpers. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError, DTypeError } from './errors.ts';
import { dtypeOfArray, fromNested, isNDArray, ndarray, sliceRow, toNested, zerosND } from './ndarray.ts';

describe('NDArray', () => {
  it('checks shape and storage', () => {
    expect(ndarray(new Float32Array(6), [2, 3])).toEqual({
      data: new Float32Array(6),
      shape: [2, 3],
      dtype: 'float32',
    });
    expect(ndarray(Float64Array.of(1), [1], 'int64').dtype).toBe('int64');
    expect(() => ndarray(new Float32Array(6), [2, 2])).toThrow('shape [2, 2] holds 4 elements, the data has 6');
    expect(() => ndarray(new Float32Array(1), [1], 'int64')).toThrow(DTypeError);
    expect(() => ndarray(new Float32Array(1), [1], 'int64')).toThrow('Float64Array, found Float32Array');
  });

  it('goes from nested numbers and back', () => {
    fc.assert(
      fc.property(fc.nat(4), fc.nat(4), fc.nat(4), (a, b, c) => {
        const nested = Array.from({ length: a }, (_, i) =>
          Array.from({ length: b }, (_, j) => Array.from({ length: c }, (_, k) => i * 100 + j * 10 + k)),
        );
        const array = fromNested(nested);
        expect(toNested(array)).toEqual(nested);
      }),
    );
    expect(fromNested(5).shape).toEqual([]);
    expect(toNested(fromNested(5))).toBe(5);
    expect(() => fromNested([[1, 2], [3]])).toThrow('nested numbers are ragged: [0] has shape [2], [1] has [1]');
  });

  it('slices rows as views', () => {
    const a = fromNested([
      [1, 2],
      [3, 4],
    ]);
    const row = sliceRow(a, 1);
    expect(row).toEqual(fromNested([3, 4]));
    expect(row.data.buffer).toBe(a.data.buffer);
    expect(() => sliceRow(a, 2)).toThrow(ArgumentError);
    expect(() => sliceRow(fromNested(1), 0)).toThrow(ArgumentError);
  });

  it('recognises NDArrays and storage types', () => {
    expect(isNDArray(zerosND([2], 'bool'))).toBe(true);
    for (const no of [
      null,
      1,
      [],
      {},
      { data: [1], shape: [1], dtype: 'float32' },
      { data: new Float32Array(1), shape: [1], dtype: 'toString' },
    ])
      expect(isNDArray(no)).toBe(false);
    expect(dtypeOfArray(new Int16Array(1))).toBe('int16');
    expect(dtypeOfArray(new Uint32Array(1))).toBe('uint32');
  });
});
