/**
 * @file Checks operators on the cases of test/golden/ops: inferred types, outputs, folding, decompositions, gradients
 * (against PyTorch and against finite differences) and second derivatives. All cases of a file are one program.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { grad } from '../../src/autograd/grad.ts';
import { isFloat, type NumericArray } from '../../src/ir/dtype.ts';
import { type Attrs, constant, type Value } from '../../src/ir/graph.ts';
import { apply, findOp } from '../../src/ops/define.ts';
import '../../src/ops/index.ts';
import { fromData } from '../../src/tensor/creation.ts';
import { realizeValues } from '../../src/tensor/realize.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { type GoldenTensor, reviveTensor } from '../golden/load.ts';

/** One node, as written by test/golden/ops_cases.py. */
export interface OpCase {
  readonly name: string;
  readonly op: string;
  readonly domain?: string;
  readonly inputs: readonly (GoldenTensor | null)[];
  readonly attrs: Attrs;
  /** Operands that must be known while tracing. */
  readonly constants?: readonly number[];
  readonly outputs: readonly GoldenTensor[];
  /** Nothing is run: ONNX Runtime has no kernel at the emitted opset. */
  readonly typesOnly?: boolean;
  readonly tolerance?: number;
  /** Operands that have a gradient, and the outgoing gradients. */
  readonly differentiable?: readonly number[];
  readonly gradOutputs?: readonly (GoldenTensor | null)[];
  /** PyTorch's gradients of the differentiable operands. */
  readonly grads?: readonly GoldenTensor[];
  readonly second?: boolean;
  readonly differences?: boolean;
}

/** Reads test/golden/ops/<family>.json. */
export function loadCases(family: string): readonly OpCase[] {
  const text = readFileSync(new URL(`../golden/ops/${family}.json`, import.meta.url), 'utf8');
  return (JSON.parse(text, reviveTensor) as { cases: OpCase[] }).cases;
}

/** Values asked for by many checks and computed by one program; if that fails, each check computes its own. */
class Batch {
  readonly #wanted = new Map<Value, Tensor>();

  want(values: readonly Value[]): void {
    for (const v of values) if (!v.constant) this.#wanted.set(v, new Tensor(v));
  }

  async run(): Promise<void> {
    await realizeValues([...this.#wanted.values()]).catch(() => undefined);
  }

  async read(value: Value): Promise<NumericArray> {
    return value.constant ?? (await (this.#wanted.get(value) ?? new Tensor(value)).data());
  }
}

/** Asserts that elements agree to `tolerance`, relative to the larger of 1 and the expected element. */
export function expectClose(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  what: string,
  tolerance = 1e-5,
): void {
  expect(found.length, `${what}: number of elements`).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const [f, e] = [found[i], expected[i]];
    const same =
      f === e || (Number.isNaN(f) && Number.isNaN(e)) || Math.abs(f - e) <= tolerance * Math.max(1, Math.abs(e));
    if (!same)
      expect.fail(
        `${what}: element ${i} is ${f}, expected ${e}; all: ${Array.from(found)}, expected ${Array.from(expected)}`,
      );
  }
}

const leafOf = (t: GoldenTensor, requiresGrad: boolean): Value =>
  fromData(t.data.slice(), t.shape, { dtype: t.dtype, requiresGrad }).value;

function definitionOf(c: OpCase) {
  const definition = findOp(c.op, c.domain);
  if (!definition) throw new Error(`operator ${c.op} is not defined`);
  return definition;
}

/** The operands as graph values; differentiable ones require grad unless `frozen`, and may be moved along directions. */
export function operandsOf(c: OpCase, frozen = false, moves?: readonly Float32Array[], by = 0): (Value | null)[] {
  return c.inputs.map((t, i) => {
    if (!t) return null;
    if (c.constants?.includes(i)) return constant(t.data, t.dtype, t.shape);
    const k = c.differentiable?.indexOf(i) ?? -1;
    if (k < 0) return leafOf(t, false);
    const data = moves ? t.data.map((x, j) => x + by * moves[k][j]) : t.data;
    return leafOf({ ...t, data }, !frozen);
  });
}

/** Applies the operator of a case. */
export function outputsOfCase(c: OpCase, inputs: readonly (Value | null)[]): readonly Value[] {
  return apply(definitionOf(c), inputs, c.attrs);
}

/** Reproducible numbers in (-1, 1). */
function noise(count: number, seed: number): Float32Array {
  let state = (seed + 1) * 0x9e3779b1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state ^ (state >>> 15), 0x85ebca6b) + 0xc2b2ae35) >>> 0;
    return Math.round((state / 2 ** 31 - 1) * 1024) / 1024;
  });
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
};

