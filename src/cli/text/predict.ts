/** @file gradus predict for text classifiers: texts typed, in files, or from stdin. */
import { text as readAll } from 'node:stream/consumers';
import type { TableRow } from '../../data/index.ts';
import { readFileBytes } from '../../data/node.ts';
import { FormatError } from '../../ir/errors.ts';
import { checkAnswersFile, giveAnswers } from '../answers.ts';
import type { PredictFlags } from '../commands/predict.ts';
import { extensionOf, tableExtensions } from '../data/detect.ts';
import { UsageError } from '../problem.ts';
import { isThere } from '../run-folder.ts';
import type { Terminal } from '../terminal.ts';
import { readInputs } from './data.ts';
import { openClassifier } from './evaluate.ts';

/** Runs the command. An input is a file if there is one of that name (a table, or a .txt with a text per line), else a text. */
export async function predictTexts(
  folder: string,
  inputs: readonly string[],
  flags: PredictFlags,
  terminal: Terminal,
): Promise<void> {
  checkAnswersFile(flags.out);
  const texts: string[] = [];
  const rows: TableRow[] = [];
  for (const input of inputs) {
    const read = await textsOf(input, flags.text);
    for (const text of read.texts) texts.push(text);
    for (const row of read.rows) rows.push(row);
  }
  if (texts.length === 0) throw new UsageError('there are no texts to predict for');
  const classifier = await openClassifier(folder, flags.device);
  const answers = (await classifier.classify(texts, { topK: flags.top })).map((scores, i) => ({
    input: texts[i],
    prediction: scores[0].label,
    top: scores.map(({ label, score }) => ({ class: label, probability: score })),
  }));
  await giveAnswers(answers, rows, flags, terminal);
}

async function textsOf(input: string, column: string | undefined): Promise<{ texts: string[]; rows: TableRow[] }> {
  if (input === '-') return linesOf(await readAll(process.stdin));
  const isTable = [...tableExtensions, '.txt'].includes(extensionOf(input)) && !/\s/.test(input);
  if (isTable && !(await isThere(input))) throw new UsageError(`${input}: there is no such file`);
  if (isTable) return await readInputs(input, column, readLines);
  return { texts: [input], rows: [{ text: input }] };
}

async function readLines(path: string): Promise<string[]> {
  const bytes = await readFileBytes(path);
  try {
    return linesOf(new TextDecoder('utf-8', { fatal: true }).decode(bytes)).texts;
  } catch (cause) {
    throw new FormatError(`${path} is not UTF-8 text; convert it, for instance with iconv`, { cause });
  }
}

/** A text per line; empty lines are left out. */
function linesOf(text: string): { texts: string[]; rows: TableRow[] } {
  const texts = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  return { texts, rows: texts.map((line) => ({ text: line })) };
}
