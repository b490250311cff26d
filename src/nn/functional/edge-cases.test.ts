import { describe, expect, it } from 'vitest';
import { arange, F, grad, ones, type Tensor, tensor } from '../../index.ts';

/** 0, 1, 2, ... as float32 in a shape. */
const counted = (shape: number[]) =>
  arange(shape.reduce((a, b) => a * b, 1))
    .float()
    .reshape(shape);

async function near(t: Tensor, want: readonly number[]): Promise<void> {
  const data = await t.data();
  expect(data.length).toBe(want.length);
  want.forEach((v, i) => {
    expect(data[i]).toBeCloseTo(v, 4);
  });
}

// Expected values are PyTorch's (2.x).
describe('as PyTorch has it', () => {
  it('a variance per sample in gaussianNllLoss', async () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    await near(F.gaussianNllLoss(x, x.add(1), tensor([1, 2]), { reduction: 'none' }), [0.5, 0.5, 0.596574, 0.596574]);
  });
  it('an even window of localResponseNorm reaches further to the front', async () => {
    const x = tensor([1, 2, 3], { shape: [1, 3, 1] });
    await near(F.localResponseNorm(x, 2, { alpha: 1, beta: 1, k: 1 }), [1 / 1.5, 2 / 3.5, 3 / 7.5]);
  });
  it('the only window of a ceiling-mode pool may hang over the end, by less than a stride', async () => {
    const x = tensor([0, 1, 2, 3, 4, 5, 6, 7, 8], { shape: [1, 1, 3, 3], requiresGrad: true });
    await near(F.maxPool2d(x, 2, { stride: 3, dilation: 4, ceilMode: true }), [0]);
    const y = F.maxPool2d(x, 3, { stride: 3, dilation: 2, ceilMode: true });
    await near(y, [8]);
    await near(grad(y.sum(), x), [0, 0, 0, 0, 0, 0, 0, 0, 1]);
    expect(() => F.maxPool2d(x, 2, { stride: 2, dilation: 4, ceilMode: true })).toThrow(
      'does not fit into spatial axis',
    );
  });
  it('divisorOverride with windows over the end', async () => {
    const x = counted([1, 1, 3, 3]);
    await near(F.avgPool2d(x, 2, { ceilMode: true, divisorOverride: 2 }), [4, 3.5, 6.5, 4]);
    // Begins inside: the window at the end covers one element and one zero of the padding.
    await near(F.avgPool2d(x, 2, { stride: 3, padding: 1, ceilMode: true, divisorOverride: 1 }), [0, 2, 6, 8]);
  });
});

it('binaryCrossEntropy of saturated probabilities has a finite gradient', async () => {
  const x = tensor([0, 1, 0.25, 0], { requiresGrad: true });
  const losses = F.binaryCrossEntropy(x, tensor([0.5, 0, 1, 0]), { reduction: 'none' });
  await near(losses, [50, 100, Math.log(4), 0]);
  const [a, b, c, d] = await grad(losses.sum(), x).data();
  expect([a / -0.5e12, b / 1e12, c, d].map((v) => Math.round(v * 1e4) / 1e4)).toEqual([1, 1, -4, 0]);
});

describe('transposed convolution with an output padding of a stride or more', () => {
  it.each([0, 1])('padding %i', async (padding) => {
    const x = tensor([1, 2, 3], { shape: [1, 1, 3], requiresGrad: true });
    const weight = tensor([1, 10], { shape: [1, 1, 2], requiresGrad: true });
    const y = F.convTranspose1d(x, weight, tensor([0.5]), { dilation: 3, outputPadding: 2, padding });
    const full = [1.5, 2.5, 3.5, 10.5, 20.5, 30.5, 0.5, 0.5];
    await near(y, full.slice(padding, full.length - padding));
    const gradients = grad(y.sum(), [x, weight]);
    await near(gradients[0], padding ? [10, 11, 11] : [11, 11, 11]);
    await near(gradients[1], padding ? [5, 6] : [6, 6]);
  });
});

describe('gradients of sampling', () => {
  it('bicubic interpolation with antialiasing', async () => {
    const x = ones([1, 1, 1, 4], { requiresGrad: true });
    const y = F.interpolate(x, { size: [1, 2], mode: 'bilinear', antialias: true });
    await near(grad(y.mul(tensor([1, 2])).sum(), x), [3 / 7 + 0, 3 / 7 + 2 / 7, 1 / 7 + 6 / 7, 6 / 7]);
  });
  it('volumes and cubics', async () => {
    const volume = counted([1, 1, 2, 2, 2]);
    volume.requiresGrad = false;
    const grid = tensor([0.1, 0.2, 0.3], { shape: [1, 1, 1, 1, 3], requiresGrad: true });
    const options = { alignCorners: true };
    await near(grad(F.gridSample(volume, grid, options).sum(), grid), [0.5, 1, 2]);
    const image = counted([1, 1, 4, 4]);
    const at = tensor([0.1, -0.2], { shape: [1, 1, 1, 2], requiresGrad: true });
    await near(grad(F.gridSample(image, at, { mode: 'bicubic', ...options }).sum(), at), [1.226255, 6.12]);
  });
});

describe('all targets ignored', () => {
  it.each([0, 0.1])('labelSmoothing %d: the loss is NaN, its gradient 0', async (labelSmoothing) => {
    const x = tensor([[1, 2]], { requiresGrad: true });
    const loss = F.crossEntropy(x, tensor([-100], { dtype: 'int64' }), { labelSmoothing });
    expect(await grad(loss, x).data()).toEqual(Float32Array.of(0, 0));
    expect(await loss.item()).toBeNaN();
  });
});

it('interpolate to the nearest by an odd factor rounds as PyTorch does', async () => {
  for (const [size, factor] of [
    [5, 2.3],
    [3, 1.7],
    [7, 2.6],
  ]) {
    const y = F.interpolate(counted([1, 1, size]), { scaleFactor: factor, mode: 'nearest' });
    const step = Math.fround(1 / factor);
    await near(
      y,
      Array.from({ length: y.numel() }, (_, i) => Math.floor(Math.fround(i * step))),
    );
  }
});

it('interpolate to the nearest copies and doubles images exactly, sequences and volumes by the factor, as PyTorch', async () => {
  const nearest = (shape: number[], scaleFactor: number[]) =>
    F.interpolate(counted(shape), { scaleFactor, mode: 'nearest' });
  await near(nearest([1, 1, 2, 1], [2.3, 1]), [0, 0, 1, 1]);
  await near(nearest([1, 1, 3, 1], [1.2, 1]), [0, 1, 2]);
  await near(nearest([1, 1, 2], [2.3]), [0, 0, 0, 1]);
  await near(nearest([1, 1, 3], [1.2]), [0, 0, 1]);
  await near(nearest([1, 1, 4, 1, 1], [2.2, 1, 1]), [0, 0, 0, 1, 1, 2, 2, 3]);
});

it('interpolate gives the size that the factor says, not its rounding to float32', async () => {
  const y = F.interpolate(counted([1, 1, 5]), { scaleFactor: 2.6, mode: 'linear' });
  expect(y.shape).toEqual([1, 1, 13]);
  expect((await y.data()).length).toBe(13);
  expect(F.interpolate(counted([1, 1, 5, 10]), { scaleFactor: 0.7, mode: 'bilinear' }).shape).toEqual([1, 1, 3, 7]);
});
