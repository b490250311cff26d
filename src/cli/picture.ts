/** @file The pictures of a run: report.svg (and .png) with curves, confusion matrix and mistakes; the preview of samples. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random } from '../ir/random.ts';
import { writeFileAtomic } from '../train/files.ts';
import { type Callback, type Logs, type MetricsRecord, readMetrics } from '../train/index.ts';
import {
  canDrawText,
  confusionMatrix,
  type GridImage,
  imageGrid,
  lineChart,
  report,
  showPicture,
  svgToPng,
} from '../train/plot/index.ts';
import type { Augmentation } from './data/augment.ts';
import { PixelData } from './data/images.ts';
import type { LabelledData } from './data/prepared.ts';
import type { Score } from './score.ts';
import { printable, type Terminal } from './terminal.ts';

/** Writes `<name>.svg`, and `<name>.png` where the machine has a font. Returns the names written. */
async function write(folder: string, name: string, svg: string): Promise<string[]> {
  await writeFileAtomic(join(folder, `${name}.svg`), svg);
  if (!(await canDrawText())) return [`${name}.svg`];
  await writeFileAtomic(join(folder, `${name}.png`), await svgToPng(svg, { scale: 1 }));
  return [`${name}.svg`, `${name}.png`];
}

/** Shows `<name>.svg` of a run inside the terminal, where it can. */
export async function showDrawn(folder: string, name: 'report' | 'preview', terminal: Terminal): Promise<void> {
  if (terminal.quiet) return;
  await showPicture(await readFile(join(folder, `${name}.svg`), 'utf8'), { stream: terminal.stream });
}

function curves(history: readonly Logs[], key: string, title: string): string[] {
  const series = [
    { name: 'training', y: history.map((logs) => logs[key] ?? Number.NaN) },
    { name: 'validation', y: history.map((logs) => logs[`val_${key}`] ?? Number.NaN) },
  ].filter(({ y }) => y.some(Number.isFinite));
  return series.length ? [lineChart({ title, xLabel: 'epoch', series })] : [];
}

/** Points of a curve over steps: each is the mean of as many steps. */
const mostPoints = 120;

/** Losses of the steps of a run. */
export interface StepLosses {
  readonly callback: Callback;
  readonly losses: readonly MetricsRecord[];
}

/** Collects the loss of every step; metrics.jsonl has some of them only. */
export function stepLosses(): StepLosses {
  const losses: MetricsRecord[] = [];
  const callback: Callback = {
    name: 'stepLosses',
    onStepEnd({ step }, { loss }) {
      losses.push({ step, loss, phase: 'step' });
    },
  };
  return { callback, losses };
}

/** The loss over the steps of a run of one epoch, of which a curve over epochs would be one point. */
async function lossOverSteps(folder: string, losses: readonly MetricsRecord[]): Promise<string[]> {
  const records = await readMetrics(join(folder, 'metrics.jsonl'));
  // What came before the run was resumed.
  const first = losses[0]?.step ?? Number.POSITIVE_INFINITY;
  const steps = [...records.filter(({ phase, step }) => phase === 'step' && step < first), ...losses];
  if (steps.length < 2) return [];
  const size = Math.ceil(steps.length / mostPoints);
  const bins = Array.from({ length: Math.ceil(steps.length / size) }, (_, i) => steps.slice(i * size, (i + 1) * size));
  const mean = (bin: typeof steps) => bin.reduce((sum, { loss }) => sum + Number(loss), 0) / bin.length;
  const training = { name: 'training', x: bins.map((bin) => bin[bin.length - 1].step), y: bins.map(mean) };
  const judged = records.filter(({ phase, val_loss: loss }) => phase === 'epoch' && typeof loss === 'number');
  const validation = {
    name: 'validation',
    x: judged.map(({ step }) => step),
    y: judged.map((r) => Number(r.val_loss)),
  };
  const title = size > 1 ? `Loss (means of ${size} steps)` : 'Loss';
  return [
    lineChart({ title, xLabel: 'step', width: 960, series: judged.length ? [training, validation] : [training] }),
  ];
}

