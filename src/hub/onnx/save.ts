/** @file Trained weights written back into the file they came from. */
import type { DType, NumericArray } from '../../ir/dtype.ts';
import { ArgumentError } from '../../ir/errors.ts';
import { toRaw } from '../../ir/onnx/elements.ts';
import { encodeModel } from '../../ir/onnx/encode.ts';
import type { TensorProto } from '../../ir/onnx/proto.ts';
import { readFileBounded, resolveInside, writeFileAtomic } from '../../train/files.ts';
import { nodeFiles } from '../../train/node-files.ts';
import type { OnnxFile } from './files.ts';

/** New elements of a tensor of the file. */
export interface Written {
  readonly proto: TensorProto;
  readonly dtype: DType;
  readonly data: NumericArray;
}

/**
 * The file with new elements. Where tensors lie in the file as raw bytes, only these bytes change; a file that holds them
 * in another form is encoded anew.
 * @param path where to write, or null.
 * @returns the bytes of the .onnx file.
 */
export async function saveInto(file: OnnxFile, written: readonly Written[], path: string | null): Promise<Uint8Array> {
  const outside = new Map<string, { offset: number; bytes: Uint8Array }[]>();
  const inside: { tensor: TensorProto; bytes: Uint8Array }[] = [];
  const places = new Map(
    [...file.external].flatMap(([location, list]) => list.map(({ tensor, offset }) => [tensor, { location, offset }])),
  );
  for (const { proto, dtype, data } of written) {
    const bytes = toRaw(dtype, data);
    const place = places.get(proto.name);
    if (!place) inside.push({ tensor: proto, bytes });
    else outside.set(place.location, [...(outside.get(place.location) ?? []), { offset: place.offset, bytes }]);
  }
  if (path === null && file.external.size)
    throw new ArgumentError('the model keeps weights in files beside it; give a path to save to instead of null');
  const bytes = patched(file, inside) ?? reencoded(file, inside);
  if (path === null) return bytes;
  const folder = nodeFiles().path.dirname(path);
  // Data first: a model file never names weights that are not there.
  for (const location of file.external.keys()) {
    const whole = await readFileBounded(resolveInside(file.folder ?? '.', location), Number.MAX_SAFE_INTEGER);
    for (const { offset, bytes: part } of outside.get(location) ?? []) whole.set(part, offset);
    await writeFileAtomic(resolveInside(folder, location), whole);
  }
  await writeFileAtomic(path, bytes);
  return bytes;
}

/** The file's bytes with those of tensors overwritten, or undefined if some tensor does not lie in them as it is. */
function patched(file: OnnxFile, parts: readonly { tensor: TensorProto; bytes: Uint8Array }[]): Uint8Array | undefined {
  const { bytes: original } = file;
  const lies = ({ tensor: { rawData }, bytes }: (typeof parts)[number]) =>
    rawData?.buffer === original.buffer && rawData.length === bytes.length;
  if (!parts.every(lies)) return undefined;
  const out = original.slice();
  for (const { tensor, bytes } of parts) out.set(bytes, (tensor.rawData?.byteOffset ?? 0) - original.byteOffset);
  return out;
}

/** The model encoded with the new elements in the tensors' places. */
function reencoded(file: OnnxFile, parts: readonly { tensor: TensorProto; bytes: Uint8Array }[]): Uint8Array {
  const before = parts.map(({ tensor }) => tensor.rawData);
  for (const { tensor, bytes } of parts) tensor.rawData = bytes;
  try {
    return encodeModel(file.model);
  } finally {
    parts.forEach(({ tensor }, i) => {
      tensor.rawData = before[i];
    });
  }
}
