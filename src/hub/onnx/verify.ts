/** @file The check of an export: plain ONNX Runtime must give what the model gives, at several sizes. */
import { defaultDevice, loadOrt } from '#ort';
import { type DType, dtypes, isFloat, type NumericArray } from '../../ir/dtype.ts';
import { EngineError, NumericError } from '../../ir/errors.ts';
import { Random } from '../../ir/random.ts';
import { formatShape, sizeOf } from '../../ir/shape.ts';
import type { Module } from '../../nn/module.ts';
import { OrtEngine } from '../../runtime/ort-engine.ts';
import { fromData, realize, type Tensor } from '../../tensor/index.ts';
import { type Calling, callModel } from './record.ts';
import { exampleSizes, type InputSpec, typesAt } from './sizes.ts';

export interface Verification {
  readonly model: Module;
  readonly bytes: Uint8Array;
  readonly specs: readonly InputSpec[];
  readonly calling: Calling;
  /** Names in the file. */
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Which of the model's outputs these are; undefined for all. */
  readonly wanted: readonly string[] | undefined;
}

/** Differences beyond this share of the largest magnitude (or of 1) are errors of the export. */
const tolerance: Partial<Record<DType, number>> = { float32: 1e-4, float64: 1e-8, float16: 2e-2, bfloat16: 1e-1 };

/**
 * Runs the exported model at the example's sizes, and once more with all named axes at other sizes.
 * @throws NumericError with the largest difference; EngineError if the engine refuses the file.
 */
export async function verifyExport(v: Verification): Promise<void> {
  // Plain ONNX Runtime on the processor, whatever device the model lives on.
  const engine = new OrtEngine(await loadOrt(defaultDevice), defaultDevice, true);
  const { inputNames } = v;
  const program = await engine.compile(v.bytes, inputNames, v.outputNames, {});
  try {
    const example = exampleSizes(v.specs);
    const resized = (change: (size: number) => number) =>
      new Map([...example].map(([axis, size]) => [axis, change(size)]));
    const smaller = resized((size) => (size > 2 ? size - 1 : size + 1));
    const at = (sizes: ReadonlyMap<string, number>) =>
      typesAt(v.specs, sizes).map(({ dtype, shape }, i) => sample(v.specs[i].example, dtype, shape, i));
    for (const sizes of example.size ? [example, smaller] : [example]) {
      let inputs = at(sizes);
      // Whole numbers of the example, such as lengths of sequences, may be too large for smaller sizes.
      const expected = await forward(v, inputs).catch(async (error: unknown) => {
        if (sizes !== smaller) throw error;
        inputs = at(resized((size) => size + 1));
        return await forward(v, inputs);
      });
      const where = inputs.map((t, i) => `${inputNames[i]} ${formatShape(t.shape)}`).join(', ');
      const feeds = await Promise.all(inputs.map(async (t) => engine.upload(t.dtype, t.shape, await t.data())));
      let results: Awaited<ReturnType<typeof program.run>>;
      try {
        results = await program.run(feeds, []);
      } catch (error) {
        throw new EngineError(
          `the exported file fails in ONNX Runtime at ${where}: ${error instanceof Error ? error.message : error}`,
          { cause: error },
        );
      }
      for (const [i, tensor] of expected.entries()) {
        const found = engine.view(tensor.dtype, results[i]) ?? (await engine.download(tensor.dtype, results[i]));
        compare(await tensor.data(), found, tensor, `output '${v.outputNames[i]}' at ${where}`);
      }
    }
  } finally {
    await program.dispose();
  }
}

/** @throws EngineError if plain ONNX Runtime refuses the file. */
export async function checkRuns(
  bytes: Uint8Array,
  inputNames: readonly string[],
  outputNames: readonly string[],
): Promise<void> {
  const engine = new OrtEngine(await loadOrt(defaultDevice), defaultDevice, true);
  await (await engine.compile(bytes, inputNames, outputNames, {})).dispose();
}

async function forward({ model, calling, specs, wanted }: Verification, inputs: readonly Tensor[]): Promise<Tensor[]> {
  const names = specs.map((s) => s.name);
  const outputs = callModel(model, names, inputs, calling, wanted).map(({ tensor }) => tensor);
  await realize(...outputs);
  return outputs;
}

/** The example repeated to the wanted shape; without one, normal numbers, or zeros for integers (they may be indices). */
function sample(example: Tensor | undefined, dtype: DType, shape: readonly number[], seed: number): Tensor {
  const data = new dtypes[dtype].array(sizeOf(shape));
  const given = example?.storage?.host ?? example?.value.constant;
  if (given) for (let i = 0; i < data.length; i++) data[i] = given[i % given.length];
  else if (dtype === 'bool') data.fill(1);
  else if (isFloat(dtype) && dtypes[dtype].bytes >= 4) {
    const random = new Random(seed + 1);
    for (let i = 0; i < data.length; i++) data[i] = random.normal();
  }
  return fromData(data, shape, { dtype });
}

function compare(expected: NumericArray, found: NumericArray, { dtype, shape }: Tensor, what: string): void {
  if (expected.length !== found.length)
    throw new NumericError(
      `the exported file gives ${found.length} elements for ${what}; the model gives shape ${formatShape(shape)}`,
    );
  const isRaw = dtype === 'float16' || dtype === 'bfloat16';
  let [worst, scale] = [0, 1];
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [expected[i], found[i]];
    if (Object.is(a, b) || a === b) continue;
    scale = Math.max(scale, Math.abs(a));
    const difference = Math.abs(a - b);
    worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
  }
  const allowed = isRaw ? 64 : (tolerance[dtype] ?? 0) * scale;
  if (worst > allowed)
    throw new NumericError(
      `the exported file does not compute what the model computes: ${what} differs by up to ${worst}. Nothing was written; pass { verify: false } to write it all the same`,
    );
}
