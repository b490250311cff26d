/** @file Reading an .onnx file with the files of weights beside it. */
import { ArgumentError, FormatError } from '../../ir/errors.ts';
import { decodeModel } from '../../ir/onnx/decode.ts';
import { hasExternalData, type ReadExternal, resolveExternalData } from '../../ir/onnx/external.ts';
import type { ModelProto } from '../../ir/onnx/proto.ts';
import { fileError, readFileBounded, resolveInside } from '../../train/files.ts';
import { nodeFiles } from '../../train/node-files.ts';

/** The most that protobuf can hold. */
const maxBytes = 2 ** 31;

export interface OnnxFile {
  readonly bytes: Uint8Array;
  readonly model: ModelProto;
  /** Where external data was found; undefined for bytes. */
  readonly folder: string | undefined;
  /** Files of external data that the model names. */
  readonly external: ReadonlyMap<string, { tensor: string; offset: number }[]>;
}

/**
 * Reads a model and all of its tensors.
 * @param source a path, or the bytes of a model without external data.
 * @throws FileError, FormatError, UnsupportedError.
 */
export async function readOnnx(source: string | Uint8Array): Promise<OnnxFile> {
  const bytes = typeof source === 'string' ? await readFileBounded(source, maxBytes) : source;
  const model = decodeModel(bytes);
  const folder = typeof source === 'string' ? nodeFiles().path.dirname(source) : undefined;
  const external = externalPlaces(model);
  if (hasExternalData(model)) {
    if (folder === undefined)
      throw new ArgumentError(
        'the model keeps weights in files beside it; give the path of the .onnx file instead of its bytes',
      );
    await resolveExternalData(model, readInside(folder));
  }
  return { bytes, model, folder, external };
}

function externalPlaces(model: ModelProto): Map<string, { tensor: string; offset: number }[]> {
  const places = new Map<string, { tensor: string; offset: number }[]>();
  for (const { name, externalData } of model.graph.initializer) {
    if (!externalData) continue;
    const { location = '', offset = '0' } = externalData;
    const list = places.get(location) ?? [];
    list.push({ tensor: name, offset: Number(offset) });
    places.set(location, list);
  }
  return places;
}

/** Reads parts of files inside of a folder, never more than the file holds. */
function readInside(folder: string): ReadExternal {
  return async (location, offset, length) => {
    const path = resolveInside(folder, location);
    const { fs } = nodeFiles();
    let read = 0;
    try {
      const file = await fs.open(path, 'r');
      try {
        const { size } = await file.stat();
        const out = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
        while (read < out.length) {
          const part = await file.read(out, read, Math.min(out.length - read, 1 << 28), offset + read);
          if (part.bytesRead === 0) throw new FormatError(`${path} became shorter while it was read`);
          read += part.bytesRead;
        }
        return out;
      } finally {
        await file.close();
      }
    } catch (error) {
      if (error instanceof FormatError) throw error;
      throw fileError('read', path, error, read);
    }
  };
}
