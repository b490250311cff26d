/** @file Texts made ready for training: read, labelled, cut into parts, encoded. */
import { createHash } from 'node:crypto';
import type { TableRow } from '../../data/index.ts';
import { readParquetClassNames } from '../../data/node.ts';
import { type ClassNames, hubClassNames, hubDatasetFiles, type Tokenizer } from '../../hub/index.ts';
import { type TokenizedTexts, tokenizeTexts } from '../../models/index.ts';
import { detect, extensionOf } from '../data/detect.ts';
import { defaultShare, type SplitRequest } from '../data/prepared.ts';
import { cut, subset } from '../data/split.ts';
import { readTable } from '../data/tables.ts';
import { UsageError } from '../problem.ts';
import { count, printable, type Terminal } from '../terminal.ts';
import { chooseColumn, classesOf, indicesOf, type LabelledTexts, labelIndex, readTexts, textOf } from './columns.ts';

/** What decides which texts are learnt. */
export interface TextRequest extends SplitRequest {
  /** File or folder to learn from, or the hub data set. */
  readonly path: string;
  readonly hub: boolean;
  /** One of several data sets of a hub repository. */
  readonly config: string | undefined;
  readonly text: string | undefined;
  readonly label: string | undefined;
  /** Names for the classes. */
  readonly labels: readonly string[] | undefined;
  readonly strict: boolean;
}

/** Texts with class indices. */
export interface TextPart {
  readonly path: string;
  readonly texts: readonly string[];
  readonly labels: readonly number[];
  /** Row of each text in its file. */
  readonly rows: readonly number[];
}

export interface PreparedTexts {
  readonly train: TextPart;
  readonly val: TextPart | undefined;
  readonly test: TextPart | undefined;
  readonly classes: readonly string[];
  readonly columns: { readonly text: string; readonly label: string };
  readonly sha256: string;
}

interface Rules {
  readonly strict: boolean;
  readonly seed: number;
  /** Texts at most. */
  readonly limit: number | undefined;
}

/** Validation texts that a share of the training data gives at most: more would cost time and tell little. */
const mostValidation = 1000;

/** Files of one part; only those of the hub are several. */
type Files = string | readonly string[];

/** Files of the parts that a path stands for. */
async function partsOf({ path, hub, config }: TextRequest): Promise<{ train: Files; val?: Files; test?: Files }> {
  if (hub) {
    const files = async (split: string) =>
      await hubDatasetFiles(path, { split, ...(config === undefined ? {} : { config }) });
    const train = await files('train');
    const other = async (split: string) => (train.splits.includes(split) ? (await files(split)).paths : undefined);
    const [val, test] = [await other('validation'), await other('test')];
    return { train: train.paths, ...(val ? { val } : {}), ...(test ? { test } : {}) };
  }
  const found = await detect(path);
  if (found.format !== 'table') throw new UsageError(`${path} holds images (${found.format}), not texts`);
  return found.parts;
}

async function readFiles(files: Files): Promise<TableRow[]> {
  if (typeof files === 'string') return await readTable(files);
  const parts: TableRow[][] = [];
  for (const file of files) parts.push(await readTable(file));
  return parts.flat();
}

/** Names of the classes as Parquet files or the data set's card tell them, if they name all values. */
async function namesOf(
  { path, hub, config }: TextRequest,
  files: Files,
  column: string,
  values: readonly string[],
): Promise<readonly string[] | undefined> {
  const file = nameOf(files);
  const fits = (names: ClassNames) => {
    const list = Object.hasOwn(names, column) ? names[column] : undefined;
    const isUsable = list && list.length > 1 && new Set(list).size === list.length;
    return isUsable && values.every((value) => labelIndex(value, list) !== undefined) ? list : undefined;
  };
  const noted = extensionOf(file) === '.parquet' ? fits(await readParquetClassNames(file)) : undefined;
  if (noted || !hub) return noted;
  return fits(await hubClassNames(path, config === undefined ? {} : { config }));
}

const nameOf = (files: Files): string => (typeof files === 'string' ? files : files[0]);

