/** @file Activations by the names that config.json uses (transformers.activations.ACT2FN). */
import { FormatError } from '../ir/errors.ts';
import * as F from '../nn/functional/index.ts';
import type { Tensor } from '../tensor/index.ts';

const tanhGelu = (x: Tensor) => F.gelu(x, { approximate: 'tanh' });

const activations: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  gelu: F.gelu,
  gelu_new: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  gelu_fast: tanhGelu,
  gelu_accurate: tanhGelu,
  gelu_python_tanh: tanhGelu,
  gelu_python: F.gelu,
  gelu_10: (x) => F.gelu(x).clamp({ min: -10, max: 10 }),
  quick_gelu: (x) => x.mul(x.mul(1.702).sigmoid()),
  relu: F.relu,
  relu2: (x) => F.relu(x).square(),
  relu6: F.relu6,
  leaky_relu: F.leakyRelu,
  hardswish: F.hardswish,
  mish: F.mish,
  silu: F.silu,
  swish: F.silu,
  tanh: F.tanh,
  sigmoid: F.sigmoid,
  linear: (x) => x,
};

/** @throws FormatError for a name that is not known, naming those that are. */
export function activation(name: string): (x: Tensor) => Tensor {
  const found = Object.hasOwn(activations, name) ? activations[name] : undefined;
  if (!found)
    throw new FormatError(
      `config.json: activation '${name}' is not known; there are ${Object.keys(activations).join(', ')}`,
    );
  return (x) => found(x);
}
