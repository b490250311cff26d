/** @file Tails of exports: ONNX nodes behind a model's outputs, for steps that are no tensor code, such as non-maximum suppression. */
import { attribute } from '../../compiler/emit.ts';
import { type DType, dtypes } from '../../ir/dtype.ts';
import { ArgumentError } from '../../ir/errors.ts';
import type { Attrs } from '../../ir/graph.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { tensorToProto } from '../../ir/onnx/attributes.ts';
import type { GraphProto, ValueInfoProto } from '../../ir/onnx/proto.ts';

/** An output of the file. */
export interface TailValue {
  readonly name: string;
  readonly dtype: DType;
  /** Sizes, or names of those that vary; null where unknown. */
  readonly shape: readonly (number | string | null)[];
}

/** A node of ONNX's own operators, in the version that exports are written in (26). */
export interface TailNode {
  readonly opType: string;
  /** Names of outputs of the model, of `constants`, or of values of earlier nodes; '' for an optional one left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Attrs;
}

export interface TailGraph {
  readonly nodes: readonly TailNode[];
  readonly constants?: Readonly<Record<string, NDArray>>;
  /** What the file gives in place of the model's outputs, or besides those that are named here again. */
  readonly outputs: readonly TailValue[];
}

/** Gets the outputs of the exported model, gives what comes behind them. */
export type OnnxTail = (outputs: readonly TailValue[]) => TailGraph;

/** Puts a tail behind a graph's outputs. @throws ArgumentError for names that are taken or unknown. */
export function appendTail(graph: GraphProto, tail: OnnxTail): void {
  const given = graph.output.map(
    ({ name, elemType, shape = [] }): TailValue => ({
      name,
      dtype: (Object.keys(dtypes) as DType[]).find((d) => dtypes[d].onnx === elemType) as DType,
      shape,
    }),
  );
  const { nodes, constants = {}, outputs } = tail(given);
  const known = new Set(
    [...graph.input, ...graph.initializer, ...graph.node.flatMap((n) => n.output.map((name) => ({ name })))].map(
      ({ name }) => name,
    ),
  );
  const define = (name: string) => {
    if (known.has(name))
      throw new ArgumentError(`export tail: '${name}' names two values; the graph has one of that name already`);
    known.add(name);
  };
  for (const [name, value] of Object.entries(constants)) {
    define(name);
    graph.initializer.push(tensorToProto(name, value));
  }
  for (const [i, { opType, inputs, outputs: results, attributes = {} }] of nodes.entries()) {
    const missing = inputs.find((name) => name !== '' && !known.has(name));
    if (missing !== undefined)
      throw new ArgumentError(
        `export tail: node ${i} (${opType}) reads '${missing}', which nothing before it gives; the model's outputs are ${given.map((o) => o.name).join(', ')}`,
      );
    for (const name of results) if (name !== '') define(name);
    graph.node.push({
      opType,
      domain: '',
      name: `tail_${opType}_${i}`,
      input: [...inputs],
      output: [...results],
      attribute: Object.entries(attributes).flatMap(([name, value]) =>
        value === undefined ? [] : [attribute(name, value)],
      ),
    });
  }
  const absent = outputs.find(({ name }) => !known.has(name));
  if (absent) throw new ArgumentError(`export tail: no node gives its output '${absent.name}'`);
  if (outputs.length === 0) throw new ArgumentError('export tail: it has no outputs');
  graph.output = outputs.map(
    ({ name, dtype, shape }): ValueInfoProto => ({ name, elemType: dtypes[dtype].onnx, shape: [...shape] }),
  );
}

export interface NonMaxSuppressionTailOptions {
  /** Output of the model with boxes [batch, n, 4] as x1, y1, x2, y2. Default 'boxes'. */
  boxes?: string;
  /** Output of the model with scores [batch, classes, n]. Default 'scores'. */
  scores?: string;
  /** Of two boxes of a class that overlap by more than this the better stays. Default 0.5. */
  iouThreshold?: number;
  /** Boxes count from above this score. Default 0.05. */
  scoreThreshold?: number;
  /** Boxes of one class and picture, the best. Default 100. */
  maxPerClass?: number;
}

