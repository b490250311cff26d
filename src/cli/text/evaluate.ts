/** @file gradus evaluate for text classifiers: runs, and folders of models from elsewhere. */
import { TextClassifier } from '../../models/index.ts';
import { setDevice } from '../../runtime/device.ts';
import type { EvaluateFlags } from '../commands/evaluate.ts';
import { UsageError } from '../problem.ts';
import { isThere } from '../run-folder.ts';
import { formatMetric, showScore } from '../score.ts';
import { count, formatTable, printable, type Terminal } from '../terminal.ts';
import { encodePart, loadTexts, prepareTexts, type TextPart } from './data.ts';
import { readTextRun } from './record.ts';
import { judge } from './training.ts';

/** Opens the classifier of a folder. @throws UsageError where its training has not finished. */
export async function openClassifier(folder: string, device: string): Promise<TextClassifier> {
  if (!(await isThere(`${folder}/model.safetensors`)) && (await isThere(`${folder}/run.json`)))
    throw new UsageError(
      `${folder} has no model yet: its training has not finished; go on with: npx gradus train --resume --out ${folder}`,
    );
  setDevice(device);
  return await TextClassifier.fromPretrained(folder);
}

/** Runs the command. */
export async function evaluateTexts(run: string, flags: EvaluateFlags, terminal: Terminal): Promise<void> {
  const classifier = await openClassifier(run, flags.device);
  const part = flags.data === undefined ? await ownTest(run, terminal) : await given(run, flags, classifier, terminal);
  const data = await encodePart(part, classifier.tokenizer, classifier.maxLength);
  const { labels: classes } = classifier;
  const score = await judge(classifier, data, classes, terminal);
  const name = flags.data ?? `the test part of its data`;
  terminal.heading(`${run} on ${name} (${count(data.length, 'text')})`);
  showScore(score, terminal);
  const wrong = score.mistakes.slice(0, flags.mistakes ?? 0).map(({ index, actual, predicted, confidence }) => ({
    row: part.rows[index] + 1,
    text: part.texts[index],
    actual: classes[actual],
    predicted: classes[predicted],
    probability: confidence,
  }));
  if (wrong.length > 0) {
    terminal.heading(`The most confident of ${count(score.mistakes.length, 'wrong answer')}`);
    const rows = wrong.map((w) => [w.row, w.actual, w.predicted, w.probability.toFixed(3), printable(w.text, 60)]);
    terminal.say(formatTable(['row', 'is', 'taken for', 'probability', 'text'], rows));
  }
  if (flags.json) {
    const { metrics, matrix } = score;
    const mistakes = flags.mistakes === undefined ? {} : { mistakes: wrong };
    process.stdout.write(
      `${JSON.stringify({ run, data: name, samples: data.length, metrics, confusion: matrix ?? null, ...mistakes })}\n`,
    );
  } else if (terminal.quiet)
    process.stdout.write(
      `${Object.entries(score.metrics)
        .map(([key, value]) => `${key} ${formatMetric(value)}`)
        .join(', ')}\n`,
    );
}

/** The test part of the data that the run was trained with. */
async function ownTest(run: string, terminal: Terminal): Promise<TextPart> {
  if (!(await isThere(`${run}/run.json`)))
    throw new UsageError(`${run} was not trained by gradus train; say --data <table> with texts and labels`);
  const { data, options, classes } = await readTextRun(run);
  const { val, test, limit } = options;
  const request = { ...data, ...options, config: data.config, labels: classes };
  const parts = await prepareTexts(
    { ...request, val: val ?? undefined, test: test ?? undefined, limit: limit ?? undefined },
    terminal,
  );
  if (!parts.test)
    throw new UsageError('the run held out no test texts; say --data <table> with texts the model has not seen');
  if (parts.sha256 !== data.sha256) terminal.warn(`${data.path} has changed since the training`);
  return parts.test;
}

/** Texts that --data names; columns as in training where nothing else is said. */
async function given(run: string, flags: EvaluateFlags, { labels }: TextClassifier, terminal: Terminal) {
  const { data = '', text, label, limit, strict = false } = flags;
  const record = (await isThere(`${run}/run.json`)) ? await readTextRun(run) : undefined;
  const seed = record?.options.seed ?? 0;
  const asked = { text, label };
  return await loadTexts(data, labels, { ...asked, usual: record?.data }, { strict, seed, limit }, terminal);
}
