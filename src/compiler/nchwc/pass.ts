/**
 * @file Moves convolutional networks into ONNX Runtime's channel-blocked layout (1.2 to 2 times faster on CPU).
 *
 * Convolutions become blocked ones between reorders; operators that do not care about layout then move above the reorders,
 * so that only the borders (dense layers, weight gradients) reorder at all.
 */
import { type Attrs, type Node, topologicalOrder, type Value } from '../../ir/graph.ts';
import { sameShape } from '../../ir/shape.ts';
import { apply } from '../../ops/define.ts';
import { reshape } from '../../ops/movement.ts';
import { extent } from '../../ops/window.ts';
import { rewrite } from '../rewrite.ts';
import {
  blockedAveragePool,
  blockedConv,
  blockedGlobalAveragePool,
  blockedMaxPool,
  isBlocked,
  reorderInput,
  reorderOutput,
} from './ops.ts';
import { blockedMaxPoolGradient } from './pool-gradient.ts';
import { blockRotatedWeights, blockWeights, padOutputs } from './weights.ts';

type Inputs = readonly (Value | null)[];

const elementwise = new Set(
  'Relu Neg Abs Exp Log Sqrt Sigmoid Tanh HardSigmoid HardSwish LeakyRelu Elu Gelu Erf Clip Reciprocal Softplus Add Sub Mul Div Max Min Pow Where Equal Greater Less Cast'.split(
    ' ',
  ),
);

/** The pass for a block of `block` channels (8 with AVX2, 16 with AVX-512). */
export function toBlockedLayout(outputs: readonly Value[], block: number): Value[] {
  const converted = rewrite(outputs, (node, inputs) => {
    if (node.op.domain === 'gradus') return internalRule(node, inputs, block);
    return node.op.domain === '' ? standardRule(node, inputs, block) : undefined;
  });
  return fuseRelu(converted);
}

const plain = (v: Value): Value => reorderOutput(v, { channels: v.shape[1], channels_last: 0 });
/** The blocked value behind a plain one, reordering if there is none. */
const blocked = (v: Value): Value => reorderInput(v);
const isFeatureMap = (v: Value | null, block: number): v is Value =>
  v !== null && v.rank === 4 && v.dtype === 'float32' && v.shape[1] % block === 0 && v.size > 0;

function convAttrs({ kernel_shape, strides, dilations, pads }: Attrs): Attrs {
  return { kernel_shape, strides, dilations, pads, group: 1 };
}

function internalRule(node: Node, inputs: Inputs, block: number): readonly Value[] | undefined {
  const [a, b, , d] = inputs as readonly Value[];
  if (node.op.type === 'ConvGradInput') return inputGradientRule(a, b, node.attrs, block);
  if (node.op.type === 'MaxPoolGrad') {
    if (!isBlocked(a) || !isFeatureMap(a, block)) return undefined;
    const gradient = blockedMaxPoolGradient(blocked(a), blocked(d), node.attrs, block);
    return gradient && [plain(gradient)];
  }
  return undefined;
}

function inputGradientRule(dy: Value, weight: Value, attrs: Attrs, block: number): readonly Value[] | undefined {
  const {
    strides,
    dilations,
    pads,
    kernel_shape: kernel,
    group,
  } = attrs as Readonly<Record<string, readonly number[]>> & Attrs;
  if (weight.rank !== 4 || group !== 1 || dy.dtype !== 'float32') return undefined;
  if (weight.shape[0] % block || weight.shape[1] % block || strides.some((s) => s !== 1)) return undefined;
  const reach = kernel.map((k, i) => extent(k, dilations[i]) - 1);
  const mirrored = pads.map((p, i) => reach[i % 2] - p);
  if (mirrored.some((p) => p < 0)) return undefined;
  const rotated = blockRotatedWeights(weight, block);
  return [plain(blockedConv(blocked(dy), rotated, { ...convAttrs(attrs), pads: mirrored }))];
}

function standardRule(node: Node, inputs: Inputs, block: number): readonly Value[] | undefined {
  const [x] = inputs;
  if (!x) return undefined;
  const { attrs } = node;
  switch (node.op.type) {
    case 'Conv':
      return convRule(inputs, attrs, block);
    case 'MaxPool':
      // Blocked pools give no indices; MaxPoolGrad's blocked form needs none, and unread indices cost nothing.
      return isBlocked(x) && !attrs.ceil_mode
        ? pooled(node, blockedMaxPool(blocked(x), poolAttrs(attrs)), inputs)
        : undefined;
    case 'AveragePool':
      return isBlocked(x) && !attrs.ceil_mode
        ? [plain(blockedAveragePool(blocked(x), { ...poolAttrs(attrs), count_include_pad: attrs.count_include_pad }))]
        : undefined;
    case 'GlobalAveragePool':
      // [N, C, 1, 1] is the same in both layouts.
      return isBlocked(x) ? [blockedGlobalAveragePool(blocked(x))] : undefined;
    case 'Transpose':
      return transposeRule(x, attrs.perm as readonly number[] | undefined);
    case 'Concat':
      return attrs.axis === 1 && inputs.every((v) => v && isBlocked(v) && isFeatureMap(v, block))
        ? [plain(apply(node.op, (inputs as readonly Value[]).map(blocked), attrs)[0])]
        : undefined;
    default:
      return elementwise.has(node.op.type) ? elementwiseRule(node, inputs, block) : undefined;
  }
}

