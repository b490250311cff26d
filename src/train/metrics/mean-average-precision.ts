/** @file The metric `meanAveragePrecision` of object detection, by the rules of COCO or of Pascal VOC. */
import { ArgumentError, NumericError, ShapeError } from '../../ir/errors.ts';
import { checkChoice, checkInteger, type Metric, packNumbers, unpackNumbers } from './metric.ts';

/** Corners in any one unit, `x1 < x2` and `y1 < y2`; the width is x2 - x1, without the extra pixel of old VOC tools. A box of no or negative size overlaps nothing. */
export type Box = readonly [x1: number, y1: number, x2: number, y2: number];

/** What the model found in one image. */
export interface Detections {
  readonly boxes: readonly Box[];
  readonly scores: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
}

/** What is in one image. */
export interface Objects {
  readonly boxes: readonly Box[];
  readonly labels: ArrayLike<number>;
  /** Objects not counted when found or missed: COCO's crowds (their overlap is measured on the detection alone), VOC's difficult ones. */
  readonly ignore?: ArrayLike<boolean>;
}

export interface MeanAveragePrecisionOptions {
  /**
   * `coco`: mean over 101 recall levels; a detection may take its second best object (pycocotools, all areas).
   * `voc`: area under the precision envelope (VOC from 2010 on); `voc07`: mean over 11 recall levels. Default `coco`.
   */
  readonly rules?: 'coco' | 'voc' | 'voc07';
  /** Overlap from which on an object counts as found. Default 0.5 to 0.95 in steps of 0.05 for `coco`, else 0.5. */
  readonly iou?: number | readonly number[];
  /** Detections counted per image and class, the best. Default 100 for `coco`, all for VOC. */
  readonly maxDetections?: number;
  /** Also give the value of every class, as `mAP/<label>`. Default false. */
  readonly perClass?: boolean;
  /** Names of the classes. Default their indices. */
  readonly labels?: readonly string[];
  readonly name?: string;
}

interface Image {
  readonly boxes: readonly Box[];
  readonly scores: readonly number[];
  readonly objects: readonly { readonly box: Box; readonly ignore: boolean }[];
}

/** An image as plain JSON: four numbers per box; an object is its box and whether it is ignored. */
type PackedImage = { readonly boxes: string; readonly scores: string; readonly objects: string };

const packImage = ({ boxes, scores, objects }: Image): PackedImage => ({
  boxes: packNumbers(boxes.flat()),
  scores: packNumbers(scores),
  objects: packNumbers(objects.flatMap(({ box, ignore }) => [...box, Number(ignore)])),
});

function unpackImage({ boxes, scores, objects }: PackedImage): Image {
  const rows = (text: string, width: number) => {
    const numbers = unpackNumbers(text);
    return Array.from({ length: numbers.length / width }, (_, i) => numbers.subarray(i * width, (i + 1) * width));
  };
  const boxOf = ([x1, y1, x2, y2]: Float64Array): Box => [x1, y1, x2, y2];
  return {
    boxes: rows(boxes, 4).map(boxOf),
    scores: Array.from(unpackNumbers(scores)),
    objects: rows(objects, 5).map((row) => ({ box: boxOf(row), ignore: row[4] !== 0 })),
  };
}

/** A detection after matching: found an object, or not; those on ignored objects are left out before. */
interface Judged {
  readonly score: number;
  readonly hit: boolean;
}

/**
 * Mean average precision over classes that have objects. `update` takes one entry per image. `compute` gives `mAP`, the
 * mean over the overlaps asked for, with `mAP@0.5` and `mAP@0.75` where these are among several; NaN without objects.
 * @throws On update: ShapeError for lists of different length, NumericError for scores or boxes that are NaN.
 */
