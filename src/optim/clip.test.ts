import { describe, expect, it } from 'vitest';
import { compile, setDebug, type Tensor, tensor } from '../tensor/index.ts';
import { clipGradNorm, clipGradValue, EMA, gradNorm, sgd } from './index.ts';

/** Two parameters whose gradients are [3, 0] and [[4], [-12]]: a vector of length 13. */
function withGradients() {
  const a = tensor([1, 2], { requiresGrad: true });
  const b = tensor([[1], [2]], { requiresGrad: true });
  const unused = tensor([5], { requiresGrad: true });
  a.mul(tensor([3, 0]))
    .sum()
    .add(b.mul(tensor([[4], [-12]])).sum())
    .backward();
  return { a, b, params: [a, b, unused] };
}

const gradsOf = async (...params: Tensor[]) =>
  (await Promise.all(params.map((p) => p.grad!.data()))).map((d) => [...d]);
const rounded = (rows: number[][]) => rows.map((r) => r.map((x) => Number(x.toFixed(4)) + 0));

describe('clipGradNorm', () => {
  it('scales all gradients by one factor and gives the norm before', async () => {
    const { a, b, params } = withGradients();
    const total = clipGradNorm(params, 1.3);
    expect(rounded(await gradsOf(a, b))).toEqual([
      [0.3, 0],
      [0.4, -1.2],
    ]);
    expect(await total.item()).toBeCloseTo(13, 5);
  });

  it('leaves short gradients as they are', async () => {
    const { a, params } = withGradients();
    clipGradNorm(params, 100);
    expect(await gradsOf(a)).toEqual([[3, 0]]);
  });

  it('knows other norms', async () => {
    const { a, b, params } = withGradients();
    expect(await gradNorm(params, { normType: 1 }).item()).toBeCloseTo(19, 5);
    expect(await gradNorm(params, { normType: Number.POSITIVE_INFINITY }).item()).toBe(12);
    clipGradNorm(params, 6, { normType: Number.POSITIVE_INFINITY });
    expect(rounded(await gradsOf(a, b))).toEqual([
      [1.5, 0],
      [2, -6],
    ]);
  });

  it('changes nothing and throws where the norm is not finite, if asked to', async () => {
    const a = tensor([1, 2], { requiresGrad: true });
    a.mul(tensor([Number.NaN, 1]))
      .sum()
      .backward();
    await expect(clipGradNorm([a], 1, { errorIfNonfinite: true })).rejects.toThrow('the norm of the gradients is NaN');
    expect(await gradsOf(a)).toEqual([[Number.NaN, 1]]);
    expect(() => clipGradNorm([a], 0)).toThrow('maxNorm must be above 0, found 0');
  });

  it('is part of the step, eager and compiled', async () => {
    for (const wrap of [(f: (x: Tensor) => Promise<Tensor>) => f, compile<[Tensor], Tensor>]) {
      const a = tensor([0, 0], { requiresGrad: true });
      const optimizer = sgd([a], { lr: 1 });
      const step = wrap(async (x: Tensor) => {
        optimizer.zeroGrad();
        // The gradient depends on the parameter, which the step overwrites: x for x = x - (a + a0), a0 = -a.
        a.add(x.sub(a.detach())).square().sum().mul(0.5).backward();
        const total = clipGradNorm([a], 5);
        await optimizer.step();
        return total;
      });
      expect(await (await step(tensor([30, 40]))).item()).toBeCloseTo(50, 4);
      expect(await (await step(tensor([3, 0]))).item()).toBeCloseTo(3, 5);
      expect((await a.data())[0]).toBeCloseTo(-6, 5);
      expect((await a.data())[1]).toBeCloseTo(-4, 5);
    }
  });
});

describe('clipGradValue', () => {
  it('limits every element', async () => {
    const { a, b, params } = withGradients();
    clipGradValue(params, 3.5);
    expect(await gradsOf(a, b)).toEqual([
      [3, 0],
      [3.5, -3.5],
    ]);
    expect(() => clipGradValue(params, -1)).toThrow('clipValue must be above 0, found -1');
  });
});

describe('EMA', () => {
  const setUp = (options = {}) => {
    const p = tensor([1, 2], { requiresGrad: true });
    const ema = new EMA({ namedParameters: () => [['p', p]] }, { decay: 0.5, ...options });
    return { p, ema, optimizer: sgd([p], { lr: 1 }) };
  };
  const averageOf = async (ema: EMA) => [...(await ema.stateDict().tensors.p.data())];

  it('follows the parameters, eager and compiled', async () => {
    for (const wrap of [(f: (x: Tensor) => Promise<Tensor>) => f, compile<[Tensor], Tensor>]) {
      const { p, ema, optimizer } = setUp();
      const step = wrap(async (x: Tensor) => {
        optimizer.zeroGrad();
        const loss = p.mul(x).sum();
        loss.backward();
        await optimizer.step();
        ema.update();
        return loss;
      });
      for (let i = 0; i < 3; i++) await step(tensor([1, -1]));
      // p = [0, 3], [-1, 4], [-2, 5]; average = [0, 3], [-0.5, 3.5], [-1.25, 4.25]
      expect(await averageOf(ema)).toEqual([-1.25, 4.25]);
      expect(ema.updates).toBe(3);
    }
  });

  it('adds nothing to the graph of a compiled step: it joins the loop of the update', async () => {
    const nodes = async (averaged: boolean) => {
      const lines: string[] = [];
      setDebug({ level: 1, write: (line) => lines.push(line) });
      const { p, ema, optimizer } = setUp();
      await compile(async (x: Tensor) => {
        optimizer.zeroGrad();
        const loss = p.mul(x).square().sum();
        loss.backward();
        await optimizer.step();
        if (averaged) ema.update();
        return loss;
      })(tensor([1, -1]));
      setDebug({ level: 0, write: (line) => console.error(line) });
      return /(\d+) nodes/.exec(lines.join())?.[1];
    };
    expect(await nodes(true)).toBe(await nodes(false));
  });

  it('starts with a small decay if asked to', async () => {
    const { p, ema } = setUp({ decay: 0.99, warmup: true });
    ema.update();
    await p.realize();
    p.setData(Float32Array.of(12, 13));
    ema.update();
    const decay = 2 / 11;
    expect((await averageOf(ema))[0]).toBeCloseTo(decay + 12 * (1 - decay), 5);
  });

  it('swaps in and out, and refuses what would mix them up', async () => {
    const { p, ema } = setUp();
    await expect(ema.swap()).rejects.toThrow('no averages yet');
    ema.update();
    await p.realize();
    p.setData(Float32Array.of(7, 8));
    await ema.swap();
    expect([...(await p.data())]).toEqual([1, 2]);
    expect(() => ema.update()).toThrow('call swap() again');
    expect(() => ema.stateDict()).toThrow('call swap() before saving');
    await ema.swap();
    expect([...(await p.data())]).toEqual([7, 8]);
    expect(await averageOf(ema)).toEqual([1, 2]);
  });

  it('goes on from its state', async () => {
    const { ema } = setUp();
    ema.update();
    const saved = ema.stateDict();
    const { p, ema: other } = setUp();
    await other.loadStateDict(saved);
    p.setData(Float32Array.of(3, 4));
    other.update();
    expect(await averageOf(other)).toEqual([2, 3]);
    await expect(other.loadStateDict({ updates: 1, tensors: {} })).rejects.toThrow("parameter 'p'");
    expect(() => setUp({ decay: 2 })).toThrow('decay must be in [0, 1], found 2');
  });
});
