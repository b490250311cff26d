/**
 * @file Rematerialisation: activations of a segment are dropped after the forward pass and computed again for the backward
 * (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"; torch.utils.checkpoint).
 */
import { isFloat } from '../ir/dtype.ts';
import { constant, type Node, type Segment, type Value } from '../ir/graph.ts';
import { add } from '../ops/arithmetic.ts';
import { cast } from '../ops/cast.ts';
import { and, greater, not } from '../ops/compare.ts';
import { apply, withSegment } from '../ops/define.ts';
import { reshape } from '../ops/movement.ts';
import { slice } from '../ops/slice.ts';

/** Per segment, what its values are computed as for the backward pass. */
export type Recomputations = Map<Segment, ReadonlyMap<Value, Value>>;

let segments = 0;

/** Builds what `fn` builds as one segment to be computed again. */
export function asSegment<T>(fn: () => T): T {
  return withSegment({ segment: segments++ }, fn);
}

/**
 * The second computation of a segment's values, made when the first gradient enters it. It starts from inputs that depend on
 * that gradient (by adding a zero computed from it): so neither ours nor the engine's elimination of common subexpressions
 * can merge it with the first computation, and the engine cannot run it before the backward pass has got there.
 */
export function recomputed(
  segment: Segment,
  order: readonly Node[],
  dys: readonly (Value | undefined)[],
  known: Recomputations,
): ReadonlyMap<Value, Value> {
  const before = known.get(segment);
  if (before) return before;
  const again = new Map<Value, Value>();
  known.set(segment, again);
  const zero = zeroFrom(dys.find((dy) => dy !== undefined) as Value);
  const input = (v: Value | null): Value | null => {
    if (!v || v.constant || v.shape.length === 0 || v.dtype === 'bool') return v;
    let late = again.get(v);
    if (!late) {
      late = isParameter(v) ? v : add(v, v.dtype === zero.dtype ? zero : cast(zero, { to: v.dtype }));
      again.set(v, late);
    }
    return late;
  };
  withSegment(undefined, () => {
    for (const node of order) {
      if (node.segment !== segment) continue;
      const outputs = apply(node.op, node.inputs.map(input), node.attrs);
      node.outputs.forEach((v, i) => {
        again.set(v, outputs[i]);
      });
    }
  });
  return again;
}

/** Leaves that require grad stay alive anyway: they need no copy. */
function isParameter(v: Value): boolean {
  return v.node === null && (v.requiresGrad || !isFloat(v.dtype));
}

/** A float32 zero that cannot be known before dy is: `x > 0 and not x > 0`, for its first element x. */
function zeroFrom(dy: Value): Value {
  const first = slice(reshape(dy, [dy.size]), [0], [1]);
  const positive = greater(first, constant(0, dy.dtype));
  return reshape(cast(and(positive, not(positive)), { to: 'float32' }), []);
}
