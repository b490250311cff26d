/** @file Operators that make tensors from sizes: ConstantOfShape, EyeLike, Range, OneHot, windows, Shape, Size. */
import { type DType, dtypes, isInteger } from '../ir/dtype.ts';
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import { type Attrs, type ConstantTensor, constant, type Value } from '../ir/graph.ts';
import { normalizeAxis } from '../ir/shape.ts';
import { add } from './arithmetic.ts';
import { cast } from './cast.ts';
import { equal, less, where } from './compare.ts';
import { constantInts, defineOp, requireRank, requireSameDType, type } from './define.ts';
import { expand, ints, reshape } from './movement.ts';
import { slice } from './slice.ts';
import { numberAttr } from './unary.ts';

/** A dtype attribute (held by name), or the default. */
export function dtypeAttr(attrs: Attrs, name: string, fallback: DType): DType {
  const found = attrs[name];
  return typeof found === 'string' && found in dtypes ? (found as DType) : fallback;
}

/** The value of ConstantOfShape: a tensor attribute of one element, float32 0 by default. */
function fillOf(attrs: Attrs): Value {
  const value = attrs.value as ConstantTensor | undefined;
  return value ? constant(value.data, value.dtype, []) : constant(0, 'float32');
}

/** A tensor of the shape given by the operand, filled with the attribute `value`. Becomes an Expand. */
export const constantOfShape = defineOp('ConstantOfShape', {
  infer: ([shape], attrs) => type(fillOf(attrs).dtype, constantInts(shape, 'the shape')),
  simplify: ([shape], attrs) => expand(fillOf(attrs), constantInts(shape, 'the shape')),
  gradient: 'zero',
});

/** Ones on the k-th diagonal, in the shape of the operand. */
export const eyeLike = defineOp('EyeLike', {
  infer: ([x], attrs) => {
    requireRank(x, 2);
    return type(dtypeAttr(attrs, 'dtype', x.dtype), x.shape);
  },
  simplify: ([x], attrs) => {
    requireRank(x, 2);
    const dtype = dtypeAttr(attrs, 'dtype', x.dtype);
    if (dtype === 'float16' || dtype === 'bfloat16') return undefined;
    const [rows, columns] = x.shape;
    const k = numberAttr(attrs, 'k', 0);
    const data = new dtypes[dtype].array(rows * columns);
    for (let i = Math.max(0, -k); i < rows && i + k < columns; i++) data[i * columns + i + k] = 1;
    return constant(data, dtype, x.shape);
  },
  gradient: 'zero',
});

/** start, start + delta, ... below limit; all constant scalars. */
export const range = defineOp('Range', {
  infer: ([start, limit, delta]) => {
    const [from] = constantInts(start, 'start');
    const [to] = constantInts(limit, 'limit');
    const [by] = constantInts(delta, 'delta');
    if (!by) throw new ArgumentError('delta must not be 0');
    return type(requireSameDType(start, limit, delta), [Math.max(0, Math.ceil((to - from) / by))]);
  },
  fold: ([start, , delta], _attrs, output) => {
    if (output.dtype === 'float16' || output.dtype === 'bfloat16') return undefined;
    const out = new dtypes[output.dtype].array(output.shape[0]);
    const from = start.constant?.[0] ?? 0;
    const by = delta.constant?.[0] ?? 1;
    for (let i = 0; i < out.length; i++) out[i] = from + i * by;
    return out;
  },
  gradient: 'zero',
});

function oneHotDepth(depth: Value): number {
  const [size] = constantInts(depth, 'the depth');
  if (!Number.isInteger(size) || size < 1) throw new ArgumentError(`the depth must be a whole number >= 1`);
  return size;
}

function oneHotParts([indices, depth, values]: readonly Value[], attrs: Attrs): Value {
  const size = oneHotDepth(depth);
  const axis = normalizeAxis(numberAttr(attrs, 'axis', -1), indices.rank + 1);
  const wanted = isInteger(indices.dtype) ? indices : cast(indices, { to: 'int64' });
  const zero = constant(0, wanted.dtype);
  const wrapped = where(less(wanted, zero), add(wanted, constant(size, wanted.dtype)), wanted);
  const rows = reshape(wrapped, [...indices.shape.slice(0, axis), 1, ...indices.shape.slice(axis)]);
  const classes = constant(
    Array.from({ length: size }, (_, i) => i),
    wanted.dtype,
    [size, ...new Array<number>(indices.rank - axis).fill(1)],
  );
  const [off, on] = [slice(values, [0], [1]), slice(values, [1], [2])];
  return where(equal(rows, classes), reshape(on, []), reshape(off, []));
}

