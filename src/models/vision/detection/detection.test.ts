/** @file Non-maximum suppression against torchvision; cleaning of boxes; targets; FCOS learns, detects, and exports with its suppression. */
import { readFileSync } from 'node:fs';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { exportOnnx, nonMaxSuppressionTail, type OnnxTail } from '../../../hub/index.ts';
import type { NDArray } from '../../../ir/ndarray.ts';
import { decodeModel } from '../../../ir/onnx/decode.ts';
import { Module } from '../../../nn/index.ts';
import * as optim from '../../../optim/index.ts';
import { compile, fromData, manualSeed, rand, type Tensor } from '../../../tensor/index.ts';
import type { Box } from '../../../train/index.ts';
import { ResNet } from '../resnet.ts';
import { assignTargets, batchedNms, boxOverlap, cleanBoxes, detectionsOf, FCOS, fcosLoss, nms } from './index.ts';

interface Golden {
  readonly cases: readonly {
    readonly boxes: readonly Box[];
    readonly scores: readonly number[];
    readonly labels: readonly number[];
    readonly iouThreshold: number;
    readonly nms: readonly number[];
    readonly batchedNms: readonly number[];
  }[];
}
const path = new URL('../../../../test/golden/detection.json', import.meta.url);
const golden: Golden = JSON.parse(readFileSync(path, 'utf8'));

describe('non-maximum suppression', () => {
  it.each(golden.cases.map((c, i) => [i, c] as const))('keeps what torchvision keeps, case %i', (_, c) => {
    const { boxes, scores, labels, iouThreshold } = c;
    expect(nms(boxes, scores, { iouThreshold })).toEqual(c.nms);
    const kept = batchedNms(boxes, scores, labels, { iouThreshold });
    expect([...kept].sort((a, b) => a - b)).toEqual(c.batchedNms);
    expect(kept.map((i) => scores[i])).toEqual(kept.map((i) => scores[i]).sort((a, b) => b - a));
  });

  it('refuses what cannot be', () => {
    const box: Box = [0, 0, 1, 1];
    expect(() => nms([box], [1, 2])).toThrow('1 boxes, but 2 scores');
    expect(() => nms([box], [Number.NaN])).toThrow('the score or box at 0 is NaN');
    expect(() => nms([box], [1], { iouThreshold: 2 })).toThrow('iouThreshold must be in [0, 1], found 2');
    expect(() => batchedNms([box], [1], [])).toThrow('1 boxes, but 0 classes');
    expect(boxOverlap(box, [1, 0, 2, 1])).toBe(0);
    expect(boxOverlap([0, 0, 2, 1], [1, 0, 3, 1])).toBeCloseTo(1 / 3);
  });
});

it('cuts boxes at the border and leaves out those without area, outside or not finite', () => {
  const boxes: Box[] = [
    [1, 1, 5, 5],
    [-3, 2, 4, 12],
    [4, 4, 4, 8],
    [20, 1, 30, 5],
    [Number.NaN, 0, 1, 1],
  ];
  expect(cleanBoxes({ boxes, labels: [0, 1, 2, 3, 4], ignore: [true, false, true, false, true] }, 10, 10)).toEqual({
    boxes: [
      [1, 1, 5, 5],
      [0, 2, 4, 10],
    ],
    labels: [0, 1],
    ignore: [true, false],
    clipped: 1,
    dropped: 3,
  });
  expect(cleanBoxes({ boxes: [], labels: [] }, 10, 10)).toEqual({ boxes: [], labels: [], clipped: 0, dropped: 0 });
});

describe('targets', () => {
  it('give the middle of an object to it, the smaller of two first, and nothing without objects', () => {
    const { labels, boxes, centerness } = assignTargets(
      {
        boxes: [
          [0, 0, 56, 56],
          [24, 24, 40, 40],
        ],
        labels: [1, 0],
      },
      64,
      64,
    );
    // 8 x 8, 4 x 4 and 2 x 2 locations.
    expect(labels.shape).toEqual([84]);
    expect(boxes.shape).toEqual([84, 4]);
    const middle = 3 * 8 + 3;
    expect(labels.data[middle]).toBe(0);
    expect(Array.from(boxes.data.slice(4 * middle, 4 * middle + 4))).toEqual([24, 24, 40, 40]);
    expect(centerness.data[middle]).toBeCloseTo(4 / 12);
    // (20, 28) lies beside the small box, in the large one and near its middle: left 20, top 28, right 36, bottom 28.
    const beside = 3 * 8 + 2;
    expect(labels.data[beside]).toBe(1);
    expect(centerness.data[beside]).toBeCloseTo(Math.sqrt(20 / 36));
    expect(labels.data[0]).toBe(-1);
    expect(Array.from(assignTargets({ boxes: [], labels: [] }, 64, 64).labels.data).every((v) => v === -1)).toBe(true);
  });

  it('give large objects to coarse maps', () => {
    const { labels } = assignTargets({ boxes: [[0, 0, 256, 256]], labels: [0] }, 256, 256);
    const found = [...labels.data.keys()].filter((i) => labels.data[i] === 0);
    // Sides are about 128 pixels away: beyond the reach of stride 8, at the limit of 16, in that of 32.
    expect(found.every((i) => i >= 32 * 32)).toBe(true);
    expect(found.some((i) => i >= 32 * 32 + 16 * 16)).toBe(true);
    expect(() => assignTargets({ boxes: [[0, 0, 9, 9]], labels: [-1] }, 32, 32)).toThrow('label -1 of box 0');
  });
});

