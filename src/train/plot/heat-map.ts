/** @file A heat map: a matrix of numbers with names at its sides, such as attention of target tokens to source tokens. */
import { ArgumentError, NumericError, ShapeError } from '../../ir/errors.ts';
import { type ChartOptions, shortNumber } from './chart.ts';
import { type Cell, matrixSvg } from './matrix.ts';

export interface HeatMapOptions extends ChartOptions {
  /** Names of the rows, from above. */
  readonly rows: readonly string[];
  /** Names of the columns; they may repeat. */
  readonly columns: readonly string[];
  /** What the rows are, at the left side. */
  readonly rowName?: string;
  /** What the columns are, below. */
  readonly columnName?: string;
  /** The value that is drawn darkest. Default the largest of all, and 1 where there is none above 0. */
  readonly max?: number;
  /** Write the values into the cells. Default false. */
  readonly numbers?: boolean;
}

/**
 * A matrix of numbers of at least 0 as SVG text, rows by columns: the larger, the darker.
 * @example
 * heatMap([[0.9, 0.1], [0.2, 0.8]], { rows: ['der', 'Hund'], columns: ['the', 'dog'], rowName: 'German' });
 * @throws ShapeError unless there is a name for each row and column, NumericError for numbers below 0 and NaN,
 *   ArgumentError for an empty matrix.
 */
export function heatMap(values: readonly (readonly number[])[], options: HeatMapOptions): string {
  const { rows, columns, max, numbers = false, ...rest } = options;
  if (rows.length === 0 || columns.length === 0) throw new ArgumentError('heat map without cells: nothing to draw');
  const wrong = values.find((row) => row.length !== columns.length);
  if (values.length !== rows.length || wrong)
    throw new ShapeError(
      `heat map: ${values.length} rows${wrong ? `, one of ${wrong.length} values` : ''}, but ${rows.length} row names and ${columns.length} column names`,
    );
  const all = values.flat();
  const bad = all.find((v) => !(v >= 0 && Number.isFinite(v)));
  if (bad !== undefined) throw new NumericError(`heat map: expected numbers of at least 0, found ${bad}`);
  const top = max ?? (all.reduce((a, b) => Math.max(a, b), 0) || 1);
  if (!(top > 0)) throw new ArgumentError(`heat map: max is ${top}, expected a number above 0`);
  const cells = values.map((row) =>
    row.map((v): Cell => ({ share: Math.min(1, v / top), text: shortNumber(v), isFaint: v === 0 })),
  );
  return matrixSvg(cells, {
    ...rest,
    rowLabels: rows,
    columnLabels: columns,
    isWritten: numbers,
  });
}
