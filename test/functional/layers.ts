/** @file Runs golden cases of layers: keys of the state dict, outputs, gradients of inputs and parameters, running statistics. */
import { expect, it } from 'vitest';
import type { Module } from '../../src/nn/index.ts';
import { fromData, grad, realize, Tensor } from '../../src/tensor/index.ts';
import { type GoldenLayer, isGoldenTensor, namedOutputs } from '../golden/load.ts';
import { expectClose, type Options } from './check.ts';

export interface LayerKind {
  /** The layer of the case's options. */
  readonly build: (options: Options) => Module;
  /** How it is called; by default with all arguments in order. */
  readonly call?: (
    layer: Options,
    args: Readonly<Record<string, Tensor>>,
    options: Options,
  ) => Tensor | Readonly<Record<string, Tensor | null>>;
}

function isMask(name: string): boolean {
  return name.toLowerCase().endsWith('mask');
}

/** Builds the layer of a case, with its state loaded. @throws where the keys of the state dict differ. */
export async function buildLayer(c: GoldenLayer, { build }: LayerKind): Promise<Module> {
  const layer = build(c.options).train(c.training);
  expect(Object.keys(layer.stateDict())).toEqual(Object.keys(c.state));
  await layer.loadStateDict(c.state);
  return layer;
}

async function check(c: GoldenLayer, kind: LayerKind, tolerance: number): Promise<void> {
  const layer = await buildLayer(c, kind);
  const args: Record<string, Tensor> = {};
  for (const [name, { data, shape, dtype }] of Object.entries(c.args))
    args[name] = fromData(data.slice(), shape, { dtype, requiresGrad: dtype === 'float32' && !isMask(name) });
  const call = kind.call ?? ((l, a, o) => l.forward(...Object.values(a), ...(Object.keys(o).length ? [o] : [])));
  const result = call(layer, args, c.forward);
  const outputs = result instanceof Tensor ? { output: result } : result;
  const seeds = Object.entries(
    c.gradOutput ? (isGoldenTensor(c.gradOutput) ? { output: c.gradOutput } : c.gradOutput) : {},
  );
  const wanted = [
    ...Object.entries(c.grads ?? {}).map(([name, golden]) => ({ name, golden, of: args[name] })),
    ...layer.namedParameters().map(([name, of]) => ({ name, golden: c.paramGrads[name], of })),
  ];
  const found = grad(
    seeds.map(([name]) => outputs[name] ?? expect.fail(`no output ${name}`)),
    wanted.map(({ of }) => of),
    { gradOutputs: seeds.map(([, g]) => fromData(g.data.slice(), g.shape)), allowUnused: true },
  );
  const expected = namedOutputs(c.output);
  const present = Object.fromEntries(Object.entries(outputs).filter(([, t]) => t !== null));
  expect(Object.keys(present).sort()).toEqual(Object.keys(expected).sort());
  await realize(...Object.values(present as Record<string, Tensor>), ...found);
  for (const [name, golden] of Object.entries(expected))
    await expectClose(present[name] as Tensor, golden, name, tolerance);
  for (const [i, { name, golden }] of wanted.entries())
    await expectClose(found[i], golden, `gradient of ${name}`, tolerance);
  const after = { ...c.state, ...c.stateAfter };
  for (const [name, tensor] of Object.entries(layer.stateDict()))
    await expectClose(tensor, after[name], name, tolerance);
}

/** Declares one test per case of the given kinds of layers. */
export function testGoldenLayers(
  cases: readonly GoldenLayer[],
  kinds: Readonly<Record<string, LayerKind>>,
  tolerance = 1e-5,
): void {
  const chosen = cases.filter((c) => c.op in kinds);
  it.each(chosen.map((c) => [c.name, c] as const))('%s', async (_, c) => await check(c, kinds[c.op], tolerance));
}