/** Channels moved last: what a reorder can do on its way out. Weight gradients ask for it with a group axis of 1. */
function transposeRule(x: Value, perm: readonly number[] | undefined): readonly Value[] | undefined {
  if (!perm) return undefined;
  const channelsLast = (v: Value) => reorderOutput(blocked(v), { channels: v.shape[1], channels_last: 1 });
  if (isBlocked(x) && sameShape(perm, [0, 2, 3, 1])) return [channelsLast(x)];
  const inner = x.node?.op.type === 'Reshape' ? x.node.inputs[0] : null;
  if (!inner || !isBlocked(inner) || x.rank !== 5 || x.shape[1] !== 1) return undefined;
  const [batch, channels, ...spatial] = inner.shape;
  if (!sameShape(x.shape, [batch, 1, channels, ...spatial])) return undefined;
  const moved = sameShape(perm, [0, 1, 3, 4, 2]) || sameShape(perm, [1, 0, 3, 4, 2]);
  return moved
    ? [
        reshape(
          channelsLast(inner),
          perm.map((p) => x.shape[p]),
        ),
      ]
    : undefined;
}

/** The blocked pool for the first output; the second stays with the plain pool. */
function pooled(node: Node, y: Value, inputs: Inputs): readonly Value[] {
  return [plain(y), apply(node.op, inputs, node.attrs)[1]];
}

function poolAttrs({ kernel_shape, strides, dilations, pads }: Attrs): Attrs {
  return { kernel_shape, strides, dilations, pads };
}

function convRule(inputs: Inputs, attrs: Attrs, block: number): readonly Value[] | undefined {
  const [x, weight, bias] = inputs as readonly Value[];
  if (x.rank !== 4 || x.dtype !== 'float32' || attrs.group !== 1 || x.size === 0) return undefined;
  const outputs = weight.shape[0];
  const padded = Math.ceil(outputs / block) * block;
  if (padded !== outputs && (!weight.constant || bias)) return undefined;
  const channels = x.shape[1];
  // Few channels go in plainly; numbers between are not supported by the engine.
  const plainInput = channels < block && channels <= 4;
  if (!plainInput && channels % block) return undefined;
  // Weight gradients run as convolutions dilated by the number of channels: no gain from blocking.
  if ((attrs.dilations as readonly number[]).some((d) => d >= block)) return undefined;
  const kernel = blockWeights(padded === outputs ? weight : padOutputs(weight, padded), block, plainInput);
  const y = blockedConv(plainInput ? x : blocked(x), kernel, bias, convAttrs(attrs));
  return [padded === outputs ? plain(y) : reorderOutput(y, { channels: outputs, channels_last: 0 })];
}

/** Elementwise operators act on the blocked memory if every operand is a feature map of the same shape, or a scalar. */
function elementwiseRule(node: Node, inputs: Inputs, block: number): readonly Value[] | undefined {
  const maps = inputs.filter((v) => v && v.size > 1) as Value[];
  const output = node.outputs[0];
  if (!maps.some(isBlocked) || !maps.every((v) => sameShape(v.shape, output.shape))) return undefined;
  // Masks cannot be reordered: they stay where they are computed.
  if (output.dtype !== 'float32' || !maps.every((v) => isFeatureMap(v, block))) return undefined;
  const operands = inputs.map((v) => (v && v.size > 1 ? blocked(v) : v));
  return [plain(apply(node.op, operands, node.attrs)[0])];
}

/** Relu right after a blocked convolution that nobody else reads becomes the convolution's activation. */
function fuseRelu(outputs: readonly Value[]): Value[] {
  const uses = new Map<Value, number>();
  const count = (v: Value | null) => v && uses.set(v, (uses.get(v) ?? 0) + 1);
  for (const v of outputs) count(v);
  for (const node of topologicalOrder(outputs)) for (const v of node.inputs) count(v);
  return rewrite(outputs, (node, inputs) => {
    const conv = inputs[0]?.node;
    if (node.op.type !== 'Relu' || conv?.op !== blockedConv.definition || conv.attrs.activation) return undefined;
    if (uses.get(node.inputs[0] as Value) !== 1) return undefined;
    return apply(conv.op, conv.inputs, { ...conv.attrs, activation: 'Relu' });
  });
}
