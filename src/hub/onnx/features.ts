/** @file Where a graph can be cut to give features: the inputs of its last layers, and which nodes a cut needs. */
import { type DType, dtypeFromOnnx } from '../../ir/dtype.ts';
import type { GraphProto, TensorProto } from '../../ir/onnx/proto.ts';
import { allSteps, type Body, type Step } from './program.ts';
import type { LinearUse } from './scope.ts';

/** A value inside of a graph that a head can be put on. */
export interface OnnxFeature {
  readonly name: string;
  readonly dtype: DType | 'unknown';
  /** Sizes and names of dynamic axes, where the file tells them. */
  readonly shape: readonly (number | string | null)[] | undefined;
  /** What reads it on the way to the output: operator and layer. */
  readonly readBy: string;
}

/** How many layers back from every output. */
const depth = 6;
/** Operators that are layers when an operand is a weight. */
const layerTypes = new Set(['MatMul', 'Gemm', 'Conv', 'ConvTranspose', 'LSTM', 'GRU', 'RNN', 'Attention', 'Einsum']);
/** Operators whose later operands are no data. */
const dataFirst = new Set([
  'Gather',
  'Reshape',
  'Expand',
  'Slice',
  'Squeeze',
  'Unsqueeze',
  'Pad',
  'Resize',
  'Clip',
  'Tile',
]);

/**
 * The inputs of the last layers with weights on the way to each output, nearest first: what features are called in transfer
 * learning.
 */
export function findFeatures(
  body: Body,
  graph: GraphProto,
  weights: ReadonlyMap<string, TensorProto>,
  linears: readonly LinearUse[],
): OnnxFeature[] {
  const layers = new Map(linears.flatMap(({ name, steps }) => steps.map((step) => [step, name])));
  const producers = new Map<string, Step>();
  const isMoving = movingValues(body, graph, weights, producers);
  const infos = new Map([...graph.valueInfo, ...graph.input, ...graph.output].map((info) => [info.name, info]));
  const inputs = new Set(graph.input.map(({ name }) => name));
  const found = new Map<string, OnnxFeature>();
  const order = new Map(body.steps.map((step, i) => [step, i]));
  const madeAt = (name: string) => order.get(producers.get(name) as Step) ?? -1;
  for (const output of body.outputs) {
    let name: string | undefined = output;
    for (let passed = 0; name && passed < depth; ) {
      const step = producers.get(name);
      if (!step) break;
      // The operand that is made last: of a residual sum the layers, not the way around them.
      const data: string | undefined = operandsOf(step)
        .filter((n) => isMoving.has(n))
        .reduce<string | undefined>(
          (best, n) => (best === undefined || madeAt(n) > madeAt(best) ? n : best),
          undefined,
        );
      const isLayer = layerTypes.has(step.type) && step.inputs.some((n) => (weights.get(n)?.dims.length ?? 0) >= 2);
      if (isLayer) {
        passed++;
        if (data && !inputs.has(data) && !found.has(data)) {
          const info = infos.get(data);
          const dtype = (info?.elemType !== undefined && dtypeFromOnnx(info.elemType)) || 'unknown';
          found.set(data, {
            name: data,
            dtype,
            shape: info?.shape,
            readBy: `${step.type} ${layers.get(step) ?? step.scope ?? step.name}`,
          });
        }
      }
      name = data;
    }
  }
  return [...found.values()];
}

/** Names whose elements a step works on. */
function operandsOf(step: Step): readonly string[] {
  if (step.bodies.size === 0) return dataFirst.has(step.type) ? step.inputs.slice(0, 1) : step.inputs;
  return [...step.bodies.values()].flatMap((inner) => [...[...allSteps(inner)].flatMap(operandsOf), ...inner.outputs]);
}

/** Values that depend on the inputs' elements. Shapes of them do not count. */
function movingValues(
  body: Body,
  graph: GraphProto,
  weights: ReadonlyMap<string, TensorProto>,
  producers: Map<string, Step>,
): Set<string> {
  const moving = new Set(graph.input.flatMap(({ name }) => (weights.has(name) ? [] : [name])));
  for (const step of body.steps) {
    for (const output of step.outputs) if (output) producers.set(output, step);
    if (step.type === 'Shape' || step.type === 'Size') continue;
    if (step.inputs.some((n) => moving.has(n)) || step.bodies.size)
      for (const output of step.outputs) if (output) moving.add(output);
  }
  return moving;
}

/** The part of a graph that computes certain values; undefined if one of them is not in the graph. */
export function pruned(body: Body, outputs: readonly string[]): Body | undefined {
  const needed = new Set(outputs);
  const made = new Set<string>();
  const steps: Step[] = [];
  for (const step of body.steps.toReversed()) {
    if (!step.outputs.some((name) => needed.has(name))) continue;
    for (const name of step.outputs) made.add(name);
    steps.push(step);
    for (const name of step.inputs) needed.add(name);
    for (const inner of step.bodies.values()) {
      for (const name of inner.outputs) needed.add(name);
      for (const within of allSteps(inner)) for (const name of within.inputs) needed.add(name);
    }
  }
  return outputs.every((name) => made.has(name)) ? { ...body, steps: steps.reverse(), outputs } : undefined;
}
