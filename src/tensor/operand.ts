/** @file What operations accept: tensors, and numbers that become constants or per-run scalars. */
import { type DType, dtypes, isFloat } from '../ir/dtype.ts';
import { ArgumentError } from '../ir/errors.ts';
import { constant, Value } from '../ir/graph.ts';
import { encodeNumber } from '../ir/half.ts';
import { cast } from '../ops/cast.ts';
import { ScalarLeaf } from './storage.ts';
import { Tensor } from './tensor.ts';

/** A tensor, or a number or boolean standing for a scalar. */
export type Operand = Tensor | number | boolean;

/** Collects the numbers of a formula as scalars that may change from run to run of the same program. */
export interface ScalarRecorder {
  record(value: number, dtype: DType): Value;
}

let recorder: ScalarRecorder | null = null;

/** Runs `fn` with every number operand turned into a per-run scalar by the recorder, instead of a constant. */
export function withScalars<T>(scalars: ScalarRecorder | null, fn: () => T): T {
  const before = recorder;
  recorder = scalars;
  try {
    return fn();
  } finally {
    recorder = before;
  }
}

/** A recorder that appends to `leaves`; when replayed over the same formula it rewrites their numbers in order. */
export class ScalarTape implements ScalarRecorder {
  readonly #values: Value[] = [];
  #at = 0;

  /** Starts over at the first scalar. */
  rewind(): this {
    this.#at = 0;
    return this;
  }

  record(number: number, dtype: DType): Value {
    const known = this.#values[this.#at++];
    const leaf = known?.leaf;
    if (leaf instanceof ScalarLeaf && leaf.dtype === dtype) {
      leaf.data[0] = encodeNumber(number, dtype);
      return known;
    }
    const value = Value.input({ dtype, shape: [] }, new ScalarLeaf(dtype, number));
    this.#values[this.#at - 1] = value;
    return value;
  }
}

/** A number as a value of the given dtype. */
export function scalarValue(number: number | boolean, dtype: DType): Value {
  return recorder ? recorder.record(Number(number), dtype) : constant(Number(number), dtype);
}

// PyTorch's type promotion among tensors: bool < integers (by width) < floats (by width).
const rank = (dtype: DType) => {
  const { kind, bytes } = dtypes[dtype];
  return (kind === 'bool' ? 0 : kind === 'float' ? 200 : 100) + bytes * 2 + (kind === 'int' ? 1 : 0);
};

/** The dtype to which operands of an arithmetic operation are brought (torch.promote_types). */
export function promoteTypes(a: DType, b: DType): DType {
  if (a === b) return a;
  if (isFloat(a) && isFloat(b) && dtypes[a].bytes === 2 && dtypes[b].bytes === 2) return 'float32';
  const [signed, unsigned] = dtypes[a].kind === 'int' ? [a, b] : [b, a];
  // An unsigned type fits into a signed one only if that is wider.
  if (
    dtypes[signed].kind === 'int' &&
    dtypes[unsigned].kind === 'uint' &&
    dtypes[unsigned].bytes >= dtypes[signed].bytes
  )
    return widerSigned[unsigned] ?? 'float32';
  return rank(a) >= rank(b) ? a : b;
}

const widerSigned: Partial<Record<DType, DType>> = { uint8: 'int16', uint16: 'int32', uint32: 'int64' };

const category = (dtype: DType) => (dtypes[dtype].kind === 'bool' ? 0 : isFloat(dtype) ? 2 : 1);

/** The common dtype of two tensors: a scalar widens the other only where its kind (bool, integer, float) is higher. */
function commonType(a: Value, b: Value): DType {
  if (a.dtype === b.dtype) return a.dtype;
  if (a.rank && !b.rank && category(a.dtype) >= category(b.dtype)) return a.dtype;
  if (b.rank && !a.rank && category(b.dtype) >= category(a.dtype)) return b.dtype;
  return promoteTypes(a.dtype, b.dtype);
}

/** @throws ArgumentError for what plain JavaScript may pass: undefined, strings, arrays. */
function requireScalar(operand: Operand): number | boolean {
  if (typeof operand === 'number' || typeof operand === 'boolean') return operand;
  throw new ArgumentError(
    `expected a tensor or a number, found ${Array.isArray(operand) ? 'an array; make it a tensor with tensor([...])' : String(operand)}`,
  );
}

function castValue(value: Value, dtype: DType): Value {
  return value.dtype === dtype ? value : cast(value, { to: dtype });
}

/** Two operands as values of one dtype; a number takes the tensor's dtype unless it needs a float (torch.result_type). */
export function pair(a: Operand, b: Operand): [Value, Value] {
  if (a instanceof Tensor && b instanceof Tensor) {
    const dtype = commonType(a.value, b.value);
    return [castValue(a.value, dtype), castValue(b.value, dtype)];
  }
  if (a instanceof Tensor) {
    const scalar = requireScalar(b);
    const dtype = dtypeWith(a.dtype, scalar);
    return [castValue(a.value, dtype), scalarValue(scalar, dtype)];
  }
  if (b instanceof Tensor) {
    const scalar = requireScalar(a);
    const dtype = dtypeWith(b.dtype, scalar);
    return [scalarValue(scalar, dtype), castValue(b.value, dtype)];
  }
  return [scalarValue(requireScalar(a), 'float32'), scalarValue(requireScalar(b), 'float32')];
}

function dtypeWith(dtype: DType, scalar: number | boolean): DType {
  if (typeof scalar === 'boolean' || isFloat(dtype)) return dtype;
  if (!Number.isInteger(scalar)) return 'float32';
  return dtype === 'bool' ? 'int64' : dtype;
}

/** The value of an operand; a number becomes float32 unless told otherwise. */
export function operandValue(operand: Operand, dtype: DType = 'float32'): Value {
  return operand instanceof Tensor ? operand.value : scalarValue(operand, dtype);
}
