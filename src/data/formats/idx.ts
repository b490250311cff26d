/** @file IDX, the format of MNIST (yann.lecun.com/exdb/mnist): magic, sizes, big-endian values. */
import { type DType, dtypes, type NumericArray } from '../../ir/dtype.ts';
import { FormatError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { type ReadOptions, withDefaults } from './bytes.ts';

const kinds: Record<number, DType | undefined> = {
  8: 'uint8',
  9: 'int8',
  11: 'int16',
  12: 'int32',
  13: 'float32',
  14: 'float64',
};

/** Reads `count` values of `bytesPer` bytes each through a DataView; one-byte values are copied at once. */
export function readValues(
  bytes: Uint8Array,
  offset: number,
  count: number,
  dtype: DType,
  littleEndian: boolean,
): NumericArray {
  const out = new dtypes[dtype].array(count);
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, count * dtypes[dtype].bytes);
  switch (dtype) {
    case 'uint8':
    case 'bool':
      out.set(bytes.subarray(offset, offset + count));
      break;
    case 'int8':
      for (let i = 0; i < count; i++) out[i] = view.getInt8(i);
      break;
    case 'int16':
      for (let i = 0; i < count; i++) out[i] = view.getInt16(2 * i, littleEndian);
      break;
    case 'uint16':
    case 'float16':
      for (let i = 0; i < count; i++) out[i] = view.getUint16(2 * i, littleEndian);
      break;
    case 'int32':
      for (let i = 0; i < count; i++) out[i] = view.getInt32(4 * i, littleEndian);
      break;
    case 'uint32':
      for (let i = 0; i < count; i++) out[i] = view.getUint32(4 * i, littleEndian);
      break;
    case 'float32':
      for (let i = 0; i < count; i++) out[i] = view.getFloat32(4 * i, littleEndian);
      break;
    case 'float64':
      for (let i = 0; i < count; i++) out[i] = view.getFloat64(8 * i, littleEndian);
      break;
    case 'int64':
      for (let i = 0; i < count; i++) out[i] = Number(view.getBigInt64(8 * i, littleEndian));
      break;
    case 'uint64':
      for (let i = 0; i < count; i++) out[i] = Number(view.getBigUint64(8 * i, littleEndian));
      break;
    default:
      throw new FormatError(`values of dtype ${dtype} cannot be read`);
  }
  return out;
}

/**
 * An array from the bytes of an IDX file (decompressed).
 * @throws FormatError when the magic number is wrong or the sizes do not fit the bytes that are there.
 */
export function parseIdx(bytes: Uint8Array, options: ReadOptions = {}): NDArray {
  const { name } = withDefaults(options);
  if (bytes.length < 4) throw new FormatError(`${name}: ${bytes.length} bytes are too few for an IDX file`);
  const dtype = kinds[bytes[2]];
  const rank = bytes[3];
  if (bytes[0] !== 0 || bytes[1] !== 0 || dtype === undefined)
    throw new FormatError(
      `${name}: no IDX file: it begins with ${[...bytes.subarray(0, 4)].join(' ')}, expected 0 0, a type of 8, 9, 11 to 14, and the number of dimensions`,
    );
  const header = 4 + 4 * rank;
  if (bytes.length < header) throw new FormatError(`${name}: the file ends within its ${rank} sizes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const count = shape.reduce((a, b) => a * b, 1);
  const needed = header + count * dtypes[dtype].bytes;
  if (needed !== bytes.length)
    throw new FormatError(
      `${name}: sizes [${shape.join(', ')}] of ${dtype} need ${needed} bytes, the file has ${bytes.length}`,
    );
  return { data: readValues(bytes, header, count, dtype, false), shape, dtype };
}
