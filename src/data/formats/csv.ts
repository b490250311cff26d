/** @file CSV text to rows (parsing by csv-parse). */
import { type Options, parse } from 'csv-parse/browser/esm/sync';
import { ArgumentError, FormatError } from '../../ir/errors.ts';
import { decodeText, type ReadOptions, type TextEncoding, withDefaults } from './bytes.ts';

/** One row by column name; all values are text. */
export type CsvRow = Record<string, string>;

/** Options of the CSV readers. */
export interface CsvOptions extends ReadOptions {
  /** Default ','. */
  readonly delimiter?: string;
  /** Quoting character, doubled inside quotes; false for none. Default '"'. */
  readonly quote?: string | false;
  /** true (default): the first row names the columns; a list: the names, every row is data; false: column1, column2, ... */
  readonly header?: boolean | readonly string[];
  /** Lines that start with this are left out. Default: none. */
  readonly comment?: string;
  /** Remove white space around values. Default false. */
  readonly trim?: boolean;
  /** Default 'utf-8' (a byte order mark is dropped). */
  readonly encoding?: TextEncoding;
  /** Longest row in characters; an unclosed quote ends here instead of swallowing the file. Default 2^24. */
  readonly maxRecordSize?: number;
}

/** Options of csv-parse for ours. Their type is left to inference: csv-parse's own needs the types of Node. */
export function csvParseOptions({
  delimiter = ',',
  quote = '"',
  comment,
  trim = false,
  maxRecordSize = 2 ** 24,
}: CsvOptions) {
  if (delimiter.length === 0) throw new ArgumentError("CSV: delimiter must not be empty; for tabs use '\\t'");
  return {
    delimiter,
    quote,
    escape: quote === false ? null : quote,
    comment: comment ?? null,
    trim,
    bom: true,
    max_record_size: maxRecordSize,
    skip_empty_lines: true,
  } satisfies Options;
}

/** csv-parse's errors with the name of the file and the line. */
export function csvError(error: unknown, name: string): unknown {
  if (!(error instanceof Error && 'code' in error && 'invalid_field_length' in error)) return error;
  const { lines, column, record } = error as Error & { lines?: number; column?: unknown; record?: unknown[] };
  const where = lines === undefined ? name : `${name}, line ${lines}`;
  const code = String(error.code);
  if (code === 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH') {
    const expected = /expect (\d+)/.exec(error.message)?.[1];
    return new FormatError(
      `${where}: expected ${expected} columns as in the first row, found ${record?.length ?? 'another number'}`,
      { cause: error },
    );
  }
  if (code === 'CSV_QUOTE_NOT_CLOSED')
    return new FormatError(`${where}: a quoted value is not closed at the end of the data`, { cause: error });
  if (code === 'CSV_MAX_RECORD_SIZE')
    return new FormatError(`${where}: a row is longer than maxRecordSize, perhaps by an unclosed quote`, {
      cause: error,
    });
  return new FormatError(`${where}: ${error.message}${typeof column === 'number' ? ` (column ${column + 1})` : ''}`, {
    cause: error,
  });
}

/** Turns arrays of values into rows by name; the first call fixes the names. */
export class CsvRows {
  #names: readonly string[] | undefined;
  readonly #header: boolean | readonly string[];
  readonly #name: string;

  constructor({ header = true, name }: CsvOptions) {
    this.#header = header;
    this.#name = name ?? 'the data';
    if (typeof header === 'object') this.#names = this.#checked([...header]);
  }

  /** The row, or undefined for the header itself. */
  row(values: readonly string[]): CsvRow | undefined {
    if (this.#names === undefined) {
      if (this.#header === true) {
        this.#names = this.#checked(values.map((v, i) => (v === '' ? `column${i + 1}` : v)));
        return undefined;
      }
      this.#names = values.map((_, i) => `column${i + 1}`);
    }
    const names = this.#names;
    if (values.length !== names.length)
      throw new FormatError(
        `${this.#name}: a row has ${values.length} values for ${names.length} columns (${names.join(', ')})`,
      );
    return Object.fromEntries(names.map((n, i) => [n, values[i]]));
  }

  #checked(names: string[]): string[] {
    const twice = names.find((n, i) => names.indexOf(n) !== i);
    if (twice !== undefined)
      throw new FormatError(
        `${this.#name}: column '${twice}' comes twice in the header; rename it or give header: [names]`,
      );
    return names;
  }
}

/**
 * Rows of CSV text.
 * @example
 * parseCsv('a,b\n1,x\n')   // [{ a: '1', b: 'x' }]
 * @throws FormatError naming the line: differing column counts, unclosed quotes, columns named twice, wrong encoding.
 */
export function parseCsv(text: string | Uint8Array, options: CsvOptions = {}): CsvRow[] {
  const { name } = withDefaults(options);
  const source = typeof text === 'string' ? text : decodeText(text, name, options.encoding);
  const settings = csvParseOptions(options);
  const rows = new CsvRows(options);
  let records: string[][];
  try {
    records = parse(source, settings);
  } catch (error) {
    throw csvError(error, name);
  }
  const out: CsvRow[] = [];
  for (const record of records) {
    const row = rows.row(record);
    if (row) out.push(row);
  }
  return out;
}
