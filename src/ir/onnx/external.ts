/** @file External data: tensors whose elements lie in files beside the model. */
import { FormatError, UnsupportedError } from '../errors.ts';
import { tensorByteLength } from './decode-tensor.ts';
import type { GraphProto, ModelProto, NodeProto, TensorProto } from './proto.ts';

/**
 * Reads `length` bytes at `offset` of the file at `location`, a relative path with '/' that stays inside of the model's
 * folder. Gives fewer bytes where the file ends earlier; must not allocate by the length before knowing the file's size.
 */
export type ReadExternal = (location: string, offset: number, length: number) => Promise<Uint8Array>;

/**
 * Fills in rawData of every tensor with external data (in place), in the graph, its subgraphs and functions.
 * @throws FormatError for locations outside of the model's folder, offsets or lengths that are no numbers or do not match
 *   the tensor's dimensions, and files that end too early.
 */
export async function resolveExternalData(model: ModelProto, read: ReadExternal): Promise<void> {
  // Tied weights name the same bytes; they are read once.
  const known = new Map<string, Promise<Uint8Array>>();
  for (const tensor of tensorsOf(model)) {
    if (!tensor.externalData) continue;
    const where = `ONNX file: external data of tensor '${tensor.name}'`;
    if (tensor.dataType === 8) throw new UnsupportedError(`${where}: strings cannot be external`);
    const needed = tensorByteLength(tensor);
    const { location = '', offset, length } = tensor.externalData;
    checkLocation(location, where);
    const at = byteCount(offset, 0, `${where}: offset`);
    const claimed = byteCount(length, needed, `${where}: length`);
    if (claimed !== needed)
      throw new FormatError(`${where} has length ${claimed}; dimensions [${tensor.dims}] need ${needed} bytes`);
    const key = `${at}:${needed}:${location}`;
    let pending = known.get(key);
    if (!pending) {
      pending = needed ? read(location, at, needed) : Promise.resolve(new Uint8Array(0));
      known.set(key, pending);
    }
    const data = await pending;
    if (data.length !== needed)
      throw new FormatError(
        `${where}: '${location}' has ${data.length} bytes from byte ${at} on; expected ${needed}. Is the file whole?`,
      );
    // A plain view even of Node's Buffer, whose slice() would not copy.
    tensor.rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    delete tensor.externalData;
  }
}

/** Whether any tensor has its elements outside of the model file. */
export function hasExternalData(model: ModelProto): boolean {
  for (const tensor of tensorsOf(model)) if (tensor.externalData) return true;
  return false;
}

function* tensorsOf(model: ModelProto): Generator<TensorProto> {
  yield* tensorsOfGraph(model.graph);
  for (const { node } of model.functions) yield* tensorsOfNodes(node);
}

function* tensorsOfGraph(graph: GraphProto): Generator<TensorProto> {
  yield* graph.initializer;
  yield* tensorsOfNodes(graph.node);
}

function* tensorsOfNodes(nodes: readonly NodeProto[]): Generator<TensorProto> {
  for (const node of nodes)
    for (const { t, g } of node.attribute) {
      if (t) yield t;
      if (g) yield* tensorsOfGraph(g);
    }
}

function byteCount(text: string | undefined, fallback: number, what: string): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new FormatError(`${what} is ${JSON.stringify(text)}; expected a number of bytes`);
  return value;
}

function checkLocation(location: string, where: string): void {
  const parts = location.split(/[/\\]/);
  // A colon makes a drive or a URL; backslashes separate on Windows.
  if (!location || parts[0] === '' || location.includes(':') || location.includes('\0') || parts.includes('..'))
    throw new FormatError(
      `${where} lies at ${JSON.stringify(location)}; expected a path inside of the model's own folder`,
    );
}