/** Differences at +-h and +-2h: the error is of order h^4, so that float32 outputs allow a coarse h. */
const smoothStep = 1 / 64;
/** Where a kink may be near, and the function is linear on either side of it. */
const linearStep = 1 / 512;
const stencil = [
  [1, 8 / 12],
  [-1, -8 / 12],
  [2, -1 / 12],
  [-2, 1 / 12],
] as const;

type Check = {
  readonly what: string;
  readonly wants: readonly Value[];
  verify(read: (v: Value) => Promise<NumericArray>): Promise<void>;
};

function outputsCheck(c: OpCase, what: string, values: readonly Value[]): Check {
  const kept = values.slice(0, c.outputs.length);
  return {
    what,
    wants: c.typesOnly ? [] : kept,
    async verify(read) {
      c.outputs.forEach((e, i) => {
        expect({ dtype: kept[i].dtype, shape: [...kept[i].shape] }, `type of output ${i}`).toEqual({
          dtype: e.dtype,
          shape: [...e.shape],
        });
      });
      for (const [i, e] of c.typesOnly ? [] : c.outputs.entries()) {
        const found = await read(kept[i]);
        expectClose(found, e.data, `${what}: output ${i}`, c.tolerance);
      }
    },
  };
}

/** The outgoing gradients as constants, paired with the outputs that take them. */
function seeded(c: OpCase, outputs: readonly Value[]) {
  const pairs = (c.gradOutputs ?? []).flatMap((s, i) => (s && isFloat(outputs[i].dtype) ? [{ y: outputs[i], s }] : []));
  return { ys: pairs.map((p) => p.y), seeds: pairs.map((p) => p.s) };
}

export interface Differentiated {
  readonly leaves: readonly Value[];
  readonly ys: readonly Value[];
  readonly seeds: readonly GoldenTensor[];
  readonly slopes: readonly (Value | undefined)[];
}

export function differentiate(
  c: OpCase,
  inputs: readonly (Value | null)[],
  outputs: readonly Value[],
  createGraph: boolean,
): Differentiated {
  const { ys, seeds } = seeded(c, outputs);
  const leaves = (c.differentiable ?? []).map((i) => inputs[i] as Value);
  const gradOutputs = seeds.map((s) => leafOf(s, false));
  return { leaves, ys, seeds, slopes: grad(ys, leaves, { gradOutputs, createGraph }) };
}

function gradientCheck(c: OpCase, what: string, d: Differentiated): Check {
  const { slopes } = d;
  return {
    what,
    wants: slopes.flatMap((g) => g ?? []),
    async verify(read) {
      for (const [k, e] of (c.grads ?? []).entries()) {
        const g = slopes[k];
        if (g) expect([...g.shape], `shape of gradient ${k}`).toEqual([...e.shape]);
        expectClose(
          g ? await read(g) : e.data.map(() => 0),
          e.data,
          `${what} of operand ${c.differentiable?.[k]}`,
          c.tolerance ?? 2e-5,
        );
      }
    },
  };
}

