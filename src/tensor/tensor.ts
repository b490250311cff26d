/** @file The Tensor: a handle on a lazy value or on realised elements. Its operations are in array-methods.ts and elementwise-methods.ts. */
import { type DType, isFloat, type NumericArray } from '../ir/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../ir/errors.ts';
import type { Value } from '../ir/graph.ts';
import { decodeNumber } from '../ir/half.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../ir/shape.ts';
import { ArrayMethods } from './array-methods.ts';
import { forgetAssignment, recordAssignment, setPendingRequiresGrad } from './assignments.ts';
import { type BackwardOptions, backward, ownValue } from './autograd.ts';
import { exclusively, realizeValues } from './realize.ts';
import { type Storage, StorageLeaf } from './storage.ts';

export type NestedNumbers = number | boolean | readonly NestedNumbers[];

/**
 * An n-dimensional array. Operations build graph and return at once; `await t.data()`, `.array()`, `.item()` or
 * `realize(...)` compute.
 */
export class Tensor extends ArrayMethods {
  /** Gradient left by `backward()`, or null. */
  grad: Tensor | null = null;
  #value: Value;

  /** @internal Users create tensors with `tensor(...)`, `zeros(...)` and the like. */
  constructor(value: Value) {
    super();
    this.#value = value;
  }

  /** @internal The graph value that this tensor stands for at present. */
  get value(): Value {
    return this.#value;
  }

  /** @internal Lets the tensor stand for another value of the same type. */
  set value(value: Value) {
    this.#value = value;
  }

  get dtype(): DType {
    return this.#value.dtype;
  }

  /** Sizes of the dimensions. */
  get shape(): Shape {
    return this.#value.shape;
  }

  /** Number of dimensions. */
  get ndim(): number {
    return this.#value.shape.length;
  }

  /** Number of elements. */
  numel(): number {
    return sizeOf(this.#value.shape);
  }

  /** Size of dimension `dim` (negative counts from the end). */
  size(dim: number): number {
    const size = this.shape.at(dim);
    if (size === undefined)
      throw new ArgumentError(`dimension ${dim} does not exist in shape ${formatShape(this.shape)}`);
    return size;
  }

  /** Whether operations on this tensor can be differentiated. */
  get requiresGrad(): boolean {
    return this.#value.requiresGrad;
  }

  /** Only leaves (tensors that no operation made) can be switched. @throws ArgumentError otherwise, DTypeError for integers. */
  set requiresGrad(on: boolean) {
    if (on === this.#value.requiresGrad) return;
    if (on && !isFloat(this.dtype))
      throw new DTypeError(`only floating point tensors can require grad, found ${this.dtype}`);
    if (setPendingRequiresGrad(this, on)) return;
    const { storage } = this;
    if (!storage || (this.#value.node && this.#value.requiresGrad))
      throw new ArgumentError(
        'requiresGrad can be set on leaf tensors only; use .detach() to cut a computed tensor off, new nn.Parameter(t) or tensor(...) for a new leaf',
      );
    this.#value = storage.value(on);
    ownValue(this);
  }

  /** Whether no operation made this tensor. */
  get isLeaf(): boolean {
    return this.#value.node === null;
  }

  /** @internal The storage behind a realised tensor, or null. */
  get storage(): Storage | null {
    const leaf = (this.#value.realized ?? this.#value).leaf;
    return leaf instanceof StorageLeaf && leaf.isCurrent ? leaf.storage : null;
  }

  /**
   * Records that this tensor shall hold `next` from the next realisation on (PyTorch: copy_ under no_grad).
   * @throws ShapeError, DTypeError where the types differ; ArgumentError if this tensor holds no storage of its own.
   */
  assign(next: Tensor): this {
    if (!sameShape(next.shape, this.shape))
      throw new ShapeError(
        `cannot assign shape ${formatShape(next.shape)} to a tensor of shape ${formatShape(this.shape)}`,
      );
    if (next.dtype !== this.dtype)
      throw new DTypeError(`cannot assign ${next.dtype} to a tensor of ${this.dtype}; cast with .to('${this.dtype}')`);
    recordAssignment(this, next.value);
    return this;
  }

  /** Overwrites the elements at once, dropping a pending assignment. @throws ShapeError if the number of elements differs. */
  setData(data: NumericArray): this {
    const { requiresGrad } = this;
    const storage = forgetAssignment(this);
    if (data.length !== storage.size)
      throw new ShapeError(`${data.length} elements do not fill shape ${formatShape(this.shape)}`);
    storage.write(data);
    this.#value = storage.value(requiresGrad);
    ownValue(this);
    return this;
  }

  /** Computes the tensor (and all pending assignments) and keeps the result. */
  async realize(): Promise<this> {
    await realizeValues([this]);
    return this;
  }

  /** A copy of the elements in row-major order: the caller's own. 64-bit integers come as float64, bool as 0 and 1, float16 as raw bits. */
  async data(): Promise<NumericArray> {
    if (this.#value.constant) return this.#value.constant.slice();
    await realizeValues([this]);
    const storage = this.storage;
    if (!storage) return (this.#value.constant ?? new Float32Array()).slice();
    // A device's memory is read in turn with the programs, which may replace it.
    const data = storage.host ?? (await exclusively(() => storage.read()));
    return data.slice();
  }

  /** The single element of a tensor of size 1. @throws ShapeError for other sizes. */
  async item(): Promise<number> {
    if (this.numel() !== 1)
      throw new ShapeError(`item() needs exactly one element, found shape ${formatShape(this.shape)}`);
    return decodeNumber((await this.data())[0], this.dtype);
  }

  /** Elements as nested arrays (booleans for bool tensors). */
  async array(): Promise<NestedNumbers> {
    const data = await this.data();
    const read = (axis: number, offset: number, size: number): NestedNumbers => {
      if (axis === this.ndim)
        return this.dtype === 'bool' ? data[offset] !== 0 : decodeNumber(data[offset], this.dtype);
      const step = this.shape[axis] ? size / this.shape[axis] : 0;
      return Array.from({ length: this.shape[axis] }, (_, i) => read(axis + 1, offset + i * step, step));
    };
    return read(0, 0, this.numel());
  }

  override toString(): string {
    const grad = this.requiresGrad ? ', requiresGrad' : '';
    return `Tensor(${this.dtype}${formatShape(this.shape)}${grad}${this.storage ? '' : ', lazy'})`;
  }

  /** What console.log shows in Node: the same, not the fields. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  /** Adds the gradient of this scalar to the `.grad` of every leaf that requires grad (torch.Tensor.backward). */
  backward(options?: BackwardOptions): void {
    backward(this, options);
  }
}