/**
 * Non-maximum suppression inside the file (ONNX's NonMaxSuppression): `boxes` and `scores` of the model become
 * - `detection_boxes` float32 [detections, 4], `detection_scores` float32 [detections],
 * - `detection_classes` int64 [detections], `detection_images` int64 [detections] (which picture of the batch),
 *
 * in order of picture, class, falling score: what `detectionsOf` gives in TypeScript. Other outputs of the model stay.
 *
 * ```ts
 * await exportOnnx(model, 'model.onnx', { inputs: [['batch', 3, 240, 320]], tail: nonMaxSuppressionTail() });
 * ```
 * @throws ArgumentError for thresholds outside of [0, 1]; when exporting, for outputs that are missing or of other shapes.
 */
export function nonMaxSuppressionTail(options: NonMaxSuppressionTailOptions = {}): OnnxTail {
  const { boxes = 'boxes', scores = 'scores', iouThreshold = 0.5, scoreThreshold = 0.05, maxPerClass = 100 } = options;
  for (const [name, value] of Object.entries({ iouThreshold, scoreThreshold }))
    if (!(value >= 0 && value <= 1))
      throw new ArgumentError(`nonMaxSuppressionTail: ${name} must be in [0, 1], found ${value}`);
  if (!Number.isInteger(maxPerClass) || maxPerClass < 1)
    throw new ArgumentError(
      `nonMaxSuppressionTail: maxPerClass must be a whole number of at least 1, found ${maxPerClass}`,
    );
  return (outputs) => {
    for (const [name, layout] of [
      [boxes, '[batch, n, 4]'],
      [scores, '[batch, classes, n]'],
    ]) {
      const found = outputs.find((o) => o.name === name);
      if (found?.shape.length === 3 && found.dtype === 'float32' && (name !== boxes || found.shape[2] === 4)) continue;
      const what = found
        ? `is ${found.dtype} [${found.shape.map((n) => n ?? '?').join(', ')}]`
        : `is missing; the model has ${outputs.map((o) => o.name).join(', ')}`;
      throw new ArgumentError(`nonMaxSuppressionTail: expected an output '${name}' float32 ${layout}, which ${what}`);
    }
    const number = (value: number): NDArray => ({ data: Float32Array.of(value), shape: [1], dtype: 'float32' });
    const ints = (...values: number[]): NDArray => ({
      data: Float64Array.from(values),
      shape: [values.length],
      dtype: 'int64',
    });
    const scalar = (value: number): NDArray => ({ data: Float64Array.of(value), shape: [], dtype: 'int64' });
    return {
      constants: {
        nms_max: ints(maxPerClass),
        nms_iou: number(iouThreshold),
        nms_score: number(scoreThreshold),
        nms_0: scalar(0),
        nms_1: scalar(1),
        nms_image_box: ints(0, 2),
      },
      nodes: [
        // Rows of picture, class, box.
        {
          opType: 'NonMaxSuppression',
          inputs: [boxes, scores, 'nms_max', 'nms_iou', 'nms_score'],
          outputs: ['nms_selected'],
        },
        {
          opType: 'Gather',
          inputs: ['nms_selected', 'nms_image_box'],
          outputs: ['nms_where'],
          attributes: { axis: 1 },
        },
        { opType: 'GatherND', inputs: [boxes, 'nms_where'], outputs: ['detection_boxes'] },
        { opType: 'GatherND', inputs: [scores, 'nms_selected'], outputs: ['detection_scores'] },
        {
          opType: 'Gather',
          inputs: ['nms_selected', 'nms_1'],
          outputs: ['detection_classes'],
          attributes: { axis: 1 },
        },
        { opType: 'Gather', inputs: ['nms_selected', 'nms_0'], outputs: ['detection_images'], attributes: { axis: 1 } },
      ],
      outputs: [
        { name: 'detection_boxes', dtype: 'float32', shape: ['detections', 4] },
        { name: 'detection_scores', dtype: 'float32', shape: ['detections'] },
        { name: 'detection_classes', dtype: 'int64', shape: ['detections'] },
        { name: 'detection_images', dtype: 'int64', shape: ['detections'] },
        ...outputs.filter(({ name }) => name !== boxes && name !== scores),
      ],
    };
  };
}
