/** @file A confusion matrix as a picture. */
import { ArgumentError } from '../../ir/errors.ts';
import type { ConfusionMatrix } from '../metrics/index.ts';
import type { ChartOptions } from './chart.ts';
import { type Cell, matrixSvg } from './matrix.ts';

/** Number of classes up to which the counts are written into the cells. */
const maxWritten = 25;

export interface ConfusionMatrixOptions extends ChartOptions {
  /** Write shares of each actual class in percent instead of counts. Default false. */
  readonly percent?: boolean;
}

/**
 * Actual classes down, predicted classes across; a cell is the darker, the larger its share of the actual class. Counts
 * are written where there are at most 25 classes. The default size grows with the number of classes.
 * @throws ArgumentError for an empty matrix.
 */
export function confusionMatrix(
  { labels, counts }: ConfusionMatrix,
  { percent = false, ...options }: ConfusionMatrixOptions = {},
): string {
  if (labels.length === 0) throw new ArgumentError('confusion matrix without classes: nothing to draw');
  const cells = counts.map((row) => {
    const total = row.reduce((sum, v) => sum + v, 0);
    return row.map((count): Cell => {
      const share = total === 0 ? 0 : count / total;
      const rounded = share > 0 && share < 0.005 ? '<1' : String(Math.round(share * 100));
      return { share, text: percent ? rounded : String(count), isFaint: count === 0 };
    });
  });
  return matrixSvg(cells, {
    ...options,
    rowLabels: labels,
    columnLabels: labels,
    rowName: percent ? 'actual (rows in %)' : 'actual',
    columnName: 'predicted',
    isWritten: labels.length <= maxWritten,
  });
}
