/** @file Options that are one number for all spatial dimensions, or one number for each. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import { checkWhole } from '../../ir/options.ts';
import { formatShape } from '../../ir/shape.ts';
import { reshape, type Tensor, unsqueeze } from '../../tensor/index.ts';
import { requireTensor } from '../../tensor/lift.ts';

/** One number for every spatial dimension, or a list of one for each. */
export type Sizes = number | readonly number[];

/** The list of `n` numbers that an option stands for. @throws ArgumentError for another length, or numbers below `least`. */
export function sizes(value: Sizes, n: number, name: string, least = 0): number[] {
  const list = typeof value === 'number' ? Array<number>(n).fill(value) : Array.isArray(value) ? [...value] : [];
  if (list.length !== n || list.some((v) => !Number.isInteger(v) || v < least))
    throw new ArgumentError(
      `${name} must be a whole number of at least ${least}, or ${n} of them, found ${JSON.stringify(value)}`,
    );
  return list;
}

/** @throws ArgumentError unless every size of a layer is a whole number of at least `least` (0: a layer may be empty, as in torch). */
export function checkFeatures(layer: string, values: Readonly<Record<string, number>>, least = 0): void {
  for (const [name, value] of Object.entries(values)) checkWhole(`${layer}: ${name}`, value, least);
}

/**
 * Applies `f` to x with batch and channel dimensions before `n` spatial ones; a missing batch dimension is added for the
 * call (torch takes [channels, ...spatial] too). @throws ShapeError for other ranks.
 */
export function batched(x: Tensor, n: number, name: string, f: (x: Tensor) => Tensor): Tensor {
  requireTensor(x, name);
  if (x.ndim === n + 2) return f(x);
  if (x.ndim !== n + 1)
    throw new ShapeError(
      `${name}: expected an input of shape [batch, channels, ${n} spatial] or [channels, ${n} spatial], found ${formatShape(x.shape)}`,
    );
  const y = f(unsqueeze(x, 0));
  return reshape(y, y.shape.slice(1));
}
