/** @file MaxPool, GlobalMaxPool, MaxUnpool and the gradient of the maximum. */
import { ShapeError } from '../../ir/errors.ts';
import type { Attrs, Value } from '../../ir/graph.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../../ir/shape.ts';
import { constantInts, defineOp, outputsOf, type } from '../define.ts';
import { gather, zerosOf } from '../gather.ts';
import { ints, reshape } from '../movement.ts';
import { scatterElements } from '../scatter.ts';
import { explicitPads, extent, spatialAttribute } from '../window.ts';
import { explicitPool, poolWindows } from './geometry.ts';

/**
 * Maximum over windows of x [batch, channels, ...spatial]; the second output (int64) tells where in the flattened input
 * each maximum lies, the first one where several are equal. Attributes: kernel_shape, strides, pads, dilations,
 * ceil_mode, auto_pad. Source: ONNX MaxPool, torch.nn.functional.max_pool1d to max_pool3d.
 */
export const maxPool = defineOp('MaxPool', {
  optionalOutputs: 1,
  infer: ([x], attrs) => {
    const shape = [...x.shape.slice(0, 2), ...poolWindows(x.shape, attrs).output];
    return [type(x.dtype, shape), type('int64', shape)];
  },
  gradient: ({ inputs: [x], outputs: [y, indices], attrs }, [dy]) => {
    if (!dy) return [];
    // Column-major indices (storage_order 1) are of no use here.
    const { storage_order: order, ...pool } = explicitPool(x, attrs);
    return [maxPoolGrad(x, y, order ? outputsOf(maxPool(x, pool))[1] : indices, dy, pool)];
  },
});

/**
 * The input gradient of MaxPool: every element of dy goes to the first maximum of its window. Operands are the pool's
 * input, its two outputs and dy; attributes those of the pool.
 */
export const maxPoolGrad = defineOp('MaxPoolGrad', {
  domain: 'gradus',
  infer: ([x]) => type(x.dtype, x.shape),
  gradient: ({ inputs: [, , indices] }, [g]) => [null, null, null, g && gather(reshape(g, [-1]), indices)],
  decompose: ([x, , indices, dy], attrs) => {
    const { kernel, strides, dilations, begin, end, output } = poolWindows(x.shape, attrs);
    const overlap = kernel.some((k, i) => strides[i] < extent(k, dilations[i]));
    const padded = [...begin, ...end].some((p) => p > 0);
    // With ceil_mode a last window may hang over the end, which MaxUnpool refuses.
    const hangs = kernel.some((k, i) => (output[i] - 1) * strides[i] + k > x.shape[i + 2]);
    if (!overlap && !padded && !hangs) return maxUnpool(dy, indices, ints(x.shape), { kernel_shape: kernel, strides });
    const flat = scatterElements(zerosOf(dy, [x.size]), reshape(indices, [-1]), reshape(dy, [-1]), {
      axis: 0,
      reduction: 'add',
    });
    return reshape(flat, x.shape);
  },
});

/** Maximum over all spatial axes, kept with size 1; the first one takes the gradient. */
export const globalMaxPool = defineOp('GlobalMaxPool', {
  infer: ([x]) =>
    type(
      x.dtype,
      x.shape.map((dim, i) => (i < 2 ? dim : 1)),
    ),
  gradient: 'decompose',
  decompose: ([x]) => maxPool(x, { kernel_shape: x.shape.slice(2) }),
});

/** Sizes of MaxUnpool's result: the third operand, or what a pool without ceil_mode has undone. */
function unpooledShape([x, , shape]: readonly Value[], attrs: Attrs): Shape {
  if (shape) return constantInts(shape, 'the output shape');
  const rank = x.rank - 2;
  const kernel = spatialAttribute(attrs, 'kernel_shape', rank, 1);
  const strides = spatialAttribute(attrs, 'strides', rank, 1);
  const { begin, end } = explicitPads(attrs, rank);
  const spatial = kernel.map((k, i) => (x.shape[i + 2] - 1) * strides[i] + k - begin[i] - end[i]);
  return [...x.shape.slice(0, 2), ...spatial];
}

/**
 * Puts each element of x where `indices` (of MaxPool) says, zeros elsewhere. Operands: x, indices, and optionally the
 * shape of the result. Equal indices leave open which element stays. Source: ONNX MaxUnpool.
 */
export const maxUnpool = defineOp('MaxUnpool', {
  infer: (inputs, attrs) => {
    const [x, indices] = inputs;
    if (!sameShape(x.shape, indices.shape))
      throw new ShapeError(
        `indices must have the shape of the input ${formatShape(x.shape)}, found ${formatShape(indices.shape)}`,
      );
    return type(x.dtype, unpooledShape(inputs, attrs));
  },
  // With an explicit shape, indices refer to it; without, to the implied one. Either way the result's own positions.
  gradient: ({ inputs: [, indices] }, [dy]) => [dy && gather(reshape(dy, [-1]), indices)],
  decompose: (inputs, attrs) => {
    const [x, indices] = inputs;
    const shape = unpooledShape(inputs, attrs);
    const size = sizeOf(shape);
    return reshape(scatterElements(zerosOf(x, [size]), reshape(indices, [-1]), reshape(x, [-1]), { axis: 0 }), shape);
  },
});
