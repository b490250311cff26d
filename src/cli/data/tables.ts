/** @file Tables made ready for training: columns described, rows encoded by what the training rows hold. */
import {
  type ColumnKind,
  type ColumnOptions,
  Dataset,
  detectKind,
  isMissing,
  TableEncoder,
  type TableRow,
} from '../../data/index.ts';
import { readCsv, readJsonl, readParquet } from '../../data/node.ts';
import { FormatError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { sliceRow } from '../../ir/ndarray.ts';
import { didYouMean, UsageError } from '../problem.ts';
import { count, formatTable, printable, someOf, type Terminal } from '../terminal.ts';
import { checkExists, detect, extensionOf, type Found, tableExtensions } from './detect.ts';
import type { LabelledData, Prepared, Sample, SplitRequest, TableCode } from './prepared.ts';
import { cut, subset } from './split.ts';

export interface TableRequest extends SplitRequest {
  readonly target: string | undefined;
  readonly task: 'classification' | 'regression' | undefined;
  readonly ignore: readonly string[];
  readonly categorical: readonly string[];
  readonly numeric: readonly string[];
  readonly strict: boolean;
}

/** Rows of a CSV, TSV, JSON lines or Parquet file. @throws UsageError for other files and empty ones. */
export async function readTable(path: string): Promise<TableRow[]> {
  if ((await checkExists(path)) === 'folder') throw new UsageError(`${path} is a folder; give the file of a table`);
  const rows = await rowsOf(path).catch((error: unknown) => {
    if (!(error instanceof FormatError && error.message.includes('not valid utf-8'))) throw error;
    // The reader names its own option, which the command line lacks.
    throw new FormatError(`${path} is not UTF-8 text; convert it, for instance with iconv -f latin1 -t utf-8`, {
      cause: error,
    });
  });
  if (rows.length === 0) throw new UsageError(`${path} has no rows`);
  return rows;
}

async function rowsOf(path: string): Promise<TableRow[]> {
  switch (extensionOf(path)) {
    case '.csv':
      return await readCsv(path, { trim: true });
    case '.tsv':
      return await readCsv(path, { delimiter: '\t', trim: true });
    case '.parquet':
      return await readParquet(path);
    case '.jsonl':
    case '.ndjson':
      return asRows(await readJsonl(path), path);
    default:
      throw new UsageError(`${path}: no table that can be read; expected ${tableExtensions.join(' ')}`);
  }
}

/** @throws FormatError naming the first value that is not an object. */
export function asRows(values: readonly unknown[], name: string): TableRow[] {
  return values.map((value, i) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new FormatError(`${name}: line ${i + 1} is no object such as {"column": 1}`);
    return value as TableRow;
  });
}

/** Encoded rows. */
export class TableData extends Dataset<Sample> implements LabelledData {
  readonly labels: Float64Array;
  readonly rows: readonly TableRow[];
  readonly #x: NDArray;
  readonly #numbers: readonly number[];

  constructor(rows: readonly TableRow[], numbers: readonly number[], x: NDArray, labels: Float64Array) {
    super();
    this.rows = rows;
    this.#numbers = numbers;
    this.#x = x;
    this.labels = labels;
  }

  get length(): number {
    return this.rows.length;
  }

  name(index: number): string {
    return `row ${this.#numbers[index] + 1}`;
  }

