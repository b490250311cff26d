/** @file What the tests of the neural-network operators share: running graphs, golden cases, finite differences. */
import { expect, it } from 'vitest';
import { grad } from '../../src/autograd/grad.ts';
import { type DType, isFloat, type NumericArray } from '../../src/ir/dtype.ts';
import { type Attrs, constant, type Value } from '../../src/ir/graph.ts';
import { sizeOf } from '../../src/ir/shape.ts';
import { apply, findOp, outputsOf } from '../../src/ops/define.ts';
import '../../src/ops/index.ts';
import { fromData } from '../../src/tensor/creation.ts';
import { realizeValues } from '../../src/tensor/realize.ts';
import { Tensor } from '../../src/tensor/tensor.ts';
import { type GoldenCase, type GoldenTensor, type GoldenTensors, loadGolden, namedOutputs } from '../golden/load.ts';

/** An input of the graph that holds the given elements. */
export function leaf(
  data: NumericArray,
  shape: readonly number[],
  dtype: DType = 'float32',
  requiresGrad = false,
): Value {
  return fromData(data, shape, { dtype, requiresGrad }).value;
}

/** A float32 input that requires grad, of reproducible numbers in (-1, 1). */
export function noise(shape: readonly number[], seed: number, requiresGrad = true): Value {
  return leaf(noiseData(sizeOf(shape), seed), shape, 'float32', requiresGrad);
}

export function noiseData(count: number, seed: number): Float32Array {
  const data = new Float32Array(count);
  let state = (seed + 1) * 2654435761;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9) >>> 0;
    data[i] = Math.round((state / 2 ** 31 - 1) * 1000) / 1000;
  }
  return data;
}

/** Elements of several values, computed by one program. */
export async function evaluate(values: readonly Value[]): Promise<NumericArray[]> {
  const tensors = values.map((v) => new Tensor(v));
  await realizeValues(tensors.filter((t) => !t.value.constant));
  return Promise.all(tensors.map((t) => t.data()));
}

/** Asserts that elements agree to `tolerance`, relative to the larger of 1 and the expected element. */
export function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, what: string, tolerance = 1e-5) {
  expect(found.length, `${what}: number of elements`).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const bound = tolerance * Math.max(1, Math.abs(expected[i]));
    const same = Object.is(found[i], expected[i]) || Math.abs(found[i] - expected[i]) <= bound;
    if (!same)
      expect.fail(
        `${what}: element ${i} of ${expected.length} is ${found[i]}, expected ${expected[i]} (within ${bound})`,
      );
  }
}

/** Applies the operator of a golden case to its operands. */
export function applyGolden(golden: GoldenCase): { inputs: (Value | null)[]; outputs: readonly Value[] } {
  const definition = findOp(golden.op);
  if (!definition) throw new Error(`operator ${golden.op} is not defined`);
  const inputs: (Value | null)[] = [];
  for (const [name, arg] of Object.entries(golden.args)) {
    const at = Number(name.slice(1));
    while (inputs.length < at) inputs.push(null);
    // Shapes and scales must be known while the graph is built.
    if (!isFloat(arg.dtype) || (golden.op === 'Resize' && at > 0))
      inputs.push(constant(arg.data, arg.dtype, arg.shape));
    else inputs.push(leaf(arg.data, arg.shape, arg.dtype, golden.grads?.[name] !== undefined));
  }
  const results = apply(definition, inputs, golden.options as Attrs);
  return { inputs, outputs: results.length > 1 ? results : outputsOf(results[0]) };
}

/** One test per golden case of the operators: shapes, outputs and gradients. */
export function testGolden(operators: readonly string[], tolerance = 1e-5): void {
  for (const golden of loadGolden('nn_ops').cases)
    if (operators.includes(golden.op)) it(golden.name, () => checkGolden(golden, tolerance));
}

/** Outputs and gradients of a golden case on the present device. */
export async function checkGolden(golden: GoldenCase, tolerance: number): Promise<void> {
  const { inputs, outputs } = applyGolden(golden);
  const expected = Object.values(namedOutputs(golden.output));
  const seeds: GoldenTensors = golden.gradOutput ? namedOutputs(golden.gradOutput) : {};
  const wanted = expected.map((_, i) => outputs[i]);
  wanted.forEach((v, i) => {
    expect(v.shape, `shape of output ${i}`).toEqual(expected[i].shape);
  });
  const names = Object.keys(golden.grads ?? {});
  const leaves = names.map((name) => inputs[Number(name.slice(1))] as Value);
  const smooth = Object.keys(namedOutputs(golden.output)).flatMap((name, i) => (seeds[name] ? [{ name, i }] : []));
  const gradOutputs = smooth.map(({ name }) => leaf(seeds[name].data, seeds[name].shape, seeds[name].dtype));
  const differentiated = smooth.map(({ i }) => wanted[i]);
  const gradients = names.length ? grad(differentiated, leaves, { gradOutputs }) : [];
  // No gradient stands for zeros.
  const dense = gradients.map((g, i) => g ?? constant(0, 'float32', leaves[i].shape));
  const found = await evaluate([...wanted, ...dense]);
  expected.forEach((e, i) => {
    expectClose(found[i], e.data, `output ${i}`, tolerance);
  });
  names.forEach((name, i) => {
    const e = golden.grads?.[name] as GoldenTensor;
    expect(dense[i].shape, `shape of the gradient of ${name}`).toEqual(e.shape);
    expectClose(found[wanted.length + i], e.data, `gradient of ${name}`, tolerance);
  });
}

