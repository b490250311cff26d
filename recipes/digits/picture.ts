/** @file One picture of the run: learning curves, confusion matrix, wrong predictions. */
import { writeFile } from 'node:fs/promises';
import type { ConfusionMatrix, Logs, NDArray } from 'gradus';
import { confusionMatrix, type GridImage, imageGrid, lineChart, report, showPicture } from 'gradus/plot';

export interface Mistake {
  readonly image: NDArray;
  readonly actual: number;
  readonly predicted: number;
}

export async function drawRun(
  path: string,
  history: readonly Logs[],
  matrix: ConfusionMatrix,
  mistakes: readonly Mistake[],
  accuracy: number,
): Promise<void> {
  const series = (key: string, name: string) => ({ name, y: history.map((logs) => logs[key]) });
  const curves = [
    lineChart({
      title: 'Loss',
      xLabel: 'epoch',
      series: [series('loss', 'training'), series('val_loss', 'validation')],
    }),
    lineChart({
      title: 'Accuracy',
      xLabel: 'epoch',
      series: [series('accuracy', 'training'), series('val_accuracy', 'validation')],
    }),
  ];
  const wrong: GridImage[] = mistakes.slice(0, 18).map(({ image, actual, predicted }) => ({
    image,
    caption: `is ${actual}`,
    note: `taken for ${predicted}`,
  }));
  const grid = wrong.length ? [await imageGrid(wrong, { title: 'Wrong predictions' })] : [];
  const rows = [curves, [confusionMatrix(matrix, { title: 'Test set' }), ...grid]];
  const picture = report(rows, { title: 'Handwritten digits', subtitle: `test accuracy ${accuracy.toFixed(4)}` });
  await writeFile(path, picture);
  await showPicture(picture);
}
