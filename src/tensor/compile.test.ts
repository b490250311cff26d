import { describe, expect, it } from 'vitest';
import * as F from '../nn/functional/index.ts';
import * as optim from '../optim/index.ts';
import { compile, manualSeed, noGrad, ones, rand, randn, randperm, type Tensor, tensor, zeros } from './index.ts';

const counting = () => {
  let traces = 0;
  const double = compile((x: Tensor) => {
    traces++;
    return x.mul(2);
  });
  return { double, traces: () => traces };
};

describe('compile', () => {
  it('traces once per signature', async () => {
    const { double, traces } = counting();
    expect(await (await double(tensor([1, 2]))).array()).toEqual([2, 4]);
    expect(await (await double(tensor([3, 4]))).array()).toEqual([6, 8]);
    expect(traces()).toBe(1);
    expect(await (await double(tensor([[5]]))).array()).toEqual([[10]]);
    expect(traces()).toBe(2);
  });

  it('takes lazy arguments and gives several results', async () => {
    const both = compile((x: Tensor, y: Tensor) => ({ sum: x.add(y), product: x.mul(y) }));
    for (const k of [1, 2]) {
      const { sum, product } = await both(tensor([1, 2]).mul(k), tensor([3, 4]).add(k));
      expect(await sum.array()).toEqual([k + 3 + k, 2 * k + 4 + k]);
      expect(await product.array()).toEqual([k * (3 + k), 2 * k * (4 + k)]);
    }
  });

  it('takes batches and gives the outputs of models: records and arrays of tensors, some of them optional', async () => {
    interface Batch {
      readonly x: Tensor;
      readonly weight?: Tensor | undefined;
    }
    let traces = 0;
    const score = compile(({ x, weight }: Batch, rows: readonly Tensor[] = []) => {
      traces++;
      const total = rows.reduce((sum, row) => sum.add(row), weight ? x.mul(weight) : x);
      return { total, parts: [x, [x.neg()]] as const, none: undefined };
    });
    const x = tensor([1, 2]);
    for (const k of [3, 4]) {
      const { total, parts, none } = await score({ x, weight: tensor([k, k]) }, [x, tensor([k, 0])]);
      expect(await total.array()).toEqual([k + 1 + k, 2 * k + 2]);
      expect(await parts[1][0].array()).toEqual([-1, -2]);
      expect(none).toBeUndefined();
    }
    expect(traces).toBe(1);
    expect(await (await score({ x, weight: undefined })).total.array()).toEqual([1, 2]);
    expect(await (await score({ x })).total.array()).toEqual([1, 2]);
    expect(traces).toBe(3);
  });

  it('names what is no tensor, among the arguments and in the result', async () => {
    const untyped = (x: object) => x;
    const double = compile((x: { y: Tensor }) => x.y.mul(2));
    await expect(double(untyped({ y: new Float32Array(2) }) as never)).rejects.toThrow(
      'argument 1.y is an object of class Float32Array; a compiled function takes and gives tensors',
    );
    const loose = compile((x: Tensor) => ({ x, list: [x, 3] }));
    await expect(loose(tensor([1]))).rejects.toThrow('the result.list[1] is a number; a compiled function takes');
    expect(await (await double({ y: tensor([1]) })).array()).toEqual([2]);
  });

  it('moves parameters and step numbers on as the plain loop does', async () => {
    const train = async (compiled: boolean) => {
      const w = tensor([1, -2, 3], { requiresGrad: true });
      const optimizer = optim.adamw([w], { lr: 0.1 });
      const schedule = optim.exponentialLR({ gamma: 0.5 })(optimizer);
      const step = async (x: Tensor) => {
        optimizer.zeroGrad();
        const loss = w.mul(x).square().sum();
        loss.backward();
        await optimizer.step();
        return loss;
      };
      const run = compiled ? compile(step) : step;
      const losses: number[] = [];
      for (let i = 0; i < 5; i++) {
        losses.push(await (await run(tensor([1, 2, i]))).item());
        schedule.step();
      }
      return { losses, w: await w.array() };
    };
    expect(await train(true)).toEqual(await train(false));
  });

  it('draws new random numbers in every run, the same ones for the same seed', async () => {
    const draw = compile((x: Tensor) => F.dropout(x, { p: 0.5, training: true }));
    const series = async () => {
      manualSeed(4);
      const rows: string[] = [];
      for (let i = 0; i < 3; i++) rows.push((await (await draw(ones([32]))).data()).join());
      return rows;
    };
    const first = await series();
    expect(new Set(first).size).toBe(3);
    expect(await series()).toEqual(first);
  });

  it('checks labels in every run, not only in the first', async () => {
    const loss = compile((logits: Tensor, labels: Tensor) => F.crossEntropy(logits, labels));
    const labels = (...values: number[]) => tensor(values, { dtype: 'int64' });
    await loss(zeros([2, 3]), labels(0, 2));
    await expect(loss(zeros([2, 3]), labels(0, -1))).rejects.toThrow(
      /crossEntropy: class index -1 at position 1 is out of range/,
    );
    await expect(loss(zeros([2, 3]), labels(3, 0))).rejects.toThrow(/class index 3 at position 0/);
    expect(await (await loss(zeros([2, 3]), labels(1, -100))).item()).toBeCloseTo(Math.log(3), 6);
  });

  it('says so when the function reads elements, and leaves nothing behind', async () => {
    const w = tensor([1, 2], { requiresGrad: true });
    const bad = compile(async (x: Tensor) => {
      noGrad(() => w.assign(w.add(x)));
      await x.sum().item();
      return x;
    });
    await expect(bad(tensor([1, 1]))).rejects.toThrow(/cannot be read while compile\(\) traces/);
    expect(await w.array()).toEqual([1, 2]);
  });

  it('lets other tasks compute meanwhile', async () => {
    const slow = compile(async (x: Tensor) => {
      await Promise.resolve();
      return x.add(1);
    });
    const [a, b] = await Promise.all([slow(tensor([1])), tensor([2]).mul(3).array()]);
    expect(await a.array()).toEqual([2]);
    expect(b).toEqual([6]);
  });
});

it('leaves no gradient that was never computed', async () => {
  const w = tensor([1, 2], { requiresGrad: true });
  const optimizer = optim.sgd([w], { lr: 0.1 });
  const step = compile(async (x: Tensor) => {
    const loss = w.mul(x).sum();
    loss.backward();
    await optimizer.step();
    return loss;
  });
  await step(tensor([1, 1]));
  expect(w.grad).toBeNull();
  w.square().sum().backward();
  expect(await (w.grad as Tensor | null)?.array()).toEqual((await w.mul(2).array()) as number[]);
});

it('draws random tensors anew in every run, and the same ones from the same seed', async () => {
  const noisy = compile((x: Tensor) => ({
    sum: x.add(randn([4])),
    uniform: x.mul(rand([4])),
    order: randperm(6).add(0),
  }));
  const runs = async () => {
    manualSeed(3);
    const all = [];
    for (let i = 0; i < 3; i++) {
      const { sum, uniform, order } = await noisy(ones([4]));
      all.push([await sum.array(), await uniform.array(), await order.array()]);
    }
    return all;
  };
  const first = await runs();
  expect(new Set(first.map(String)).size).toBe(3);
  expect(first.map(([, , order]) => [...(order as number[])].sort())).toEqual(first.map(() => [0, 1, 2, 3, 4, 5]));
  expect(await runs()).toEqual(first);
});
