/**
 * @file ONNX Runtime's channel-blocked operators (domain com.microsoft.nchwc, native CPU only).
 *
 * A blocked tensor is declared with its plain shape [batch, channels, height, width] but lies in memory as
 * [batch, channels / B, height, width, B]. The engine does not check: output channels that are no multiple of B crash it,
 * so only the pass in this folder builds these nodes, and exported files never contain them.
 */
import type { Attrs, Value } from '../../ir/graph.ts';
import { defineOp, type } from '../../ops/define.ts';
import { slidingWindows } from '../../ops/window.ts';

const domain = 'com.microsoft.nchwc';
const attribute = (attrs: Attrs, name: string) => attrs[name] as readonly number[];

/** Plain to blocked; with `channels_last: 1` from [batch, height, width, channels]. */
export const reorderInput = defineOp('ReorderInput', {
  domain,
  infer: ([x], attrs) => {
    const [batch, ...rest] = x.shape;
    return type(x.dtype, attrs.channels_last ? [batch, rest[rest.length - 1], ...rest.slice(0, -1)] : x.shape);
  },
  simplify: ([x]) => (isBlocked(x) && x.node?.inputs[0] ? x.node.inputs[0] : undefined),
  gradient: 'unsupported',
});

/** Blocked to plain; with `channels_last: 1` to [batch, height, width, channels]. */
export const reorderOutput = defineOp('ReorderOutput', {
  domain,
  infer: ([x], attrs) => {
    const [batch, , ...spatial] = x.shape;
    const channels = attrs.channels as number;
    return type(x.dtype, attrs.channels_last ? [batch, ...spatial, channels] : [batch, channels, ...spatial]);
  },
  gradient: 'unsupported',
});

/** Whether a value is plain only at its surface: reordered from a blocked one. */
export function isBlocked(v: Value): boolean {
  const { node } = v;
  return node?.op === reorderOutput.definition && !node.attrs.channels_last && node.inputs[0]?.shape[1] === v.shape[1];
}

const windowed = (x: Value, channels: number, kernel: readonly number[], attrs: Attrs) =>
  type(x.dtype, [x.shape[0], channels, ...slidingWindows(x.shape.slice(2), kernel, attrs).output]);

/**
 * Convolution by blocked weights (declared as [outputs, channels, height, width]); `activation` may be
 * 'Relu', or 'HardSigmoid' with `activation_params` (slope, offset).
 */
export const blockedConv = defineOp('Conv', {
  domain,
  infer: ([x, weight], attrs) => windowed(x, weight.shape[0], weight.shape.slice(2), attrs),
  gradient: 'unsupported',
});

export const blockedMaxPool = defineOp('MaxPool', {
  domain,
  infer: ([x], attrs) => windowed(x, x.shape[1], attribute(attrs, 'kernel_shape'), attrs),
  gradient: 'unsupported',
});

export const blockedAveragePool = defineOp('AveragePool', {
  domain,
  infer: ([x], attrs) => windowed(x, x.shape[1], attribute(attrs, 'kernel_shape'), attrs),
  gradient: 'unsupported',
});

export const blockedGlobalAveragePool = defineOp('GlobalAveragePool', {
  domain,
  infer: ([x]) => type(x.dtype, [x.shape[0], x.shape[1], 1, 1]),
  gradient: 'unsupported',
});
