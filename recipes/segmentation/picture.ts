/** @file Overlays: pictures under the colours of their classes, the truth beside the prediction. */
import { writeFile } from 'node:fs/promises';
import type { Logs, NDArray } from 'gradus';
import { type GridImage, imageGrid, lineChart, report } from 'gradus/plot';
import { classes, colours, type Scene, unlabelled } from './data.ts';

/** The picture, mixed with the colours of the labels; what is not labelled stays as it is. */
export function overlay({ x }: Scene, labels: ArrayLike<number>, share = 0.6): NDArray {
  const [, height, width] = x.shape;
  const size = height * width;
  const data = new Float32Array(3 * size);
  for (let p = 0; p < size; p++)
    for (let c = 0; c < 3; c++) {
      const mixed = labels[p] === unlabelled ? 0 : share;
      data[c * size + p] = (1 - mixed) * x.data[c * size + p] + (mixed * colours[labels[p]][c]) / 255;
    }
  return { data, shape: [3, height, width], dtype: 'float32' };
}

export interface Predicted {
  readonly scene: Scene;
  readonly labels: ArrayLike<number>;
}

export async function drawReport(
  path: string,
  run: { history: readonly Logs[]; perClass: readonly number[]; shown: readonly Predicted[]; subtitle: string },
): Promise<void> {
  const { history, perClass, shown, subtitle } = run;
  const images = shown.flatMap(({ scene, labels }): GridImage[] => [
    { image: scene.x, caption: 'picture' },
    { image: overlay(scene, scene.y.data), caption: 'truth' },
    { image: overlay(scene, labels), caption: 'prediction' },
  ]);
  const swatches = classes.map(
    (caption, i): GridImage => ({
      image: { data: Uint8Array.from(colours[i].flatMap((v) => [v, v, v, v])), shape: [3, 2, 2], dtype: 'uint8' },
      caption,
      note: perClass[i].toFixed(3),
    }),
  );
  const series = ['loss', 'val_loss'].map((name) => ({ name, y: history.map((logs) => logs[name]) }));
  const score = [{ name: 'val_mean_iou', y: history.map((logs) => logs.val_mean_iou), mark: 'max' as const }];
  const rows = [
    [
      lineChart({ title: 'Loss', xLabel: 'epoch', series, width: 380, height: 280 }),
      lineChart({ title: 'Mean IoU, validation', xLabel: 'epoch', series: score, width: 380, height: 280 }),
    ],
    [await imageGrid(images, { columns: 3, size: 240 })],
    [await imageGrid(swatches, { title: 'Classes and their IoU on the test set', columns: 11, size: 54 })],
  ];
  await writeFile(path, report(rows, { title: 'CamVid: U-Net', subtitle }));
}
