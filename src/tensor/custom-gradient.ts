/** @file Functions with a gradient of one's own in place of the true one. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import type { OpDefinition } from '../ir/graph.ts';
import { formatShape, sameShape } from '../ir/shape.ts';
import { apply, withGrad } from '../ops/define.ts';
import { Tensor } from './tensor.ts';

export interface CustomFunction<A extends readonly Tensor[]> {
  /** Computes the result; not differentiated. */
  readonly forward: (...inputs: A) => Tensor;
  /**
   * The gradients of the inputs, in order and of their shapes, from the gradient `dy` of the result; null where none flows.
   * Made of tensor operations, so that it can be differentiated again.
   */
  readonly backward: (
    dy: Tensor,
    context: { readonly inputs: A; readonly output: Tensor },
  ) => readonly (Tensor | null)[];
}

/**
 * A function whose gradient is what `backward` says (torch.autograd.Function): straight-through estimators, reversed or
 * clipped gradients, derivatives that are more stable than the true ones.
 *
 * ```ts
 * const round = customGradient({ forward: (x) => x.round(), backward: (dy) => [dy] });   // straight through
 * ```
 * @throws ArgumentError or ShapeError while differentiating, if `backward` gives another number of gradients or other shapes.
 */
export function customGradient<A extends readonly Tensor[]>(fn: CustomFunction<A>): (...inputs: A) => Tensor {
  return (...inputs) => {
    const result = withGrad(false, () => fn.forward(...inputs)).value;
    const definition: OpDefinition = {
      type: 'CustomGradient',
      domain: 'gradus',
      infer: ([y]) => ({ dtype: y.dtype, shape: y.shape }),
      decompose: ([y]) => y,
      gradient: ({ inputs: [, ...xs], outputs: [y] }, [dy]) => {
        if (!dy) return [];
        const context = { inputs: xs.map((x) => new Tensor(x)) as readonly Tensor[] as A, output: new Tensor(y) };
        const dxs = fn.backward(new Tensor(dy), context);
        if (dxs.length !== xs.length)
          throw new ArgumentError(`customGradient: backward gave ${dxs.length} gradients for ${xs.length} inputs`);
        dxs.forEach((dx, i) => {
          if (dx && !sameShape(dx.shape, xs[i].shape))
            throw new ShapeError(
              `customGradient: the gradient of input ${i} has shape ${formatShape(dx.shape)}, the input ${formatShape(xs[i].shape)}`,
            );
        });
        return [null, ...dxs.map((dx) => dx?.value)];
      },
    };
    return new Tensor(apply(definition, [result, ...inputs.map((x) => x.value)], {})[0]);
  };
}
