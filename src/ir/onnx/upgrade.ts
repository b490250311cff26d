/** @file Nodes of older operator sets rewritten into the forms of the newest one. */
import { FormatError, UnsupportedError } from '../errors.ts';
import { toRaw } from './elements.ts';
import { type AttributeProto, AttributeType, type NodeProto, type TensorProto } from './proto.ts';

/** The oldest and newest operator sets of ai.onnx that can be read. */
export const oldestOpset = 7;
export const newestOpset = 26;

/**
 * Refuses operator sets that cannot be read.
 * @throws UnsupportedError with what to do.
 */
export function checkOpset(version: number): void {
  if (version < oldestOpset)
    throw new UnsupportedError(
      `the model uses operator set ${version}; Gradus reads ${oldestOpset} to ${newestOpset}. Convert it with onnx.version_converter.convert_version(model, 17), or export it again`,
    );
  if (version > newestOpset)
    throw new UnsupportedError(
      `the model uses operator set ${version}, newer than ONNX Runtime's and Gradus's newest, ${newestOpset}. Export it with opset_version=${newestOpset} or lower, or upgrade Gradus`,
    );
}

/** What a rule works with: names that are unique in the model, and nodes to put in front of the upgraded one. */
class Rewriter {
  readonly before: NodeProto[] = [];
  readonly node: NodeProto;
  readonly #fresh: () => string;

  constructor(node: NodeProto, fresh: () => string) {
    this.node = node;
    this.#fresh = fresh;
  }

  attribute(name: string): AttributeProto | undefined {
    return this.node.attribute.find((a) => a.name === name);
  }

  /** Adds a node in front. @returns the name of its output. */
  add(opType: string, input: string[], attribute: AttributeProto[] = []): string {
    const output = this.#fresh();
    this.before.push(makeNode(this.node, opType, input, [output], attribute));
    return output;
  }

  ints(values: readonly number[], isScalar = false): string {
    const t = { name: '', dims: isScalar ? [] : [values.length], dataType: 7, rawData: raw('int64', values) };
    return this.#constant(t);
  }

  floats(values: readonly number[], isScalar = false): string {
    const t = { name: '', dims: isScalar ? [] : [values.length], dataType: 1, rawData: raw('float32', values) };
    return this.#constant(t);
  }

  /** Float constants of the dtype that the node's data has. */
  like(x: string, values: readonly number[], isScalar = false): string {
    return this.add('CastLike', [this.floats(values, isScalar), x]);
  }

  fresh(): string {
    return this.#fresh();
  }

  #constant(t: TensorProto): string {
    return this.add('Constant', [], [{ name: 'value', type: AttributeType.TENSOR, t }]);
  }
}

const raw = (dtype: 'int64' | 'float32', values: readonly number[]) =>
  toRaw(dtype, dtype === 'int64' ? Float64Array.from(values) : Float32Array.from(values));

function makeNode(
  like: NodeProto,
  opType: string,
  input: string[],
  output: string[],
  attribute: AttributeProto[],
): NodeProto {
  return { opType, domain: '', name: like.name, input, output, attribute };
}

/** Gives the nodes that stand for `w.node`, after those in `w.before`; undefined leaves it as it is. */
type Rule = (w: Rewriter) => NodeProto[] | undefined;

const without = (node: NodeProto, ...names: string[]) => node.attribute.filter((a) => !names.includes(a.name));

/** Input i, '' where absent, so that later inputs can follow. */
const inputs = (node: NodeProto, count: number) => Array.from({ length: count }, (_, i) => node.input[i] ?? '');

const intAttribute = (name: string, i: number): AttributeProto => ({ name, type: AttributeType.INT, i });

/** An attribute of integers that became input `position`. */
const intsToInput =
  (name: string, position: number): Rule =>
  (w) => {
    const values = w.attribute(name)?.ints;
    if (!values) return undefined;
    const input = inputs(w.node, position);
    return [{ ...w.node, input: [...input, w.ints(values)], attribute: without(w.node, name) }];
  };

