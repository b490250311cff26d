/** @file AveragePool, GlobalAveragePool and the gradient of the average. */
import { type Attrs, constant, type Value } from '../../ir/graph.ts';
import { type Shape, sizeOf } from '../../ir/shape.ts';
import { mul } from '../arithmetic.ts';
import { convGradInput } from '../conv/conv.ts';
import { defineOp, requireFloat, type } from '../define.ts';
import { expand, reshape } from '../movement.ts';
import type { Windows } from '../window.ts';
import { explicitPool, isExplicitPool, isTiling, poolWindows, reachedEnd } from './geometry.ts';

/**
 * Average over windows of x [batch, channels, ...spatial]. Attributes: kernel_shape, strides, pads, dilations, ceil_mode,
 * count_include_pad (1 counts padding as zeros), auto_pad. Source: ONNX AveragePool,
 * torch.nn.functional.avg_pool1d to avg_pool3d.
 */
export const averagePool = defineOp('AveragePool', {
  infer: ([x], attrs) => type(requireFloat(x), [...x.shape.slice(0, 2), ...poolWindows(x.shape, attrs).output]),
  simplify: ([x], attrs) => (isExplicitPool(attrs) ? undefined : averagePool(x, explicitPool(x, attrs))),
  gradient: ({ inputs: [x], attrs }, [dy]) => [dy && averagePoolGrad(dy, { ...attrs, shape: x.shape })],
});

/** The input gradient (of shape `shape`) of AveragePool: every element of dy is spread evenly over its window. */
export const averagePoolGrad = defineOp('AveragePoolGrad', {
  domain: 'gradus',
  infer: ([dy], attrs) => type(dy.dtype, attrs.shape as Shape),
  // Linear, so its adjoint is the pool itself.
  gradient: ({ attrs: { shape: _, ...pool } }, [g]) => [g && averagePool(g, pool)],
  decompose: ([dy], attrs) => spread(dy, attrs.shape as Shape, attrs),
});

function spread(dy: Value, shape: Shape, attrs: Attrs): Value {
  const windows = poolWindows(shape, attrs);
  const { kernel, strides, dilations, begin, output } = windows;
  const [batch, channels, ...spatial] = shape;
  const count = sizeOf(kernel);
  if (isTiling(spatial, windows)) {
    const blocks = output.flatMap((n) => [n, 1]);
    const share = reshape(mul(dy, constant(1 / count, dy.dtype)), [batch, channels, ...blocks]);
    return reshape(expand(share, [batch, channels, ...output.flatMap((n, i) => [n, kernel[i]])]), shape);
  }
  const counts = elementsPerWindow(spatial, windows, attrs.count_include_pad === 1);
  const isUniform = counts.every((n) => n === counts[0]);
  const shares = Array.from(counts, (n) => 1 / n);
  const scaled = isUniform ? dy : mul(dy, constant(shares, dy.dtype, output));
  const ones = constant(isUniform ? shares[0] : 1, dy.dtype, [1, 1, ...kernel]);
  const planes = convGradInput(reshape(scaled, [batch * channels, 1, ...output]), ones, {
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...begin, ...reachedEnd(spatial, windows)],
    group: 1,
    shape: [batch * channels, 1, ...spatial],
  });
  return reshape(planes, shape);
}

/** By how many elements each window is divided; what hangs over beyond the padding never counts. */
function elementsPerWindow(spatial: Shape, w: Windows, includePadding: boolean): Float64Array {
  let counts = Float64Array.of(1);
  spatial.forEach((size, axis) => {
    const low = includePadding ? -w.begin[axis] : 0;
    const high = size + (includePadding ? w.end[axis] : 0);
    const along = Array.from({ length: w.output[axis] }, (_, o) => {
      const start = o * w.strides[axis] - w.begin[axis];
      let inside = 0;
      for (let k = 0; k < w.kernel[axis]; k++) {
        const at = start + k * w.dilations[axis];
        if (at >= low && at < high) inside++;
      }
      return inside;
    });
    counts = Float64Array.from(Array.from(counts).flatMap((n) => along.map((m) => n * m)));
  });
  return counts;
}

/** Average over all spatial axes, kept with size 1 (torch.nn.functional.adaptive_avg_pool with output size 1). */
export const globalAveragePool = defineOp('GlobalAveragePool', {
  infer: ([x]) =>
    type(
      requireFloat(x),
      x.shape.map((dim, i) => (i < 2 ? dim : 1)),
    ),
  gradient: ({ inputs: [x] }, [dy]) => {
    const area = sizeOf(x.shape.slice(2));
    return [dy && expand(mul(dy, constant(1 / area, dy.dtype)), x.shape)];
  },
});
