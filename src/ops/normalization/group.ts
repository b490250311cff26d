/** @file GroupNormalization and InstanceNormalization: per image and group of channels. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import { type Attrs, constant, type TensorType, type Value } from '../../ir/graph.ts';
import { formatShape, sameShape, sizeOf } from '../../ir/shape.ts';
import { add, mul } from '../arithmetic.ts';
import { defineOp, requireFloat, requireSameDType, type } from '../define.ts';
import { memoConstant } from '../memo.ts';
import { reshape } from '../movement.ts';
import { numberAttr } from '../unary.ts';
import { layerNormalization } from './layer.ts';

function ones(size: number, like: Value): Value {
  return memoConstant(`ones ${like.dtype} ${size}`, () => constant(1, like.dtype, [size]));
}

/** Each group laid out as one row and normalised as such; scale and bias stay per channel. */
function byGroups(x: Value, scale: Value, bias: Value, groups: number, epsilon: number): Value {
  const [batch, channels, ...spatial] = x.shape;
  const rows = reshape(x, [batch, groups, (channels / groups) * sizeOf(spatial)]);
  const normal = layerNormalization(rows, ones(rows.shape[2], x), { axis: -1, epsilon });
  const perChannel = [channels, ...x.shape.slice(2).map(() => 1)];
  return add(mul(reshape(normal, x.shape), reshape(scale, perChannel)), reshape(bias, perChannel));
}

function check([x, scale, bias]: readonly Value[]): void {
  requireFloat(x);
  requireSameDType(x, scale, bias);
  if (x.rank < 2) throw new ShapeError(`expected [batch, channels, ...], found shape ${formatShape(x.shape)}`);
  for (const v of [scale, bias])
    if (!sameShape(v.shape, [x.shape[1]]))
      throw new ShapeError(
        `scale and bias must have shape [${x.shape[1]}], one element per channel, found ${formatShape(v.shape)}`,
      );
}

/** The parts of an operator, if it is to be differentiated: they start from statistics of the forward pass. */
function differentiated(
  infer: (operands: readonly Value[], attrs: Attrs) => TensorType,
  parts: (operands: readonly Value[], attrs: Attrs) => Value,
) {
  return (operands: readonly Value[], attrs: Attrs): Value | undefined => {
    if (!operands.some((v) => v.requiresGrad)) return undefined;
    infer(operands, attrs);
    return parts(operands, attrs);
  };
}

function inferGroups(operands: readonly Value[], attrs: Attrs): TensorType {
  check(operands);
  const [x] = operands;
  const groups = numberAttr(attrs, 'num_groups', 0);
  if (!Number.isInteger(groups) || groups < 1 || x.shape[1] % groups !== 0)
    throw new ArgumentError(`num_groups must divide the ${x.shape[1]} channels, found ${groups}`);
  return type(x.dtype, x.shape);
}

const groupParts = ([x, scale, bias]: readonly Value[], attrs: Attrs) =>
  byGroups(x, scale, bias, numberAttr(attrs, 'num_groups', 1), numberAttr(attrs, 'epsilon', 1e-5));

/**
 * Normalises each of `num_groups` groups of channels of each image, then scales and shifts per channel. Operands: x
 * [batch, channels, ...], scale, bias. Source: ONNX GroupNormalization 21, torch.nn.functional.group_norm; Wu and He 2018.
 */
export const groupNormalization = defineOp('GroupNormalization', {
  infer: inferGroups,
  simplify: differentiated(inferGroups, groupParts),
  // ONNX Runtime has no kernel for it, only the function body.
  lowered: true,
  gradient: 'decompose',
  decompose: groupParts,
});

function inferInstances(operands: readonly Value[]): TensorType {
  check(operands);
  const [x] = operands;
  if (x.rank < 3)
    throw new ShapeError(
      `InstanceNormalization needs [batch, channels, ...spatial], found shape ${formatShape(x.shape)}`,
    );
  return type(x.dtype, x.shape);
}

const instanceParts = ([x, scale, bias]: readonly Value[], attrs: Attrs) =>
  byGroups(x, scale, bias, x.shape[1], numberAttr(attrs, 'epsilon', 1e-5));

/**
 * Normalises every channel of every image, then scales and shifts it. Operands: x [batch, channels, ...spatial], scale,
 * bias. Source: ONNX InstanceNormalization, torch.nn.functional.instance_norm.
 */
export const instanceNormalization = defineOp('InstanceNormalization', {
  infer: inferInstances,
  simplify: differentiated(inferInstances, instanceParts),
  gradient: 'decompose',
  decompose: instanceParts,
});
