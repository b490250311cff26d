/** @file One call checks a layer: output shape, parameter count, state round trip, printed form, and that training works. */
import { expect } from 'vitest';
import type { NDArray } from '../../src/ir/ndarray.ts';
import type { Shape } from '../../src/ir/shape.ts';
import type { Module } from '../../src/nn/index.ts';
import { sgd } from '../../src/optim/index.ts';
import { manualSeed, randint, randn, realize, Tensor } from '../../src/tensor/index.ts';

/** A random input: its shape (normal numbers), or whole numbers below a bound. */
export type InputSpec = Shape | { readonly shape: Shape; readonly below: number };

export interface LayerCheck {
  readonly make: () => Module;
  readonly inputs: readonly InputSpec[];
  /** Shape of the first output. */
  readonly output: Shape;
  /** Number of trained elements, 0 by default. */
  readonly parameters?: number;
}

function makeInput(spec: InputSpec): Tensor {
  return 'below' in spec ? randint(0, spec.below, spec.shape) : randn(spec, { requiresGrad: true });
}

function firstOutput(module: Module, inputs: readonly Tensor[]): Tensor {
  let result = (module.forward as (...xs: Tensor[]) => unknown).call(module, ...inputs);
  while (Array.isArray(result)) result = result[0];
  if (!(result instanceof Tensor)) throw new Error(`${module} gave no tensor`);
  return result;
}

async function arraysOf(module: Module): Promise<Record<string, NDArray>> {
  const entries = Object.entries(module.stateDict()).map(
    async ([key, t]) => [key, { data: await t.data(), shape: t.shape, dtype: t.dtype }] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

/** Runs all checks. Dropout is switched off: training happens in evaluation mode unless `trains` says otherwise. */
export async function checkLayer({ make, inputs, output, parameters = 0 }: LayerCheck): Promise<void> {
  manualSeed(1);
  const layer = make();
  const xs = inputs.map(makeInput);
  expect(firstOutput(layer, xs).shape, 'shape while training').toEqual(output);
  expect(
    layer.parameters().reduce((sum, p) => sum + p.numel(), 0),
    'parameters',
  ).toBe(parameters);
  expect(String(layer).startsWith(`${layer.constructor.name}(`), 'printed form').toBe(true);

  const twin = make();
  await twin.loadStateDict(await arraysOf(layer));
  const [y, other] = [layer, twin].map((m) => firstOutput(m.eval(), xs));
  expect(y.shape, 'shape in evaluation').toEqual(output);
  await realize(y, other);
  expect([...(await y.data())], 'output after loading the state').toEqual([...(await other.data())]);

  const target = randn(output);
  const loss = () => firstOutput(layer, xs).sub(target).square().mean();
  const trained = [...layer.parameters(), ...xs.filter((x) => x.requiresGrad)];
  const before = loss();
  before.backward();
  for (const p of layer.parameters()) expect(p.grad, 'a gradient for every parameter').not.toBeNull();
  await sgd(trained, { lr: 1e-2 }).step();
  expect(await loss().item(), 'loss after one step').toBeLessThan(await before.item());
}
