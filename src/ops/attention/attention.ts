/** @file Scaled dot-product attention with masks, grouped heads, caches and soft caps. */
import { ArgumentError, GradientError, ShapeError } from '../../ir/errors.ts';
import { type Attrs, constant, type TensorType, type Value } from '../../ir/graph.ts';
import { broadcastShapes, formatShape, type Shape, sameShape } from '../../ir/shape.ts';
import { tanh } from '../activations.ts';
import { add, div, mul } from '../arithmetic.ts';
import { cast } from '../cast.ts';
import { and, less, where } from '../compare.ts';
import { defineOp, requireFloat, type } from '../define.ts';
import { matMul } from '../matmul.ts';
import { memoConstant } from '../memo.ts';
import { concat, expand, ints, reshape, swapLast, transpose } from '../movement.ts';
import { reduceMax } from '../reduce.ts';
import { softmax } from '../softmax.ts';
import { numberAttr, scalar } from '../unary.ts';

type Operands = readonly (Value | null | undefined)[];

interface Sizes {
  readonly batch: number;
  readonly queryHeads: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly past: number;
  readonly width: number;
  readonly valueWidth: number;
  /** Whether heads and their features share the last axis. */
  readonly flat: boolean;
}

function sizesOf(operands: Operands, attrs: Attrs): Sizes {
  const [q, k, v, , pastKey] = operands as readonly Value[];
  const shapes = [q, k, v].map((x) => formatShape(x.shape)).join(', ');
  if (![3, 4].includes(q.rank) || k.rank !== q.rank || v.rank !== q.rank)
    throw new ShapeError(
      `query, key and value must all be [batch, heads, length, width] or all [batch, length, heads * width], found ${shapes}`,
    );
  const flat = q.rank === 3;
  const queryHeads = flat ? numberAttr(attrs, 'q_num_heads', 0) : q.shape[1];
  const heads = flat ? numberAttr(attrs, 'kv_num_heads', 0) : k.shape[1];
  const features = (x: Value, n: number) => (flat ? x.shape[2] / n : x.shape[3]);
  const width = features(q, queryHeads);
  const valueWidth = features(v, heads);
  if (queryHeads < 1 || heads < 1 || queryHeads % heads !== 0)
    throw new ArgumentError(
      `the number of query heads (${queryHeads}) must be a multiple of the number of key and value heads (${heads}); for 3-dimensional operands set q_num_heads and kv_num_heads`,
    );
  const length = flat ? 1 : 2;
  const [batch] = q.shape;
  const fits =
    [width, valueWidth].every(Number.isInteger) &&
    features(k, heads) === width &&
    k.shape[0] === batch &&
    v.shape[0] === batch &&
    k.shape[length] === v.shape[length] &&
    (flat || v.shape[1] === heads);
  if (!fits) throw new ShapeError(`query, key and value do not fit each other: ${shapes}`);
  const past = pastKey ? pastKey.shape[2] : 0;
  const keys = past + k.shape[length];
  return { batch, queryHeads, heads, queries: q.shape[length], keys, past, width, valueWidth, flat };
}

function infer(operands: Operands, attrs: Attrs): TensorType[] {
  const [q, , , mask, pastKey, pastValue] = operands as readonly Value[];
  requireFloat(q);
  const s = sizesOf(operands, attrs);
  const scores: Shape = [s.batch, s.queryHeads, s.queries, s.keys];
  if (mask && !sameShape(broadcastShapes(mask.shape, scores), scores))
    throw new ShapeError(`the mask of shape ${formatShape(mask.shape)} does not broadcast to ${formatShape(scores)}`);
  if (!pastKey !== !pastValue) throw new ArgumentError('past_key and past_value must be given together');
  const y = s.flat
    ? [s.batch, s.queries, s.queryHeads * s.valueWidth]
    : [s.batch, s.queryHeads, s.queries, s.valueWidth];
  return [
    type(q.dtype, y),
    type(q.dtype, [s.batch, s.heads, s.keys, s.width]),
    type(q.dtype, [s.batch, s.heads, s.keys, s.valueWidth]),
    type(q.dtype, scores),
  ];
}

