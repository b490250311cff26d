/** @file Operators that ONNX Runtime's WebGPU provider lacks, or computes wrongly, from those that it has. */
import { type Attrs, type Node, topologicalOrder, type Value } from '../../ir/graph.ts';
import { add, sub } from '../../ops/arithmetic.ts';
import { and, equal, not } from '../../ops/compare.ts';
import { conv } from '../../ops/conv.ts';
import { constantInts } from '../../ops/define.ts';
import { exp, log } from '../../ops/elementwise.ts';
import { gatherElements } from '../../ops/gather.ts';
import { concat, expand, ints, reshape, split } from '../../ops/movement.ts';
import { reduceMax, reduceSum } from '../../ops/reduce.ts';
import { rewrite } from '../rewrite.ts';
import { poolWithIndices } from './pool.ts';

/** Operators without a kernel; their definitions know how to do without. */
const absent: ReadonlySet<string> = new Set([
  'AffineGrid',
  'Attention',
  'Celu',
  'Col2Im',
  'FusedMatMul',
  'Hardmax',
  'LRN',
  'LogSoftmax',
  'LpNormalization',
  'LpPool',
  'MaxUnpool',
  'Mean',
  'MeanVarianceNormalization',
  'OneHot',
  'QuantizeLinear',
  'RMSNormalization',
  'ReverseSequence',
  'RotaryEmbedding',
  'Round',
  'ScatterND',
  'Selu',
  'Sign',
  'SimplifiedLayerNormalization',
  'SoftmaxCrossEntropyLoss',
  'Softsign',
  'SpaceToDepth',
  'Sum',
  'TensorScatter',
]);

/** What takes the place of a node, from its inputs; undefined where the node may stay. */
type Lowering = (node: Node, inputs: readonly Value[], isUsed: (v: Value) => boolean) => readonly Value[] | undefined;

const lowerings: Readonly<Record<string, Lowering>> = {
  Or: (_, [a, b]) => [not(and(not(a), not(b)))],
  Xor: (_, [a, b]) => [not(equal(a, b))],
  // The kernel does not subtract the maximum first, and overflows.
  ReduceLogSumExp: ({ attrs }, inputs) => {
    const [x, axes] = inputs;
    const top = reduceMax(x, axes, { ...attrs, keepdims: 1 });
    const sum = reduceSum(exp(sub(x, top)), axes, attrs);
    return [add(log(sum), reshape(top, sum.shape))];
  },
  // Where steps go backwards by more than one, the kernel starts at the wrong element.
  Slice: (_, inputs) => (inputs[4]?.constant?.some((s) => s < -1) ? [sliceByIndices(inputs)] : undefined),
  // In three dimensions the kernel knows no groups.
  Conv: ({ attrs }, inputs) => {
    const group = Number(attrs.group ?? 1);
    return inputs[0].rank === 5 && group > 1 ? [groupByGroup(inputs, attrs, group)] : undefined;
  },
  // The kernel never writes the indices.
  MaxPool: ({ attrs, outputs }, [x], isUsed) => (isUsed(outputs[1]) ? poolWithIndices(x, attrs) : undefined),
  // The kernel refuses batch statistics.
  BatchNormalization: ({ attrs, op }, inputs) =>
    attrs.training_mode === 1 ? (op.decompose?.(inputs, attrs) as readonly Value[]) : undefined,
};

/** A slice of one axis after the other by listed positions; those of Gather would become a Slice again. */
function sliceByIndices([x, starts, ends, axes, steps]: readonly Value[]): Value {
  const along = axes ? constantInts(axes, 'axes') : x.shape.map((_, i) => i);
  const [from, to, by] = [starts, ends, steps].map((v) => constantInts(v, 'the bounds of a slice'));
  return along.reduce((value, axis, i) => {
    const place = axis < 0 ? axis + x.rank : axis;
    const size = x.shape[place];
    const back = by[i] < 0 ? 1 : 0;
    const clamp = (n: number) => Math.min(Math.max(n < 0 ? n + size : n, -back), size - back);
    const [first, last] = [clamp(from[i]), clamp(to[i])];
    const count = Math.max(0, Math.ceil((last - first) / by[i]));
    const indices = ints(Array.from({ length: count }, (_, k) => first + k * by[i]));
    const column = value.shape.map((_, d) => (d === place ? count : 1));
    const everywhere = expand(reshape(indices, column), value.shape.with(place, count));
    return gatherElements(value, everywhere, { axis: place });
  }, x);
}

function groupByGroup([x, w, bias]: readonly Value[], { group: _, ...attrs }: Attrs, group: number): Value {
  const parts = (v: Value, axis: number) => {
    const sizes = Array.from({ length: group }, () => v.shape[axis] / group);
    return split(v, ints(sizes), { axis });
  };
  const [xs, ws] = [parts(x, 1), parts(w, 0)];
  const biases = bias ? parts(bias, 0) : [];
  const ys = xs.map((part, i) => (bias ? conv(part, ws[i], biases[i], attrs) : conv(part, ws[i], attrs)));
  return concat(...ys, { axis: 1 });
}

/** Replaces operators until all that are left have kernels, or are left to the CPU. */
export function toWebGpuOperators(outputs: readonly Value[]): Value[] {
  let current = [...outputs];
  for (;;) {
    let changed = false;
    const used = new Set<Value>(current);
    for (const node of topologicalOrder(current)) for (const v of node.inputs) if (v) used.add(v);
    current = rewrite(current, (node, operands) => {
      const inputs = operands as readonly Value[];
      const { domain, lowered: isNew, type } = node.op;
      const lowered =
        absent.has(type) || domain === 'gradus' || isNew
          ? asList(node.op.decompose?.(inputs, node.attrs))
          : lowerings[type]?.(node, inputs, (v) => used.has(v));
      if (lowered) changed = true;
      return lowered;
    });
    if (!changed) return current;
  }
}

function asList(result: Value | readonly Value[] | undefined): readonly Value[] | undefined {
  return result === undefined || Array.isArray(result) ? (result as readonly Value[] | undefined) : [result as Value];
}
