/** @file gradus evaluate: how good a kept model is on data with known answers. */
import { heldOut, loadImages, PixelData } from '../data/images.ts';
import type { LabelledData } from '../data/prepared.ts';
import { heldOutRows, loadTable } from '../data/tables.ts';
import { type Kept, openRun } from '../kept.ts';
import { UsageError } from '../problem.ts';
import { formatMetric, type Score, score, showScore } from '../score.ts';
import { count, formatTable, printable, Terminal } from '../terminal.ts';
import { isTextModel } from '../text/record.ts';
import { evaluationBatch } from '../training.ts';
import { requestOfRun } from './train.ts';

export interface EvaluateFlags {
  data?: string;
  text?: string;
  label?: string;
  limit?: number;
  mistakes?: number;
  device: string;
  strict?: boolean;
  json?: boolean;
  quiet?: boolean;
}

export async function evaluate(run: string, flags: EvaluateFlags): Promise<void> {
  const terminal = new Terminal(flags);
  if (await isTextModel(run)) {
    const { evaluateTexts } = await import('../text/evaluate.ts');
    return await evaluateTexts(run, flags, terminal);
  }
  const kept = await openRun(run, flags.device);
  const { data, name } =
    flags.data === undefined ? await ownTest(kept, terminal) : await given(kept, flags.data, flags, terminal);
  const result = await score(kept.model, data, {
    task: kept.record.task,
    classes: kept.info.classes,
    scale: kept.scale,
    batchSize: evaluationBatch(kept.record.options.batchSize),
  });
  terminal.heading(`${run} on ${name} (${count(data.length, 'sample')})`);
  showScore(result, terminal);
  const wrong = mistakesOf(result, data, kept.info.classes, flags.mistakes ?? 0);
  if (wrong.length > 0) {
    terminal.heading(`The most confident of ${count(result.mistakes.length, 'wrong answer')}`);
    terminal.say(
      formatTable(
        ['sample', 'is', 'taken for', 'probability'],
        wrong.map((w) => [
          printable(w.name),
          printable(w.actual, 30),
          printable(w.predicted, 30),
          w.probability.toFixed(3),
        ]),
      ),
    );
  }
  if (flags.json) {
    const { metrics, matrix } = result;
    const mistakes = flags.mistakes === undefined ? {} : { mistakes: wrong };
    process.stdout.write(
      `${JSON.stringify({ run, data: name, samples: data.length, metrics, confusion: matrix ?? null, ...mistakes })}\n`,
    );
  } else if (terminal.quiet)
    process.stdout.write(
      `${Object.entries(result.metrics)
        .map(([key, value]) => `${key} ${formatMetric(value)}`)
        .join(', ')}\n`,
    );
}

function mistakesOf({ mistakes }: Score, data: LabelledData, classes: readonly string[], most: number) {
  return mistakes.slice(0, most).map(({ index, actual, predicted, confidence }) => ({
    name: data.name(index),
    actual: classes[actual],
    predicted: classes[predicted],
    probability: confidence,
  }));
}

/** The test part of the data that the run was trained with. */
async function ownTest({ record }: Kept, terminal: Terminal): Promise<{ data: LabelledData; name: string }> {
  const { preprocess, data: origin } = record;
  const request = { ...requestOfRun(record), task: undefined };
  const data =
    preprocess.kind === 'image'
      ? await heldOut(origin.path, preprocess, request, 'test')
      : await heldOutRows(origin.path, preprocess, request, 'test', terminal);
  if (data === undefined)
    throw new UsageError('the run held out no test data; say --data <path> with samples the model has not seen');
  if (data.length !== origin.test && !(data instanceof PixelData))
    terminal.warn(`${origin.path} has changed since the training: ${data.length} test samples, then ${origin.test}`);
  return { data, name: `the test part of ${origin.path}` };
}

async function given(
  { record }: Kept,
  path: string,
  flags: EvaluateFlags,
  terminal: Terminal,
): Promise<{ data: LabelledData; name: string }> {
  const { preprocess, options } = record;
  const rules = { strict: flags.strict ?? false, limit: flags.limit, seed: options.seed };
  const data =
    preprocess.kind === 'image'
      ? await loadImages(path, preprocess, rules, terminal)
      : await loadTable(path, preprocess, rules, terminal);
  return { data, name: path };
}
