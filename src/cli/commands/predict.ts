/** @file gradus predict: what a kept model says of new images or rows. */
import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { TableRow } from '../../data/index.ts';
import { readImage } from '../../data/node.ts';
import { GradusError } from '../../ir/errors.ts';
import { type NDArray, sliceRow } from '../../ir/ndarray.ts';
import { type Answer, checkAnswersFile, giveAnswers } from '../answers.ts';
import { checkExists, imageExtensions } from '../data/detect.ts';
import { tellUnreadable } from '../data/images.ts';
import { normalized, toPixels } from '../data/pixels.ts';
import type { ImageCode } from '../data/prepared.ts';
import { asRows, checkRows, readTable } from '../data/tables.ts';
import { type Kept, openRun } from '../kept.ts';
import { UsageError } from '../problem.ts';
import { type Outputs, outputsOf, probabilities } from '../score.ts';
import { printable, Terminal } from '../terminal.ts';
import { isTextModel } from '../text/record.ts';
import { evaluationBatch } from '../training.ts';

export interface PredictFlags {
  top: number;
  text?: string;
  out?: string;
  device: string;
  strict?: boolean;
  json?: boolean;
  quiet?: boolean;
}

/** Something to predict for. */
interface Item {
  /** Path of the image, or place of the row. */
  readonly input: string;
  readonly row?: TableRow;
}

export async function predict(run: string, inputs: readonly string[], flags: PredictFlags): Promise<void> {
  const terminal = new Terminal(flags);
  if (await isTextModel(run)) {
    const { predictTexts } = await import('../text/predict.ts');
    return await predictTexts(run, inputs, flags, terminal);
  }
  const kept = await openRun(run, flags.device);
  const { preprocess } = kept.record;
  checkAnswersFile(flags.out);
  let answers: Answer[];
  let rows: readonly TableRow[] | undefined;
  if (preprocess.kind === 'image') answers = await predictImages(kept, preprocess, inputs, flags, terminal);
  else {
    const items = await rowsOf(inputs);
    rows = items.map(({ row }) => row ?? {});
    answers = await predictRows(kept, items, rows, flags, terminal);
  }
  await giveAnswers(answers, rows, flags, terminal);
}

/** Answers out of the model's outputs. */
function answersOf(inputs: readonly string[], outputs: Outputs, { info, scale }: Kept, most: number): Answer[] {
  return inputs.map((input, i) => {
    if (scale) return { input, prediction: outputs.data[i] };
    const all = probabilities(outputs, i)
      .map((probability, c) => ({ class: info.classes[c], probability }))
      .sort((a, b) => b.probability - a.probability);
    return { input, prediction: all[0].class, top: all.slice(0, Math.max(1, most)) };
  });
}

const options = ({ record, scale }: Kept) => ({ batchSize: evaluationBatch(record.options.batchSize), scale });

/** Image files named, and those within folders named. */
async function imageFiles(inputs: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const input of inputs) {
    if ((await checkExists(input)) === 'file') {
      files.push(input);
      continue;
    }
    const entries = await readdir(input, { withFileTypes: true, recursive: true });
    const found = entries
      .filter((e) => !e.isDirectory() && imageExtensions.includes(extname(e.name).toLowerCase()))
      .map((e) => join(e.parentPath, e.name))
      .sort();
    if (found.length === 0) throw new UsageError(`${input} holds no images (${imageExtensions.join(' ')})`);
    files.push(...found);
  }
  return files;
}

async function predictImages(
  kept: Kept,
  code: ImageCode,
  inputs: readonly string[],
  flags: PredictFlags,
  terminal: Terminal,
): Promise<Answer[]> {
  const files = await imageFiles(inputs);
  const unreadable: { name: string; reason: string }[] = [];
  const readableFiles: string[] = [];
  const images: NDArray[] = [];
  for (const file of files) {
    try {
      images.push(normalized(toPixels(await readImage(file), 'hwc', code), code));
      readableFiles.push(file);
    } catch (error) {
      if (!(error instanceof GradusError) || flags.strict) throw error;
      unreadable.push({ name: file, reason: error.message.split('\n')[0] });
    }
  }
  tellUnreadable(unreadable, terminal);
  if (images.length === 0) throw new UsageError('none of the images can be read');
  const data = { length: images.length, get: (i: number) => ({ x: images[i] }) };
  return answersOf(readableFiles, await outputsOf(kept.model, data, options(kept)), kept, flags.top);
}

/** Rows of the tables named, and rows typed as JSON: `{"a": 1}` or `[{"a": 1}, ...]`. */
async function rowsOf(inputs: readonly string[]): Promise<Item[]> {
  const items: Item[] = [];
  for (const input of inputs) {
    const typed = /^\s*[[{]/.test(input);
    const rows = typed ? typedRows(input) : await readTable(input);
    for (const [i, row] of rows.entries())
      items.push({ input: typed && rows.length === 1 ? 'row' : `row ${i + 1}`, row });
  }
  return items;
}

function typedRows(text: string): TableRow[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`the row ${printable(text)} is not JSON: ${(cause as Error).message}`, { cause });
  }
  return asRows(Array.isArray(value) ? value : [value], 'the rows given');
}

async function predictRows(
  kept: Kept,
  items: readonly Item[],
  rows: readonly TableRow[],
  flags: PredictFlags,
  terminal: Terminal,
): Promise<Answer[]> {
  const { encoder } = kept;
  if (!encoder) throw new UsageError('this run was not trained on a table');
  if (rows.length === 0) throw new UsageError('there are no rows to predict for');
  checkRows(rows, encoder, 'the input', flags.strict ?? false, terminal);
  // Known answers in the file are not looked at; some may be of classes that the model has never seen.
  const name = encoder.target?.name ?? '';
  const { x } = encoder.transform(rows.map(({ [name]: _, ...rest }) => rest));
  const data = { length: rows.length, get: (i: number) => ({ x: sliceRow(x, i) }) };
  const inputs = items.map(({ input }) => input);
  return answersOf(inputs, await outputsOf(kept.model, data, options(kept)), kept, flags.top);
}
