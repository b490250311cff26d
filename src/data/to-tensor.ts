/** @file The last step of a loader: arrays become tensors. */
import { isNDArray, type NDArray } from '../ir/ndarray.ts';
import { fromData, Tensor, tensor } from '../tensor/index.ts';

/** A batch type with tensors in place of NDArrays; everything else as it is. */
export type Tensors<B> = B extends NDArray
  ? Tensor
  : B extends string | number | boolean | bigint | null | undefined | Tensor
    ? B
    : B extends readonly string[]
      ? B
      : B extends object
        ? { [K in keyof B]: Tensors<B[K]> }
        : B;

/**
 * Replaces every NDArray within nested arrays and plain objects by a tensor; strings, numbers, tensors and other values
 * stay.
 * @param options.copy false hands the arrays' memory over instead of copying it (they must not be written to any more)
 */
export function toTensor<B>(batch: B, { copy = true }: { copy?: boolean } = {}): Tensors<B> {
  const convert = (value: unknown): unknown => {
    if (value instanceof Tensor) return value;
    if (isNDArray(value)) {
      const { data, shape, dtype } = value;
      return copy ? tensor(data, { shape, dtype }) : fromData(data, shape, { dtype });
    }
    if (Array.isArray(value)) return value.map(convert);
    if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, convert(inner)]));
    return value;
  };
  return convert(batch) as Tensors<B>;
}