/**
 * A new axis of size `depth` (constant) at `axis` (the last by default) with `values[1]` at the index, `values[0]` elsewhere.
 */
export const oneHot = defineOp('OneHot', {
  infer: ([indices, depth, values], attrs) => {
    const axis = normalizeAxis(numberAttr(attrs, 'axis', -1), indices.rank + 1);
    return type(values.dtype, [...indices.shape.slice(0, axis), oneHotDepth(depth), ...indices.shape.slice(axis)]);
  },
  // ONNX Runtime has kernels for a few combinations of dtypes only.
  simplify: (inputs, attrs) =>
    inputs[0].dtype === 'int64' && inputs[1].dtype === 'int64' && inputs[2].dtype === 'float32'
      ? undefined
      : oneHotParts(inputs, attrs),
  gradient: 'zero',
  decompose: oneHotParts,
});

/** A window function of cosines with the given coefficients; periodic by default. The size is constant. */
const cosineWindow = (name: string, coefficients: readonly number[]) =>
  defineOp(name, {
    infer: ([size], attrs) =>
      type(dtypeAttr(attrs, 'output_datatype', 'float32'), constantInts(size, 'the window size')),
    fold: ([size], attrs, output) => {
      if (output.dtype === 'float16' || output.dtype === 'bfloat16') return undefined;
      const count = size.constant?.[0] ?? 0;
      const period = attrs.periodic === 0 ? count - 1 : count;
      const out = new dtypes[output.dtype].array(count);
      for (let i = 0; i < count; i++)
        out[i] = coefficients.reduce((sum, c, k) => sum + c * Math.cos((2 * Math.PI * k * i) / period), 0);
      return out;
    },
    gradient: 'zero',
  });

export const hannWindow = cosineWindow('HannWindow', [0.5, -0.5]);
export const hammingWindow = cosineWindow('HammingWindow', [25 / 46, -21 / 46]);
export const blackmanWindow = cosineWindow('BlackmanWindow', [0.42, -0.5, 0.08]);

/** The matrix from spectrum bins to mel bins [dft_length / 2 + 1, num_mel_bins]; all operands are constant scalars. */
export const melWeightMatrix = defineOp('MelWeightMatrix', {
  infer: ([bins, length], attrs) => {
    const [count] = constantInts(bins, 'num_mel_bins');
    const [size] = constantInts(length, 'dft_length');
    return type(dtypeAttr(attrs, 'output_datatype', 'float32'), [Math.floor(size / 2) + 1, count]);
  },
  gradient: 'zero',
});

/** The shape of the operand from axis `start` to `end` as an int64 constant. */
export const shapeOp = defineOp('Shape', {
  infer: ([x], attrs) => type('int64', [shapeRange(x, attrs).length]),
  simplify: ([x], attrs) => ints(shapeRange(x, attrs)),
  gradient: 'zero',
});

function shapeRange(x: Value, attrs: Attrs): readonly number[] {
  const end = attrs.end as number | undefined;
  return x.shape.slice(numberAttr(attrs, 'start', 0), end);
}

/** The number of elements as an int64 constant. */
export const sizeOp = defineOp('Size', {
  infer: () => type('int64', []),
  simplify: ([x]) => constant(x.size, 'int64'),
  gradient: 'zero',
});

/** A tensor held by an attribute (`value`, or `value_float`, `value_int`, `value_floats`, `value_ints`). */
export const constantOp = defineOp('Constant', {
  infer: (_, attrs) => constantOf(attrs),
  simplify: (_, attrs) => constantOf(attrs),
  gradient: 'zero',
});

function constantOf(attrs: Attrs): Value {
  const { value } = attrs;
  if (value && typeof value === 'object' && 'dtype' in value) return constant(value.data, value.dtype, value.shape);
  for (const [name, dtype] of [
    ['value_float', 'float32'],
    ['value_int', 'int64'],
    ['value_floats', 'float32'],
    ['value_ints', 'int64'],
  ] as const) {
    const found = attrs[name];
    if (typeof found === 'number') return constant(found, dtype);
    if (Array.isArray(found)) return constant(found as number[], dtype);
  }
  throw new ShapeError(`a Constant needs one of value, value_float(s) or value_int(s), found ${formatNames(attrs)}`);
}

const formatNames = (attrs: Attrs) => Object.keys(attrs).join(', ') || 'none';