/** What may be attended to, as bool; null for everything. */
function allowed(operands: Operands, attrs: Attrs, s: Sizes): Value | null {
  const [, , , mask, , , lengths] = operands;
  const parts: Value[] = [];
  if (mask?.dtype === 'bool') parts.push(mask);
  if (attrs.is_causal) {
    const { queries, keys, past } = s;
    const lower = () => {
      const data = new Uint8Array(queries * keys);
      for (let i = 0; i < queries; i++) data.fill(1, i * keys, i * keys + Math.min(keys, i + past + 1));
      return constant(data, 'bool', [queries, keys]);
    };
    parts.push(memoConstant(`causal ${queries} ${keys} ${past}`, lower));
  }
  if (lengths) {
    const positions = Array.from({ length: s.keys }, (_, i) => i);
    parts.push(less(constant(positions, lengths.dtype), reshape(lengths, [lengths.size, 1, 1, 1])));
  }
  return parts.length ? parts.reduce((a, b) => and(a, b)) : null;
}

/** Key and value heads repeated for the query heads that share them. */
function repeated(x: Value, times: number): Value {
  if (times === 1) return x;
  const [batch, heads, length, width] = x.shape;
  const wide = expand(reshape(x, [batch, heads, 1, length, width]), [batch, heads, times, length, width]);
  return reshape(wide, [batch, heads * times, length, width]);
}

function parts(operands: Operands, attrs: Attrs): Value[] {
  const [q, k, v, mask, pastKey, pastValue, lengths] = operands as readonly Value[];
  const s = sizesOf(operands, attrs);
  if (lengths && attrs.is_causal)
    throw new GradientError('Attention with nonpad_kv_seqlen and is_causal can be run but not differentiated');
  const byHead = (x: Value, heads: number, width: number) =>
    s.flat ? transpose(reshape(x, [s.batch, x.shape[1], heads, width]), { perm: [0, 2, 1, 3] }) : x;
  const joined = (past: Value | undefined, x: Value) => (past ? concat(past, x, { axis: 2 }) : x);
  const key = joined(pastKey, byHead(k, s.heads, s.width));
  const value = joined(pastValue, byHead(v, s.heads, s.valueWidth));
  const scale = numberAttr(attrs, 'scale', 0) || 1 / Math.sqrt(s.width);
  const times = s.queryHeads / s.heads;
  const query = mul(byHead(q, s.queryHeads, s.width), scalar(q, scale));
  const raw = matMul(query, swapLast(repeated(key, times)));
  const cap = numberAttr(attrs, 'softcap', 0);
  const capped = cap ? mul(tanh(div(raw, scalar(raw, cap))), scalar(raw, cap)) : raw;
  const biased = mask && mask.dtype !== 'bool' ? add(capped, mask) : capped;
  const open = allowed(operands, attrs, s);
  // Far below any score, but finite, so that a row without any key gives no NaN.
  const scores = open ? where(open, biased, scalar(raw, raw.dtype === 'float16' ? -65504 : -1e30)) : biased;
  const probabilities = softmax(scores, { axis: -1 });
  const mixed = matMul(probabilities, repeated(value, times));
  const isPartial = open !== null && (mask?.dtype === 'bool' || lengths !== undefined);
  const y = isPartial ? mul(mixed, anyKey(open, mixed)) : mixed;
  const out = s.flat ? reshape(transpose(y, { perm: [0, 2, 1, 3] }), [s.batch, s.queries, -1]) : y;
  return [out, key, value, [raw, capped, scores, probabilities][numberAttr(attrs, 'qk_matmul_output_mode', 0)]];
}

/** 1 for queries that see at least one key, else 0. */
function anyKey(open: Value, like: Value): Value {
  return reduceMax(cast(open, { to: like.dtype }), ints([-1]));
}

/**
 * softmax(q k' scale + mask) v. Operands: query, key, value as [batch, heads, length, width] (or, with q_num_heads and
 * kv_num_heads, [batch, length, heads * width]), then optionally a mask (bool: true may be attended; float: added), past
 * key and value, and the number of valid keys per image. Attributes: is_causal, scale, softcap (before the mask). Fewer
 * key than query heads are shared (grouped-query attention). Outputs: the result, keys and values with the past in front,
 * and the scores at the stage that qk_matmul_output_mode names. Source: ONNX Attention 23,
 * torch.nn.functional.scaled_dot_product_attention.
 */
export const attention = defineOp('Attention', {
  optionalOutputs: 1,
  infer,
  // What is differentiated is built from its parts at once, so that the backward pass finds the probabilities computed.
  simplify: (operands, attrs) => {
    const isDifferentiated = operands.some((v) => v?.requiresGrad);
    if (!isDifferentiated || (operands[6] && attrs.is_causal)) return undefined;
    infer(operands, attrs);
    return parts(operands, attrs);
  },
  gradient: 'decompose',
  decompose: parts,
});
