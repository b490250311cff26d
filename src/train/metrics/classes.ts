/** @file From network outputs to predicted classes, and the counts that all classification metrics are made of. */
import { isFloat } from '../../ir/dtype.ts';
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { formatShape, normalizeAxis, sameShape, sizeOf } from '../../ir/shape.ts';
import type { Json } from '../callback.ts';
import { numbersOf, refuseNaN } from './metric.ts';

export interface ClassOptions {
  /**
   * Axis of the classes where the output has one axis more than the target: 1 as in `F.crossEntropy` ([N, C] or
   * [N, C, d1, ...]); -1 for outputs such as [batch, sequence, vocabulary]. Default 1.
   */
  readonly classAxis?: number;
  /**
   * Where the output is one score per target (a binary task; or several labels, of which each counts as a sample): class
   * 1 above this. Default 0, right for logits; 0.5 for probabilities.
   */
  readonly threshold?: number;
  /** Targets of this class are left out (padding, unlabelled pixels). */
  readonly ignoreIndex?: number;
}

/** Sizes around the class axis: element (outer, class, inner) lies at `(outer * classes + class) * inner + ...`. */
export interface ClassLayout {
  readonly outer: number;
  readonly classes: number;
  readonly inner: number;
}

/**
 * How classes lie in the output. An output of the target's shape has one value per target (`classes` is 1).
 * @throws ShapeError where output and target do not fit.
 */
export function classLayout(metric: string, output: NDArray, target: NDArray, classAxis = 1): ClassLayout {
  if (sameShape(output.shape, target.shape)) return { outer: sizeOf(target.shape), classes: 1, inner: 1 };
  if (output.shape.length === target.shape.length + 1) {
    const axis = normalizeAxis(classAxis, output.shape.length);
    const rest = output.shape.toSpliced(axis, 1);
    if (sameShape(rest, target.shape) && output.shape[axis] > 0)
      return {
        outer: sizeOf(output.shape.slice(0, axis)),
        classes: output.shape[axis],
        inner: sizeOf(output.shape.slice(axis + 1)),
      };
  }
  throw new ShapeError(
    `metric ${metric}: output ${formatShape(output.shape)} does not fit target ${formatShape(target.shape)}: expected class ` +
      'scores with one axis more than the target (classAxis), or one value per target; targets are class indices, not one-hot',
  );
}

/**
 * Calls `visit` with the predicted and the actual class of every sample. Predictions are the largest score along the
 * class axis (the first of equals); where there is one value per target, integers are classes and floats are scores.
 * @returns Number of classes where the output tells it, else 0.
 * @throws ShapeError, NumericError for NaN, ArgumentError for targets that are not classes.
 */
export function visitClasses(
  metric: string,
  output: NDArray,
  target: NDArray,
  { classAxis, threshold = 0, ignoreIndex }: ClassOptions,
  visit: (predicted: number, actual: number) => void,
): number {
  const { outer, classes, inner } = classLayout(metric, output, target, classAxis);
  const scores = numbersOf(output);
  const actual = numbersOf(target);
  refuseNaN(scores, metric, 'output');
  const binary = classes === 1 && isFloat(output.dtype);
  const known = classes > 1 ? classes : binary ? 2 : 0;
  // All targets before the first visit: a batch that is refused leaves no counts behind.
  for (let at = 0; at < actual.length; at++)
    if (actual[at] !== ignoreIndex) checkClass(metric, 'target', actual[at], at, known);
  for (let o = 0, at = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++, at++) {
      if (actual[at] === ignoreIndex) continue;
      let best = o * classes * inner + i;
      let predicted = 0;
      if (binary) predicted = scores[best] > threshold ? 1 : 0;
      else if (classes === 1) predicted = checkClass(metric, 'output', scores[best], at, 0);
      else
        for (let c = 1, from = best + inner; c < classes; c++, from += inner)
          if (scores[from] > scores[best]) {
            best = from;
            predicted = c;
          }
      visit(predicted, actual[at]);
    }
  }
  return known;
}

/** Largest class index that counts are kept for: a table of 4096 x 4096 takes 128 MiB. */
const maxClasses = 4096;

