/** @file Columns of tables: reading cells, telling numbers, booleans and categories apart, fitting each kind. */
import { ArgumentError } from '../../ir/errors.ts';

/** A row by column name; text as read from a file, or values. */
export type TableRow = Readonly<Record<string, unknown>>;

/** What a column holds. 'ignore' leaves it out. */
export type ColumnKind = 'numeric' | 'categorical' | 'boolean' | 'ignore';

/** How one column is encoded; fitted values included. */
export type ColumnCode =
  | {
      readonly kind: 'numeric';
      readonly name: string;
      /** What stands for a missing value. */
      readonly fill: number;
      /** Adds a 0/1 feature that says whether the value was missing. */
      readonly indicator: boolean;
      readonly mean: number;
      readonly std: number;
    }
  | {
      readonly kind: 'categorical';
      readonly name: string;
      readonly categories: readonly string[];
      readonly encoding: 'oneHot' | 'index';
    }
  | { readonly kind: 'boolean'; readonly name: string };

const MISSING = new Set(['', 'na', 'n/a', 'nan', 'null', 'none', '?']);
const TRUE = new Set(['true', 'yes', 'y', 't']);
const FALSE = new Set(['false', 'no', 'n', 'f']);

/** Whether a cell stands for a missing value: null, undefined, NaN, or text such as '', 'NA', 'null', '?'. */
export function isMissing(cell: unknown): boolean {
  if (cell === null || cell === undefined) return true;
  if (typeof cell === 'number') return Number.isNaN(cell);
  return typeof cell === 'string' && MISSING.has(cell.trim().toLowerCase());
}

/** The cell as a finite number, or undefined. */
export function asNumber(cell: unknown): number | undefined {
  if (typeof cell === 'boolean') return Number(cell);
  const number =
    typeof cell === 'string'
      ? Number(cell.trim() === '' ? Number.NaN : cell)
      : typeof cell === 'number' || typeof cell === 'bigint'
        ? Number(cell)
        : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

/** The cell as a boolean, or undefined; 0 and 1 count. */
function asBoolean(cell: unknown): boolean | undefined {
  if (typeof cell === 'boolean') return cell;
  if (cell === 1 || cell === 0) return cell === 1;
  if (typeof cell !== 'string') return undefined;
  const text = cell.trim().toLowerCase();
  if (TRUE.has(text) || text === '1') return true;
  return FALSE.has(text) || text === '0' ? false : undefined;
}

/** The cell as the name of a category. */
export function asCategory(cell: unknown): string {
  return typeof cell === 'string' ? cell.trim() : String(cell);
}

/**
 * What a column seems to hold: boolean when all cells are true/false/yes/no, numeric when all are numbers, else
 * categorical; 'ignore' when empty, or text that differs in nearly every row (identifiers, names, free text).
 */
export function detectKind(cells: readonly unknown[]): ColumnKind {
  const there = cells.filter((cell) => !isMissing(cell));
  if (there.length === 0) return 'ignore';
  if (
    there.every(
      (cell) => asBoolean(cell) !== undefined && asNumber(typeof cell === 'boolean' ? 'x' : cell) === undefined,
    )
  )
    return 'boolean';
  if (there.every((cell) => asNumber(cell) !== undefined)) return 'numeric';
  const distinct = new Set(there.map(asCategory)).size;
  return distinct > 50 && distinct > 0.5 * there.length ? 'ignore' : 'categorical';
}

/** Sorted distinct values: as numbers if all are, else as text. */
export function distinctSorted(cells: readonly unknown[]): string[] {
  const values = [...new Set(cells.map(asCategory))];
  const numeric = values.every((v) => asNumber(v) !== undefined);
  return values.sort((a, b) => (numeric ? Number(a) - Number(b) : a < b ? -1 : a > b ? 1 : 0));
}

/** Options of a numeric or categorical column. */
export interface ColumnOptions {
  readonly kind?: ColumnKind;
  /** Replacement of missing numbers. Default 'median'. */
  readonly missing?: 'mean' | 'median' | number;
  /** Adds a feature 'missing'. Default: when the training data has missing values. */
  readonly indicator?: boolean;
  /** Scale to mean 0 and standard deviation 1. Default true. */
  readonly standardize?: boolean;
  /** Default 'oneHot'. An index is 0 for unknown or missing, then 1, 2, ... (for embeddings). */
  readonly encoding?: 'oneHot' | 'index';
}

/** Fits one column. @throws ArgumentError naming a cell that does not fit the kind. */
export function fitColumn(name: string, cells: readonly unknown[], options: ColumnOptions): ColumnCode | undefined {
  const kind = options.kind ?? detectKind(cells);
  if (kind === 'ignore') return undefined;
  if (kind === 'boolean') return { kind, name };
  const there = cells.filter((cell) => !isMissing(cell));
  if (kind === 'categorical')
    return { kind, name, categories: distinctSorted(there), encoding: options.encoding ?? 'oneHot' };
  const numbers = there.map((cell) => {
    const number = asNumber(cell);
    if (number === undefined)
      throw new ArgumentError(`column '${name}': '${cell}' is no number; give the column kind: 'categorical'`);
    return number;
  });
  const { missing = 'median', standardize = true } = options;
  const fill = typeof missing === 'number' ? missing : missing === 'mean' ? meanOf(numbers) : medianOf(numbers);
  const filled = cells.map((cell) => (isMissing(cell) ? fill : (asNumber(cell) ?? fill)));
  const mean = standardize ? meanOf(filled) : 0;
  const spread = Math.sqrt(meanOf(filled.map((v) => (v - mean) ** 2)));
  const std = standardize && spread > 1e-12 * Math.max(1, Math.abs(mean)) ? spread : 1;
  return { kind, name, fill, indicator: options.indicator ?? there.length < cells.length, mean, std };
}

function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length;
}

function medianOf(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Names of the features of a column, in order. */
export function featureNames(code: ColumnCode): string[] {
  if (code.kind === 'numeric') return code.indicator ? [code.name, `${code.name}=missing`] : [code.name];
  if (code.kind === 'boolean' || code.encoding === 'index') return [code.name];
  return code.categories.map((c) => `${code.name}=${c}`);
}

/** Writes the features of one cell from `at` on; returns how many. Unknown categories are all zero (one-hot) or 0. */
export function encodeCell(
  code: ColumnCode,
  cell: unknown,
  out: Float32Array,
  at: number,
  lookup: ReadonlyMap<string, number>,
): number {
  if (code.kind === 'numeric') {
    const number = isMissing(cell) ? undefined : asNumber(cell);
    if (number === undefined && !isMissing(cell))
      throw new ArgumentError(`'${cell}' is no number, and column '${code.name}' was fitted as numeric`);
    out[at] = ((number ?? code.fill) - code.mean) / code.std;
    if (code.indicator) out[at + 1] = Number(number === undefined);
    return code.indicator ? 2 : 1;
  }
  if (code.kind === 'boolean') {
    const flag = isMissing(cell) ? false : asBoolean(cell);
    if (flag === undefined)
      throw new ArgumentError(`'${cell}' is no boolean, and column '${code.name}' was fitted as boolean`);
    out[at] = Number(flag);
    return 1;
  }
  const index = isMissing(cell) ? undefined : lookup.get(asCategory(cell));
  if (code.encoding === 'index') {
    out[at] = index === undefined ? 0 : index + 1;
    return 1;
  }
  if (index !== undefined) out[at + index] = 1;
  return code.categories.length;
}
