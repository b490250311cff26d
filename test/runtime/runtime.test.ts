/** @file The runtime under load and under faults: a free event loop, typed errors, state that a failure leaves alone. */
import { describe, expect, it } from 'vitest';
import { compile, EngineError, F, nn, optim, type Tensor, tensor, zeros } from '../../src/index.ts';
import { getEngine } from '../../src/runtime/device.ts';

async function start() {
  const model = new nn.Linear(64, 8);
  const optimizer = optim.adam({ lr: 1e-2 })(model.parameters());
  const step = compile(async (x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.forward(x), y);
    loss.backward();
    await optimizer.step();
    return loss;
  });
  const x = tensor(Float32Array.from({ length: 32 * 64 }, (_, i) => Math.sin(i))).reshape([32, 64]);
  const y = tensor(
    Array.from({ length: 32 }, (_, i) => i % 8),
    { dtype: 'int64' },
  );
  return { model, optimizer, step: () => step(x, y) };
}

/** More elements than any machine has memory for. */
const huge = () =>
  zeros([1])
    .expand([1 << 30, 1 << 20])
    .add(tensor([1]))
    .exp();

describe('the event loop', () => {
  it('is free between the steps of a loop that only awaits them', async () => {
    const { step } = await start();
    await step();
    let fired = 0;
    const timer = setInterval(() => fired++, 0);
    const served: number[] = [];
    setImmediate(() => served.push(1));
    for (let i = 0; i < 50; i++) await step();
    clearInterval(timer);
    expect(served).toEqual([1]);
    expect(fired).toBeGreaterThan(0);
  });
});

describe('failures of ONNX Runtime', () => {
  it('a model that is none is refused with an EngineError', async () => {
    const engine = await getEngine();
    const attempt = engine.compile(new Uint8Array([1, 2, 3]), [], [], {});
    await expect(attempt).rejects.toThrow(EngineError);
    await expect(engine.compile(new Uint8Array([1, 2, 3]), [], [], {})).rejects.toThrow(/refused a program/);
  });

  it('memory that is not there is an EngineError', async () => {
    await expect(huge().realize()).rejects.toThrow(EngineError);
  });

  it('a program that fails leaves parameters and moments as they were, and training goes on', async () => {
    const [a, b] = [await start(), await start()];
    for (const [i, p] of b.model.parameters().entries())
      p.assign(tensor(await a.model.parameters()[i].data()).reshape([...p.shape]));
    for (const p of b.model.parameters()) await p.realize();
    await a.step();
    await b.step();
    const before = await a.model.weight.data();
    const [weight] = a.model.parameters();
    weight.assign(weight.add(huge().sum()));
    await expect(weight.data()).rejects.toThrow(EngineError);
    expect(await a.model.weight.data()).toEqual(before);
    await a.step();
    await b.step();
    expect(await a.model.weight.data()).toEqual(await b.model.weight.data());
    // An eager step too finds its parameters again.
    a.optimizer.zeroGrad();
    F.mseLoss(a.model.forward(zeros([2, 64])), zeros([2, 8])).backward();
    await a.optimizer.step();
    expect(await a.model.bias?.data()).not.toEqual(await b.model.bias?.data());
  });
});