/** Draws the report of a run. */
export async function drawReport(
  folder: string,
  {
    title,
    part,
    history,
    steps = [],
    data,
    score,
    classes,
  }: {
    title: string;
    /** 'test' or 'validation'. */
    part: string;
    history: readonly Logs[];
    /** Losses of the steps, for a run of one epoch. */
    steps?: readonly MetricsRecord[];
    data: Pick<LabelledData, 'labels'>;
    score: Score;
    classes: readonly string[];
  },
): Promise<string[]> {
  const overSteps = history.length === 1 ? await lossOverSteps(folder, steps) : [];
  const rows: string[][] = [
    overSteps.length
      ? overSteps
      : [
          ...curves(history, 'loss', 'Loss'),
          ...curves(
            history,
            classes.length ? 'accuracy' : 'rmse',
            classes.length ? 'Accuracy' : 'Root mean square error',
          ),
        ],
  ];
  const judged: string[] = [];
  if (score.matrix && score.matrix.labels.length <= 100)
    judged.push(
      confusionMatrix(score.matrix, {
        title: `Confusion matrix (${part})`,
        // Few classes make a matrix that is narrower than its title.
        ...(classes.length < 6 ? { width: 320, height: 300 } : {}),
      }),
    );
  if (data instanceof PixelData && score.mistakes.length) judged.push(await mistakes(data, score, classes));
  if (classes.length <= 12) rows.push(judged);
  else rows.push(...judged.map((svg) => [svg]));
  if (!score.matrix) rows.push([ranked(score, data.labels, part)]);
  const subtitle = Object.entries(score.metrics)
    .map(([name, value]) => `${part} ${name} ${Number(value.toPrecision(4))}`)
    .join(', ');
  return await write(
    folder,
    'report',
    report(
      rows.filter((row) => row.length > 0),
      { title: printable(title), subtitle },
    ),
  );
}

async function mistakes(data: PixelData, { mistakes }: Score, classes: readonly string[]): Promise<string> {
  const images = mistakes.slice(0, 18).map(({ index, actual, predicted, confidence }): GridImage => {
    const { channels, height, width } = data.code;
    return {
      image: { data: data.pixels(index), shape: [channels, height, width], dtype: 'uint8' },
      caption: `is ${printable(classes[actual], 20)}, said`,
      note: `${Math.round(confidence * 100)} % ${printable(classes[predicted], 20)}`,
    };
  });
  return await imageGrid(images, {
    title: `Wrong answers, the most confident first (${images.length} of ${mistakes.length})`,
  });
}

/** Predictions beside the true numbers, in the order of the true numbers. */
function ranked({ outputs }: Score, labels: ArrayLike<number>, part: string): string {
  const order = Array.from(labels, (_, i) => i).sort((a, b) => labels[a] - labels[b]);
  const step = Math.max(1, Math.floor(order.length / 400));
  const shown = order.filter((_, i) => i % step === 0);
  return lineChart({
    title: `Predictions in the order of the true values (${part})`,
    xLabel: 'sample',
    width: 960,
    series: [
      { name: 'predicted', y: shown.map((i) => outputs.data[i]) },
      { name: 'true', y: shown.map((i) => labels[i]) },
    ],
  });
}

/** Draws training samples as the model sees them: each with four random changes. */
export async function drawPreview(
  folder: string,
  data: PixelData,
  names: readonly Augmentation[],
  seed: number,
): Promise<string[]> {
  const { channels, height, width, classes } = data.code;
  const random = new Random(seed).fork('preview');
  const chosen = random.permutation(data.length).slice(0, 6);
  const images: GridImage[] = [];
  for (const index of chosen) {
    const caption = printable(classes[data.labels[index]], 20);
    images.push({
      image: { data: data.pixels(index), shape: [channels, height, width], dtype: 'uint8' },
      caption,
      note: 'as it is',
    });
    for (let k = 0; k < 5; k++)
      images.push({
        image: names.length ? data.augmented(index, names, random.fork(index, k)) : data.augmented(index, [], random),
        caption,
        note: names.length ? names.join(', ') : 'no augmentation',
      });
  }
  return await write(
    folder,
    'preview',
    await imageGrid(images, { title: 'Training samples as the model sees them', columns: 6 }),
  );
}
