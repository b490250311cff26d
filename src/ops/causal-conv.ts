/** @file CausalConvWithState: the short depthwise convolution in front of gated linear attention and state-space layers. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import type { Attrs, Value } from '../ir/graph.ts';
import { formatShape, sameShape } from '../ir/shape.ts';
import { conv } from './conv.ts';
import { defineMultiOp, requireRank, requireSameDType, type } from './define.ts';
import { zerosOf } from './gather.ts';
import { swish } from './gelu.ts';
import { concat } from './movement.ts';
import { slice } from './slice.ts';

const activations = ['none', 'silu', 'swish'];

function activationOf(attrs: Attrs): string {
  const found = (attrs.activation as string | undefined) ?? 'none';
  if (!activations.includes(found))
    throw new ArgumentError(`activation is one of ${activations.join(', ')}, found '${found}'`);
  return found;
}

/**
 * Depthwise convolution of x [batch, channels, length] by weights [channels, 1, k] that looks back only, with an optional
 * bias [channels] and the last k - 1 inputs of the call before. Returns the output and the last k - 1 inputs. Newer than the
 * opset that is emitted.
 */
export const causalConvWithState = defineMultiOp('CausalConvWithState', {
  infer: ([x, weight, bias, past], attrs) => {
    activationOf(attrs);
    requireRank(x, 3);
    requireRank(weight, 3, 'the weights');
    const [batch, channels] = x.shape;
    const state = [batch, channels, weight.shape[2] - 1];
    const fits = weight.shape[0] === channels && weight.shape[1] === 1 && (!bias || sameShape(bias.shape, [channels]));
    if (!fits || (past && !sameShape(past.shape, state)))
      throw new ShapeError(
        `weights must be [${channels}, 1, k], the bias [${channels}] and the state ${formatShape(state)} for an input of shape ${formatShape(x.shape)}, found ${[weight, bias, past].map((v) => (v ? formatShape(v.shape) : 'none')).join(', ')}`,
      );
    const dtype = requireSameDType(x, weight);
    return [type(dtype, x.shape), type(dtype, state)];
  },
  gradient: 'decompose',
  lowered: true,
  decompose: ([x, weight, bias, past], attrs): Value[] => {
    const [batch, channels, length] = x.shape;
    const look = weight.shape[2] - 1;
    const padded = concat(past ?? zerosOf(x, [batch, channels, look]), x, { axis: 2 });
    const y = conv(padded, weight, bias, { group: channels });
    return [activationOf(attrs) === 'none' ? y : swish(y), slice(padded, [length], [length + look], [2])];
  },
});
