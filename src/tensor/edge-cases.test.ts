import { describe, expect, it } from 'vitest';
import { F, nn, Tensor, tensor, zeros } from '../index.ts';
import { constant } from '../ir/graph.ts';

const constantZero = (zero: number) => new Tensor(constant(Float32Array.of(zero), 'float32'));

// Expected values are PyTorch's.
describe('reductions at the edge', () => {
  it('any of no elements is false, all is true', async () => {
    expect(await zeros([0]).any().item()).toBe(0);
    expect(await zeros([0]).all().item()).toBe(1);
    expect(await zeros([2, 0]).any(1).data()).toEqual(Uint8Array.of(0, 0));
  });
  it('cummax takes booleans and small integers', async () => {
    const x = tensor([[false, true, false]]);
    const y = x.cummax(1);
    expect(y.dtype).toBe('bool');
    expect(await y.array()).toEqual([[false, true, true]]);
    expect(await tensor([3, 1, 4], { dtype: 'uint8' }).cummax(0).data()).toEqual(Uint8Array.of(3, 3, 4));
  });
  it('median of a scalar along a dimension', async () => {
    const { values, indices } = tensor(2.5).median(-1, { keepdim: true });
    expect([await values.item(), await indices.item()]).toEqual([2.5, 0]);
  });
});

describe('infinities', () => {
  it('programs that differ only in the sign of a zero are two', async () => {
    const inverse = (zero: number) => tensor([1, 2]).div(constantZero(zero)).data();
    expect(await inverse(0)).toEqual(Float32Array.of(Infinity, Infinity));
    expect(await inverse(-0)).toEqual(Float32Array.of(-Infinity, -Infinity));
  });
  it('clamp with one bound leaves the other side infinite', async () => {
    const x = tensor([-Infinity, 0, Infinity]);
    expect(await x.clamp({ max: 0.5 }).data()).toEqual(Float32Array.of(-Infinity, 0, 0.5));
    expect(await x.clamp({ min: -0.5 }).data()).toEqual(Float32Array.of(-0.5, 0, Infinity));
  });
  it('expm1 has the gradient of exp wherever it is', async () => {
    const x = tensor([-100, -1e-4, 0, 2, 100, Infinity], { requiresGrad: true });
    const y = x.expm1();
    y.sum().backward();
    const e = Math.fround(-9.999500166624984e-5);
    const want = [-1, e, 0, Math.expm1(2), Infinity, Infinity];
    (await y.data()).forEach((v, i) => {
      if (Number.isFinite(want[i])) expect(v).toBeCloseTo(want[i], 5);
      else expect(v).toBe(want[i]);
    });
    const slope = await x.grad?.data();
    expect(slope?.[4]).toBe(Infinity);
    expect(slope?.[5]).toBe(Infinity);
    expect(slope?.[3]).toBeCloseTo(Math.exp(2), 5);
  });
});

describe('no elements', () => {
  it('repeats of nothing', async () => {
    expect(tensor([1, 2, 3]).repeatInterleave(0, 0).shape).toEqual([0]);
    expect(await tensor([1, 2, 3]).repeatInterleave(0).data()).toEqual(new Float32Array());
  });
  it('a vector beside an empty batch', async () => {
    for (const dtype of ['float32', 'int32'] as const) {
      const y = zeros([0, 8], { dtype }).matmul(zeros([8], { dtype }));
      const z = zeros([8], { dtype }).matmul(zeros([0, 8, 1], { dtype }));
      expect([y.shape, z.shape]).toEqual([[0], [0, 1]]);
      expect((await y.data()).length + (await z.data()).length).toBe(0);
    }
  });
  it('whose product has a gradient of 0', async () => {
    const weight = tensor([1, 2], { requiresGrad: true });
    zeros([0, 2]).matmul(weight).sum().backward();
    expect(await weight.grad?.data()).toEqual(Float32Array.of(0, 0));
    const matrix = tensor([[1], [2]], { requiresGrad: true });
    zeros([3, 0, 2]).matmul(matrix).sum().backward();
    expect(await matrix.grad?.data()).toEqual(Float32Array.of(0, 0));
  });
  it('einsum and bilinear over an empty batch', async () => {
    const y = F.bilinear(zeros([0, 4, 5]), zeros([0, 4, 3]), zeros([2, 5, 3]), zeros([2]));
    expect(y.shape).toEqual([0, 4, 2]);
    expect((await y.data()).length).toBe(0);
  });
});

it('relu of 16-bit integers', async () => {
  expect(await F.relu(tensor([-3, 4], { dtype: 'int16' })).data()).toEqual(Int16Array.of(0, 4));
});

it('instance normalisation counts no batches', async () => {
  const layer = new nn.InstanceNorm1d(2, { trackRunningStats: true });
  await layer
    .forward(
      tensor([
        [
          [1, 2, 3],
          [4, 6, 9],
        ],
      ]),
    )
    .realize();
  expect(await layer.stateDict().num_batches_tracked.item()).toBe(0);
  expect((await layer.stateDict().running_mean.data())[1]).toBeCloseTo(19 / 30, 6);
});

it('threshold lets NaN through; celu of 16-bit floats; tiles of nothing', async () => {
  expect(await F.threshold(tensor([NaN, -1, 2]), 0, 5).data()).toEqual(Float32Array.of(NaN, 5, 2));
  const half = await F.celu(tensor([-1, 2]).half(), { alpha: 2 })
    .float()
    .data();
  expect(half[0]).toBeCloseTo(2 * Math.expm1(-0.5), 3);
  expect(half[1]).toBe(2);
  expect(tensor([[1, 2]]).tile([2, 0]).shape).toEqual([2, 0]);
  expect(
    (
      await tensor([[1, 2]])
        .tile([0])
        .data()
    ).length,
  ).toBe(0);
});
