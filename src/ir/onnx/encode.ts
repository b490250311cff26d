/** @file Writes onnx.proto's ModelProto (field numbers as in onnx/onnx.proto, IR version 10). */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  ValueInfoProto,
} from './proto.ts';

type Fill<T> = (w: BinaryWriter, message: T) => void;

const varint = (w: BinaryWriter, field: number, value: number | bigint) => w.tag(field, WireType.Varint).int64(value);
const text = (w: BinaryWriter, field: number, value: string | undefined) => {
  if (value) w.tag(field, WireType.LengthDelimited).string(value);
};
const bytes = (w: BinaryWriter, field: number, value: Uint8Array) =>
  w.tag(field, WireType.LengthDelimited).bytes(value);
const message = <T>(w: BinaryWriter, field: number, value: T, fill: Fill<T>) => {
  w.tag(field, WireType.LengthDelimited).fork();
  fill(w, value);
  w.join();
};
const messages = <T>(w: BinaryWriter, field: number, values: readonly T[], fill: Fill<T>) => {
  for (const value of values) message(w, field, value, fill);
};
const texts = (w: BinaryWriter, field: number, values: readonly string[]) => {
  for (const value of values) w.tag(field, WireType.LengthDelimited).string(value);
};

// int64 attributes may hold ONNX's sentinels; float64 rounds 2^63 - 1 up, which int64 cannot hold.
const int64 = (value: number): number | bigint => {
  if (Number.isSafeInteger(value)) return value;
  return value >= 2 ** 63 ? 2n ** 63n - 1n : value <= -(2 ** 63) ? -(2n ** 63n) : BigInt(value);
};

const tensor: Fill<TensorProto> = (w, t) => {
  for (const dim of t.dims) varint(w, 1, dim);
  varint(w, 2, t.dataType);
  for (const s of t.stringData ?? []) bytes(w, 6, s);
  text(w, 8, t.name);
  if (t.rawData) bytes(w, 9, t.rawData);
  text(w, 12, t.docString);
  messages(
    w,
    13,
    Object.entries(t.externalData ?? {}).map(([key, value]) => ({ key, value })),
    property,
  );
  if (t.externalData) varint(w, 14, 1);
};

const attribute: Fill<AttributeProto> = (w, a) => {
  text(w, 1, a.name);
  if (a.f !== undefined) w.tag(2, WireType.Bit32).float(a.f);
  if (a.i !== undefined) varint(w, 3, int64(a.i));
  if (a.s !== undefined) w.tag(4, WireType.LengthDelimited).string(a.s);
  if (a.t) message(w, 5, a.t, tensor);
  if (a.g) message(w, 6, a.g, graph);
  for (const f of a.floats ?? []) w.tag(7, WireType.Bit32).float(f);
  for (const i of a.ints ?? []) varint(w, 8, int64(i));
  texts(w, 9, a.strings ?? []);
  varint(w, 20, a.type);
  text(w, 21, a.refAttrName);
};

const node: Fill<NodeProto> = (w, n) => {
  texts(w, 1, n.input);
  texts(w, 2, n.output);
  text(w, 3, n.name);
  text(w, 4, n.opType);
  messages(w, 5, n.attribute, attribute);
  text(w, 6, n.docString);
  text(w, 7, n.domain);
  messages(w, 9, n.metadataProps ?? [], property);
};

const dimension: Fill<number | string | null> = (w, dim) => {
  if (typeof dim === 'number') varint(w, 1, dim);
  else if (typeof dim === 'string') text(w, 2, dim);
};

const valueInfo: Fill<ValueInfoProto> = (w, v) => {
  text(w, 1, v.name);
  if (v.elemType === undefined) return;
  message(w, 2, v, (w2) =>
    message(w2, 1, v, (w3) => {
      varint(w3, 1, v.elemType ?? 0);
      if (v.shape) message(w3, 2, v.shape, (w4, shape) => messages(w4, 1, shape, dimension));
    }),
  );
};

const graph: Fill<GraphProto> = (w, g) => {
  messages(w, 1, g.node, node);
  text(w, 2, g.name);
  messages(w, 5, g.initializer, tensor);
  messages(w, 11, g.input, valueInfo);
  messages(w, 12, g.output, valueInfo);
  messages(w, 13, g.valueInfo, valueInfo);
};

const opset: Fill<{ domain: string; version: number }> = (w, o) => {
  text(w, 1, o.domain);
  varint(w, 2, o.version);
};

const func: Fill<FunctionProto> = (w, f) => {
  text(w, 1, f.name);
  texts(w, 4, f.input);
  texts(w, 5, f.output);
  texts(w, 6, f.attribute);
  messages(w, 7, f.node, node);
  messages(w, 9, f.opsetImport, opset);
  text(w, 10, f.domain);
  messages(w, 11, f.attributeProto, attribute);
};

const property: Fill<{ key: string; value: string }> = (w, p) => {
  text(w, 1, p.key);
  text(w, 2, p.value);
};

/** The bytes of an .onnx file. */
export function encodeModel(model: ModelProto): Uint8Array {
  const w = new BinaryWriter();
  varint(w, 1, model.irVersion);
  text(w, 2, model.producerName);
  text(w, 3, model.producerVersion);
  message(w, 7, model.graph, graph);
  messages(w, 8, model.opsetImport, opset);
  messages(w, 14, model.metadataProps, property);
  messages(w, 25, model.functions, func);
  return w.finish();
}
