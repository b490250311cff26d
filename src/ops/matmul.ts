/** @file Matrix products. */
import { ShapeError } from '../ir/errors.ts';
import { constant, type Value } from '../ir/graph.ts';
import { broadcastShapes, formatShape, type Shape } from '../ir/shape.ts';
import { mul } from './arithmetic.ts';
import { defineOp, requireRank, requireSameDType, type } from './define.ts';
import { reshape, swapLast } from './movement.ts';

/** The shape of a matrix product under NumPy's rules. @throws ShapeError where the operands do not fit. */
export function matMulShape(a: Shape, b: Shape): Shape {
  if (a.length === 0 || b.length === 0)
    throw new ShapeError('matmul needs tensors of at least one dimension, found a scalar; use mul');
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const inner = left[left.length - 1];
  if (inner !== right[right.length - 2])
    throw new ShapeError(
      `cannot multiply ${formatShape(a)} by ${formatShape(b)}: the last dimension of the first (${inner}) must equal the second-last of the second (${right[right.length - 2]})`,
    );
  const batch = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
  return [
    ...batch,
    ...(a.length === 1 ? [] : [left[left.length - 2]]),
    ...(b.length === 1 ? [] : [right[right.length - 1]]),
  ];
}

/** Matrix product with NumPy's rules for vectors and batches. */
export const matMul = defineOp('MatMul', {
  infer: ([a, b]) => type(requireSameDType(a, b), matMulShape(a.shape, b.shape)),
  gradient: ({ inputs: [a, b], needs }, [dy]) => {
    if (!dy) return [];
    // Vectors become matrices with a dimension of 1, which the rule for matrices then covers.
    const a2 = a.rank === 1 ? reshape(a, [1, ...a.shape]) : a;
    const b2 = b.rank === 1 ? reshape(b, [...b.shape, 1]) : b;
    const dy2 = reshape(dy, matMulShape(a2.shape, b2.shape));
    const da = () => matMul(dy2, swapLast(b2));
    const db = () => {
      // A batch of rows against one matrix: fold the batch into the rows, one large product instead of many and a sum.
      if (b2.rank > 2 || a2.rank === 2) return matMul(swapLast(a2), dy2);
      const rows = reshape(a2, [-1, a2.shape[a2.rank - 1]]);
      return gemm(rows, reshape(dy2, [-1, dy2.shape[dy2.rank - 1]]), { transA: 1 });
    };
    return [needs[0] ? unvector(da(), a.shape, 0) : null, needs[1] ? unvector(db(), b.shape, 1) : null];
  },
});

/** Drops the dimension that a vector operand was given; broadcast batch axes go with the walker's sum. */
function unvector(d: Value, shape: Shape, side: 0 | 1): Value {
  if (shape.length !== 1) return d;
  const dropped = side === 0 ? [...d.shape.slice(0, -2), d.shape[d.rank - 1]] : d.shape.slice(0, -1);
  return reshape(d, dropped);
}

/** alpha * A' B' + beta * C, A' and B' transposed on request; C broadcasts. */
export const gemm = defineOp('Gemm', {
  infer: ([a, b, c], attrs) => {
    requireRank(a, 2, 'the first operand');
    requireRank(b, 2, 'the second operand');
    const [m, k] = attrs.transA ? [a.shape[1], a.shape[0]] : a.shape;
    const [k2, n] = attrs.transB ? [b.shape[1], b.shape[0]] : b.shape;
    if (k !== k2)
      throw new ShapeError(
        `cannot multiply ${formatShape(a.shape)}${attrs.transA ? ' transposed' : ''} by ${formatShape(b.shape)}${attrs.transB ? ' transposed' : ''}: inner dimensions are ${k} and ${k2}`,
      );
    requireSameDType(...(c ? [a, b, c] : [a, b]));
    if (c) {
      const out = broadcastShapes(c.shape, [m, n]);
      if (out.length !== 2 || out[0] !== m || out[1] !== n)
        throw new ShapeError(`the bias of shape ${formatShape(c.shape)} does not broadcast to ${formatShape([m, n])}`);
    }
    return type(a.dtype, [m, n]);
  },
  gradient: ({ inputs: [a, b, c], attrs, needs }, [dy]) => {
    const alpha = attrs.alpha === undefined ? {} : { alpha: attrs.alpha };
    const da = () =>
      attrs.transA
        ? gemm(b, dy, { ...alpha, transA: attrs.transB, transB: 1 })
        : gemm(dy, b, { ...alpha, transB: attrs.transB ? 0 : 1 });
    const db = () =>
      attrs.transB
        ? gemm(dy, a, { ...alpha, transA: 1, transB: attrs.transA })
        : gemm(a, dy, { ...alpha, transA: attrs.transA ? 0 : 1 });
    const dc = () =>
      attrs.beta === undefined || attrs.beta === 1 ? dy : mul(dy, constant(attrs.beta as number, a.dtype));
    return [needs[0] ? da() : null, needs[1] ? db() : null, c && needs[2] ? dc() : null];
  },
});

/** x (any leading axes) times the transpose of `weight` [out, in], plus bias [out] (torch.nn.functional.linear). */
export function linear(x: Value, weight: Value, bias?: Value | null): Value {
  if (x.rank === 2) return gemm(x, weight, bias, { transB: 1 });
  const rows = reshape(x, [-1, x.shape[x.rank - 1]]);
  return reshape(gemm(rows, weight, bias, { transB: 1 }), [...x.shape.slice(0, -1), weight.shape[0]]);
}
