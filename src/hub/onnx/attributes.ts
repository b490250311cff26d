/** @file Attributes of a file as the plain values that operators take. */
import { dtypeAttributes } from '../../compiler/emit.ts';
import { type DType, dtypeFromOnnx } from '../../ir/dtype.ts';
import { FormatError, UnsupportedError } from '../../ir/errors.ts';
import type { Attr, Attrs, ConstantTensor } from '../../ir/graph.ts';
import { fromRaw } from '../../ir/onnx/elements.ts';
import { type AttributeProto, AttributeType, type TensorProto } from '../../ir/onnx/proto.ts';

/** The dtype of a tensor. @throws UnsupportedError for types that Gradus does not hold (float8, int4, complex, strings). */
export function dtypeOf(tensor: TensorProto, where: string): DType {
  const dtype = dtypeFromOnnx(tensor.dataType);
  if (!dtype || dtype === 'string')
    throw new UnsupportedError(
      `${where}: tensor '${tensor.name}' has element type ${dtype ?? `number ${tensor.dataType} of TensorProto.DataType`}, which Gradus cannot compute with`,
    );
  return dtype;
}

/** A tensor of a file as a constant. */
export function constantFromProto(tensor: TensorProto, where: string): ConstantTensor {
  const dtype = dtypeOf(tensor, where);
  if (!tensor.rawData) throw new FormatError(`${where}: tensor '${tensor.name}' holds no elements`);
  return { dtype, shape: tensor.dims, data: fromRaw(dtype, tensor.rawData) };
}

/** Attributes that have one type in all operators; a file that gives another would be misread silently. */
const kinds = new Map<string, number>();
const declare = (type: number, names: string) => {
  for (const name of names.split(' ')) kinds.set(name, type);
};
declare(AttributeType.INT, 'axis keepdims group to transA transB num_outputs training_mode hidden_size allowzero');
declare(AttributeType.INTS, 'perm kernel_shape strides pads dilations axes');
declare(AttributeType.FLOAT, 'alpha beta epsilon momentum');
declare(AttributeType.STRING, 'mode auto_pad equation reduction direction');

function checkKind({ name, type }: AttributeProto, where: () => string): void {
  const expected = kinds.get(name);
  if (expected === undefined || expected === type) return;
  const nameOf = (t: number) => Object.entries(AttributeType).find(([, code]) => code === t)?.[0] ?? String(t);
  throw new FormatError(`${where()}: attribute '${name}' is ${nameOf(type)}; expected ${nameOf(expected)}`);
}

/** Attributes by name; graphs are left out. */
export function attrsFromProto(attributes: readonly AttributeProto[], where: () => string): Attrs {
  const attrs: Record<string, Attr> = {};
  for (const a of attributes) {
    checkKind(a, where);
    const value = attrFromProto(a, where);
    if (value !== undefined) attrs[a.name] = value;
  }
  return attrs;
}

function attrFromProto(a: AttributeProto, where: () => string): Attr | undefined {
  switch (a.type) {
    case AttributeType.FLOAT:
      return a.f;
    case AttributeType.INT:
      return dtypeAttributes.has(a.name) ? dtypeName(a.i, a.name, where) : a.i;
    case AttributeType.STRING:
      return a.s;
    case AttributeType.FLOATS:
      return a.floats;
    case AttributeType.INTS:
      return a.ints;
    case AttributeType.STRINGS:
      return a.strings;
    case AttributeType.TENSOR:
      return a.t && constantFromProto(a.t, where());
    default:
      return undefined;
  }
}

/** A code of TensorProto.DataType as a name; 0 means that the attribute is not given. */
function dtypeName(code: number | undefined, name: string, where: () => string): Attr | undefined {
  if (!code) return undefined;
  const dtype = dtypeFromOnnx(code);
  if (!dtype)
    throw new UnsupportedError(`${where()}: attribute '${name}' names element type ${code}, which Gradus cannot hold`);
  return dtype;
}
