/** @file LpPool and GlobalLpPool: p-norms over windows. */
import { type Attrs, constant, type Value } from '../../ir/graph.ts';
import { sizeOf } from '../../ir/shape.ts';
import { div, mul, pow } from '../arithmetic.ts';
import { equal, where } from '../compare.ts';
import { conv, convGradInput } from '../conv/conv.ts';
import { defineOp, requireFloat, type } from '../define.ts';
import { abs, sign } from '../elementwise.ts';
import { reshape } from '../movement.ts';
import { explicitPool, isExplicitPool, poolWindows, reachedEnd } from './geometry.ts';

const exponentOf = (attrs: Attrs) => (attrs.p as number | undefined) ?? 2;

/** The convolution that adds up each window of each plane, as attributes and weights. */
function windowSum(x: Value, attrs: Attrs) {
  const windows = poolWindows(x.shape, attrs);
  const { kernel, strides, dilations, begin, output } = windows;
  const pads = [...begin, ...reachedEnd(x.shape.slice(2), windows)];
  const planes = x.shape[0] * x.shape[1];
  return {
    attrs: { kernel_shape: kernel, strides, dilations, pads, group: 1 },
    ones: constant(1, x.dtype, [1, 1, ...kernel]),
    inner: [planes, 1, ...x.shape.slice(2)],
    outer: [planes, 1, ...output],
  };
}

/** |x|^q, without a logarithm where q is small and whole. */
function magnitude(x: Value, q: number): Value {
  if (q === 0) return constant(1, x.dtype);
  if (q === 1) return abs(x);
  return q === 2 ? mul(x, x) : pow(abs(x), constant(q, x.dtype));
}

/**
 * (sum of |x|^p)^(1/p) over windows, p 2 by default; padding counts as zeros. The gradient at windows of nothing but
 * zeros is taken as 0. Source: ONNX LpPool; torch.nn.functional.lp_pool2d for windows that do not overhang.
 */
export const lpPool = defineOp('LpPool', {
  infer: ([x], attrs) => type(requireFloat(x), [...x.shape.slice(0, 2), ...poolWindows(x.shape, attrs).output]),
  simplify: ([x], attrs) => (isExplicitPool(attrs) ? undefined : lpPool(x, explicitPool(x, attrs))),
  gradient: ({ inputs: [x], outputs: [y], attrs }, [dy]) => {
    if (!dy) return [];
    const p = exponentOf(attrs);
    const sum = windowSum(x, attrs);
    // dy / dx = sign(x) * (|x| / y)^(p - 1)
    const zero = equal(y, constant(0, y.dtype));
    const scale = where(zero, constant(0, y.dtype), div(dy, magnitude(where(zero, constant(1, y.dtype), y), p - 1)));
    const spread = convGradInput(reshape(scale, sum.outer), sum.ones, { ...sum.attrs, shape: sum.inner });
    return [mul(mul(sign(x), magnitude(x, p - 1)), reshape(spread, x.shape))];
  },
  decompose: ([x], attrs) => {
    const p = exponentOf(attrs);
    const sum = windowSum(x, attrs);
    const total = conv(reshape(magnitude(x, p), sum.inner), sum.ones, sum.attrs);
    const shape = [...x.shape.slice(0, 2), ...sum.outer.slice(2)];
    return pow(reshape(total, shape), constant(1 / p, x.dtype));
  },
});

const globalNorm = ([x]: readonly Value[], attrs: Attrs) => {
  const kernel = sizeOf(x.shape.slice(2));
  const y = lpPool(reshape(x, [x.shape[0], x.shape[1], kernel]), { kernel_shape: [kernel], p: exponentOf(attrs) });
  return reshape(y, [x.shape[0], x.shape[1], ...x.shape.slice(2).map(() => 1)]);
};

/** The p-norm over all spatial axes, kept with size 1. ONNX Runtime has no kernel for it: it becomes an LpPool. */
export const globalLpPool = defineOp('GlobalLpPool', {
  infer: ([x]) =>
    type(
      requireFloat(x),
      x.shape.map((dim, i) => (i < 2 ? dim : 1)),
    ),
  lowered: true,
  gradient: 'decompose',
  decompose: globalNorm,
});
