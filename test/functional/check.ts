/** @file Runs golden cases through the library, many in one program, and compares outputs and gradients. */
import { expect, it } from 'vitest';
import { GradusError } from '../../src/ir/errors.ts';
import { fromData, grad, realize, Tensor, type ValuesAndIndices } from '../../src/tensor/index.ts';
import { type GoldenCase, type GoldenTensor, isGoldenTensor, namedOutputs } from '../golden/load.ts';

/** Arguments of a golden case: by name, and those that are positional in order. */
export interface Arguments {
  readonly [name: string]: Tensor;
}

// biome-ignore lint/suspicious/noExplicitAny: options come from JSON and go to functions of many signatures.
export type Options = any;
type Output = Tensor | readonly Tensor[] | ValuesAndIndices | { readonly [name: string]: Tensor };
export type Call = (args: Arguments, options: Options, list: Tensor[]) => Output;
/** How each operator of a golden file is called. */
export type CallTable = Readonly<Record<string, Call>>;

/** A case, built: what to compute and what to expect. */
interface Built {
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly grads: Readonly<Record<string, Tensor>>;
}

function number(value: unknown): unknown {
  if (value === 'Infinity' || value === '-Infinity' || value === 'NaN') return Number(value);
  return Array.isArray(value) ? value.map(number) : value;
}

function build(c: GoldenCase, call: Call): Built {
  const args: Record<string, Tensor> = {};
  for (const [name, { data, shape, dtype }] of Object.entries(c.args))
    args[name] = fromData(data.slice(), shape, { dtype, requiresGrad: c.grads !== undefined && name in c.grads });
  const options = Object.fromEntries(Object.entries(c.options).map(([k, v]) => [k, number(v)]));
  const positional = Object.keys(args).filter((name) => /^[xyz]\d*$/.test(name));
  const result = call(
    args,
    options,
    positional.map((name) => args[name]),
  );
  const outputs: Record<string, Tensor> =
    result instanceof Tensor ? { output: result } : Object.fromEntries(Object.entries(result));
  if (!c.grads || !c.gradOutput) return { outputs, grads: {} };
  const seeds = Object.entries(isGoldenTensor(c.gradOutput) ? { output: c.gradOutput } : c.gradOutput);
  const names = Object.keys(c.grads);
  const found = grad(
    seeds.map(([name]) => outputs[name]),
    names.map((name) => args[name]),
    { gradOutputs: seeds.map(([, g]) => fromData(g.data.slice(), g.shape, { dtype: g.dtype })), allowUnused: true },
  );
  return { outputs, grads: Object.fromEntries(names.map((name, i) => [name, found[i]])) };
}

/** Asserts equality to `tolerance`, relative to each element and a tenth of that to the largest. */
export async function expectClose(actual: Tensor, golden: GoldenTensor, what: string, tolerance = 1e-5): Promise<void> {
  expect(actual.shape, `${what}: shape`).toEqual(golden.shape);
  expect(actual.dtype, `${what}: dtype`).toBe(golden.dtype);
  const data = await actual.data();
  const finite = Array.from(golden.data).filter(Number.isFinite).map(Math.abs);
  const scale = Math.max(0, ...finite) || 1;
  golden.data.forEach((expected, i) => {
    const isSame = Object.is(data[i], expected) || data[i] === expected;
    if (isSame || Math.abs(data[i] - expected) <= tolerance * (Math.abs(expected) + 0.1 * scale)) return;
    expect.fail(
      `${what}: element ${i} is ${data[i]}, expected ${expected}\n  found    ${data}\n  expected ${golden.data}`,
    );
  });
}

/**
 * Declares one test per case. All cases are realised together in one program; if that fails, each by itself, so that the
 * failing one shows.
 */
export function testGolden(
  cases: readonly GoldenCase[],
  table: CallTable,
  tolerances: Readonly<Record<string, number>> = {},
): void {
  const built = new Map<GoldenCase, Built | unknown>();
  let together: Promise<void> | undefined;
  const runAll = async () => {
    const tensors: Tensor[] = [];
    for (const c of cases) {
      try {
        const b = build(c, table[c.op]);
        built.set(c, b);
        tensors.push(...Object.values(b.outputs), ...Object.values(b.grads));
      } catch (error) {
        built.set(c, { error });
      }
    }
    await realize(...tensors).catch((error: unknown) => {
      if (!(error instanceof GradusError)) throw error;
    });
  };
  it.each(cases.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    together ??= runAll().catch(() => undefined);
    await together;
    const b = built.get(c) as (Built & { error?: unknown }) | undefined;
    if (!b || b.error) throw b?.error ?? new Error('the case was not built');
    const expected = namedOutputs(c.output);
    expect(Object.keys(b.outputs).sort()).toEqual(Object.keys(expected).sort());
    const tolerance = tolerances[c.op];
    for (const [name, golden] of Object.entries(expected)) await expectClose(b.outputs[name], golden, name, tolerance);
    for (const [name, golden] of Object.entries(c.grads ?? {}))
      await expectClose(b.grads[name], golden, `gradient of ${name}`, tolerance);
  });
}
