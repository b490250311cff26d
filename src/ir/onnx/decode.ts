/** @file Reads .onnx files (onnx.proto's ModelProto) from untrusted bytes. */
import { FormatError, GradusError, UnsupportedError } from '../errors.ts';
import { entryFields, readTensor } from './decode-tensor.ts';
import {
  type AttributeProto,
  AttributeType,
  type FunctionProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type ValueInfoProto,
} from './proto.ts';
import { type Fields, notOnnx, Source } from './source.ts';

type Opset = ModelProto['opsetImport'][number];

/** AttributeProto.AttributeType codes that Gradus does not hold. */
const unsupportedAttributes = new Map([
  [9, 'a list of tensors'],
  [10, 'a list of graphs'],
  [11, 'a sparse tensor'],
  [12, 'a list of sparse tensors'],
  [13, 'a type'],
  [14, 'a list of types'],
]);

const opsetFields: Fields<Opset> = {
  1: (o, s) => {
    o.domain = s.string();
  },
  2: (o, s) => {
    o.version = s.int();
  },
};
const readOpset = (s: Source) => s.message<Opset>({ domain: '', version: 0 }, opsetFields);

const attributeFields: Fields<AttributeProto> = {
  1: (a, s) => {
    a.name = s.string();
  },
  2: (a, s) => {
    a.f = s.float();
  },
  3: (a, s) => {
    a.i = s.int();
  },
  4: (a, s) => {
    a.s = s.string();
  },
  5: (a, s) => {
    s.once(a.t);
    a.t = readTensor(s);
  },
  6: (a, s) => {
    s.once(a.g);
    a.g = readGraph(s);
  },
  7: (a, s) => {
    a.floats ??= [];
    const bytes = s.fixed(4);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < bytes.length; i += 4) a.floats.push(view.getFloat32(i, true));
  },
  8: (a, s) => {
    a.ints ??= [];
    const { ints } = a;
    s.varints((r) => ints.push(Number(r.int64())));
  },
  9: (a, s) => {
    a.strings ??= [];
    a.strings.push(s.string());
  },
  20: (a, s) => {
    a.type = s.int32();
  },
  21: (a, s) => {
    a.refAttrName = s.string();
  },
};

function readAttribute(s: Source): AttributeProto {
  const a = s.message<AttributeProto>({ name: '', type: 0 }, attributeFields);
  const { name, refAttrName } = a;
  // Files of IR version 1 name no type; and writers of proto3 leave out fields that hold zeros.
  const type = a.type || impliedType(a);
  if (refAttrName) return { name, type, refAttrName };
  switch (type) {
    case AttributeType.FLOAT:
      return { name, type, f: a.f ?? 0 };
    case AttributeType.INT:
      return { name, type, i: a.i ?? 0 };
    case AttributeType.STRING:
      return { name, type, s: a.s ?? '' };
    case AttributeType.FLOATS:
      return { name, type, floats: a.floats ?? [] };
    case AttributeType.INTS:
      return { name, type, ints: a.ints ?? [] };
    case AttributeType.STRINGS:
      return { name, type, strings: a.strings ?? [] };
    case AttributeType.TENSOR:
      if (a.t) return { name, type, t: a.t };
      throw notOnnx(`attribute '${name}' is a tensor but holds none`);
    case AttributeType.GRAPH:
      if (a.g) return { name, type, g: a.g };
      throw notOnnx(`attribute '${name}' is a graph but holds none`);
    default:
      if (unsupportedAttributes.has(type)) return { name, type };
      throw notOnnx(`attribute '${name}' has unknown type ${type}`);
  }
}

function impliedType(a: AttributeProto): number {
  if (a.t) return AttributeType.TENSOR;
  if (a.g) return AttributeType.GRAPH;
  if (a.f !== undefined) return AttributeType.FLOAT;
  if (a.i !== undefined) return AttributeType.INT;
  if (a.s !== undefined) return AttributeType.STRING;
  if (a.floats) return AttributeType.FLOATS;
  if (a.ints) return AttributeType.INTS;
  return a.strings ? AttributeType.STRINGS : 0;
}

