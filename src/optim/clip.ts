/** @file Gradient clipping by norm and by value. */
import { ArgumentError, NumericError } from '../ir/errors.ts';
import { deliverWithBackward } from '../tensor/autograd.ts';
import { clamp, minimum, noGrad, norm, stack, type Tensor, zeros } from '../tensor/index.ts';

export interface ClipGradNormOptions {
  /** Order of the norm; Infinity for the largest absolute value. */
  normType?: number;
  /** Compute the norm at once, and throw if it is NaN or infinite, before anything is clipped. */
  errorIfNonfinite?: boolean;
}

interface WithGrad {
  readonly parameter: Tensor;
  readonly grad: Tensor;
}

function gradients(params: Tensor | Iterable<Tensor>): WithGrad[] {
  const all = Symbol.iterator in params ? [...params] : [params];
  return all.flatMap((parameter) => (parameter.grad ? [{ parameter, grad: parameter.grad }] : []));
}

/** The norm of all gradients together, as if they were one vector (torch.nn.utils.get_total_norm). */
export function gradNorm(params: Tensor | Iterable<Tensor>, { normType = 2 }: { normType?: number } = {}): Tensor {
  return noGrad(() => {
    const norms = gradients(params).map(({ grad }) => norm(grad, undefined, { p: normType }));
    if (!norms.length) return zeros([]);
    return norms.length === 1 ? norms[0] : norm(stack(norms), undefined, { p: normType });
  });
}

function scale(params: Tensor | Iterable<Tensor>, total: Tensor, maxNorm: number): void {
  noGrad(() => {
    const factor = minimum(total.add(1e-6).reciprocal().mul(maxNorm), 1);
    for (const { parameter, grad } of gradients(params)) parameter.grad = grad.mul(factor);
  });
}

/**
 * Scales all gradients by one factor such that their joint norm is at most `maxNorm` (torch.nn.utils.clip_grad_norm_). Call
 * it between `backward()` and `step()`; it becomes part of the same program.
 * @returns the norm before clipping, a scalar that the step computes; a promise of it with `errorIfNonfinite`.
 * @throws ArgumentError unless maxNorm is above 0; NumericError with `errorIfNonfinite`.
 */
export function clipGradNorm(
  params: Tensor | Iterable<Tensor>,
  maxNorm: number,
  options: ClipGradNormOptions & { errorIfNonfinite: true },
): Promise<Tensor>;
export function clipGradNorm(
  params: Tensor | Iterable<Tensor>,
  maxNorm: number,
  options?: ClipGradNormOptions & { errorIfNonfinite?: false },
): Tensor;
export function clipGradNorm(
  params: Tensor | Iterable<Tensor>,
  maxNorm: number,
  options: ClipGradNormOptions = {},
): Tensor | Promise<Tensor> {
  if (!(maxNorm > 0)) throw new ArgumentError(`clipGradNorm: maxNorm must be above 0, found ${maxNorm}`);
  const all = Symbol.iterator in params ? [...params] : [params];
  const total = gradNorm(all, options);
  if (options.errorIfNonfinite) return clipIfFinite(all, maxNorm, total);
  scale(all, total, maxNorm);
  deliverWithBackward(total);
  return total;
}

async function clipIfFinite(params: readonly Tensor[], maxNorm: number, total: Tensor): Promise<Tensor> {
  const value = await total.item();
  if (!Number.isFinite(value))
    throw new NumericError(
      `clipGradNorm: the norm of the gradients is ${value}; look for the parameter whose gradient is not finite, lower the learning rate, or leave out errorIfNonfinite`,
    );
  scale(params, total, maxNorm);
  return total;
}

/**
 * Limits every element of every gradient to [-clipValue, clipValue] (torch.nn.utils.clip_grad_value_).
 * @throws ArgumentError unless clipValue is above 0.
 */
export function clipGradValue(params: Tensor | Iterable<Tensor>, clipValue: number): void {
  if (!(clipValue > 0)) throw new ArgumentError(`clipGradValue: clipValue must be above 0, found ${clipValue}`);
  noGrad(() => {
    for (const { parameter, grad } of gradients(params))
      parameter.grad = clamp(grad, { min: -clipValue, max: clipValue });
  });
}