/** The directional derivative of sum(outputs * seeds), and of sum(gradients * weights), along a random direction. */
function differencesCheck(c: OpCase, d: Differentiated): Check {
  const definition = definitionOf(c);
  const moves = d.leaves.map((x, k) => noise(x.size, 17 * k + 3));
  const weights = d.leaves.map((x, k) => noise(x.size, 29 * k + 11));
  const second = c.second === true;
  const step = second ? smoothStep : linearStep;
  const at = stencil.map(([by]) => {
    const inputs = operandsOf(c, !second, moves, by * step);
    const outputs = apply(definition, inputs, c.attrs);
    return second ? differentiate(c, inputs, outputs, false) : { ...seeded(c, outputs), slopes: [] };
  });
  const used = d.slopes.flatMap((g, k) => (g?.requiresGrad ? [{ g, w: weights[k] }] : []));
  const curvature = second
    ? grad(
        used.map((u) => u.g),
        d.leaves,
        { gradOutputs: used.map(({ g, w }) => leafOf({ dtype: g.dtype, shape: g.shape, data: w }, false)) },
      )
    : [];
  const sum = async (
    read: (v: Value) => Promise<NumericArray>,
    vs: readonly (Value | undefined)[],
    by: readonly ArrayLike<number>[],
  ) => {
    let total = 0;
    for (const [i, v] of vs.entries()) if (v) total += dot(await read(v), by[i]);
    return total;
  };
  return {
    what: second ? 'first and second derivative by differences' : 'derivative by differences',
    wants: [...at.flatMap((p) => [...p.ys, ...p.slopes.flatMap((g) => g ?? [])]), ...curvature.flatMap((g) => g ?? [])],
    async verify(read) {
      let first = 0;
      let next = 0;
      for (const [i, [, weight]] of stencil.entries()) {
        first +=
          (weight / step) *
          (await sum(
            read,
            at[i].ys,
            at[i].seeds.map((s) => s.data),
          ));
        if (second) next += (weight / step) * (await sum(read, at[i].slopes, weights));
      }
      const tolerance = 2e-3;
      expectClose([await sum(read, d.slopes, moves)], [first], 'first derivative', tolerance);
      if (second) expectClose([await sum(read, curvature, moves)], [next], 'second derivative', tolerance);
    },
  };
}

function* checksOf(c: OpCase): Generator<Check> {
  const definition = definitionOf(c);
  const inputs = operandsOf(c);
  const outputs = apply(definition, inputs, c.attrs);
  yield outputsCheck(c, 'types and values', outputs);
  const whole = c.inputs.map((t) => t && constant(t.data, t.dtype, t.shape));
  const folded = c.typesOnly ? [] : apply(definition, whole, c.attrs);
  if (folded.length && folded.every((v) => v.constant)) yield outputsCheck(c, 'folding', folded);
  const parts = definition.decompose?.(inputs as readonly Value[], c.attrs);
  const decomposed = parts === undefined ? null : Array.isArray(parts) ? (parts as readonly Value[]) : [parts as Value];
  if (decomposed && !definition.lowered) yield outputsCheck(c, 'decomposition', decomposed);
  if (!c.differentiable) return;
  const d = differentiate(c, inputs, outputs, true);
  yield gradientCheck(c, 'gradient', d);
  if (decomposed && typeof definition.gradient === 'function')
    yield gradientCheck(c, 'gradient of the decomposition', differentiate(c, inputs, decomposed, false));
  if (c.differences !== false) yield differencesCheck(c, d);
}

/** One test per case of a family. */
export function testFamily(family: string): void {
  const batch = new Batch();
  const cases = loadCases(family);
  const checks = new Map<OpCase, readonly Check[] | Error>();
  beforeAll(async () => {
    for (const c of cases)
      try {
        const list = [...checksOf(c)];
        checks.set(c, list);
        for (const check of list) batch.want(check.wants);
      } catch (error) {
        checks.set(c, error as Error);
      }
    await batch.run();
  });
  describe(family, () => {
    for (const c of cases)
      it(c.name, async () => {
        const list = checks.get(c);
        if (!Array.isArray(list)) throw list;
        for (const check of list as readonly Check[]) await check.verify((v) => batch.read(v));
      });
  });
}