/** Reads, checks and cuts. Says what was found. */
export async function prepareTexts(request: TextRequest, terminal: Terminal): Promise<PreparedTexts> {
  const { strict, seed, limit } = request;
  const parts = await partsOf(request);
  const rows = await readFiles(parts.train);
  const name = request.hub ? request.path : nameOf(parts.train);
  const columns = {
    text: chooseColumn('text', request.text, rows, name),
    label: chooseColumn('label', request.label, rows, name),
  };
  const read = readTexts(rows, columns, name, { strict, dropEmpty: true }, terminal);
  const names = request.labels ? undefined : await namesOf(request, parts.train, columns.label, read.values);
  const classes = classesOf(read.values, request.labels ?? names, `${name}: '${columns.label}'`);
  const all = partOf(read, classes, name);
  terminal.heading('Data');
  terminal.say(
    `  ${name}: ${count(rows.length, 'row')}; texts in column '${columns.text}', ${count(classes.length, 'class', 'classes')} in '${columns.label}'`,
  );
  if (names) terminal.say(`  classes are named by the data set: ${printable(names.join(', '), 200)}`);
  const files = {
    val: typeof request.val === 'string' ? request.val : parts.val,
    test: typeof request.test === 'string' ? request.test : parts.test,
  };
  const given = { val: files.val !== undefined, test: files.test !== undefined };
  const kept = Math.min(all.texts.length, limit ?? all.texts.length);
  const val = request.val ?? Math.min(defaultShare, mostValidation / kept);
  const indices = cut(Float64Array.from(all.labels), true, { ...request, val, limit }, given);
  const rules = { strict, seed, limit };
  const open = async (file: Files | undefined, chosen: readonly number[]): Promise<TextPart | undefined> => {
    if (file === undefined) return chosen.length > 0 ? pick(all, chosen) : undefined;
    if (typeof file === 'string') return await loadTexts(file, classes, columns, rules, terminal);
    const found = await readFiles(file);
    // Test parts of contests come without their answers.
    if (found.every((row) => String(row[columns.label]) === '-1')) return undefined;
    return labelled(found, nameOf(file), classes, columns, rules, terminal);
  };
  const prepared = {
    train: pick(all, indices.train),
    val: await open(files.val, indices.val),
    test: await open(files.test, indices.test),
  };
  return { ...prepared, classes, columns, sha256: digest(Object.values(prepared)) };
}

/** Texts of a file for a model that exists: its labels must be among the model's classes. */
export async function loadTexts(
  path: string,
  classes: readonly string[],
  {
    text,
    label,
    usual,
  }: { text?: string | undefined; label?: string | undefined; usual?: { text: string; label: string } | undefined },
  rules: Rules,
  terminal: Terminal,
): Promise<TextPart> {
  const file = await fileOf(path);
  const rows = await readTable(file);
  const columns = {
    text: chooseColumn('text', text, rows, file, usual?.text),
    label: chooseColumn('label', label, rows, file, usual?.label),
  };
  return labelled(rows, file, classes, columns, rules, terminal);
}

function labelled(
  rows: readonly TableRow[],
  name: string,
  classes: readonly string[],
  columns: { text: string; label: string },
  { strict, seed, limit }: Rules,
  terminal: Terminal,
): TextPart {
  const part = partOf(readTexts(rows, columns, name, { strict, dropEmpty: false }, terminal), classes, name);
  if (limit === undefined) return part;
  return pick(part, subset(Float64Array.from(part.labels), true, limit, seed));
}

/** A file, or the test (else training) file of a folder. */
async function fileOf(path: string): Promise<string> {
  const found = await detect(path);
  if (found.format !== 'table') throw new UsageError(`${path} holds no table of texts`);
  return found.parts.test ?? found.parts.train;
}

function partOf(read: LabelledTexts, classes: readonly string[], path: string): TextPart {
  return { path, texts: read.texts, labels: indicesOf(read, classes, path), rows: read.rows };
}

function pick({ path, texts, labels, rows }: TextPart, chosen: readonly number[]): TextPart {
  const of = <T>(list: readonly T[]) => chosen.map((i) => list[i]);
  return { path, texts: of(texts), labels: of(labels), rows: of(rows) };
}

function digest(parts: readonly (TextPart | undefined)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    hash.update(`\u0000${part?.texts.length ?? -1}\u0000`);
    for (const [i, text] of (part?.texts ?? []).entries()) hash.update(`${part?.labels[i]}\u0001${text}\u0000`);
  }
  return hash.digest('hex');
}

/** Token ids of a part. */
export async function encodePart(part: TextPart, tokenizer: Tokenizer, maxLength: number): Promise<TokenizedTexts> {
  return await tokenizeTexts(tokenizer, part.texts, { labels: part.labels, maxLength });
}

/** Rows of a file of texts without answers: a table with a column of texts, or lines of a .txt file. */
export async function readInputs(
  path: string,
  column: string | undefined,
  readLines: (path: string) => Promise<string[]>,
): Promise<{ texts: string[]; rows: TableRow[] }> {
  if (extensionOf(path) === '.txt') {
    const lines = await readLines(path);
    return { texts: lines, rows: lines.map((text) => ({ text })) };
  }
  const rows = await readTable(path);
  const name = chooseColumn('text', column, rows, path);
  return { texts: rows.map((row, i) => textOf(row[name], path, i, name)), rows };
}
