/** @file Slopes of what a max-pool pools, taken at the pool's output. */
import type { Value } from '../ir/graph.ts';
import { hardSigmoid } from '../ops/activations.ts';
import { mul } from '../ops/arithmetic.ts';
import { apply } from '../ops/define.ts';
import { rewrite } from './rewrite.ts';

/**
 * Below a max-pool of x = relu(z), the pool's gradient is multiplied by relu's slope, a HardSigmoid of x. That gradient is
 * zero but at maxima, whose slope the pool's own output gives as well, on a fraction of the elements.
 */
export function poolSlopes(outputs: readonly Value[]): Value[] {
  return rewrite(outputs, (node, inputs) => {
    if (node.op.type !== 'Mul') return undefined;
    const [a, b] = inputs as readonly Value[];
    const merged = sloped(a, b) ?? sloped(b, a);
    return merged && [merged];
  });
}

function sloped(gradient: Value, slope: Value): Value | undefined {
  const pool = gradient.node;
  if (pool?.op.type !== 'MaxPoolGrad' || slope.node?.op !== hardSigmoid.definition) return undefined;
  const [x, y, indices, dy] = pool.inputs as readonly Value[];
  if (slope.node.inputs[0] !== x) return undefined;
  return apply(pool.op, [x, y, indices, mul(dy, apply(slope.node.op, [y], slope.node.attrs)[0])], pool.attrs)[0];
}
