/** @file Predictions as people and programs read them: a table, JSON lines, CSV. */
import type { TableRow } from '../data/index.ts';
import { writeFileAtomic } from '../train/files.ts';
import { columnsOf } from './data/tables.ts';
import { UsageError } from './problem.ts';
import { formatTable, printable, type Terminal } from './terminal.ts';

export interface Answer {
  /** Path of the image, place of the row, or the text. */
  readonly input: string;
  /** Class name or number. */
  readonly prediction: string | number;
  /** Classes with their probabilities, the most probable first. */
  readonly top?: readonly { readonly class: string; readonly probability: number }[];
}

/** @throws UsageError for a file name that says no format. */
export function checkAnswersFile(out: string | undefined): void {
  if (out !== undefined && !/\.(csv|jsonl)$/i.test(out))
    throw new UsageError(`--out ${out}: expected a name that ends in .csv or .jsonl`);
}

/** Writes answers to --out, or prints them. `rows` are the table that they are for, if there is one. */
export async function giveAnswers(
  answers: readonly Answer[],
  rows: readonly TableRow[] | undefined,
  { out, json }: { out?: string; json?: boolean },
  terminal: Terminal,
): Promise<void> {
  if (out !== undefined) {
    await writeFileAtomic(out, /\.csv$/i.test(out) ? toCsv(answers, rows) : toJsonl(answers));
    terminal.say(`${answers.length} predictions written to ${out}`);
  } else process.stdout.write(json ? toJsonl(answers) : `${asText(answers)}\n`);
}

function asText(answers: readonly Answer[]): string {
  const rest = Math.max(0, ...answers.map(({ top }) => (top?.length ?? 1) - 1));
  const head = ['input', 'prediction', ...(answers[0]?.top ? ['probability'] : []), ...(rest ? ['then'] : [])];
  const lines = answers.map(({ input, prediction, top }) => [
    printable(input, 60),
    typeof prediction === 'number' ? Number(prediction.toPrecision(6)) : printable(prediction, 40),
    ...(top ? [top[0].probability.toFixed(3)] : []),
    ...(rest && top
      ? [
          top
            .slice(1)
            .map((t) => `${printable(t.class, 20)} ${t.probability.toFixed(3)}`)
            .join(', '),
        ]
      : []),
  ]);
  return formatTable(head, lines);
}

const toJsonl = (answers: readonly Answer[]): string => answers.map((answer) => `${JSON.stringify(answer)}\n`).join('');

/** Rows as they came with the prediction behind them; for other inputs the input and the prediction. */
function toCsv(answers: readonly Answer[], rows: readonly TableRow[] | undefined): string {
  const columns = rows ? columnsOf(rows) : ['input'];
  const cell = (value: unknown): string => {
    const text = value === null || value === undefined ? '' : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const extra = answers.some(({ top }) => top) ? ['prediction', 'probability'] : ['prediction'];
  const lines = answers.map((answer, i) => {
    const own = rows ? columns.map((name) => rows[i][name]) : [answer.input];
    return [...own, answer.prediction, ...(answer.top ? [answer.top[0].probability.toFixed(6)] : [])];
  });
  return [[...columns, ...extra], ...lines].map((line) => `${line.map(cell).join(',')}\n`).join('');
}