const numbersOf = (tensor: ort.Tensor) => Array.from(tensor.data as ArrayLike<number | bigint>, Number);

/** The file's detections by picture, from plain ONNX Runtime. */
async function runFile(bytes: Uint8Array, x: Tensor) {
  const session = await ort.InferenceSession.create(bytes);
  const input = new ort.Tensor('float32', Float32Array.from(await x.data()), [...x.shape]);
  const results = await session.run({ [session.inputNames[0]]: input });
  await session.release();
  const [boxes, scores, labels, images] = ['boxes', 'scores', 'classes', 'images'].map((n) =>
    numbersOf(results[`detection_${n}`]),
  );
  return Array.from({ length: x.shape[0] }, (_, picture) => {
    const rows = [...images.keys()].filter((i) => images[i] === picture);
    return {
      boxes: rows.map((i) => boxes.slice(4 * i, 4 * i + 4)),
      scores: rows.map((i) => scores[i]),
      labels: rows.map((i) => labels[i]),
    };
  });
}

describe('FCOS', () => {
  it('learns two objects; the file finds what detect finds, for every batch size', { timeout: 120_000 }, async () => {
    manualSeed(3);
    const model = new FCOS({
      numClasses: 2,
      backbone: new ResNet('basic', [1, 1, 1, 1], { width: 8 }),
      width: 16,
      depth: 1,
    });
    const objects = {
      boxes: [
        [8, 8, 32, 36],
        [40, 20, 62, 50],
      ] as Box[],
      labels: [0, 1],
    };
    const targets = assignTargets(objects, 64, 64);
    const pixels = new Float32Array(3 * 64 * 64);
    for (const [k, [x1, y1, x2, y2]] of objects.boxes.entries())
      for (let y = y1; y < y2; y++) for (let x = x1; x < x2; x++) pixels[(k * 64 + y) * 64 + x] = 1;
    const x = fromData(pixels, [1, 3, 64, 64]);
    const one = ({ data, shape, dtype }: NDArray) => fromData(data, [1, ...shape], { dtype });
    const batch = {
      labels: one(targets.labels),
      boxes: one(targets.boxes),
      centerness: one(targets.centerness),
    };
    const optimizer = optim.adamw({ lr: 0.01 })(model.parameters());
    const step = compile(async (input: Tensor, labels: Tensor, boxes: Tensor, centerness: Tensor) => {
      optimizer.zeroGrad();
      const { loss } = fcosLoss(model.forward(input), { labels, boxes, centerness });
      loss.backward();
      await optimizer.step();
      return loss;
    });
    const losses: number[] = [];
    for (let i = 0; i < 60; i++)
      losses.push((await (await step(x, batch.labels, batch.boxes, batch.centerness)).data())[0]);
    expect(losses[59]).toBeLessThan(0.7 * losses[0]);

    const tail = nonMaxSuppressionTail({ scoreThreshold: 0.02, iouThreshold: 0.4, maxPerClass: 7 });
    const bytes = await exportOnnx(model, null, { inputs: [['batch', 3, 64, 64]], tail });
    const { graph } = decodeModel(bytes);
    expect(graph.output.map((o) => [o.name, o.shape])).toEqual([
      ['detection_boxes', ['detections', 4]],
      ['detection_scores', ['detections']],
      ['detection_classes', ['detections']],
      ['detection_images', ['detections']],
    ]);
    for (const size of [1, 3]) {
      const pictures = rand([size, 3, 64, 64]).mul(0.3).add(x);
      const found = await model.detect(pictures, { scoreThreshold: 0.02, iouThreshold: 0.4, maxPerClass: 7 });
      expect(found.some(({ boxes }) => boxes.length > 0)).toBe(true);
      const inFile = await runFile(bytes, pictures);
      for (const [i, { boxes, scores, labels }] of found.entries()) {
        expect(inFile[i].labels).toEqual(labels);
        for (const [k, box] of boxes.entries()) {
          expect(inFile[i].scores[k]).toBeCloseTo(scores[k], 4);
          for (const [side, v] of box.entries()) expect(inFile[i].boxes[k][side]).toBeCloseTo(v, 2);
        }
      }
    }
  });

  it('refuses sizes that cannot be', () => {
    expect(() => new FCOS({ numClasses: 0 })).toThrow('numClasses must be a whole number of at least 1, found 0');
    expect(() => new FCOS({ numClasses: 1, width: 12 })).toThrow('multiple of 8, found 12');
    const backbone = new ResNet('basic', [1, 1, 1, 1], { width: 8, stem: 'small' });
    expect(() => new FCOS({ numClasses: 1, backbone })).toThrow("stem must be 'imagenet'");
    expect(() => new ResNet('basic', [1, 1, 1, 1], { width: 0 })).toThrow('width must be a whole number');
    expect(() => detectionsOf({ data: [], shape: [1, 2, 4] }, { data: [], shape: [1, 1, 3] })).toThrow(
      'found [1, 2, 4] and [1, 1, 3]',
    );
  });
});

