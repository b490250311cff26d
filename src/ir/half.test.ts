import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './half.ts';

describe('float16', () => {
  it('has the bits of IEEE 754', () => {
    const known: [number, number][] = [
      [0, 0],
      [-0, 0x8000],
      [1, 0x3c00],
      [-2, 0xc000],
      [0.5, 0x3800],
      [65504, 0x7bff],
      [65519, 0x7bff],
      [65520, 0x7c00],
      [Number.POSITIVE_INFINITY, 0x7c00],
      [Number.NEGATIVE_INFINITY, 0xfc00],
      [2 ** -24, 1],
      [2 ** -25, 0],
      [1.5 * 2 ** -24, 2],
      [2 ** -14, 0x0400],
      [0.1, 0x2e66],
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [2047.9, 0x6800],
    ];
    for (const [value, expected] of known) expect(toFloat16(value), String(value)).toBe(expected);
    expect(fromFloat16(toFloat16(Number.NaN))).toBeNaN();
  });

  it('gives every pattern back', () => {
    for (let half = 0; half < 65536; half++) {
      const value = fromFloat16(half);
      if (!Number.isNaN(value)) expect(toFloat16(value)).toBe(half);
    }
  });
});

describe('bfloat16', () => {
  it('gives every pattern back, and rounds ties to even', () => {
    for (let half = 0; half < 65536; half++) {
      const value = fromBfloat16(half);
      if (!Number.isNaN(value)) expect(toBfloat16(value)).toBe(half);
    }
    expect(toBfloat16(1 + 2 ** -8)).toBe(0x3f80);
    expect(toBfloat16(1 + 3 * 2 ** -8)).toBe(0x3f82);
    expect(fromBfloat16(toBfloat16(Number.NaN))).toBeNaN();
  });

  it('is within half a unit in the last place', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: Math.fround(-1e30), max: Math.fround(1e30) }), (x) => {
        expect(Math.abs(fromBfloat16(toBfloat16(x)) - x)).toBeLessThanOrEqual(Math.abs(x) * 2 ** -8 + 1e-38);
      }),
      { seed: 3 },
    );
  });
});
