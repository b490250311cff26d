/** @file NumPy's .npy and .npz (numpy.org/neps/nep-0001-npy-format), zip by fflate. */
import { unzipSync } from 'fflate';
import { type DType, dtypes } from '../../ir/dtype.ts';
import { FormatError, UnsupportedError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { type ReadOptions, tooLarge, withDefaults } from './bytes.ts';
import { readValues } from './idx.ts';

const descriptors: Record<string, DType | undefined> = {
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  b1: 'bool',
};

interface Header {
  readonly dtype: DType;
  readonly littleEndian: boolean;
  readonly fortran: boolean;
  readonly shape: number[];
  readonly start: number;
}

function parseHeader(bytes: Uint8Array, name: string): Header {
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (bytes.length < 12 || magic.some((b, i) => bytes[i] !== b))
    throw new FormatError(`${name}: no .npy file (it does not begin with \\x93NUMPY)`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const long = bytes[6] >= 2;
  const length = long ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (long ? 12 : 10) + length;
  if (start > bytes.length)
    throw new FormatError(`${name}: the .npy header of ${length} bytes goes beyond the end of the file`);
  const text = new TextDecoder('latin1').decode(
    bytes.subarray(start - length, Math.min(start, start - length + 65_536)),
  );
  const descriptor = /'descr':\s*'([<>|=])([a-zA-Z]\d*)'/.exec(text);
  const fortran = /'fortran_order':\s*(True|False)/.exec(text);
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(text);
  if (!fortran || !shape || !/'descr':/.test(text))
    throw new FormatError(`${name}: the .npy header is damaged: ${text.slice(0, 120).trim()}`);
  const dtype = descriptor ? descriptors[descriptor[2]] : undefined;
  if (!descriptor || dtype === undefined)
    throw new UnsupportedError(
      `${name}: element type ${/'descr':\s*(.{0,30})/.exec(text)?.[1] ?? ''} is not supported; save it as a number array (astype) first`,
    );
  return {
    dtype,
    littleEndian: descriptor[1] !== '>',
    fortran: fortran[1] === 'True',
    shape: shape[1]
      .split(',')
      .map((s) => s.trim())
      .filter((s) => s !== '')
      .map(Number),
    start,
  };
}

/** Row-major copy of column-major values. */
function fromFortran({ data, shape, dtype }: NDArray): NDArray {
  const out = new dtypes[dtype].array(data.length);
  const index = new Array<number>(shape.length).fill(0);
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) {
    let from = 0;
    for (let axis = 0; axis < shape.length; axis++) from += index[axis] * strides[axis];
    out[i] = data[from];
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
  }
  return { data: out, shape, dtype };
}

/**
 * The array of a .npy file, either byte order, C or Fortran layout.
 * @throws FormatError for a damaged header or a size that does not fit; UnsupportedError for strings and objects.
 */
export function parseNpy(bytes: Uint8Array, options: ReadOptions = {}): NDArray {
  const { name } = withDefaults(options);
  const { dtype, littleEndian, fortran, shape, start } = parseHeader(bytes, name);
  const count = shape.reduce((a, b) => a * b, 1);
  const there = bytes.length - start;
  if (shape.some((d) => !Number.isSafeInteger(d)) || count * dtypes[dtype].bytes !== there)
    throw new FormatError(
      `${name}: shape (${shape.join(', ')}) of ${dtype} needs ${count * dtypes[dtype].bytes} bytes, the file holds ${there}`,
    );
  const array: NDArray = { data: readValues(bytes, start, count, dtype, littleEndian), shape, dtype };
  return fortran && shape.length > 1 ? fromFortran(array) : array;
}

/**
 * The arrays of a .npz file by name (numpy.savez, numpy.savez_compressed).
 * @throws FormatError for a damaged archive or one that would unpack to more than `maxBytes`.
 */
export function parseNpz(bytes: Uint8Array, options: ReadOptions = {}): Record<string, NDArray> {
  const { name, maxBytes } = withDefaults(options);
  let total = 0;
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes, {
      filter: (file) => {
        // Deflate makes at most 1,032 bytes of one; a larger claim is a lie, and memory is reserved by the claim.
        if (file.originalSize > file.size * 1032 + 1032 || file.size > bytes.length)
          throw new FormatError(
            `${name}: entry '${file.name}' claims ${file.originalSize} bytes from ${file.size} compressed ones`,
          );
        total += file.originalSize;
        if (total > maxBytes) tooLarge(name, maxBytes);
        return file.name.endsWith('.npy');
      },
    });
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(`${name}: the .npz archive is damaged (${cause instanceof Error ? cause.message : cause})`, {
      cause,
    });
  }
  return Object.fromEntries(
    Object.entries(files).map(([file, content]) => [
      file.replace(/\.npy$/, ''),
      parseNpy(content, { name: `${name}/${file}` }),
    ]),
  );
}
