/** @file Running a model over data and judging its answers. */
import { DataLoader, type DatasetLike } from '../data/index.ts';
import type { NDArray } from '../ir/ndarray.ts';
import type { Module } from '../nn/index.ts';
import { compile, noGrad, type Tensor } from '../tensor/index.ts';
import {
  accuracy,
  type ConfusionMatrix,
  classificationReport,
  confusionMatrix,
  confusionTable,
  f1,
  type Metric,
  type MetricResult,
  mae,
  r2,
  rmse,
  rocAuc,
} from '../train/index.ts';
import type { LabelledData, Task } from './data/prepared.ts';
import type { Terminal } from './terminal.ts';

/** Outputs for every sample: scores per class, or one number in the units of the target. */
export interface Outputs {
  readonly data: Float32Array;
  readonly samples: number;
  readonly width: number;
}

/** What the model says for each sample of `data`, in order, in evaluation mode. */
export async function outputsOf(
  model: Module,
  data: DatasetLike<{ readonly x: NDArray }>,
  { batchSize, scale }: { batchSize: number; scale: { mean: number; std: number } | null },
): Promise<Outputs> {
  const before = model.training;
  model.eval();
  const run = compile((x: Tensor) => noGrad(() => model.forward(...([x] as never[])) as Tensor));
  const parts: Float32Array[] = [];
  const inputs = { length: data.length, get: async (i: number) => ({ x: (await data.get(i)).x }) };
  try {
    for await (const { x } of new DataLoader(inputs, { batchSize }))
      parts.push(Float32Array.from(await (await run(x)).data()));
  } finally {
    model.train(before);
  }
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  if (scale) for (let i = 0; i < all.length; i++) all[i] = all[i] * scale.std + scale.mean;
  return { data: all, samples: data.length, width: data.length === 0 ? 0 : all.length / data.length };
}

/** Probabilities of the classes for one sample (softmax). */
export function probabilities({ data, width }: Outputs, sample: number): number[] {
  const row = [...data.subarray(sample * width, (sample + 1) * width)];
  const top = Math.max(...row);
  const powers = row.map((v) => Math.exp(v - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

/** A wrong answer. */
export interface Mistake {
  readonly index: number;
  readonly actual: number;
  readonly predicted: number;
  /** The probability that the model gave to its wrong answer. */
  readonly confidence: number;
}

/** How good the answers are. */
export interface Score {
  readonly metrics: Readonly<Record<string, number>>;
  readonly matrix: ConfusionMatrix | undefined;
  /** The most confident first. */
  readonly mistakes: readonly Mistake[];
  readonly outputs: Outputs;
}

/** Judges a model on labelled data. */
export async function score(
  model: Module,
  data: LabelledData,
  {
    task,
    classes,
    scale,
    batchSize,
  }: { task: Task; classes: readonly string[]; scale: { mean: number; std: number } | null; batchSize: number },
): Promise<Score> {
  const outputs = await outputsOf(model, data, { batchSize, scale });
  if (task === 'tabular-regression') return { ...judgeNumbers(outputs, data.labels), outputs };
  return { ...judgeClasses(outputs, data.labels, classes), outputs };
}

function judgeNumbers({ data, samples }: Outputs, labels: ArrayLike<number>) {
  const output: NDArray = { data, shape: [samples], dtype: 'float32' };
  const target: NDArray = { data: Float32Array.from(labels), shape: [samples], dtype: 'float32' };
  return { metrics: measure([rmse(), mae(), r2()], output, target), matrix: undefined, mistakes: [] };
}

/** Judges scores of classes. */
export function judgeClasses(outputs: Outputs, labels: ArrayLike<number>, classes: readonly string[]) {
  const { data, samples, width } = outputs;
  const output: NDArray = { data, shape: [samples, width], dtype: 'float32' };
  const target: NDArray = { data: Float64Array.from(labels), shape: [samples], dtype: 'int64' };
  const metrics: Metric<NDArray, NDArray>[] = [accuracy(), f1({ name: 'f1_macro' })];
  if (classes.length === 2) metrics.push(rocAuc());
  const matrix = confusionMatrix({ labels: classes });
  matrix.update(output, target);
  const mistakes: Mistake[] = [];
  let loss = 0;
  for (let i = 0; i < samples; i++) {
    const p = probabilities(outputs, i);
    const predicted = p.indexOf(Math.max(...p));
    loss -= Math.log(Math.max(p[labels[i]], 1e-30));
    if (predicted !== labels[i]) mistakes.push({ index: i, actual: labels[i], predicted, confidence: p[predicted] });
  }
  mistakes.sort((a, b) => b.confidence - a.confidence);
  return {
    metrics: { ...measure(metrics, output, target), cross_entropy: loss / samples },
    matrix: matrix.compute(),
    mistakes,
  };
}

function measure(
  metrics: readonly Metric<NDArray, NDArray>[],
  output: NDArray,
  target: NDArray,
): Record<string, number> {
  const out: Record<string, number> = {};
  for (const metric of metrics) {
    metric.reset();
    metric.update(output, target);
    const result: MetricResult = metric.compute();
    if (typeof result === 'number') out[metric.name] = result;
    else for (const [key, value] of Object.entries(result)) out[`${metric.name}_${key}`] = value;
  }
  return out;
}

/** Prints a score: per class where there are classes, else the errors. */
export function showScore({ metrics, matrix }: Score, terminal: Terminal): void {
  const numbers = Object.entries(metrics).map(([name, value]) => `${name} ${formatMetric(value)}`);
  terminal.say(`  ${terminal.paint('bold', numbers.join('   '))}`);
  if (!matrix) return;
  terminal.say(`\n${indent(classificationReport(matrix, { digits: 3 }))}`);
  if (matrix.labels.length <= 30) terminal.say(indent(confusionTable(matrix)));
}

const indent = (text: string): string => text.replace(/^(?=.)/gm, '  ').trimEnd();

export function formatMetric(value: number): string {
  return Math.abs(value) >= 1000 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toPrecision(4) : value.toFixed(4);
}
