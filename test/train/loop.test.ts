/** The loops that every tutorial teaches. */
import { describe, expect, it } from 'vitest';
import { compile, F, manualSeed, nn, optim, randn, type Tensor, tensor } from '../../src/index.ts';

describe('a bare loop', () => {
  it('may read predictions and loss after the step', async () => {
    manualSeed(1);
    const model = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 3));
    const optimizer = optim.adam(model.parameters(), { lr: 0.05 });
    const x = randn([32, 4]);
    const y = x.narrow(1, 0, 3).argmax(1);
    await y.realize();
    let correct = 0;
    let total = 0;
    for (let step = 0; step < 40; step++) {
      optimizer.zeroGrad();
      const output = model.forward(x);
      const loss = F.crossEntropy(output, y);
      loss.backward();
      await optimizer.step();
      total += await loss.item();
      correct = await output.argmax(1).eq(y).to('float32').sum().item();
    }
    expect(correct).toBeGreaterThan(28);
    expect(total / 40).toBeLessThan(1);
  });

  it('adds up losses, as many weighted ones as there are', async () => {
    const w = tensor([2, 3], { requiresGrad: true });
    const optimizer = optim.sgd([w], { lr: 0.1 });
    const [a, b] = [w.mul(2), w.add(1)];
    F.mseLoss(a, tensor([0, 0]))
      .add(F.l1Loss(b, tensor([0, 0])).mul(0.5))
      .backward();
    await optimizer.step();
    expect(await a.array()).toEqual([4, 6]);
    expect(await b.array()).toEqual([3, 4]);
  });
});

describe('parameters from computed tensors', () => {
  class Scaled extends nn.Module {
    weight = new nn.Parameter(
      tensor([
        [1, 2],
        [3, 4],
      ]).mul(0.5),
    );
    offset = new nn.Buffer(tensor([1, 1]).add(1));
    override forward(x: Tensor): Tensor {
      return x.matmul(this.weight).add(this.offset);
    }
  }

  it('train like any other', async () => {
    for (const compiled of [false, true]) {
      const model = new Scaled();
      const optimizer = optim.sgd(model.parameters(), { lr: 1 });
      const step = async (x: Tensor) => {
        optimizer.zeroGrad();
        const loss = model.forward(x).sum();
        loss.backward();
        await optimizer.step();
        return loss;
      };
      const loss = await (compiled ? compile(step) : step)(tensor([[1, 1]]));
      expect(await loss.item()).toBe(9);
      expect(await model.weight.array()).toEqual([
        [-0.5, 0],
        [0.5, 1],
      ]);
    }
  });

  it('can be frozen, saved and loaded before anything is computed', async () => {
    const model = new Scaled();
    model.freeze();
    expect(model.weight.requiresGrad).toBe(false);
    model.unfreeze('weight');
    expect(await model.stateDict().weight.array()).toEqual([
      [0.5, 1],
      [1.5, 2],
    ]);
    const other = new Scaled();
    await other.loadStateDict({
      weight: tensor([
        [9, 9],
        [9, 9],
      ]),
      offset: tensor([0, 0]),
    });
    expect(await other.forward(tensor([[1, 0]])).array()).toEqual([[9, 9]]);
  });
});