export function meanAveragePrecision({
  rules = 'coco',
  iou = rules === 'coco' ? Array.from({ length: 10 }, (_, i) => 0.5 + i * ((0.95 - 0.5) / 9)) : 0.5,
  maxDetections = rules === 'coco' ? 100 : Number.MAX_SAFE_INTEGER,
  perClass = false,
  labels,
  name = 'mAP',
}: MeanAveragePrecisionOptions = {}): Metric<
  readonly Detections[],
  readonly Objects[],
  Readonly<Record<string, number>>
> {
  checkChoice(name, 'rules', rules, ['coco', 'voc', 'voc07']);
  checkInteger(name, 'maxDetections', maxDetections, 1);
  const overlaps = typeof iou === 'number' ? [iou] : [...iou];
  if (overlaps.length === 0 || overlaps.some((t) => !(t > 0 && t <= 1)))
    throw new ArgumentError(`metric ${name}: iou ${overlaps}, expected numbers above 0 and up to 1`);
  /** Per class, the images in which it occurs. */
  const classes = new Map<number, Image[]>();
  return {
    name,
    reset: () => classes.clear(),
    stateDict: () => [...classes].map(([label, images]) => ({ label, images: images.map(packImage) })),
    loadStateDict(state) {
      classes.clear();
      for (const { label, images } of state as { label: number; images: PackedImage[] }[])
        classes.set(label, images.map(unpackImage));
    },
    update(outputs, targets) {
      if (outputs.length !== targets.length)
        throw new ShapeError(
          `metric ${name}: detections of ${outputs.length} images, but targets of ${targets.length}`,
        );
      const split = outputs.map((output, i) => splitClasses(name, i, output, targets[i]));
      for (const [label, image] of split.flatMap((each) => [...each])) {
        const images = classes.get(label);
        if (images) images.push(image);
        else classes.set(label, [image]);
      }
    },
    compute() {
      /** Average precision by class and overlap, for classes with objects. */
      const table = new Map<number, number[]>();
      for (const label of [...classes.keys()].sort((a, b) => a - b)) {
        const images = classes.get(label) ?? [];
        const objects = images.reduce((sum, image) => sum + image.objects.filter((o) => !o.ignore).length, 0);
        if (objects === 0) continue;
        const sorted = images.map((image) => sortImage(image, maxDetections, rules === 'coco'));
        table.set(
          label,
          overlaps.map((overlap) => {
            const judged = sorted.flatMap((image) => matchImage(image, overlap, rules === 'coco'));
            return areaUnder(
              judged.sort((a, b) => b.score - a.score),
              objects,
              rules,
            );
          }),
        );
      }
      const mean = (values: number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
      const rows = [...table.values()];
      const out: Record<string, number> = { [name]: mean(rows.map(mean)) };
      if (overlaps.length > 1)
        for (const [t, overlap] of overlaps.entries())
          for (const shown of [0.5, 0.75])
            if (Math.abs(overlap - shown) < 1e-9) out[`${name}@${shown}`] = mean(rows.map((row) => row[t]));
      if (perClass) for (const [label, row] of table) out[`${name}/${labels?.[label] ?? label}`] = mean(row);
      return out;
    },
  };
}

function splitClasses(name: string, index: number, output: Detections, target: Objects): Map<number, Image> {
  const { boxes, scores } = output;
  if (boxes.length !== scores.length || boxes.length !== output.labels.length)
    throw new ShapeError(
      `metric ${name}: image ${index} of the batch has ${boxes.length} boxes, ${scores.length} scores, ${output.labels.length} labels`,
    );
  const ignored = target.ignore?.length ?? target.boxes.length;
  if (target.boxes.length !== target.labels.length || target.boxes.length !== ignored)
    throw new ShapeError(
      `metric ${name}: target ${index} of the batch has ${target.boxes.length} boxes, ${target.labels.length} labels` +
        (target.ignore ? `, ${ignored} flags of ignored ones` : ''),
    );
  const out = new Map<number, { boxes: Box[]; scores: number[]; objects: { box: Box; ignore: boolean }[] }>();
  const imageOf = (label: number) => {
    const image = out.get(label) ?? { boxes: [], scores: [], objects: [] };
    out.set(label, image);
    return image;
  };
  for (const [i, box] of boxes.entries()) {
    if (Number.isNaN(scores[i]) || box.some(Number.isNaN))
      throw new NumericError(`metric ${name}: detection ${i} of image ${index} has a NaN score or box`);
    const image = imageOf(output.labels[i]);
    image.boxes.push(box);
    image.scores.push(scores[i]);
  }
  for (const [i, box] of target.boxes.entries()) {
    if (box.some(Number.isNaN))
      throw new NumericError(`metric ${name}: object ${i} of image ${index} has a NaN in its box`);
    imageOf(target.labels[i]).objects.push({ box, ignore: target.ignore?.[i] ?? false });
  }
  return out;
}

/** The best detections in falling order, and the objects: for COCO with ignored ones last, for VOC as they came. */
function sortImage(image: Image, maxDetections: number, coco: boolean): Image {
  const order = [...image.scores.keys()].sort((a, b) => image.scores[b] - image.scores[a]).slice(0, maxDetections);
  return {
    boxes: order.map((i) => image.boxes[i]),
    scores: order.map((i) => image.scores[i]),
    objects: coco ? image.objects.toSorted((a, b) => Number(a.ignore) - Number(b.ignore)) : image.objects,
  };
}

/** Gives each detection, best first, an object or none. */
function matchImage(image: Image, overlap: number, coco: boolean): Judged[] {
  const taken = new Set<number>();
  const judged: Judged[] = [];
  for (const [d, box] of image.boxes.entries()) {
    const score = image.scores[d];
    let best = coco ? Math.min(overlap, 1 - 1e-10) : overlap;
    let match = -1;
    for (const [o, object] of image.objects.entries()) {
      if (coco && taken.has(o) && !object.ignore) continue;
      if (coco && match >= 0 && object.ignore && !image.objects[match].ignore) break;
      const value = overlapOf(box, object.box, coco && object.ignore);
      // Of equal overlaps COCO's tool takes the last object, VOC's the first.
      if (value < best || (!coco && value === best && match >= 0)) continue;
      best = value;
      match = o;
    }
    if (match < 0) judged.push({ score, hit: false });
    else if (!image.objects[match].ignore) judged.push({ score, hit: !taken.has(match) });
    taken.add(match);
  }
  return judged;
}

function overlapOf(a: Box, b: Box, crowd: boolean): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  const areaOf = (box: Box) => (box[2] - box[0]) * (box[3] - box[1]);
  return shared / (crowd ? areaOf(a) : areaOf(a) + areaOf(b) - shared);
}

/** Average precision of detections in falling order of score. */
function areaUnder(judged: readonly Judged[], objects: number, rules: 'coco' | 'voc' | 'voc07'): number {
  const recall: number[] = [];
  const precision: number[] = [];
  let hits = 0;
  for (const [i, { hit }] of judged.entries()) {
    if (hit) hits++;
    recall.push(hits / objects);
    precision.push(hits / (i + 1));
  }
  for (let i = precision.length - 2; i >= 0; i--) precision[i] = Math.max(precision[i], precision[i + 1]);
  let sum = 0;
  if (rules === 'voc') {
    for (let i = 0; i < recall.length; i++) sum += (recall[i] - (recall[i - 1] ?? 0)) * precision[i];
    return sum;
  }
  const levels = rules === 'coco' ? 101 : 11;
  for (let level = 0, i = 0; level < levels; level++) {
    // COCO's levels are multiples of the float 0.01, VOC's the nearest floats to 0.1, 0.2, ...: it decides at equality.
    const wanted = rules === 'coco' && level < 100 ? level * 0.01 : level / (levels - 1);
    while (i < recall.length && recall[i] < wanted) i++;
    sum += precision[i] ?? 0;
  }
  return sum / levels;
}
