/** @file TableEncoder: rows of a table to numbers, fitted on the training split. */
import { z } from 'zod';
import { ArgumentError, FormatError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import {
  asCategory,
  asNumber,
  type ColumnCode,
  type ColumnOptions,
  detectKind,
  distinctSorted,
  encodeCell,
  featureNames,
  fitColumn,
  isMissing,
  type TableRow,
} from './columns.ts';

/** What is predicted: a class of a list, or a number. */
export type TargetCode =
  | { readonly task: 'classification'; readonly name: string; readonly classes: readonly string[] }
  | { readonly task: 'regression'; readonly name: string };

/** Options of `TableEncoder.fit`. */
export interface TableOptions {
  /** Column to predict. Default: none, all columns are features. */
  readonly target?: string;
  /** Default: classification for text, booleans, and whole numbers with at most 20 distinct values; else regression. */
  readonly task?: 'classification' | 'regression';
  /** Options by column; `{ kind: 'ignore' }` leaves one out. */
  readonly columns?: Readonly<Record<string, ColumnOptions>>;
  /** Defaults for all columns. */
  readonly defaults?: Omit<ColumnOptions, 'kind'>;
}

const columnSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('numeric'),
    name: z.string(),
    fill: z.number(),
    indicator: z.boolean(),
    mean: z.number(),
    std: z.number().positive(),
  }),
  z.object({
    kind: z.literal('categorical'),
    name: z.string(),
    categories: z.array(z.string()),
    encoding: z.enum(['oneHot', 'index']),
  }),
  z.object({ kind: z.literal('boolean'), name: z.string() }),
]);
const jsonSchema = z.object({
  kind: z.literal('TableEncoder'),
  columns: z.array(columnSchema),
  target: z
    .discriminatedUnion('task', [
      z.object({ task: z.literal('classification'), name: z.string(), classes: z.array(z.string()) }),
      z.object({ task: z.literal('regression'), name: z.string() }),
    ])
    .nullable(),
});

/** Plain JSON of an encoder. */
export type TableEncoderJSON = z.infer<typeof jsonSchema>;

/** Encoded rows: x [rows, features] float32, y [rows] int64 (classes) or float32 (numbers). */
export interface EncodedTable {
  readonly x: NDArray;
  readonly y?: NDArray;
}

/**
 * Encodes tables. Numbers are standardised with missing values filled (and marked, where training data had some),
 * categories become one-hot or an index with a place for unknown ones, booleans 0 or 1.
 * @example
 * const encoder = TableEncoder.fit(trainRows, { target: 'species' });
 * const { x, y } = encoder.transform(testRows);
 */
export class TableEncoder {
  readonly columns: readonly ColumnCode[];
  readonly target: TargetCode | undefined;
  /** Name of each feature of x, e.g. `age`, `age=missing`, `colour=red`. */
  readonly featureNames: readonly string[];
  readonly #lookups: readonly ReadonlyMap<string, number>[];