  get(index: number): Sample {
    return { x: sliceRow(this.#x, index), y: this.labels[index] };
  }
}

/** The names of all columns, in order of appearance. */
export function columnsOf(rows: readonly TableRow[]): string[] {
  const names = new Set<string>();
  for (const row of rows) for (const name of Object.keys(row)) names.add(name);
  return [...names];
}

/** @throws UsageError naming the columns there are. */
function targetColumn(asked: string | undefined, columns: readonly string[], path: string): string {
  if (asked !== undefined) {
    if (columns.includes(asked)) return asked;
    throw new UsageError(
      `${path} has no column '${asked}'.${didYouMean(asked, columns)} Its columns are: ${someOf(columns, 40)}`,
    );
  }
  const usual = ['target', 'label', 'class', 'y'];
  const found = columns.filter((name) => usual.includes(name.toLowerCase()));
  if (found.length === 1) return found[0];
  throw new UsageError(
    `which column of ${path} is to be predicted? Say --target <column>; its columns are: ${someOf(columns, 40)}`,
  );
}

/** Options by column. @throws UsageError for a column that is not there. */
function columnOptions(request: TableRequest, columns: readonly string[], path: string): Record<string, ColumnOptions> {
  const options: Record<string, ColumnOptions> = {};
  for (const [names, kind] of [
    [request.ignore, 'ignore'],
    [request.categorical, 'categorical'],
    [request.numeric, 'numeric'],
  ] as const)
    for (const name of names) {
      if (!columns.includes(name))
        throw new UsageError(
          `${path} has no column '${name}'.${didYouMean(name, columns)} Its columns are: ${someOf(columns, 40)}`,
        );
      options[name] = { kind };
    }
  return options;
}

/** Whether a column only numbers its rows: named so, and different whole numbers in every row. */
function isNumbering(name: string, cells: readonly unknown[]): boolean {
  if (!/^(id|index|row|no|nr|number|unnamed.*|.*[_ -](id|index|number)|.*[a-z]Id)?$/i.test(name)) return false;
  return cells.every((cell) => Number.isInteger(Number(cell))) && new Set(cells.map(String)).size === cells.length;
}

/** Prints columns with kind and missing values; returns the options that decide the same kinds. */
function describeColumns(
  rows: readonly TableRow[],
  columns: readonly string[],
  target: string,
  options: Record<string, ColumnOptions>,
  terminal: Terminal,
): Record<string, ColumnOptions> {
  const decided: Record<string, ColumnOptions> = {};
  const lines: (readonly [string, string, number, number, string])[] = [];
  for (const name of columns) {
    const cells = rows.map((row) => row[name]);
    const there = cells.filter((cell) => !isMissing(cell));
    const numbering = isNumbering(name, there);
    const kind: ColumnKind = options[name]?.kind ?? (numbering ? 'ignore' : detectKind(cells));
    if (name !== target) decided[name] = { ...options[name], kind };
    const distinct = [...new Set(there.map(String))];
    lines.push([
      printable(name, 30),
      name === target ? 'target' : kind !== 'ignore' ? kind : numbering ? 'left out (numbering)' : 'left out',
      cells.length - there.length,
      distinct.length,
      printable(distinct.slice(0, 3).join(', '), 40),
    ]);
  }
  const shown = lines.slice(0, 40);
  terminal.say(formatTable(['column', 'kind', 'missing', 'different', 'such as'], shown));
  if (lines.length > shown.length) terminal.say(`  ... and ${lines.length - shown.length} more columns`);
  return decided;
}

/** Whether all rows with a target agree that it is a class; decided on all rows, so that parts do not differ. */
function fitTarget(rows: readonly TableRow[], target: string, task: TableRequest['task']): TableEncoder {
  return TableEncoder.fit(
    rows.map((row) => ({ [target]: row[target], always: 0 })),
    { target, ...(task ? { task } : {}) },
  );
}

/** Prepares a table for training: says what was found, cuts, encodes. */
export async function prepareTable(
  found: Extract<Found, { format: 'table' }>,
  path: string,
  request: TableRequest,
  terminal: Terminal,
): Promise<Prepared & { readonly train: TableData; readonly val?: TableData; readonly test?: TableData }> {
  const all = await readTable(found.parts.train);
  const columns = columnsOf(all);
  const target = targetColumn(request.target, columns, path);
  const options = columnOptions(request, columns, path);
  const rows = withTarget(all, target, request.strict, terminal);
  if (rows.length < 4)
    throw new UsageError(`${path}: ${count(rows.length, 'row')} with a value in '${target}' are too few to train on`);
  terminal.heading('Data');
  terminal.say(`  ${path}: ${count(all.length, 'row')}, ${count(columns.length, 'column')}`);
  const columnKinds = describeColumns(
    rows.map(({ row }) => row),
    columns,
    target,
    options,
    terminal,
  );
  if (Object.values(columnKinds).every(({ kind }) => kind === 'ignore'))
    throw new UsageError(`${path}: no column besides '${target}' holds numbers or categories to learn from`);

  const targetEncoder = fitTarget(
    rows.map(({ row }) => row),
    target,
    request.task,
  );
  const regression = targetEncoder.target?.task === 'regression';
  const { classes } = targetEncoder;
  if (!regression && classes.length < 2)
    throw new UsageError(
      `${path}: '${target}' has the same value '${classes[0]}' in every row; there is nothing to learn`,
    );
  if (!regression && classes.length > 1000)
    throw new UsageError(
      `${path}: '${target}' has ${classes.length} different values; for numbers say 'tabular-regression', otherwise choose another --target`,
    );
  const targets = targetEncoder.transform(rows.map(({ row }) => ({ [target]: row[target], always: 0 })));
  const labels = Float64Array.from(targets.y?.data ?? []);
  const files = {
    val: typeof request.val === 'string' ? request.val : found.parts.val,
    test: typeof request.test === 'string' ? request.test : found.parts.test,
  };
  const indices = cut(labels, !regression, request, { val: files.val !== undefined, test: files.test !== undefined });
  const pick = (chosen: readonly number[]) => chosen.map((i) => rows[i].row);
  const fitted = TableEncoder.fit(pick(indices.train), {
    target,
    task: regression ? 'regression' : 'classification',
    columns: columnKinds,
  });
  // The classes of all rows: one that is rare may be missing from the training part.
  const encoder = TableEncoder.fromJSON({ ...fitted.toJSON(), target: targetEncoder.toJSON().target });
  const trainLabels = indices.train.map((i) => labels[i]);
  const code: TableCode = {
    kind: 'table',
    encoder: { ...encoder.toJSON() },
    scale: regression ? moments(trainLabels) : null,
  };
  const open = async (file: string | undefined, chosen: readonly number[]) => {
    if (file !== undefined) return await loadTable(file, code, request, terminal);
    return chosen.length > 0 ? encode(rows, chosen, labels, encoder) : undefined;
  };
  return {
    task: regression ? 'tabular-regression' : 'tabular-classification',
    preprocess: code,
    classes,
    inputShape: [encoder.featureNames.length],
    train: encode(rows, indices.train, labels, encoder),
    val: await open(files.val, indices.val),
    test: await open(files.test, indices.test),
    description: {
      format: extensionOf(found.parts.train).slice(1),
      path,
      rows: all.length,
      target,
      columns: columnKinds,
    },
  };
}

interface NumberedRow {
  readonly row: TableRow;
  /** Position in the file. */
  readonly at: number;
}

/** The rows that have a target; how many have none is said. */
function withTarget(rows: readonly TableRow[], target: string, strict: boolean, terminal: Terminal): NumberedRow[] {
  const kept = rows.map((row, at) => ({ row, at })).filter(({ row }) => !isMissing(row[target]));
  const missing = rows.length - kept.length;
  if (missing === 0) return kept;
  const text = `${count(missing, 'row')} without a value in the target column '${target}'`;
  if (strict) throw new UsageError(text);
  terminal.warn(`${text} ${missing === 1 ? 'is' : 'are'} left out (--strict makes this an error)`);
  return kept;
}

function encode(
  rows: readonly NumberedRow[],
  chosen: readonly number[],
  labels: Float64Array,
  encoder: TableEncoder,
): TableData {
  const picked = chosen.map((i) => rows[i]);
  const { x } = encoder.transform(picked.map(({ row }) => row));
  return new TableData(
    picked.map(({ row }) => row),
    picked.map(({ at }) => at),
    x,
    Float64Array.from(chosen, (i) => labels[i]),
  );
}

function moments(values: readonly number[]): { mean: number; std: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const std = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
  return { mean, std: std > 0 ? std : 1 };
}

/**
 * Checks rows against the columns a model was trained on: absent columns are an error, unseen categories are told.
 * @throws UsageError naming the absent columns; with `strict` also for unseen categories.
 */
export function checkRows(
  rows: readonly TableRow[],
  encoder: TableEncoder,
  name: string,
  strict: boolean,
  terminal: Terminal,
): void {
  const columns = columnsOf(rows);
  const absent = encoder.columns.filter((column) => !columns.includes(column.name)).map((column) => column.name);
  if (absent.length > 0)
    throw new UsageError(
      `${name} lacks the ${absent.length === 1 ? 'column' : 'columns'} ${someOf(absent, 40)}, which the model was trained on; it has: ${someOf(columns, 40)}`,
    );
  for (const column of encoder.columns) {
    if (column.kind !== 'categorical') continue;
    const known = new Set(column.categories);
    const unseen = rows
      .map((row) => row[column.name])
      .filter((cell) => !isMissing(cell) && !known.has(String(cell).trim()))
      .map(String);
    if (unseen.length === 0) continue;
    const text = `column '${column.name}': ${count(unseen.length, 'row')} with categories that were not in the training data (${someOf([...new Set(unseen)], 5)})`;
    if (strict) throw new UsageError(`${text}; known are ${someOf(column.categories, 20)}`);
    terminal.warn(`${text}; they count as unknown`);
  }
}

/** Opens a table to evaluate on, encoded as a run encoded its own. */
export async function loadTable(
  path: string,
  code: TableCode,
  { strict, limit, seed }: { strict: boolean; limit: number | undefined; seed: number },
  terminal: Terminal,
): Promise<TableData> {
  const file = await tableFile(path);
  const encoder = TableEncoder.fromJSON(code.encoder);
  const target = encoder.target?.name ?? '';
  const all = await readTable(file);
  checkRows(all, encoder, file, strict, terminal);
  if (!columnsOf(all).includes(target))
    throw new UsageError(
      `${file} has no column '${target}' to compare predictions with; without known answers use: npx gradus predict`,
    );
  const rows = withTarget(all, target, strict, terminal);
  if (rows.length === 0) throw new UsageError(`${file}: no row has a value in '${target}'`);
  const { y } = encoder.transform(rows.map(({ row }) => row));
  const labels = Float64Array.from(y?.data ?? []);
  return encode(rows, subset(labels, code.scale === null, limit ?? rows.length, seed), labels, encoder);
}

/** The table to evaluate on: the file, or the test (else training) file of a folder. */
async function tableFile(path: string): Promise<string> {
  const found = await detect(path);
  if (found.format !== 'table') throw new UsageError(`${path} holds no table (${tableExtensions.join(' ')})`);
  return found.parts.test ?? found.parts.train;
}

/** The rows that training held out, cut again from its data. */
export async function heldOutRows(
  path: string,
  code: TableCode,
  request: TableRequest,
  part: 'val' | 'test',
  terminal: Terminal,
): Promise<TableData | undefined> {
  const found = await detect(path);
  if (found.format !== 'table') throw new UsageError(`${path} holds no table any more`);
  const fromFile = typeof request[part] === 'string' ? (request[part] as string) : found.parts[part];
  if (fromFile !== undefined) return await loadTable(fromFile, code, request, terminal);
  const encoder = TableEncoder.fromJSON(code.encoder);
  const rows = withTarget(await readTable(found.parts.train), encoder.target?.name ?? '', request.strict, terminal);
  const { y } = encoder.transform(rows.map(({ row }) => row));
  const labels = Float64Array.from(y?.data ?? []);
  const given = (name: 'val' | 'test') => typeof request[name] === 'string' || found.parts[name] !== undefined;
  const chosen = cut(labels, code.scale === null, request, { val: given('val'), test: given('test') })[part];
  return chosen.length > 0 ? encode(rows, chosen, labels, encoder) : undefined;
}
