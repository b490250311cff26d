/** @file The parts of onnx.proto that Gradus reads and writes, as plain objects. */

export const AttributeType = {
  FLOAT: 1,
  INT: 2,
  STRING: 3,
  TENSOR: 4,
  GRAPH: 5,
  FLOATS: 6,
  INTS: 7,
  STRINGS: 8,
} as const;

export interface TensorProto {
  name: string;
  dims: number[];
  /** TensorProto.DataType. */
  dataType: number;
  /** Little-endian elements; a view, not a copy. Absent for string tensors. */
  rawData?: Uint8Array;
  stringData?: Uint8Array[];
  /** Where the elements lie outside of the model file: location, offset, length; see external.ts. */
  externalData?: Record<string, string>;
  docString?: string;
}

export interface AttributeProto {
  name: string;
  type: number;
  f?: number;
  i?: number;
  s?: string;
  t?: TensorProto;
  g?: GraphProto;
  floats?: number[];
  ints?: number[];
  strings?: string[];
  /** In a function's body: the value is that of the function's attribute of this name. */
  refAttrName?: string;
}

export interface NodeProto {
  opType: string;
  domain: string;
  name: string;
  /** Value names; '' is an absent optional input or output. */
  input: string[];
  output: string[];
  attribute: AttributeProto[];
  docString?: string;
  /** What the exporter tells of the node, such as the modules around it. */
  metadataProps?: { key: string; value: string }[];
}

export interface ValueInfoProto {
  name: string;
  /** Absent where the file gives no tensor type. */
  elemType?: number;
  /** Numbers, symbol names, or null where unknown; undefined when the rank is unknown. */
  shape?: (number | string | null)[];
}

export interface GraphProto {
  name: string;
  node: NodeProto[];
  initializer: TensorProto[];
  input: ValueInfoProto[];
  output: ValueInfoProto[];
  valueInfo: ValueInfoProto[];
}

export interface FunctionProto {
  name: string;
  domain: string;
  input: string[];
  output: string[];
  attribute: string[];
  attributeProto: AttributeProto[];
  node: NodeProto[];
  opsetImport: { domain: string; version: number }[];
}

export interface ModelProto {
  irVersion: number;
  opsetImport: { domain: string; version: number }[];
  producerName: string;
  producerVersion: string;
  graph: GraphProto;
  metadataProps: { key: string; value: string }[];
  functions: FunctionProto[];
}
