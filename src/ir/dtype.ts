/** @file Element types: names, storage classes and ONNX codes. */

export type DType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool'
  | 'string';

/**
 * How elements lie in JavaScript memory. 64-bit integers are held as float64 (exact to 2^53, user code never meets
 * BigInt) and converted at the engine's border; float16 and bfloat16 are held as their 16 raw bits.
 */
export type NumericArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;

interface DTypeInfo {
  /** TensorProto.DataType. */
  readonly onnx: number;
  /** Bytes per element in files and in the engine. */
  readonly bytes: number;
  readonly kind: 'float' | 'int' | 'uint' | 'bool' | 'string';
  readonly array: { new (length: number): NumericArray; new (buffer: ArrayBuffer): NumericArray };
}

export const dtypes: Record<DType, DTypeInfo> = {
  float32: { onnx: 1, bytes: 4, kind: 'float', array: Float32Array },
  uint8: { onnx: 2, bytes: 1, kind: 'uint', array: Uint8Array },
  int8: { onnx: 3, bytes: 1, kind: 'int', array: Int8Array },
  uint16: { onnx: 4, bytes: 2, kind: 'uint', array: Uint16Array },
  int16: { onnx: 5, bytes: 2, kind: 'int', array: Int16Array },
  int32: { onnx: 6, bytes: 4, kind: 'int', array: Int32Array },
  int64: { onnx: 7, bytes: 8, kind: 'int', array: Float64Array },
  string: { onnx: 8, bytes: 0, kind: 'string', array: Uint8Array },
  bool: { onnx: 9, bytes: 1, kind: 'bool', array: Uint8Array },
  float16: { onnx: 10, bytes: 2, kind: 'float', array: Uint16Array },
  float64: { onnx: 11, bytes: 8, kind: 'float', array: Float64Array },
  uint32: { onnx: 12, bytes: 4, kind: 'uint', array: Uint32Array },
  uint64: { onnx: 13, bytes: 8, kind: 'uint', array: Float64Array },
  bfloat16: { onnx: 16, bytes: 2, kind: 'float', array: Uint16Array },
};

const byOnnxCode = new Map<number, DType>(Object.entries(dtypes).map(([name, info]) => [info.onnx, name as DType]));

/** The dtype with this TensorProto.DataType code, or undefined for types Gradus does not hold (complex, float8, int4). */
export function dtypeFromOnnx(code: number): DType | undefined {
  return byOnnxCode.get(code);
}

export function isFloat(dtype: DType): boolean {
  return dtypes[dtype].kind === 'float';
}

export function isInteger(dtype: DType): boolean {
  return dtypes[dtype].kind === 'int' || dtypes[dtype].kind === 'uint';
}
