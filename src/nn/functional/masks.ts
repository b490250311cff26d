/** @file Attention masks of numbers that are added to scores. */
import { isFloat } from '../../ir/dtype.ts';
import { topologicalOrder, type Value } from '../../ir/graph.ts';
import type { Tensor } from '../../tensor/index.ts';

/** A score so low that its weight is 0, yet finite, so that a row without any key gives no NaN. */
export const excluded = -1e30;

/**
 * A mask of numbers to add, -Infinity made finite; and which queries see a key, [..., queries, 1], null where all do: a
 * row of nothing but -Infinity would give NaN.
 */
export function finiteMask(mask: Tensor): { mask: Tensor; sees: Tensor | null } {
  if (!mayExclude(mask.value)) return { mask, sees: null };
  const sees = mask.gt(Number.NEGATIVE_INFINITY).any(-1, { keepdim: true });
  return { mask: mask.maximum(excluded), sees: sees.value.constant?.every(Boolean) ? null : sees };
}

/**
 * Whether -Infinity can be among the numbers: as a constant, the logarithm of 0, or in a tensor given. Masks that models
 * make of whole numbers and finite constants cost nothing more.
 */
function mayExclude(mask: Value): boolean {
  const given = (v: Value | null) =>
    v !== null &&
    v.node === null &&
    isFloat(v.dtype) &&
    !v.requiresGrad &&
    (v.constant?.includes(Number.NEGATIVE_INFINITY) ?? true);
  return given(mask) || topologicalOrder([mask]).some((node) => node.op.type === 'Log' || node.inputs.some(given));
}