/** Softmax and its like worked on the input flattened to two dimensions at `axis` (1 by default). */
const flattened: Rule = (w) => {
  const axis = w.attribute('axis')?.i ?? 1;
  const last = intAttribute('axis', -1);
  if (axis === -1) return undefined;
  const [x] = w.node.input;
  const shape = w.add('Shape', [x]);
  const flat = w.add('Flatten', [x], [intAttribute('axis', axis)]);
  const y = w.add(w.node.opType, [flat], [...without(w.node, 'axis'), last]);
  return [makeNode(w.node, 'Reshape', [y, shape], w.node.output, [])];
};

const slice: Rule = (w) => {
  const starts = w.attribute('starts')?.ints;
  const ends = w.attribute('ends')?.ints;
  if (!starts || !ends) return undefined;
  const axes = w.attribute('axes')?.ints ?? starts.map((_, i) => i);
  const input = [w.node.input[0], w.ints(starts), w.ints(ends), w.ints(axes)];
  return [{ ...w.node, input, attribute: without(w.node, 'starts', 'ends', 'axes') }];
};

const pad: Rule = (w) => {
  const pads = w.attribute('pads')?.ints;
  if (!pads) return undefined;
  const [x] = w.node.input;
  const value = w.attribute('value')?.f;
  const input = [x, w.ints(pads), ...(value ? [w.like(x, [value], true)] : [])];
  return [{ ...w.node, input, attribute: without(w.node, 'pads', 'value') }];
};

const clip: Rule = (w) => {
  const [x] = w.node.input;
  const bound = (name: string) => {
    const f = w.attribute(name)?.f;
    return f === undefined ? '' : w.like(x, [f], true);
  };
  return [{ ...w.node, input: [x, bound('min'), bound('max')], attribute: without(w.node, 'min', 'max') }];
};

const dropout: Rule = (w) => {
  const ratio = w.attribute('ratio')?.f ?? 0.5;
  // Before version 12 there was no training mode at all: exported files drop nothing.
  return [{ ...w.node, input: [w.node.input[0], w.floats([ratio], true)], attribute: without(w.node, 'ratio') }];
};

const topK: Rule = (w) => {
  const k = w.attribute('k')?.i;
  if (k === undefined) return undefined;
  return [{ ...w.node, input: [w.node.input[0], w.ints([k])], attribute: without(w.node, 'k') }];
};

const split: Rule = (w) => {
  const sized = intsToInput('split', 1)(w);
  return sized ?? undefined;
};

/** Without sizes, the number of parts was that of the outputs. */
const splitCount: Rule = (w) =>
  w.node.input[1] || w.attribute('num_outputs')
    ? undefined
    : [{ ...w.node, attribute: [...w.node.attribute, intAttribute('num_outputs', w.node.output.length)] }];

const asymmetric = (w: Rewriter): AttributeProto[] => {
  const mode = w.attribute('mode')?.s ?? 'nearest';
  return [
    { name: 'mode', type: AttributeType.STRING, s: mode === 'bilinear' ? 'linear' : mode },
    { name: 'coordinate_transformation_mode', type: AttributeType.STRING, s: 'asymmetric' },
    { name: 'nearest_mode', type: AttributeType.STRING, s: 'floor' },
  ];
};

const upsample: Rule = (w) => {
  const scales = w.attribute('scales')?.floats;
  const given = scales ? w.floats(scales) : w.node.input[1];
  return [makeNode(w.node, 'Resize', [w.node.input[0], '', given], w.node.output, asymmetric(w))];
};

const resize: Rule = (w) => [
  makeNode(w.node, 'Resize', [w.node.input[0], '', w.node.input[1]], w.node.output, asymmetric(w)),
];

const batchNormalization: Rule = (w) => {
  if (w.attribute('spatial')?.i === 0)
    throw new UnsupportedError(
      `node '${w.node.name}': BatchNormalization with spatial=0 (statistics per element) was dropped from ONNX; export the model with opset 9 or newer`,
    );
  // Further outputs meant training; those after the running statistics (saved ones) were hints for a gradient.
  const isTraining = w.node.output.slice(1).some((name) => name !== '');
  const attribute = without(w.node, 'spatial', 'is_test', 'consumed_inputs');
  if (!isTraining) return [{ ...w.node, output: w.node.output.slice(0, 1), attribute }];
  return [
    { ...w.node, output: w.node.output.slice(0, 3), attribute: [...attribute, intAttribute('training_mode', 1)] },
  ];
};

