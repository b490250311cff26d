import { expect, it } from 'vitest';
import { arange, eye, full, linspace, randn, tensor } from './index.ts';

it('takes and gives 16-bit floats as numbers', async () => {
  for (const dtype of ['float16', 'bfloat16'] as const) {
    expect(
      await tensor(
        [
          [1, -2.5],
          [0.25, 3],
        ],
        { dtype },
      ).array(),
    ).toEqual([
      [1, -2.5],
      [0.25, 3],
    ]);
    expect(await tensor(Float32Array.of(0.5, 8), { dtype }).array()).toEqual([0.5, 8]);
    expect(await full([2], 1.5, { dtype }).array()).toEqual([1.5, 1.5]);
    expect(await arange(0, 3, 1, { dtype }).array()).toEqual([0, 1, 2]);
    expect(await linspace(0, 1, 3, { dtype }).array()).toEqual([0, 0.5, 1]);
    expect(await eye(2, 2, { dtype }).array()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(await tensor(7, { dtype }).item()).toBe(7);
  }
  expect([...(await tensor([1], { dtype: 'float16' }).data())]).toEqual([0x3c00]);
  expect(await tensor(Uint16Array.of(0x3c00), { dtype: 'float16' }).array()).toEqual([1]);
});

it('computes with them', async () => {
  const x = tensor([1, 2, 3], { dtype: 'float16' });
  expect(await x.mul(0.5).add(x).array()).toEqual([1.5, 3, 4.5]);
  const noise = await randn([1000], { dtype: 'float16' }).to('float32').data();
  const mean = Array.from(noise).reduce((a, b) => a + b, 0) / 1000;
  expect(Math.abs(mean)).toBeLessThan(0.15);
});
