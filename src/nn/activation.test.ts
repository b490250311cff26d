import { describe, it } from 'vitest';
import { checkLayer } from '../../test/functional/check-layer.ts';
import type { Shape } from '../ir/shape.ts';
import * as nn from './index.ts';

const makes: (() => nn.Module)[] = [
  () => new nn.Identity(),
  () => new nn.ReLU(),
  () => new nn.ReLU6(),
  () => new nn.SELU(),
  () => new nn.SiLU(),
  () => new nn.Mish(),
  () => new nn.Softsign(),
  () => new nn.Hardswish(),
  () => new nn.Hardsigmoid(),
  () => new nn.Tanhshrink(),
  () => new nn.LogSigmoid(),
  () => new nn.Sigmoid(),
  () => new nn.Tanh(),
  () => new nn.LeakyReLU({ negativeSlope: 0.2 }),
  () => new nn.ELU(),
  () => new nn.CELU(),
  () => new nn.GELU({ approximate: 'tanh' }),
  () => new nn.Softplus({ beta: 2 }),
  () => new nn.Hardtanh(),
  () => new nn.Softshrink(),
  () => new nn.Hardshrink(),
  () => new nn.Threshold(0.1, 0.5),
  () => new nn.Softmax(1),
  () => new nn.LogSoftmax(-1),
  () => new nn.Softmin(1),
  () => new nn.Dropout(0.3),
  () => new nn.AlphaDropout(0.3),
];

/** Dropout of whole channels, with the number of dimensions it is for. */
const channels: [make: () => nn.Module, shape: Shape][] = [
  [() => new nn.Dropout1d(), [2, 4, 6]],
  [() => new nn.Dropout2d(), [2, 4, 6, 6]],
  [() => new nn.Dropout3d(), [2, 4, 4, 4, 4]],
];

describe('layers that keep the shape', () => {
  it.each(makes.map((make) => [String(make()), make] as const))('%s', async (_, make) => {
    await checkLayer({ make, inputs: [[3, 8]], output: [3, 8] });
  });

  it.each(channels.map(([make, shape]) => [String(shape), make, shape] as const))(
    'dropout of %s',
    async (_, make, shape) => {
      await checkLayer({ make, inputs: [shape], output: shape });
    },
  );
});
