/** @file Boxes as plain numbers: overlap, cleaning of annotations, non-maximum suppression. */
import { ArgumentError, ShapeError } from '../../../ir/errors.ts';
import type { Box, Detections, Objects } from '../../../train/metrics/index.ts';

/** Shared area by joint area; 0 where one of the boxes has no area. */
export function boxOverlap(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (!(width > 0 && height > 0)) return 0;
  const shared = width * height;
  return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared);
}

export interface NmsOptions {
  /** Of two boxes that overlap by more than this the one with the higher score stays. Default 0.5. */
  readonly iouThreshold?: number;
}

/** Indices in falling order of score; of equal scores the first comes first. @throws where lengths differ or scores are NaN. */
function ranked(boxes: readonly Box[], scores: ArrayLike<number>, what: string): number[] {
  if (boxes.length !== scores.length)
    throw new ShapeError(`${what}: ${boxes.length} boxes, but ${scores.length} scores`);
  for (let i = 0; i < scores.length; i++)
    if (Number.isNaN(scores[i]) || boxes[i].some(Number.isNaN))
      throw new ArgumentError(`${what}: the score or box at ${i} is NaN`);
  return [...boxes.keys()].sort((a, b) => scores[b] - scores[a]);
}

/**
 * Non-maximum suppression (torchvision.ops.nms): indices of the boxes that stay, in falling order of score.
 * @throws ArgumentError for a threshold outside of [0, 1] and for NaN; ShapeError for lists of different length.
 */
export function nms(boxes: readonly Box[], scores: ArrayLike<number>, options: NmsOptions = {}): number[] {
  return batchedNms(boxes, scores, new Uint8Array(boxes.length), options);
}

/**
 * Non-maximum suppression within each class (torchvision.ops.batched_nms): boxes of different classes do not suppress each
 * other. Indices of all that stay, in falling order of score.
 * @param classes class of every box. @throws as `nms`.
 */
export function batchedNms(
  boxes: readonly Box[],
  scores: ArrayLike<number>,
  classes: ArrayLike<number>,
  { iouThreshold = 0.5 }: NmsOptions = {},
): number[] {
  if (!(iouThreshold >= 0 && iouThreshold <= 1))
    throw new ArgumentError(`nms: iouThreshold must be in [0, 1], found ${iouThreshold}`);
  if (boxes.length !== classes.length)
    throw new ShapeError(`batchedNms: ${boxes.length} boxes, but ${classes.length} classes`);
  const kept: number[] = [];
  const keptOf = new Map<number, Box[]>();
  for (const i of ranked(boxes, scores, 'nms')) {
    const better = keptOf.get(classes[i]) ?? [];
    if (better.some((box) => boxOverlap(box, boxes[i]) > iouThreshold)) continue;
    keptOf.set(classes[i], [...better, boxes[i]]);
    kept.push(i);
  }
  return kept;
}

/** Annotations that a detector can learn from, and what was done to get them. */
export interface CleanedObjects extends Objects {
  /** Boxes cut at the picture's border. */
  readonly clipped: number;
  /** Boxes left out: without area, wholly outside of the picture, or not finite. */
  readonly dropped: number;
}

/** Cuts boxes at the border of a picture of `width` x `height` and leaves out those of which nothing remains. */
export function cleanBoxes({ boxes, labels, ignore }: Objects, width: number, height: number): CleanedObjects {
  const cut = boxes.map(
    ([x1, y1, x2, y2]): Box => [Math.max(0, x1), Math.max(0, y1), Math.min(width, x2), Math.min(height, y2)],
  );
  const kept = [...boxes.keys()].filter(
    (i) => boxes[i].every(Number.isFinite) && cut[i][2] > cut[i][0] && cut[i][3] > cut[i][1],
  );
  return {
    boxes: kept.map((i) => cut[i]),
    labels: kept.map((i) => labels[i]),
    ...(ignore ? { ignore: kept.map((i) => ignore[i]) } : {}),
    clipped: kept.filter((i) => cut[i].some((v, k) => v !== boxes[i][k])).length,
    dropped: boxes.length - kept.length,
  };
}

export interface DetectionOptions extends NmsOptions {
  /** Boxes count from above this score. Default 0.05. */
  readonly scoreThreshold?: number;
  /** Boxes of one class and picture, the best. Default 100. */
  readonly maxPerClass?: number;
}

/**
 * What a detector found, picture by picture, from its `boxes` [batch, n, 4] and `scores` [batch, classes, n]: the same, in
 * the same order (class, falling score), as `nonMaxSuppressionTail` gives with the same options.
 * @throws ShapeError for other shapes.
 */
export function detectionsOf(
  boxes: { readonly data: ArrayLike<number>; readonly shape: readonly number[] },
  scores: { readonly data: ArrayLike<number>; readonly shape: readonly number[] },
  { iouThreshold = 0.5, scoreThreshold = 0.05, maxPerClass = 100 }: DetectionOptions = {},
): Detections[] {
  const [batch, n, four] = boxes.shape;
  const [pictures, classes, columns] = scores.shape;
  if (boxes.shape.length !== 3 || scores.shape.length !== 3 || four !== 4 || pictures !== batch || columns !== n)
    throw new ShapeError(
      `detectionsOf: expected boxes [batch, n, 4] and scores [batch, classes, n], found [${boxes.shape.join(', ')}] and [${scores.shape.join(', ')}]`,
    );
  return Array.from({ length: batch }, (_, picture) => {
    const found: { boxes: Box[]; scores: number[]; labels: number[] } = { boxes: [], scores: [], labels: [] };
    for (let label = 0; label < classes; label++) {
      const candidates: Box[] = [];
      const points: number[] = [];
      for (let i = 0; i < n; i++) {
        const score = scores.data[(picture * classes + label) * n + i];
        if (!(score > scoreThreshold)) continue;
        const at = 4 * (picture * n + i);
        points.push(score);
        candidates.push([boxes.data[at], boxes.data[at + 1], boxes.data[at + 2], boxes.data[at + 3]]);
      }
      for (const i of nms(candidates, points, { iouThreshold }).slice(0, maxPerClass)) {
        found.boxes.push(candidates[i]);
        found.scores.push(points[i]);
        found.labels.push(label);
      }
    }
    return found;
  });
}
