import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ArgumentError, NumericError, ShapeError } from '../../ir/errors.ts';
import { meanAveragePrecision } from './index.ts';
import type { Detections, MeanAveragePrecisionOptions, Objects } from './mean-average-precision.ts';

const golden: {
  detections: Detections[];
  objects: Objects[];
  coco: { mAP: number; 'mAP@0.5': number; 'mAP@0.75': number; perClass: number[] };
  voc: number;
  voc07: number;
} = JSON.parse(fs.readFileSync('test/golden/metrics.json', 'utf8')).detection;
const vocTies: typeof golden = JSON.parse(fs.readFileSync('test/golden/metrics.json', 'utf8')).vocTies;

function run(options: MeanAveragePrecisionOptions) {
  const metric = meanAveragePrecision(options);
  metric.update(golden.detections.slice(3, 5), golden.objects.slice(3, 5));
  metric.reset();
  metric.update(golden.detections.slice(0, 3), golden.objects.slice(0, 3));
  metric.update(golden.detections.slice(3), golden.objects.slice(3));
  return metric.compute();
}

describe('meanAveragePrecision', () => {
  it('agrees with pycocotools, crowds included', () => {
    const got = run({ perClass: true, labels: ['a', 'b', 'c'] });
    const { perClass, ...want } = golden.coco;
    for (const [key, value] of Object.entries(want)) expect(got[key], key).toBeCloseTo(value, 10);
    for (const [i, label] of ['a', 'b', 'c'].entries()) expect(got[`mAP/${label}`]).toBeCloseTo(perClass[i], 10);
  });

  it('agrees with the rules of Pascal VOC', () => {
    expect(run({ rules: 'voc' }).mAP).toBeCloseTo(golden.voc, 10);
    expect(run({ rules: 'voc07' }).mAP).toBeCloseTo(golden.voc07, 10);
    for (const rules of ['voc', 'voc07'] as const) {
      const metric = meanAveragePrecision({ rules });
      metric.update(vocTies.detections, vocTies.objects);
      expect(metric.compute().mAP, rules).toBeCloseTo(vocTies[rules], 10);
    }
  });

  it('scores exact detections 1, and counts a second detection of an object as false', () => {
    const objects: Objects = { boxes: [[0, 0, 1, 1]], labels: [0] };
    const exact: Detections = { boxes: [[0, 0, 1, 1]], scores: [0.5], labels: [0] };
    const metric = meanAveragePrecision();
    metric.update([exact], [objects]);
    expect(metric.compute()).toEqual({ mAP: 1, 'mAP@0.5': 1, 'mAP@0.75': 1 });
    metric.reset();
    const twice: Detections = {
      boxes: [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
      ],
      scores: [0.5, 0.9],
      labels: [0, 0],
    };
    metric.update(
      [twice, exact],
      [
        objects,
        {
          boxes: [
            [0, 0, 1, 1],
            [5, 5, 9, 9],
          ],
          labels: [0, 0],
        },
      ],
    );
    expect(metric.compute().mAP).toBeCloseTo((34 * 1 + 33 * (2 / 3)) / 101, 10);
  });

  it('gives NaN without objects and refuses broken input', () => {
    const metric = meanAveragePrecision({ iou: 0.5 });
    expect(metric.compute()).toEqual({ mAP: Number.NaN });
    expect(() => metric.update([], [{ boxes: [], labels: [] }])).toThrow(ShapeError);
    expect(() =>
      metric.update([{ boxes: [[0, 0, 1, 1]], scores: [], labels: [0] }], [{ boxes: [], labels: [] }]),
    ).toThrow('metric mAP: image 0 of the batch has 1 boxes, 0 scores, 1 labels');
    expect(() =>
      metric.update([{ boxes: [[0, 0, 1, 1]], scores: [Number.NaN], labels: [0] }], [{ boxes: [], labels: [] }]),
    ).toThrow(NumericError);
    const nothing: Detections = { boxes: [], scores: [], labels: [] };
    expect(() => metric.update([nothing], [{ boxes: [[0, 0, Number.NaN, 1]], labels: [0] }])).toThrow(
      'metric mAP: object 0 of image 0 has a NaN in its box',
    );
    const good: Objects = { boxes: [[0, 0, 1, 1]], labels: [0] };
    expect(() => metric.update([nothing, nothing], [good, { ...good, ignore: [] }])).toThrow(
      'metric mAP: target 1 of the batch has 1 boxes, 1 labels, 0 flags of ignored ones',
    );
    expect(metric.compute(), 'a refused batch leaves nothing behind').toEqual({ mAP: Number.NaN });
    // @ts-expect-error Rules that there are not.
    expect(() => meanAveragePrecision({ rules: 'lvis' })).toThrow("rules 'lvis', expected coco, voc, voc07");
    expect(() => meanAveragePrecision({ iou: 0 })).toThrow(ArgumentError);
    expect(() => meanAveragePrecision({ iou: [] })).toThrow(ArgumentError);
  });
});
