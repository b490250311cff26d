/** A small training run shared by the Trainer tests and the child processes that they interrupt. */
import { DataLoader, TensorDataset } from '../../src/data/index.ts';
import { Random } from '../../src/ir/random.ts';
import { Module, Parameter } from '../../src/nn/module.ts';
import * as optim from '../../src/optim/index.ts';
import { randn, type Tensor } from '../../src/tensor/index.ts';
import { accuracy, earlyStopping, Trainer, type TrainerOptions } from '../../src/train/index.ts';

/** Two dense layers on 6 features, 3 classes. */
export class Net extends Module {
  w1 = new Parameter(randn([6, 16]));
  b1 = new Parameter(randn([16]));
  w2 = new Parameter(randn([16, 3]));

  override forward(x: Tensor): Tensor {
    return x.matmul(this.w1).add(this.b1).tanh().matmul(this.w2);
  }
}

/** Mean of -log softmax at the target class. */
export function loss(output: Tensor, target: Tensor): Tensor {
  return output.logSoftmax(1).gather(1, target.unsqueeze(1)).mean().neg();
}

/** Points whose class is the sign pattern of two directions: learnable to about 95 %. */
export function points(count: number, seed: number) {
  const random = new Random(seed);
  const x = Float32Array.from({ length: count * 6 }, () => random.normal());
  const y = Float64Array.from({ length: count }, (_, i) => {
    const s = x[i * 6] + 0.5 * x[i * 6 + 1];
    return s > 0.6 ? 2 : s < -0.6 ? 0 : 1;
  });
  return new TensorDataset({
    x: { data: x, shape: [count, 6], dtype: 'float32' },
    y: { data: y, shape: [count], dtype: 'int64' },
  });
}

export const trainLoader = (batchSize = 16) => new DataLoader(points(200, 1), { batchSize, shuffle: true, seed: 3 });
export const validationLoader = () => new DataLoader(points(100, 2), { batchSize: 50 });

export function makeTrainer(options: Partial<TrainerOptions<Net>> = {}): { model: Net; trainer: Trainer<Net> } {
  // The Trainer seeds the generator, but the model is made before it.
  const model = seededNet();
  const trainer = new Trainer(model, {
    loss,
    optimizer: optim.adamw({ lr: 0.02 }),
    schedule: optim.cosineAnnealingLR({ tMax: 100 }),
    metrics: [accuracy()],
    callbacks: [earlyStopping({ patience: 50 })],
    seed: 5,
    ...options,
  });
  return { model, trainer };
}

export function seededNet(): Net {
  const random = new Random(11);
  const net = new Net();
  for (const p of net.parameters()) p.setData(Float32Array.from({ length: p.numel() }, () => random.normal() * 0.5));
  return net;
}

export const bits = async (model: Module) =>
  Object.fromEntries(
    await Promise.all(Object.entries(model.stateDict()).map(async ([k, t]) => [k, [...(await t.data())]] as const)),
  );
