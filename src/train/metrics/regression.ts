/** @file Metrics of regression: `rmse`, `mae`, `r2`. */
import { ShapeError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { type Metric, numbersOf, numbersState, refuseNaN, sameShapes } from './metric.ts';

/** Calls `visit` with every pair of output and target. Checks shapes (also [N, 1] against [N]) and NaN. */
function visitPairs(name: string, output: NDArray, target: NDArray, visit: (y: number, t: number, i: number) => void) {
  const column = (a: NDArray): NDArray =>
    a.shape.length === 2 && a.shape[1] === 1 ? { ...a, shape: [a.shape[0]] } : a;
  sameShapes(name, column(output), column(target));
  const values = numbersOf(output);
  const wanted = numbersOf(target);
  refuseNaN(values, name, 'output');
  refuseNaN(wanted, name, 'target');
  for (let i = 0; i < values.length; i++) visit(values[i], wanted[i], i);
}

function meanError(
  name: string,
  error: (difference: number) => number,
  finish: (mean: number) => number,
): Metric<NDArray, NDArray, number> {
  let sum = 0;
  let count = 0;
  return {
    name,
    reset() {
      sum = 0;
      count = 0;
    },
    ...numbersState(
      () => [sum, count],
      (saved) => {
        [sum, count] = saved;
      },
    ),
    update(output, target) {
      visitPairs(name, output, target, (y, t) => {
        sum += error(y - t);
        count++;
      });
    },
    compute: () => finish(sum / count),
  };
}

/**
 * Root of the mean squared error over all elements. (With several columns scikit-learn averages the roots per column;
 * this is the root of the overall mean.)
 * @throws On update: ShapeError, NumericError (NaN).
 */
export function rmse({ name = 'rmse' }: { readonly name?: string } = {}): Metric<NDArray, NDArray, number> {
  return meanError(name, (d) => d * d, Math.sqrt);
}

/**
 * Mean absolute error over all elements.
 * @throws On update: ShapeError, NumericError (NaN).
 */
export function mae({ name = 'mae' }: { readonly name?: string } = {}): Metric<NDArray, NDArray, number> {
  return meanError(name, Math.abs, (mean) => mean);
}

/**
 * Coefficient of determination, 1 - residual / total sum of squares; several columns are averaged (scikit-learn's
 * `r2_score`). A constant target scores 1 when met exactly, else 0; fewer than two samples give NaN.
 * Shapes [N] or [N, K]; further axes count as samples of K columns taken from the last.
 * @throws On update: ShapeError, NumericError (NaN).
 */
export function r2({ name = 'r2' }: { readonly name?: string } = {}): Metric<NDArray, NDArray, number> {
  let columns: { count: number; mean: number; total: number; residual: number }[] = [];
  return {
    name,
    reset() {
      columns = [];
    },
    ...numbersState(
      () => columns.flatMap(({ count, mean, total, residual }) => [count, mean, total, residual]),
      (saved) => {
        columns = Array.from({ length: saved.length / 4 }, (_, c) => {
          const [count, mean, total, residual] = saved.slice(c * 4);
          return { count, mean, total, residual };
        });
      },
    ),
    update(output, target) {
      const width = output.shape.length > 1 ? output.shape[output.shape.length - 1] : 1;
      if (columns.length > 0 && columns.length !== width)
        throw new ShapeError(`metric ${name}: ${width} columns now, but ${columns.length} before`);
      const added =
        columns.length > 0
          ? columns
          : Array.from({ length: width }, () => ({ count: 0, mean: 0, total: 0, residual: 0 }));
      visitPairs(name, output, target, (y, t, i) => {
        const column = added[i % width];
        // Welford's update: the sum of squares around a running mean, without cancellation.
        const delta = t - column.mean;
        column.mean += delta / ++column.count;
        column.total += delta * (t - column.mean);
        column.residual += (y - t) ** 2;
      });
      columns = added;
    },
    compute() {
      if (columns.length === 0 || columns[0].count < 2) return Number.NaN;
      let sum = 0;
      for (const { total, residual } of columns) sum += total > 0 ? 1 - residual / total : residual === 0 ? 1 : 0;
      return sum / columns.length;
    },
  };
}