/**
 * Compares gradients with central differences of the weighted sum of the outputs, and second derivatives with central
 * differences of the gradients (weighted likewise). float32 throughout, so `step` is coarse and the bound wide.
 */
export async function checkDifferences(
  f: (inputs: readonly Value[]) => readonly Value[] | Value,
  inputs: readonly { shape: readonly number[]; data?: Float32Array }[],
  options: { step?: number; tolerance?: number; second?: boolean } = {},
): Promise<void> {
  const { step = 1e-2, tolerance = 5e-3, second = false } = options;
  const data = inputs.map((x, i) => x.data ?? noiseData(sizeOf(x.shape), 7 * i + 1));
  const outputsAt = (d: readonly Float32Array[], requiresGrad: boolean) => {
    const leaves = inputs.map((x, i) => leaf(d[i].slice(), x.shape, 'float32', requiresGrad));
    const result = f(leaves);
    return { leaves, outputs: Array.isArray(result) ? (result as readonly Value[]) : [result as Value] };
  };
  const { leaves, outputs } = outputsAt(data, true);
  const seeds = outputs.map((y, i) => noise(y.shape, 100 + i, false));
  const first = grad(outputs, leaves, { gradOutputs: seeds, createGraph: second }).map((g) => g as Value);
  const weights = first.map((g, i) => noise(g.shape, 200 + i, false));
  const seconds = second ? grad(first, leaves, { gradOutputs: weights }) : [];
  const analytic = await evaluate([...first, ...seconds.filter((v) => v !== undefined)]);
  const seedData = await evaluate(seeds);
  const weightData = await evaluate(weights);

  /** The weighted sums of outputs and of first gradients, in float64. */
  const sums = async (d: readonly Float32Array[]) => {
    const at = outputsAt(d, true);
    const gs = second ? grad(at.outputs, at.leaves, { gradOutputs: seeds }).map((g) => g as Value) : [];
    const found = await evaluate([...at.outputs, ...gs]);
    const dot = (a: NumericArray, b: NumericArray) => {
      let total = 0;
      for (let i = 0; i < a.length; i++) total += a[i] * b[i];
      return total;
    };
    const value = seedData.reduce((n, w, i) => n + dot(found[i], w), 0);
    return { value, slope: gs.reduce((n, _, i) => n + dot(found[at.outputs.length + i], weightData[i]), 0) };
  };
  let at = first.length;
  for (let i = 0; i < inputs.length; i++) {
    const numeric = { value: new Float64Array(data[i].length), slope: new Float64Array(data[i].length) };
    for (let j = 0; j < data[i].length; j++) {
      const moved = (by: number) => data.map((d, k) => (k === i ? d.with(j, d[j] + by) : d));
      const [up, down] = [await sums(moved(step)), await sums(moved(-step))];
      numeric.value[j] = (up.value - down.value) / (2 * step);
      numeric.slope[j] = (up.slope - down.slope) / (2 * step);
    }
    expectClose(analytic[i], numeric.value, `gradient of input ${i} by differences`, tolerance);
    if (second)
      expectClose(
        seconds[i] ? analytic[at++] : numeric.slope.map(() => 0),
        numeric.slope,
        `second derivative of input ${i} by differences`,
        tolerance,
      );
  }
}

/** One test per golden case: the operator's decomposition gives the golden outputs too. */
export function checkDecomposition(operators: readonly string[], tolerance = 1e-5): void {
  for (const golden of loadGolden('nn_ops').cases)
    if (operators.includes(golden.op))
      it(`${golden.name} decomposed`, async () => {
        const { inputs } = applyGolden(golden);
        const parts = findOp(golden.op)?.decompose?.(inputs as readonly Value[], golden.options as Attrs);
        const expected = Object.values(namedOutputs(golden.output));
        const outputs = Array.isArray(parts) ? (parts as readonly Value[]) : [parts as Value];
        const found = await evaluate(expected.map((_, i) => outputs[i]));
        expected.forEach((e, i) => {
          expectClose(found[i], e.data, `output ${i}`, tolerance);
        });
      });
}
