/** @file A small training run, the same in Node and in a page: an MLP on generated data, compiled step, Adam. */
import { compile, F, nn, optim, type Tensor, tensor } from 'gradus';

/** Trains and gives the loss of every step. */
export async function train(steps: number): Promise<number[]> {
  let state = 7;
  const draw = (count: number, scale: number) =>
    Float32Array.from({ length: count }, () => {
      state = (state * 16807) % 2147483647;
      return ((2 * state) / 2147483647 - 1) * scale;
    });
  const model = new nn.Sequential(new nn.Linear(8, 32), new nn.ReLU(), new nn.Dropout(0), new nn.Linear(32, 3));
  for (const p of model.parameters()) p.assign(tensor(draw(p.numel(), 0.4)).reshape([...p.shape]));
  for (const p of model.parameters()) await p.realize();
  const optimizer = optim.adam({ lr: 1e-2 })(model.parameters());
  const step = compile(async (x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.forward(x), y);
    loss.backward();
    await optimizer.step();
    return loss;
  });
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const x = draw(32 * 8, 1);
    const y = Int32Array.from({ length: 32 }, (_, r) => (x[8 * r] > 0 ? 1 : 0) + (x[8 * r + 1] > 0 ? 1 : 0));
    const loss = await step(tensor(x).reshape([32, 8]), tensor(y, { dtype: 'int32' }));
    losses.push(await loss.item());
  }
  return losses;
}
