/** @file Conversion between dtypes, and copies. */
import { type DType, dtypes } from '../ir/dtype.ts';
import { DTypeError } from '../ir/errors.ts';
import { Node, Value } from '../ir/graph.ts';
import { identity } from '../ops/cast.ts';
import { isGradEnabled } from '../ops/define.ts';
import { castTo } from './lift.ts';
import { Tensor } from './tensor.ts';

/**
 * The elements converted to another dtype (torch.Tensor.to): floats are cut to integers toward zero, numbers other than 0
 * become true. @throws DTypeError for an unknown dtype.
 */
export function to(x: Tensor, dtype: DType): Tensor {
  if (!(dtype in dtypes) || dtype === 'string')
    throw new DTypeError(`to: unknown dtype '${dtype}'; expected one of ${Object.keys(dtypes).join(', ')}`);
  return x.dtype === dtype ? x : new Tensor(castTo(x.value, dtype));
}

/** As float32. */
export function float(x: Tensor): Tensor {
  return to(x, 'float32');
}

/** As float64. */
export function double(x: Tensor): Tensor {
  return to(x, 'float64');
}

/** As float16. */
export function half(x: Tensor): Tensor {
  return to(x, 'float16');
}

/** As int32. */
export function int(x: Tensor): Tensor {
  return to(x, 'int32');
}

/** As int64. */
export function long(x: Tensor): Tensor {
  return to(x, 'int64');
}

/** As booleans: whether each element is not 0. */
export function bool(x: Tensor): Tensor {
  return to(x, 'bool');
}

/**
 * A copy with memory of its own, made when it is realised; gradients flow through it. A copy of a parameter must be
 * realised before the parameter is overwritten.
 */
export function clone(x: Tensor): Tensor {
  const { value } = x;
  // Not ops.identity: that simplifies to the value itself, whose memory it would then share.
  const node = new Node(identity.definition, [value], {}, undefined);
  node.outputs = [Value.output(value, node, 0, value.requiresGrad && isGradEnabled())];
  return new Tensor(node.outputs[0]);
}

/** The tensor itself: elements always lie in row-major order. */
export function contiguous(x: Tensor): Tensor {
  return x;
}
