/** @file Overlays: pictures under the colours of their classes, the truth beside the prediction. */
import { writeFile } from 'node:fs/promises';
import type { Logs } from 'gradus';
import { type GridImage, imageGrid, lineChart, overlay, report, showPicture } from 'gradus/plot';
import { classes, colours, type Scene, unlabelled } from './data.ts';

export interface Predicted {
  readonly scene: Scene;
  readonly labels: ArrayLike<number>;
}

export async function drawReport(
  path: string,
  run: { history: readonly Logs[]; perClass: readonly number[]; shown: readonly Predicted[]; subtitle: string },
): Promise<void> {
  const { history, perClass, shown, subtitle } = run;
  const colored = ({ x }: Scene, labels: ArrayLike<number>) => overlay(x, labels, colours, { ignoreIndex: unlabelled });
  const images = shown.flatMap(({ scene, labels }): GridImage[] => [
    { image: scene.x, caption: 'picture' },
    { image: colored(scene, scene.y.data), caption: 'truth' },
    { image: colored(scene, labels), caption: 'prediction' },
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
  const picture = report(rows, { title: 'CamVid: U-Net', subtitle });
  await writeFile(path, picture);
  await showPicture(picture);
}
