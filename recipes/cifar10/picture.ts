/** @file Pictures of the recipe: augmented samples, and a report of the run. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type ConfusionMatrix, DataLoader, type Dataset, type Logs, type NDArray } from 'gradus';
import { confusionMatrix, type GridImage, imageGrid, lineChart, report, showPicture, svgToPng } from 'gradus/plot';
import { classes, mean, type Picture, std } from './data.ts';

/** Pixels of 0 to 1 again. */
export function original({ data, shape }: NDArray): NDArray {
  const size = 32 * 32;
  const pixels = Float32Array.from(data, (v, i) => {
    const channel = Math.floor(i / size);
    return Math.min(1, Math.max(0, v * std[channel] + mean[channel]));
  });
  return { data: pixels, shape: [...shape], dtype: 'float32' };
}

async function write(path: string, svg: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, path.endsWith('.png') ? await svgToPng(svg, { scale: 1 }) : svg);
  await showPicture(svg);
}

/** Each row: an image as it is, then as training sees it in the first epochs. */
export async function drawPreview(
  path: string,
  plain: Dataset<Picture>,
  augmented: Dataset<Picture>,
  seed: number,
): Promise<void> {
  const rows: GridImage[][] = [];
  for (let i = 0; i < 8; i++) {
    const { x, y } = await plain.get(i);
    rows.push([{ image: original(x), caption: classes[y] }]);
  }
  const loader = new DataLoader(augmented.take(8), { batchSize: 1, seed, tensors: false });
  for (let epoch = 1; epoch < 8; epoch++) {
    let row = 0;
    for await (const { x } of loader)
      rows[row++].push({ image: original({ ...x, shape: [3, 32, 32] }), caption: `epoch ${epoch}` });
  }
  const title = 'Training images: as they are, and augmented';
  await write(path, await imageGrid(rows.flat(), { title, columns: 8, size: 72 }));
}

export interface Shown {
  readonly x: NDArray;
  readonly y: number;
  readonly predicted: number;
  readonly probability: number;
}

/** Curves, accuracy against time, confusion matrix, sample predictions. */
export async function drawReport(
  path: string,
  run: {
    history: readonly Logs[];
    seconds: readonly number[];
    matrix: ConfusionMatrix;
    samples: readonly Shown[];
    title: string;
    subtitle: string;
  },
): Promise<void> {
  const { history, seconds, matrix, samples, title, subtitle } = run;
  const series = (key: string, name: string, x?: readonly number[]) => ({
    name,
    y: history.map((logs) => logs[key]),
    ...(x ? { x } : {}),
  });
  const loss = lineChart({
    title: 'Loss',
    xLabel: 'epoch',
    series: [series('loss', 'training'), series('val_loss', 'validation')],
  });
  const time = lineChart({
    title: 'Accuracy against time',
    xLabel: 'seconds of training',
    series: [
      series('accuracy', 'training', seconds),
      { ...series('val_accuracy', 'validation', seconds), mark: 'max' },
    ],
  });
  const images = samples.map(
    ({ x, y, predicted, probability }): GridImage => ({
      image: original(x),
      caption: classes[predicted],
      note:
        predicted === y ? `${Math.round(probability * 100)}%` : `${Math.round(probability * 100)}%, is ${classes[y]}`,
      color: predicted === y ? '#16a34a' : '#dc2626',
    }),
  );
  const grid = await imageGrid(images, { title: 'Sample predictions', columns: 8, size: 72 });
  await write(
    path,
    report(
      [
        [loss, time],
        [confusionMatrix(matrix, { title: 'Test set' }), grid],
      ],
      { title, subtitle },
    ),
  );
}