/** @throws ArgumentError unless the value is a class index; `classes` is 0 where their number is not known. */
export function checkClass(metric: string, role: string, value: number, at: number, classes: number): number {
  if (!Number.isInteger(value) || value < 0 || (classes > 0 && value >= classes))
    throw new ArgumentError(
      `metric ${metric}: element ${at} of the ${role} is ${value}, expected a class index ${classes > 0 ? `from 0 to ${classes - 1}` : 'of at least 0'}` +
        (value < 0 ? ' (set ignoreIndex to leave padding out)' : ''),
    );
  return value;
}

/** Counts of samples by actual class (row) and predicted class (column). */
export interface ConfusionMatrix {
  readonly labels: readonly string[];
  /** `counts[actual][predicted]`. */
  readonly counts: readonly (readonly number[])[];
}

/** A confusion matrix that grows as classes appear. */
export class ClassCounts {
  readonly #metric: string;
  readonly #labels: readonly string[] | undefined;
  #size = 0;
  #counts = new Float64Array(0);

  constructor(metric: string, labels?: readonly string[]) {
    this.#metric = metric;
    this.#labels = labels;
    if (labels !== undefined) this.#grow(labels.length);
  }

  reset(): void {
    this.#size = this.#labels?.length ?? 0;
    this.#counts = new Float64Array(this.#size ** 2);
  }

  stateDict(): Json {
    return { size: this.#size, counts: [...this.#counts] };
  }

  loadStateDict(state: Json): void {
    const { size, counts } = state as { size: number; counts: number[] };
    this.#size = size;
    this.#counts = Float64Array.from(counts);
  }

  update(output: NDArray, target: NDArray, options: ClassOptions): void {
    const known = visitClasses(this.#metric, output, target, options, (predicted, actual) => {
      this.#grow(Math.max(predicted, actual) + 1);
      this.#counts[actual * this.#size + predicted]++;
    });
    this.#grow(known);
  }

  #grow(size: number): void {
    if (size <= this.#size) return;
    if (this.#labels !== undefined && size > this.#labels.length)
      throw new ArgumentError(
        `metric ${this.#metric}: class ${size - 1} appeared, but only ${this.#labels.length} labels were given`,
      );
    if (size > maxClasses)
      throw new ArgumentError(`metric ${this.#metric}: ${size} classes, expected at most ${maxClasses}`);
    const counts = new Float64Array(size * size);
    for (let row = 0; row < this.#size; row++)
      counts.set(this.#counts.subarray(row * this.#size, (row + 1) * this.#size), row * size);
    this.#counts = counts;
    this.#size = size;
  }

  matrix(): ConfusionMatrix {
    const rows = Array.from({ length: this.#size }, (_, row) => [
      ...this.#counts.subarray(row * this.#size, (row + 1) * this.#size),
    ]);
    return { labels: this.#labels ?? rows.map((_, i) => String(i)), counts: rows };
  }
}

/** Per-class scores; 0 where a denominator is 0 (scikit-learn's `zero_division=0`). */
export interface ClassScores {
  readonly label: string;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Intersection over union (Jaccard index). */
  readonly iou: number;
  /** Samples of this class that were predicted to be of it. */
  readonly hits: number;
  /** Samples of this class. */
  readonly support: number;
  /** Samples predicted to be of this class. */
  readonly predicted: number;
}

/** Scores of every class, from a confusion matrix. */
export function classScores({ labels, counts }: ConfusionMatrix): ClassScores[] {
  const ratio = (a: number, b: number) => (b === 0 ? 0 : a / b);
  return labels.map((label, c) => {
    const hits = counts[c][c];
    const support = counts[c].reduce((sum, n) => sum + n, 0);
    const predicted = counts.reduce((sum, row) => sum + row[c], 0);
    return {
      label,
      precision: ratio(hits, predicted),
      recall: ratio(hits, support),
      f1: ratio(2 * hits, predicted + support),
      iou: ratio(hits, predicted + support - hits),
      hits,
      support,
      predicted,
    };
  });
}

/** Classes that occur among targets or predictions: those that averages are taken over, as in scikit-learn. */
export function occurring(scores: readonly ClassScores[]): ClassScores[] {
  return scores.filter((s) => s.support > 0 || s.predicted > 0);
}
