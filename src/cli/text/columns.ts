/** @file Texts and their classes out of the rows of a table. */
import { isMissing, type TableRow } from '../../data/index.ts';
import { FormatError } from '../../ir/errors.ts';
import { columnsOf } from '../data/tables.ts';
import { didYouMean, UsageError } from '../problem.ts';
import { count, printable, someOf, type Terminal } from '../terminal.ts';

/** Names that columns of texts and of classes usually have. */
const usual = {
  text: ['text', 'sentence', 'review', 'content', 'comment', 'message', 'body', 'tweet', 'utterance', 'query'],
  label: ['label', 'labels', 'class', 'category', 'intent', 'sentiment', 'target'],
};

/** Most classes that a label column may have before it is taken for something else. */
const mostClasses = 1000;

/** The column of a role; `before` is the one of training. @throws UsageError naming the columns there are. */
export function chooseColumn(
  role: keyof typeof usual,
  asked: string | undefined,
  rows: readonly TableRow[],
  path: string,
  before?: string,
): string {
  const columns = columnsOf(rows);
  if (asked !== undefined) {
    if (columns.includes(asked)) return asked;
    throw new UsageError(
      `${path} has no column '${asked}'.${didYouMean(asked, columns)} Its columns are: ${someOf(columns, 40)}`,
    );
  }
  if (before !== undefined && columns.includes(before)) return before;
  const found = usual[role].map((name) => columns.find((column) => column.toLowerCase() === name)).find((c) => c);
  if (found !== undefined) return found;
  throw new UsageError(
    `which column of ${path} holds the ${role}s? Say --${role} <column>; its columns are: ${someOf(columns, 40)}`,
  );
}

/** The text of a cell. @throws FormatError for what is none. */
export function textOf(cell: unknown, path: string, at: number, column: string): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'number' || typeof cell === 'boolean' || typeof cell === 'bigint') return String(cell);
  throw new FormatError(
    `${path}, row ${at + 1}: column '${column}' holds ${Array.isArray(cell) ? 'a list' : 'an object'}, not a text`,
  );
}

/** The classes among label values: in the order of numbers, else of the alphabet; `asked` are names for them. */
export function classesOf(values: readonly string[], asked: readonly string[] | undefined, where: string): string[] {
  const distinct = [...new Set(values)];
  if (distinct.length < 2)
    throw new UsageError(`${where} has the same value '${distinct[0] ?? ''}' in every row; there is nothing to learn`);
  const numbers = distinct.every((value) => value !== '' && Number.isFinite(Number(value)));
  const fraction = numbers ? distinct.find((value) => !Number.isInteger(Number(value))) : undefined;
  if (fraction !== undefined)
    throw new UsageError(`${where} holds numbers such as ${fraction}; text-classification needs classes`);
  if (distinct.length > mostClasses)
    throw new UsageError(`${where} has ${distinct.length} different values; that is hardly a class of each text`);
  const own = numbers ? distinct.sort((a, b) => Number(a) - Number(b)) : distinct.sort();
  if (!asked) return own;
  if (new Set(asked).size !== asked.length) throw new UsageError(`--labels ${asked.join(',')}: a name comes twice`);
  const unnamed = own.filter((value) => labelIndex(value, asked) === undefined);
  if (unnamed.length > 0)
    throw new UsageError(
      `--labels ${asked.join(',')} does not name what ${where} holds: ${someOf(unnamed, 10)}. Give the values themselves, or a name for each of the numbers 0, 1, ...`,
    );
  return [...asked];
}

/** Index of a class by its name, its number where names are no numbers, or LABEL_<number>; undefined if there is none. */
export function labelIndex(value: string, classes: readonly string[]): number | undefined {
  const named = classes.indexOf(value);
  if (named >= 0) return named;
  const number = /^(?:LABEL_)?(\d+)(?:\.0)?$/.exec(value)?.[1];
  if (number === undefined || classes.some((name) => /^-?\d+$/.test(name))) return undefined;
  return Number(number) < classes.length ? Number(number) : undefined;
}

/** Texts with the values of their label column, and the row that each comes from. */
export interface LabelledTexts {
  readonly texts: readonly string[];
  readonly values: readonly string[];
  /** Positions in the file. */
  readonly rows: readonly number[];
}

/** Reads texts and label values of rows. Rows without a label, and with `dropEmpty` those without a text, are left out. */
export function readTexts(
  rows: readonly TableRow[],
  { text, label }: { text: string; label: string },
  path: string,
  { strict, dropEmpty }: { strict: boolean; dropEmpty: boolean },
  terminal: Terminal,
): LabelledTexts {
  const out = { texts: [] as string[], values: [] as string[], rows: [] as number[] };
  let [unlabelled, empty] = [0, 0];
  for (const [i, row] of rows.entries()) {
    const value = row[label];
    const words = textOf(row[text], path, i, text);
    if (isMissing(value)) unlabelled++;
    else if (dropEmpty && words.trim() === '') empty++;
    else {
      out.texts.push(words);
      out.values.push(textOf(value, path, i, label).trim());
      out.rows.push(i);
    }
  }
  for (const [n, what] of [
    [unlabelled, `without a value in the label column '${label}'`],
    [empty, `with an empty text in column '${text}'`],
  ] as const) {
    if (n === 0) continue;
    const told = `${path}: ${count(n, 'row')} ${what}`;
    if (strict) throw new UsageError(told);
    terminal.warn(`${told} ${n === 1 ? 'is' : 'are'} left out (--strict makes this an error)`);
  }
  if (out.texts.length === 0) throw new UsageError(`${path}: no row has a text in '${text}' and a value in '${label}'`);
  return out;
}

/** Class indices of label values. @throws UsageError naming values that are no classes of the model. */
export function indicesOf({ values, rows }: LabelledTexts, classes: readonly string[], path: string): number[] {
  const unknown = new Set<string>();
  let first: number | undefined;
  const indices = values.map((value, i) => {
    const index = labelIndex(value, classes);
    if (index === undefined) {
      unknown.add(value);
      first ??= rows[i];
    }
    return index ?? -1;
  });
  if (first !== undefined)
    throw new UsageError(
      `${path}, row ${first + 1}: label '${printable([...unknown][0], 40)}' is none of the model's (${someOf(classes, 12)})${unknown.size > 1 ? `; unknown are also ${someOf([...unknown].slice(1), 8)}` : ''}`,
    );
  return indices;
}
