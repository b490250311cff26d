/** @file Attributes between the graph's plain values and ONNX's typed ones. */
import { dtypes } from '../dtype.ts';
import type { Attr, ConstantTensor } from '../graph.ts';
import { toRaw } from './elements.ts';
import { type AttributeProto, AttributeType, type GraphProto, type TensorProto } from './proto.ts';

/**
 * Attributes that ONNX types as FLOAT or FLOATS. JavaScript has one kind of number, so the name decides; no name is used
 * for both kinds in the operators that Gradus knows.
 */
const floatAttributes = new Set(
  (
    'alpha beta gamma lambd bias epsilon ratio momentum high low mean scale seed spatial_scale extrapolation_value ' +
    'cubic_coeff_a clip softcap value_float value_floats activation_alpha activation_beta scales norm_coefficient ' +
    'activation_params rope_theta sample_rate_hz fill'
  ).split(' '),
);

/** @returns the ONNX form of a named attribute. */
export function attributeToProto(name: string, value: Attr): AttributeProto {
  const isFloat = floatAttributes.has(name);
  if (typeof value === 'number')
    return isFloat ? { name, type: AttributeType.FLOAT, f: value } : { name, type: AttributeType.INT, i: value };
  if (typeof value === 'string') return { name, type: AttributeType.STRING, s: value };
  if ('subgraph' in value) return { name, type: AttributeType.GRAPH, g: value.subgraph as GraphProto };
  if ('dtype' in value) return { name, type: AttributeType.TENSOR, t: tensorToProto(name, value) };
  if (typeof value[0] === 'string') return { name, type: AttributeType.STRINGS, strings: value as string[] };
  return isFloat
    ? { name, type: AttributeType.FLOATS, floats: value as number[] }
    : { name, type: AttributeType.INTS, ints: value as number[] };
}

/** @returns a TensorProto with raw little-endian elements. */
export function tensorToProto(name: string, tensor: ConstantTensor): TensorProto {
  return {
    name,
    dims: [...tensor.shape],
    dataType: dtypes[tensor.dtype].onnx,
    rawData: toRaw(tensor.dtype, tensor.data),
  };
}
