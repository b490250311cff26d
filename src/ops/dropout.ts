/** @file Dropout. */
import { ArgumentError, UnsupportedError } from '../ir/errors.ts';
import { constant, type Value } from '../ir/graph.ts';
import { mul } from './arithmetic.ts';
import { cast } from './cast.ts';
import { greater } from './compare.ts';
import { defineOp, requireFloat, type } from './define.ts';
import { dropoutMask } from './hash-random.ts';
import { expand } from './movement.ts';

/**
 * x times a random mask that is 0 with probability `ratio` and 1 / (1 - ratio) otherwise (Srivastava et al. 2014). The
 * mask depends on nothing but the uint32 scalar `seed`; the backward pass reuses it, one multiplication.
 */
export function dropout(x: Value, seed: Value, { ratio = 0.5 }: { ratio?: number } = {}): Value {
  requireFloat(x);
  if (ratio === 0) return x;
  return mul(x, cast(dropoutMask(seed, { ratio, shape: x.shape }), { to: x.dtype }));
}

let seedSource: (() => Value) | null = null;

/** Says where the Dropout nodes of imported graphs get their seeds (uint32 scalars that differ in every run). */
export function setSeedSource(source: () => Value): void {
  seedSource = source;
}

function constantNumber(v: Value | undefined, fallback: number, what: string): number {
  if (!v) return fallback;
  if (!v.constant) throw new ArgumentError(`${what} of Dropout must be a constant, found a computed tensor`);
  return v.constant[0];
}

function dropoutParts([x, ratioOperand, trainingOperand]: readonly Value[]): Value[] {
  const ratio = constantNumber(ratioOperand, 0.5, 'the ratio');
  const training = constantNumber(trainingOperand, 0, 'the training mode');
  if (!training || ratio === 0) return [x, expand(constant(1, 'bool'), x.shape)];
  if (!seedSource)
    throw new UnsupportedError('a Dropout node in training mode needs seeds; import the tensor layer, which has them');
  const mask = dropoutMask(seedSource(), { ratio, shape: x.shape });
  return [mul(x, cast(mask, { to: x.dtype })), greater(mask, constant(0, 'float32'))];
}

/**
 * ONNX's Dropout: operands x, ratio (0.5), training_mode (false); outputs y and the mask of what was kept. The identity
 * unless training. It becomes its parts at once, because while training it needs a seed.
 */
export const onnxDropout = defineOp('Dropout', {
  optionalOutputs: 1,
  infer: ([x]) => [type(x.dtype, x.shape), type('bool', x.shape)],
  simplify: dropoutParts,
  gradient: 'decompose',
  decompose: dropoutParts,
});
