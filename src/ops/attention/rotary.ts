/** @file Rotary position embedding. */
import { ArgumentError, GradientError, ShapeError } from '../../ir/errors.ts';
import type { Attrs, Value } from '../../ir/graph.ts';
import { formatShape } from '../../ir/shape.ts';
import { add, mul, sub } from '../arithmetic.ts';
import { defineOp, requireFloat, type } from '../define.ts';
import { neg } from '../elementwise.ts';
import { gather } from '../gather.ts';
import { concat, ints, reshape, split } from '../movement.ts';
import { numberAttr } from '../unary.ts';

interface Layout {
  readonly batch: number;
  readonly length: number;
  readonly heads: number;
  readonly width: number;
  readonly rotated: number;
}

function layoutOf([x, cos]: readonly Value[], attrs: Attrs): Layout {
  const flat = x.rank === 3;
  const heads = flat ? numberAttr(attrs, 'num_heads', 0) : x.shape[1];
  if ((x.rank !== 3 && x.rank !== 4) || heads < 1 || (flat && x.shape[2] % heads !== 0))
    throw new ShapeError(
      `expected [batch, heads, length, width], or [batch, length, heads * width] with the attribute num_heads, found ${formatShape(x.shape)}`,
    );
  const width = flat ? x.shape[2] / heads : x.shape[3];
  const rotated = numberAttr(attrs, 'rotary_embedding_dim', 0) || width;
  if (rotated > width || rotated % 2 !== 0)
    throw new ArgumentError(
      `rotary_embedding_dim must be even and at most the head's width ${width}, found ${rotated}`,
    );
  if (cos.shape[cos.rank - 1] !== rotated / 2)
    throw new ShapeError(
      `cosines and sines must have ${rotated / 2} entries per position (half of what is rotated), found shape ${formatShape(cos.shape)}`,
    );
  return { batch: x.shape[0], length: flat ? x.shape[1] : x.shape[2], heads, width, rotated };
}

function rotate([x, cos, sin, positions]: readonly Value[], attrs: Attrs): Value {
  const { batch, length, heads, width, rotated } = layoutOf([x, cos], attrs);
  const flat = x.rank === 3;
  const table = (t: Value) => {
    const rows = positions ? gather(t, positions, { axis: 0 }) : t;
    return reshape(rows, flat ? [batch, length, 1, rotated / 2] : [batch, 1, length, rotated / 2]);
  };
  const [c, s] = [table(cos), table(sin)];
  const apart = flat ? reshape(x, [batch, length, heads, width]) : x;
  const rest = width - rotated;
  const [head, tail] = rest ? split(apart, ints([rotated, rest]), { axis: 3 }) : [apart, null];
  const turned = attrs.interleaved ? rotatePairs(head, c, s) : rotateHalves(head, c, s);
  return reshape(tail ? concat(turned, tail, { axis: 3 }) : turned, x.shape);
}

function rotateHalves(x: Value, c: Value, s: Value): Value {
  const half = x.shape[3] / 2;
  const [a, b] = split(x, ints([half, half]), { axis: 3 });
  return concat(sub(mul(a, c), mul(b, s)), add(mul(a, s), mul(b, c)), { axis: 3 });
}

/** Neighbouring features make the pairs. */
function rotatePairs(x: Value, c: Value, s: Value): Value {
  const lead = x.shape.slice(0, 3);
  const pairs = reshape(x, [...lead, x.shape[3] / 2, 2]);
  const [a, b] = split(pairs, ints([1, 1]), { axis: 4 }).map((v) => reshape(v, [...lead, x.shape[3] / 2]));
  const column = (v: Value) => reshape(v, [...v.shape, 1]);
  return reshape(concat(column(sub(mul(a, c), mul(b, s))), column(add(mul(a, s), mul(b, c))), { axis: 4 }), x.shape);
}

/**
 * Rotates pairs of features by an angle that grows with the position. Operands: x, cosines and sines
 * [positions, half width] with position ids [batch, length], or [batch, length, half width] without. Attributes:
 * interleaved, num_heads, rotary_embedding_dim. Source: ONNX RotaryEmbedding 23; Su et al. 2021.
 */
export const rotaryEmbedding = defineOp('RotaryEmbedding', {
  infer: (operands, attrs) => {
    layoutOf(operands, attrs);
    return type(requireFloat(operands[0]), operands[0].shape);
  },
  gradient: (node, [dy]) => {
    const [, cos, sin, positions] = node.inputs;
    if (node.needs[1] || node.needs[2])
      throw new GradientError(
        'RotaryEmbedding is differentiated by its input only, but its cosines or sines require grad; detach them',
      );
    // Rotations are undone by turning back.
    return [dy && rotaryEmbedding(dy, cos, neg(sin), positions, node.attrs)];
  },
  decompose: rotate,
});
