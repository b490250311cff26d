/** @file The metric `confusionMatrix`, and its tables for terminals. */
import type { NDArray } from '../../ir/ndarray.ts';
import { averageScores } from './averages.ts';
import { ClassCounts, type ClassOptions, type ConfusionMatrix, classScores, occurring } from './classes.ts';
import { checkInteger, type Metric } from './metric.ts';

/**
 * Counts by actual class (row) and predicted class (column), for at most 4096 classes.
 * @throws On update: ShapeError, ArgumentError (targets that are no classes, more classes than labels), NumericError (NaN).
 */
export function confusionMatrix({
  labels,
  name = 'confusion_matrix',
  ...options
}: ClassOptions & { readonly labels?: readonly string[]; readonly name?: string } = {}): Metric<
  NDArray,
  NDArray,
  ConfusionMatrix
> {
  const counts = new ClassCounts(name, labels);
  return {
    name,
    reset: () => counts.reset(),
    stateDict: () => counts.stateDict(),
    loadStateDict: (state) => counts.loadStateDict(state),
    update: (output, target) => counts.update(output, target, options),
    compute: () => counts.matrix(),
  };
}

/**
 * Precision, recall, F1 and support per class, as a text table in the layout of scikit-learn's
 * `classification_report(zero_division=0)`. Classes that occur neither among targets nor predictions are left out.
 * @param digits Decimals, 0 to 100; halves are rounded to even, as in Python. Default 2.
 * @throws ArgumentError for another number of digits.
 */
export function classificationReport(
  matrix: ConfusionMatrix,
  { digits = 2 }: { readonly digits?: number } = {},
): string {
  checkInteger('classification_report', 'digits', digits, 0, 100);
  const scores = classScores(matrix);
  const rows = occurring(scores);
  const total = rows.reduce((sum, s) => sum + s.support, 0);
  const width = Math.max('weighted avg'.length, digits, ...rows.map((s) => widthOf(s.label)));
  const line = (label: string, ...cells: (string | number)[]) =>
    `${padStart(label, width)} ${cells.map((c) => ` ${String(c).padStart(9)}`).join('')}\n`;
  const fixed = (value: number) => roundHalfEven(value, digits);
  let out = `${line('', 'precision', 'recall', 'f1-score', 'support')}\n`;
  for (const s of rows) out += line(s.label, fixed(s.precision), fixed(s.recall), fixed(s.f1), s.support);
  out += '\n';
  out += line('accuracy', '', '', fixed(averageScores(scores, 'recall', 'micro')), total);
  for (const average of ['macro', 'weighted'] as const) {
    const means = (['precision', 'recall', 'f1'] as const).map((key) => fixed(averageScores(scores, key, average)));
    out += line(`${average} avg`, ...means, total);
  }
  return out;
}

/** The counts as a text table: actual classes down, predicted classes across, zeros as dots. */
export function confusionTable({ labels, counts }: ConfusionMatrix): string {
  const cells = counts.map((row) => row.map((n) => (n === 0 ? '.' : String(n))));
  const widths = labels.map((label, c) => Math.max(widthOf(label), ...cells.map((row) => row[c].length)));
  const corner = 'actual \\ predicted';
  const first = Math.max(corner.length, ...labels.map(widthOf));
  const line = (label: string, row: readonly string[]) =>
    `${padStart(label, first)} | ${row.map((cell, c) => padStart(cell, widths[c])).join('  ')}\n`;
  const head = line(corner, labels);
  return `${head}${'-'.repeat(first + 1)}+${'-'.repeat(Math.max(0, widthOf(head) - first - 3))}\n${cells
    .map((row, i) => line(labels[i], row))
    .join('')}`;
}

/** Characters (code points) of a text. */
function widthOf(text: string): number {
  return [...text].length;
}

function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - widthOf(text))) + text;
}

/** As `toFixed`, which rounds halves up, but to the even neighbour: 0.125 is 0.12. */
function roundHalfEven(value: number, digits: number): string {
  const up = value.toFixed(digits);
  // A binary fraction lies halfway between two decimals of so many digits just where this is odd.
  const isHalf = (value * 2 ** (digits + 1)) % 2 === 1;
  return isHalf && Number(up.at(-1)) % 2 === 1 ? (value * (1 - Number.EPSILON)).toFixed(digits) : up;
}