/** Gives its two inputs back under the names of a detector. */
class Given extends Module {
  override forward({ b, s }: { b: Tensor; s: Tensor }) {
    return { boxes: b.mul(1), scores: s.mul(1), extra: s.sum() };
  }
}

describe('tails', () => {
  const inputs = { b: ['batch', 12, 4], s: ['batch', 3, 12] } as const;

  it('suppress as the golden cases; no detection at all is an empty list; other outputs stay', async () => {
    const c = golden.cases[2];
    const flat = c.boxes.flat();
    const scores = [...c.scores, ...c.scores.map((v) => 0.9 - v / 2), ...c.scores.map(() => 0)];
    const run = async (scoreThreshold: number) => {
      const tail = nonMaxSuppressionTail({ iouThreshold: c.iouThreshold, scoreThreshold });
      const bytes = await exportOnnx(new Given(), null, { inputs, tail });
      const session = await ort.InferenceSession.create(bytes);
      const results = await session.run({
        b: new ort.Tensor('float32', Float32Array.from(flat), [1, 12, 4]),
        s: new ort.Tensor('float32', Float32Array.from(scores), [1, 3, 12]),
      });
      await session.release();
      return results;
    };
    const results = await run(0);
    const expected = detectionsOf(
      { data: Float32Array.from(flat), shape: [1, 12, 4] },
      { data: Float32Array.from(scores), shape: [1, 3, 12] },
      { iouThreshold: c.iouThreshold, scoreThreshold: 0 },
    )[0];
    expect(numbersOf(results.detection_scores)).toEqual(Array.from(expected.scores));
    expect(numbersOf(results.detection_boxes)).toEqual(expected.boxes.flat());
    expect(numbersOf(results.detection_classes)).toEqual(Array.from(expected.labels));
    expect(results.extra.dims).toEqual([]);
    const none = await run(1);
    expect([none.detection_boxes.dims, none.detection_scores.dims]).toEqual([[0, 4], [0]]);
  });

  it('are refused by name where they do not fit', async () => {
    const exported = async (tail: OnnxTail) => await exportOnnx(new Given(), null, { inputs, tail, verify: false });
    await expect(exported(nonMaxSuppressionTail({ boxes: 'corners' }))).rejects.toThrow(
      "expected an output 'corners' float32 [batch, n, 4], which is missing; the model has boxes, scores, extra",
    );
    await expect(exported(nonMaxSuppressionTail({ boxes: 'extra' }))).rejects.toThrow('which is float32 []');
    const node = { opType: 'Identity', inputs: ['boxes'], outputs: ['copy'] };
    const output = { name: 'copy', dtype: 'float32', shape: ['batch', 12, 4] } as const;
    await expect(exported(() => ({ nodes: [{ ...node, inputs: ['box'] }], outputs: [output] }))).rejects.toThrow(
      "node 0 (Identity) reads 'box', which nothing before it gives; the model's outputs are boxes, scores, extra",
    );
    await expect(exported(() => ({ nodes: [{ ...node, outputs: ['boxes'] }], outputs: [output] }))).rejects.toThrow(
      "'boxes' names two values",
    );
    await expect(exported(() => ({ nodes: [], outputs: [output] }))).rejects.toThrow("no node gives its output 'copy'");
    await expect(exported(() => ({ nodes: [node], outputs: [] }))).rejects.toThrow('it has no outputs');
    expect(() => nonMaxSuppressionTail({ scoreThreshold: -1 })).toThrow('scoreThreshold must be in [0, 1], found -1');
    expect(() => nonMaxSuppressionTail({ maxPerClass: 0 })).toThrow('maxPerClass must be a whole number');
  });
});