function refuseUnsupported(attributes: readonly AttributeProto[], where: () => string): void {
  for (const { name, type } of attributes) {
    const kind = unsupportedAttributes.get(type);
    if (kind)
      throw new UnsupportedError(`ONNX file: attribute '${name}' of ${where()} is ${kind}, which Gradus cannot hold`);
  }
}

const nodeFields: Fields<NodeProto> = {
  1: (n, s) => {
    n.input.push(s.string());
  },
  2: (n, s) => {
    n.output.push(s.string());
  },
  3: (n, s) => {
    n.name = s.string();
  },
  4: (n, s) => {
    n.opType = s.string();
  },
  5: (n, s) => {
    n.attribute.push(readAttribute(s));
  },
  6: (n, s) => {
    n.docString = s.string();
  },
  7: (n, s) => {
    n.domain = s.string();
  },
  9: (n, s) => {
    n.metadataProps ??= [];
    n.metadataProps.push(s.message({ key: '', value: '' }, entryFields));
  },
};

function readNode(s: Source): NodeProto {
  const node = s.message<NodeProto>(
    { opType: '', domain: '', name: '', input: [], output: [], attribute: [] },
    nodeFields,
  );
  refuseUnsupported(node.attribute, () => `node '${node.name || (node.output[0] ?? '')}' (${node.opType})`);
  return node;
}

interface Dimension {
  dim: number | string | null;
}
const dimensionFields: Fields<Dimension> = {
  1: (d, s) => {
    const size = s.int();
    // Some exporters write -1 for a size that is not known.
    d.dim = size >= 0 && Number.isSafeInteger(size) ? size : null;
  },
  2: (d, s) => {
    d.dim = s.string() || null;
  },
};
const shapeFields: Fields<(number | string | null)[]> = {
  1: (shape, s) => {
    shape.push(s.message<Dimension>({ dim: null }, dimensionFields).dim);
  },
};
const tensorTypeFields: Fields<ValueInfoProto> = {
  1: (v, s) => {
    v.elemType = s.int32() || undefined;
  },
  2: (v, s) => {
    s.once(v.shape);
    v.shape = s.message([], shapeFields);
  },
};
// Sequences, maps and optionals are left out: elemType stays undefined.
const typeFields: Fields<ValueInfoProto> = { 1: (v, s) => s.message(v, tensorTypeFields) };
const valueInfoFields: Fields<ValueInfoProto> = {
  1: (v, s) => {
    v.name = s.string();
  },
  2: (v, s) => {
    s.message(v, typeFields);
  },
};
const readValueInfo = (s: Source) => s.message<ValueInfoProto>({ name: '' }, valueInfoFields);

const sparseFields: Fields<{ name: string }> = {
  1: (sparse, s) => {
    sparse.name = readTensor(s).name;
  },
};

const graphFields: Fields<GraphProto> = {
  1: (g, s) => {
    g.node.push(readNode(s));
  },
  2: (g, s) => {
    g.name = s.string();
  },
  5: (g, s) => {
    g.initializer.push(readTensor(s));
  },
  11: (g, s) => {
    g.input.push(readValueInfo(s));
  },
  12: (g, s) => {
    g.output.push(readValueInfo(s));
  },
  13: (g, s) => {
    g.valueInfo.push(readValueInfo(s));
  },
  15: (_, s) => {
    const { name } = s.message({ name: '' }, sparseFields);
    throw new UnsupportedError(
      `ONNX file: initializer '${name}' is sparse, which Gradus cannot hold; write the model with dense initializers`,
    );
  },
};

function readGraph(s: Source): GraphProto {
  return s.graph(() =>
    s.message<GraphProto>({ name: '', node: [], initializer: [], input: [], output: [], valueInfo: [] }, graphFields),
  );
}

const functionFields: Fields<FunctionProto> = {
  1: (f, s) => {
    f.name = s.string();
  },
  4: (f, s) => {
    f.input.push(s.string());
  },
  5: (f, s) => {
    f.output.push(s.string());
  },
  6: (f, s) => {
    f.attribute.push(s.string());
  },
  7: (f, s) => {
    f.node.push(readNode(s));
  },
  9: (f, s) => {
    f.opsetImport.push(readOpset(s));
  },
  10: (f, s) => {
    f.domain = s.string();
  },
  11: (f, s) => {
    f.attributeProto.push(readAttribute(s));
  },
};

