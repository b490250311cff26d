/** @file Cases of transformers_decoders.json: tiny decoder models as Python's transformers computes them, and their checks. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { PreTrainedModel } from '../../src/models/index.ts';
import { noGrad, Tensor, tensor } from '../../src/tensor/index.ts';
import { type GoldenTensor, type GoldenTensors, reviveTensor } from './load.ts';

/** One case; which fields there are follows from `op`, a class of models or what else is checked. */
export interface DecoderCase {
  readonly name: string;
  readonly op: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly state: GoldenTensors;
  /** Name of the case whose config and state this one shares. */
  readonly model?: string;
  readonly inputs: GoldenTensors;
  readonly outputs: GoldenTensors;
  readonly grads: GoldenTensors;
  /** 1 at positions of the outputs that are compared. */
  readonly valid?: GoldenTensor;
  readonly output: GoldenTensor;
  readonly args: GoldenTensors;
  readonly options: Readonly<Record<string, unknown>>;
  readonly bidirectional: boolean;
  readonly buckets: number;
  readonly maxDistance: number;
}

const text = readFileSync(new URL('./transformers_decoders.json', import.meta.url), 'utf8');
const { cases } = JSON.parse(text, reviveTensor) as { cases: readonly DecoderCase[] };

/** Cases of one operation. */
export function decoderCases(op: string): readonly DecoderCase[] {
  const found = cases.filter((c) => c.op === op);
  if (!found.length) throw new Error(`no golden case ${op}`);
  return found;
}

const camel = (key: string) => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

export const toTensor = ({ data, shape, dtype }: GoldenTensor) => tensor(data, { shape, dtype });

/** Keys in camelCase. */
export function camelKeys<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [camel(key), value]));
}

/** The model of a case with its weights, in evaluation mode. */
export async function goldenModel<M extends PreTrainedModel>(
  name: string,
  make: { fromConfig(json: Readonly<Record<string, unknown>>): M },
): Promise<M> {
  const found = cases.find((c) => c.name === name);
  if (!found?.state) throw new Error(`no golden model ${name}`);
  const model = make.fromConfig(found.config);
  const { unexpectedKeys, missingKeys } = await model.loadStateDict(found.state, { strict: false });
  expect(unexpectedKeys).toEqual([]);
  expect(missingKeys.filter((key) => !(key in model.tiedKeys()))).toEqual([]);
  return model.eval();
}

/** Numbers close to expected ones, relative to the largest. */
export async function expectClose(actual: Tensor, expected: GoldenTensor, tolerance: number, what: string) {
  expect(actual.shape, what).toEqual(expected.shape);
  const data = await actual.data();
  const scale = Array.from(expected.data).reduce((max, v) => Math.max(max, Math.abs(v)), 1e-2);
  let worst = 0;
  for (let i = 0; i < data.length; i++) worst = Math.max(worst, Math.abs(data[i] - expected.data[i]));
  expect(worst / scale, what).toBeLessThan(tolerance);
}

/** Positions where `valid` is 0 as zeros, of outputs [batch, sequence, width]. */
function masked(output: GoldenTensor, { data: valid }: GoldenTensor): GoldenTensor {
  const width = output.data.length / valid.length;
  return { ...output, data: output.data.map((v, i) => v * valid[Math.floor(i / width)]) };
}

type Forward = (inputs: Record<string, Tensor>) => Record<string, Tensor | undefined>;

/** Tests of outputs, loss and gradients of all parameters for the cases of one class. */
export function testGoldenForward(
  op: string,
  make: { fromConfig(json: Readonly<Record<string, unknown>>): PreTrainedModel },
) {
  it.each(decoderCases(op).map((c) => [c.name, c] as const))('%s', async (name, c) => {
    const model = await goldenModel(c.model ?? name, make);
    const inputs = Object.fromEntries(Object.entries(camelKeys(c.inputs)).map(([key, t]) => [key, toTensor(t)]));
    const outputs = (model.forward as Forward).call(model, inputs);
    outputs.loss?.backward();
    for (const [key, expected] of Object.entries(camelKeys(c.outputs))) {
      const actual = outputs[key];
      if (!(actual instanceof Tensor)) throw new Error(`${name}: no output ${key}`);
      const { valid } = c;
      if (key === 'logits' && valid) {
        const kept = noGrad(() => actual.detach().mul(toTensor(valid).unsqueeze(-1)));
        await expectClose(kept, masked(expected, valid), 1e-5, key);
      } else await expectClose(actual, expected, 1e-5, key);
    }
    const named = new Map(model.namedParameters());
    expect(Object.keys(c.grads).length === 0 || [...named.keys()].sort()).toEqual(
      Object.keys(c.grads).length === 0 || Object.keys(c.grads).sort(),
    );
    for (const [key, expected] of Object.entries(c.grads)) {
      const grad = named.get(key)?.grad;
      if (grad) await expectClose(grad, expected, 1e-4, `gradient of ${key}`);
      else
        expect(
          expected.data.every((v) => v === 0),
          `no gradient of ${key}`,
        ).toBe(true);
    }
  });
}