/** Scale and bias had one entry per group; now they have one per channel. */
const groupNormalization: Rule = (w) => {
  const [x, scale, bias] = w.node.input;
  const groups = w.attribute('num_groups')?.i ?? 1;
  const channels = w.add('Shape', [x], [intAttribute('start', 1), intAttribute('end', 2)]);
  const each = w.add('Div', [channels, w.ints([groups])]);
  const target = w.add('Concat', [w.ints([groups]), each], [intAttribute('axis', 0)]);
  const perChannel = (name: string) => {
    const column = w.add('Reshape', [name, w.ints([groups, 1])]);
    return w.add('Reshape', [w.add('Expand', [column, target]), w.ints([-1])]);
  };
  return [{ ...w.node, input: [x, perChannel(scale), perChannel(bias)] }];
};

const gridSample: Rule = (w) => {
  const mode = w.attribute('mode')?.s;
  const s = mode === 'bilinear' ? 'linear' : mode === 'bicubic' ? 'cubic' : mode;
  if (s === mode || s === undefined) return undefined;
  return [{ ...w.node, attribute: [...without(w.node, 'mode'), { name: 'mode', type: AttributeType.STRING, s }] }];
};

const dft: Rule = (w) => {
  const axis = w.ints([w.attribute('axis')?.i ?? 1], true);
  return [{ ...w.node, input: [...inputs(w.node, 2), axis], attribute: without(w.node, 'axis') }];
};

const scatter: Rule = (w) => [{ ...w.node, opType: 'ScatterElements' }];

const refuse =
  (what: string): Rule =>
  (w) => {
    throw new UnsupportedError(`node '${w.node.name}' (${w.node.opType}): ${what}`);
  };

/** By operator: rules that hold for operator sets below a version, oldest first. */
const rules = new Map<string, [below: number, rule: Rule][]>();
const declare = (ops: string, below: number, rule: Rule) => {
  for (const op of ops.split(' ')) {
    const list = rules.get(op) ?? [];
    list.push([below, rule]);
    rules.set(op, list);
  }
};
declare('Squeeze Unsqueeze ReduceSum', 13, intsToInput('axes', 1));
declare(
  'ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare',
  18,
  intsToInput('axes', 1),
);
declare('Softmax LogSoftmax Hardmax', 13, flattened);
declare('Slice', 10, slice);
declare('Pad', 11, pad);
declare('Clip', 11, clip);
declare('Dropout', 12, dropout);
declare('TopK', 10, topK);
declare('Split', 13, split);
declare('Split', 18, splitCount);
declare('Upsample', newestOpset + 1, upsample);
declare('Resize', 11, resize);
declare('BatchNormalization', 14, batchNormalization);
declare('GroupNormalization', 21, groupNormalization);
declare('GridSample', 20, gridSample);
declare('DFT', 20, dft);
declare('Scatter', newestOpset + 1, scatter);
declare('Scan', 9, refuse('its form before operator set 9 cannot be read'));

/**
 * A node of ai.onnx operator set `opset` as nodes of the newest one, in order; the last one makes the node's outputs.
 * @param fresh gives a name that nothing in the graph has.
 * @throws UnsupportedError for forms that have no counterpart, FormatError for nodes that lack what their form needs.
 */
export function upgradeNode(node: NodeProto, opset: number, fresh: () => string): NodeProto[] {
  const list = rules.get(node.opType);
  if (!list || (node.domain !== '' && node.domain !== 'ai.onnx')) return [node];
  let current = node;
  const before: NodeProto[] = [];
  for (const [below, rule] of list) {
    if (opset >= below) continue;
    const rewriter = new Rewriter(current, fresh);
    const result = rule(rewriter);
    if (!result) continue;
    const last = result[result.length - 1];
    before.push(...rewriter.before, ...result.slice(0, -1));
    if (last.input[0] === undefined)
      throw new FormatError(`ONNX file: node '${node.name}' (${node.opType}) lacks its first input`);
    current = last;
  }
  return [...before, current];
}
