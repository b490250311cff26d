/** @file Boxes drawn on pictures, the truth beside what was found. */
import { writeFile } from 'node:fs/promises';
import type { Detections, Logs, Objects } from 'gradus';
import { drawBoxes, type GridImage, imageGrid, lineChart, report, showPicture } from 'gradus/plot';
import { classes, type Scene } from './data.ts';

/** Of red cells, white cells, platelets. */
const colours = [
  [214, 39, 40],
  [23, 70, 220],
  [20, 140, 40],
] as const;

/** Detections from a score on, as a picture shows them. */
function confident({ boxes, scores, labels }: Detections, least: number): Pick<Objects, 'boxes' | 'labels'> {
  const kept = [...boxes.keys()].filter((i) => scores[i] >= least);
  return { boxes: kept.map((i) => boxes[i]), labels: kept.map((i) => labels[i]) };
}

export async function drawReport(
  path: string,
  run: {
    history: readonly Logs[];
    scores: Readonly<Record<string, number>>;
    shown: readonly { scene: Scene; found: Detections }[];
    subtitle: string;
  },
): Promise<void> {
  const images = run.shown.flatMap(({ scene, found }): GridImage[] => [
    { image: drawBoxes(scene.image, scene.objects, colours), caption: `${scene.name}: truth` },
    { image: drawBoxes(scene.image, confident(found, 0.3), colours), caption: 'found, score from 0.3' },
  ]);
  const swatches = classes.map(
    (caption, i): GridImage => ({
      image: { data: Uint8Array.from(colours[i].flatMap((v) => [v, v, v, v])), shape: [3, 2, 2], dtype: 'uint8' },
      caption,
      note: `AP ${(run.scores[`mAP/${caption}`] ?? Number.NaN).toFixed(3)}`,
    }),
  );
  const series = ['loss', 'val_loss'].map((name) => ({ name, y: run.history.map((logs) => logs[name]) }));
  const rows = [
    [lineChart({ title: 'Loss', xLabel: 'epoch', series, width: 420, height: 280 })],
    [await imageGrid(images, { columns: 2, size: 320 })],
    [await imageGrid(swatches, { title: 'Average precision at an overlap of 0.5', size: 80 })],
  ];
  const picture = report(rows, { title: 'Blood cells: FCOS', subtitle: run.subtitle });
  await writeFile(path, picture);
  await showPicture(picture);
}
