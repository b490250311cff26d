/** @file LinearAttention: attention without softmax, whose past is one matrix per head (linear, gated, delta rules). */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import type { Attrs, Value } from '../ir/graph.ts';
import { formatShape, sameShape } from '../ir/shape.ts';
import { add, mul, sub } from './arithmetic.ts';
import { defineMultiOp, requireFloat, requireRank, type } from './define.ts';
import { exp } from './elementwise.ts';
import { zerosOf } from './gather.ts';
import { matMul } from './matmul.ts';
import { concat, ints, reshape, split, swapLast, transpose } from './movement.ts';
import { numberAttr, scalar } from './unary.ts';

const rules = ['linear', 'gated', 'delta', 'gated_delta'];

/** What the attributes and shapes say, checked. */
function layout([query, key, value, past, decay, beta]: readonly Value[], attrs: Attrs) {
  const rule = (attrs.update_rule as string | undefined) ?? 'gated_delta';
  const heads = numberAttr(attrs, 'kv_num_heads', 0);
  const queryHeads = numberAttr(attrs, 'q_num_heads', 0);
  if (!rules.includes(rule)) throw new ArgumentError(`update_rule is one of ${rules.join(', ')}, found '${rule}'`);
  if (heads < 1 || queryHeads < 1 || queryHeads % heads !== 0)
    throw new ArgumentError(`q_num_heads (${queryHeads}) must be a multiple of kv_num_heads (${heads})`);
  const isGated = rule.startsWith('gated');
  const isDelta = rule.endsWith('delta');
  if (isGated !== Boolean(decay) || isDelta !== Boolean(beta))
    throw new ArgumentError(`rule '${rule}' takes ${isGated ? 'a' : 'no'} decay and ${isDelta ? 'a' : 'no'} beta`);
  for (const x of [query, key, value]) requireRank(x, 3, 'query, key and value');
  const [batch, steps] = query.shape;
  const [keySize, valueSize] = [key.shape[2] / heads, value.shape[2] / heads];
  const state = [batch, heads, keySize, valueSize];
  const fits =
    sameShape(key.shape.slice(0, 2), [batch, steps]) &&
    sameShape(value.shape.slice(0, 2), [batch, steps]) &&
    query.shape[2] === queryHeads * keySize &&
    [keySize, valueSize].every(Number.isInteger) &&
    (!past || sameShape(past.shape, state)) &&
    (!decay || [heads, heads * keySize].includes(decay.shape[2])) &&
    (!beta || [heads, 1].includes(beta.shape[2]));
  if (!fits)
    throw new ShapeError(
      `query ${formatShape(query.shape)}, key ${formatShape(key.shape)}, value ${formatShape(value.shape)}, state ${past ? formatShape(past.shape) : 'none'}, decay ${decay ? formatShape(decay.shape) : 'none'} and beta ${beta ? formatShape(beta.shape) : 'none'} do not fit ${queryHeads} and ${heads} heads`,
    );
  return { batch, steps, heads, queryHeads, keySize, valueSize, state };
}

/** [batch, steps, heads * size] as one [batch, heads, 1, size] per step. */
function perStep(x: Value, heads: number): readonly Value[] {
  const [batch, steps, width] = x.shape;
  const apart = transpose(reshape(x, [batch, steps, heads, width / heads]), { perm: [0, 2, 1, 3] });
  return split(apart, ints(new Array<number>(steps).fill(1)), { axis: 2 });
}

/**
 * Query, key, value packed [batch, steps, heads * size], then optional state [batch, kv_num_heads, key size, value size],
 * decay (logarithmic) and beta. At each step the state S decays by exp(decay), then takes up key times value, for delta rules
 * beta times key times (value - key S); the output is scale * query S. Returns outputs and state. Newer than the opset that is
 * emitted, so composed step by step: meant for short sequences and decoding.
 */
export const linearAttention = defineMultiOp('LinearAttention', {
  infer: (inputs, attrs) => {
    const { batch, steps, queryHeads, valueSize, state } = layout(inputs, attrs);
    const dtype = requireFloat(inputs[0]);
    return [type(dtype, [batch, steps, queryHeads * valueSize]), type(inputs[3]?.dtype ?? dtype, state)];
  },
  gradient: 'decompose',
  lowered: true,
  decompose: (inputs, attrs) => {
    const [query, key, value, past, decay, beta] = inputs;
    const { batch, steps, heads, queryHeads, keySize, valueSize, state } = layout(inputs, attrs);
    const scale = scalar(query, numberAttr(attrs, 'scale', 0) || 1 / Math.sqrt(keySize));
    const [queries, keys, values] = [perStep(query, queryHeads), perStep(key, heads), perStep(value, heads)];
    const decays = decay && perStep(decay, heads);
    const rates = beta && perStep(beta, beta.shape[2]);
    let memory = past ?? zerosOf(query, state);
    const outputs: Value[] = [];
    for (let t = 0; t < steps; t++) {
      if (decays) memory = mul(memory, exp(swapLast(decays[t])));
      const news = rates ? mul(sub(values[t], matMul(keys[t], memory)), rates[t]) : values[t];
      memory = add(memory, matMul(swapLast(keys[t]), news));
      // Heads of queries that share a state are rows of one product.
      const grouped = reshape(queries[t], [batch, heads, queryHeads / heads, keySize]);
      outputs.push(reshape(mul(matMul(grouped, memory), scale), [batch, 1, queryHeads * valueSize]));
    }
    return [concat(...outputs, { axis: 1 }), memory];
  },
});
