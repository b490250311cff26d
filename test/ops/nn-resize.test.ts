import { describe, expect, it } from 'vitest';
import { constant, type Value } from '../../src/ir/graph.ts';
import { affineGrid, gridSample, resize } from '../../src/ops/resize.ts';
import { checkDecomposition, checkDifferences, noise, testGolden } from './nn-harness.ts';

describe('golden', () => testGolden(['Resize', 'GridSample', 'AffineGrid'], 3e-5));
describe('decompositions', () => checkDecomposition(['Resize', 'AffineGrid'], 3e-5));

const scales = (...values: number[]) => constant(values, 'float32');

describe('derivatives by differences', () => {
  it('Resize, first and second', async () => {
    for (const mode of ['nearest', 'linear', 'cubic'])
      await checkDifferences(([x]) => resize(x, null, scales(1, 1, 1.5, 2), { mode }), [{ shape: [1, 1, 2, 3] }], {
        second: true,
      });
  });
  it('GridSample, by image and grid', async () => {
    const grid = { shape: [1, 2, 2, 2], data: Float32Array.of(-0.4, 0.3, 0.15, -0.7, 0.55, 0.62, -1.3, 0.8) };
    for (const padding_mode of ['zeros', 'border', 'reflection'])
      await checkDifferences(([x, g]) => gridSample(x, g, { padding_mode }), [{ shape: [1, 2, 3, 4] }, grid], {
        step: 5e-3,
        tolerance: 1e-2,
      });
  });
  it('GridSample by cubics and in volumes', async () => {
    const at = (shape: number[]) => ({ shape, data: noise(shape, 3, false).constant as Float32Array });
    for (const padding_mode of ['zeros', 'border', 'reflection'])
      await checkDifferences(
        ([x, grid]: readonly Value[]) => gridSample(x, grid, { mode: 'cubic', padding_mode }),
        [{ shape: [1, 1, 4, 5] }, at([1, 2, 2, 2])],
        { step: 2e-3, tolerance: 2e-2 },
      );
    await checkDifferences(
      ([x, grid]: readonly Value[]) => gridSample(x, grid, { mode: 'linear' }),
      [{ shape: [1, 1, 3, 3, 4] }, at([1, 1, 2, 2, 3])],
      { step: 2e-3, tolerance: 2e-2 },
    );
  });
  it('Resize with antialiasing', async () => {
    for (const mode of ['linear', 'cubic'])
      await checkDifferences(
        ([x]: readonly Value[]) => resize(x, null, scales(1, 1, 0.5, 1.5), { mode, antialias: 1, exclude_outside: 1 }),
        [{ shape: [1, 1, 5, 4] }],
      );
  });
  it('AffineGrid followed by GridSample', async () => {
    const theta = { shape: [1, 2, 3], data: Float32Array.of(0.8, 0.1, 0.05, -0.2, 0.7, -0.1) };
    const f = ([x, t]: readonly Value[]) => gridSample(x, affineGrid(t, constant([1, 1, 3, 3], 'int64')));
    await checkDifferences(f, [{ shape: [1, 1, 4, 4] }, theta], { step: 2e-3, tolerance: 2e-2 });
  });
});

describe('errors', () => {
  const x = noise([1, 1, 4, 4], 0);
  it('names what does not fit', () => {
    expect(() => resize(x, null, null, null, {})).toThrow(/either scales or sizes/);
    expect(() => resize(x, null, scales(2, 2))).toThrow(/needs 4 positive scales, found \[2, 2\]/);
    expect(() => gridSample(x, noise([1, 2, 2, 3], 0))).toThrow(/needs a grid \[1, \.\.\.positions, 2\]/);
    expect(() => affineGrid(noise([1, 2, 2], 0), constant([1, 1, 3, 3], 'int64'))).toThrow(/theta must have shape/);
  });
});