function readFunction(s: Source): FunctionProto {
  const f = s.message<FunctionProto>(
    { name: '', domain: '', input: [], output: [], attribute: [], attributeProto: [], node: [], opsetImport: [] },
    functionFields,
  );
  refuseUnsupported(f.attributeProto, () => `function '${f.name}'`);
  return f;
}

const modelFields: Fields<Omit<ModelProto, 'graph'> & { graph?: GraphProto }> = {
  1: (m, s) => {
    m.irVersion = s.int();
  },
  2: (m, s) => {
    m.producerName = s.string();
  },
  3: (m, s) => {
    m.producerVersion = s.string();
  },
  7: (m, s) => {
    s.once(m.graph);
    m.graph = readGraph(s);
  },
  8: (m, s) => {
    m.opsetImport.push(readOpset(s));
  },
  14: (m, s) => {
    m.metadataProps.push(s.message({ key: '', value: '' }, entryFields));
  },
  25: (m, s) => {
    m.functions.push(readFunction(s));
  },
};

/**
 * Reads an .onnx file. Tensors' rawData are views of `bytes`, not copies, wherever the file holds them in that form;
 * typed data fields are converted. Tensors with external data have `externalData` instead; see `resolveExternalData`.
 * @throws FormatError if the bytes are no (whole) ONNX file or contradict themselves; UnsupportedError for sparse
 *   tensors and other parts of onnx.proto that Gradus does not hold, naming them.
 */
export function decodeModel(bytes: Uint8Array): ModelProto {
  if (!bytes.length) throw notOnnx('it is empty');
  try {
    return readModel(bytes);
  } catch (error) {
    const kind = kindOfFile(bytes);
    if (kind) throw notOnnx(kind);
    if (error instanceof GradusError) throw error;
    throw new FormatError(`not an ONNX file: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

function readModel(bytes: Uint8Array): ModelProto {
  const draft = {
    irVersion: 0,
    opsetImport: [],
    producerName: '',
    producerVersion: '',
    metadataProps: [],
    functions: [],
  };
  const { graph, ...model } = new Source(bytes).fields<Parameters<(typeof modelFields)[number]>[0]>(draft, modelFields);
  if (!graph) throw notOnnx('it has no graph');
  if (!Number.isSafeInteger(model.irVersion) || model.irVersion < 1)
    throw notOnnx(`its IR version is ${model.irVersion}; expected 1 or more`);
  // IR versions 1 and 2 had one operator set and no way to say so.
  if (!model.opsetImport.length) {
    if (model.irVersion >= 3) throw notOnnx('it names no operator set');
    model.opsetImport.push({ domain: '', version: 1 });
  }
  const names = new Set<string>();
  for (const { domain, name } of model.functions) {
    const full = `${domain}:${name}`;
    if (names.has(full))
      throw new UnsupportedError(`ONNX file: function '${full}' has overloads, which Gradus cannot hold`);
    names.add(full);
  }
  return { ...model, graph };
}

/** What a file that is no ONNX file probably is, by how it begins; undefined where that tells nothing. */
function kindOfFile(bytes: Uint8Array): string | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 64));
  if (head.startsWith('PK\x03\x04')) return 'it is a zip archive (PyTorch and Keras files are); export to ONNX instead';
  if (head.startsWith('\x1f\x8b')) return 'it is compressed by gzip; decompress it first';
  if (head.startsWith('\x89HDF')) return 'it is an HDF5 file (Keras); export to ONNX instead';
  if (head.slice(4, 8) === 'ORTM') return "it is in ONNX Runtime's own ORT format; use the .onnx file it was made from";
  if (head.slice(4, 8) === 'TFL3') return 'it is a TensorFlow Lite file; convert it to ONNX first';
  if (!/^[\t\n\r\x20-\x7e\x80-\xff]+$/.test(head)) return undefined;
  if (head.startsWith('version https://git-lfs'))
    return 'it is a Git LFS pointer, not the file itself; fetch it by `git lfs pull`';
  const start = JSON.stringify(head.slice(0, 24));
  if (/^\s*(\xef\xbb\xbf)?</.test(head)) return `it is a web page, starting ${start}; the download failed`;
  return /^[\t\n\r\x20-\x7e]+$/.test(head) ? `it is text, starting ${start}` : undefined;
}
