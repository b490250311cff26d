/** @file Functions composed in float64 against JavaScript's own, and the error function against Python's math.erf. */
import { describe, expect, it } from 'vitest';
import { grad, type Tensor, tensor } from '../tensor/index.ts';

const double = (values: number[]) => tensor(Float64Array.from(values), { requiresGrad: true });

async function expectExact(y: Tensor, want: number[]) {
  const found = await y.data();
  want.forEach((w, i) => {
    expect(Math.abs(found[i] - w), `element ${i}: ${found[i]} for ${w}`).toBeLessThanOrEqual(4e-16 * Math.abs(w));
  });
}

describe('float64', () => {
  it('erf to the last digits, NaN and far ends included', async () => {
    const x = [-7, -2.5, -1.0000001, -1, -0.3, 0, 1e-9, 0.5, 1, 1.5, 3, 5.9, 6.5, 1e200];
    const y = [
      -1.0, -0.999593047982555, -0.8427008344604605, -0.8427007929497149, -0.3286267594591274, 0.0,
      1.1283791670955127e-9, 0.5204998778130465, 0.8427007929497149, 0.9661051464753108, 0.9999779095030014,
      0.9999999999999999, 1.0, 1.0,
    ];
    await expectExact(double(x).erf(), y);
    expect(await double([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]).erf().array()).toEqual([
      Number.NaN,
      1,
      -1,
    ]);
    const at = double([0.5, 40]);
    await expectExact(grad(at.erf().sum(), at), [(2 / Math.sqrt(Math.PI)) * Math.exp(-0.25), 0]);
  });

  it('atan, asin and acos to the last digits', async () => {
    const x = [-1e300, -30, -2.5, -1, -0.7, -0.3, 0, 1e-9, 0.41, 0.66, 0.9, 2.41, 2.42, 1e9];
    await expectExact(double(x).atan(), x.map(Math.atan));
    expect(await double([Number.NaN, Number.POSITIVE_INFINITY]).atan().array()).toEqual([Number.NaN, Math.PI / 2]);
    const inside = [-1, -0.99, -0.5, -1e-5, 0, 0.3, 0.8, 0.999999, 1];
    await expectExact(double(inside).asin(), inside.map(Math.asin));
    await expectExact(double(inside).acos(), inside.map(Math.acos));
    const at = double([0.3]);
    await expectExact(grad(at.atan().sum(), at), [1 / 1.09]);
    await expectExact(grad(at.asin().sum(), at), [1 / Math.sqrt(0.91)]);
  });
});