  private constructor(columns: readonly ColumnCode[], target: TargetCode | undefined) {
    this.columns = columns;
    this.target = target;
    this.featureNames = columns.flatMap(featureNames);
    this.#lookups = columns.map(
      (c) => new Map(c.kind === 'categorical' ? c.categories.map((name, i) => [name, i]) : []),
    );
  }

  /** Class names of a classification target, in the order of y. */
  get classes(): readonly string[] {
    return this.target?.task === 'classification' ? this.target.classes : [];
  }

  /**
   * Fits on the rows of the training split.
   * @throws ArgumentError when there are no rows, a named column is missing, no feature remains, or a target is missing.
   */
  static fit(
    rows: readonly TableRow[],
    { target, task, columns = {}, defaults = {} }: TableOptions = {},
  ): TableEncoder {
    if (rows.length === 0) throw new ArgumentError('TableEncoder.fit: there are no rows');
    const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    for (const name of [...Object.keys(columns), ...(target === undefined ? [] : [target])])
      if (!names.includes(name))
        throw new ArgumentError(`TableEncoder.fit: there is no column '${name}'; the table has ${names.join(', ')}`);
    const codes = names
      .filter((name) => name !== target)
      .map((name) =>
        fitColumn(
          name,
          rows.map((row) => row[name]),
          { ...defaults, ...columns[name] },
        ),
      )
      .filter((code) => code !== undefined);
    if (codes.flatMap(featureNames).length === 0)
      throw new ArgumentError(
        `TableEncoder.fit: no column of ${names.join(', ')} can be used as a feature; say what they hold with columns: { name: { kind } }`,
      );
    return new TableEncoder(codes, target === undefined ? undefined : fitTarget(target, rows, task));
  }

  /**
   * Encodes rows. y is left out when the encoder has no target or no row has one (data to predict).
   * @throws ArgumentError naming row, column and value that do not fit.
   */
  transform(rows: readonly TableRow[]): EncodedTable {
    const width = this.featureNames.length;
    const data = new Float32Array(rows.length * width);
    for (const [r, row] of rows.entries()) {
      let at = r * width;
      for (const [k, code] of this.columns.entries()) {
        try {
          at += encodeCell(code, row[code.name], data, at, this.#lookups[k]);
        } catch (error) {
          throw new ArgumentError(`row ${r}: ${(error as Error).message}`, { cause: error });
        }
      }
    }
    const x: NDArray = { data, shape: [rows.length, width], dtype: 'float32' };
    const { target } = this;
    if (target === undefined || rows.every((row) => isMissing(row[target.name]))) return { x };
    return { x, y: encodeTarget(target, rows) };
  }

  toJSON(): TableEncoderJSON {
    return {
      kind: 'TableEncoder',
      columns: this.columns.map((c) => (c.kind === 'categorical' ? { ...c, categories: [...c.categories] } : { ...c })),
      target:
        this.target === undefined
          ? null
          : this.target.task === 'classification'
            ? { ...this.target, classes: [...this.target.classes] }
            : { ...this.target },
    };
  }

  /** @throws FormatError when the JSON is not of an encoder. */
  static fromJSON(json: unknown): TableEncoder {
    const parsed = jsonSchema.safeParse(json);
    if (!parsed.success) throw new FormatError(`TableEncoder.fromJSON: ${z.prettifyError(parsed.error)}`);
    return new TableEncoder(parsed.data.columns, parsed.data.target ?? undefined);
  }
}

function fitTarget(name: string, rows: readonly TableRow[], task?: 'classification' | 'regression'): TargetCode {
  const cells = rows.map((row, r) => {
    if (isMissing(row[name]))
      throw new ArgumentError(
        `TableEncoder.fit: row ${r} has no value in the target column '${name}'; remove such rows`,
      );
    return row[name];
  });
  const numeric = detectKind(cells) === 'numeric';
  const few = new Set(cells.map(asCategory)).size <= 20 && cells.every((cell) => Number.isInteger(asNumber(cell)));
  const chosen = task ?? (numeric && !few ? 'regression' : 'classification');
  if (chosen === 'classification') return { task: chosen, name, classes: distinctSorted(cells) };
  const odd = cells.find((cell) => asNumber(cell) === undefined);
  if (odd !== undefined)
    throw new ArgumentError(`TableEncoder.fit: target '${name}' holds '${odd}', no number; use task: 'classification'`);
  return { task: chosen, name };
}

function encodeTarget(target: TargetCode, rows: readonly TableRow[]): NDArray {
  const refuse = (r: number, expected: string): never => {
    throw new ArgumentError(`row ${r}: target '${target.name}' is '${rows[r][target.name]}'; expected ${expected}`);
  };
  if (target.task === 'regression') {
    const data = Float32Array.from(rows, (row, r) => asNumber(row[target.name]) ?? refuse(r, 'a number'));
    return { data, shape: [rows.length], dtype: 'float32' };
  }
  const index = new Map(target.classes.map((c, i) => [c, i]));
  const data = Float64Array.from(
    rows,
    (row, r) =>
      index.get(asCategory(row[target.name])) ?? refuse(r, `one of ${target.classes.slice(0, 20).join(', ')}`),
  );
  return { data, shape: [rows.length], dtype: 'int64' };
}
