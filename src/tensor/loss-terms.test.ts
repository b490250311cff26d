import { expect, it } from 'vitest';
import { F, nn, optim, tensor } from '../index.ts';

it('the scalars that a loss was made of can be read after the step', async () => {
  const model = new nn.Linear(2, 1);
  await model.loadStateDict({ weight: tensor([[1, 2]]), bias: tensor([0]) });
  const optimizer = optim.sgd(model.parameters(), { lr: 0.1 });
  const x = tensor([
    [1, 1],
    [2, 0],
  ]);
  for (const want of [6.5, 4.608125]) {
    optimizer.zeroGrad();
    const error = F.mseLoss(model.forward(x), tensor([[0], [0]]));
    const penalty = model.weight.square().sum();
    const loss = error.add(penalty.mul(0)).div(4);
    loss.backward();
    await optimizer.step();
    expect(await error.item()).toBeCloseTo(want, 4);
    expect(await loss.item()).toBeCloseTo(want / 4, 4);
    expect(Number.isFinite(await penalty.item())).toBe(true);
  }
});
