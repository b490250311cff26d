/** @file MatMulNBits: products with matrices of 4 or 8 bits in blocks, as in files that are quantised for language models. */
import { ShapeError, UnsupportedError } from '../ir/errors.ts';
import { type Attrs, constant, type Value } from '../ir/graph.ts';
import { formatShape } from '../ir/shape.ts';
import { add, mul, sub } from './arithmetic.ts';
import { bitShift, bitwiseAnd } from './bits.ts';
import { cast } from './cast.ts';
import { defineOp, requireFloat, type } from './define.ts';
import { matMul } from './matmul.ts';
import { concat, reshape, transpose } from './movement.ts';
import { slice } from './slice.ts';
import { numberAttr } from './unary.ts';

interface Layout {
  readonly rows: number;
  readonly columns: number;
  readonly bits: number;
  readonly block: number;
  /** Blocks of a row. */
  readonly blocks: number;
}

function layoutOf(attrs: Attrs): Layout {
  const [rows, columns] = [numberAttr(attrs, 'N', 0), numberAttr(attrs, 'K', 0)];
  const [bits, block] = [numberAttr(attrs, 'bits', 4), numberAttr(attrs, 'block_size', 32)];
  if (bits !== 4 && bits !== 8) throw new UnsupportedError(`weights of ${bits} bits; 4 and 8 are supported`);
  if (!(rows > 0 && columns > 0 && block > 0))
    throw new ShapeError(`N, K and block_size must be positive, found ${rows}, ${columns}, ${block}`);
  return { rows, columns, bits, block, blocks: Math.ceil(columns / block) };
}

/** Two numbers a byte, the lower bits first: [..., n] to [..., 2 n]. */
function unpacked(bytes: Value): Value {
  const low = bitwiseAnd(bytes, constant(15, 'uint8'));
  const high = bitShift(bytes, constant(4, 'uint8'), { direction: 'RIGHT' });
  const [first, second] = [low, high].map((v) => reshape(v, [...bytes.shape, 1]));
  const joined = concat(first, second, { axis: bytes.rank });
  return reshape(joined, [...bytes.shape.slice(0, -1), (bytes.shape.at(-1) ?? 0) * 2]);
}

/** The matrix [N, K] in floating point. */
function dequantized([, b, scales, zeros]: readonly Value[], attrs: Attrs): Value {
  const { rows, columns, bits, block, blocks } = layoutOf(attrs);
  const { dtype } = scales;
  const codes = reshape(bits === 4 ? unpacked(b) : b, [rows, blocks, block]);
  const perBlock = (v: Value) => reshape(v, [rows, blocks, 1]);
  const zero = () => {
    if (!zeros) return constant(2 ** (bits - 1), dtype);
    if (zeros.dtype !== 'uint8') return perBlock(zeros);
    const bytes = reshape(zeros, [rows, zeros.size / rows]);
    return perBlock(cast(slice(bits === 4 ? unpacked(bytes) : bytes, [0, 0], [rows, blocks]), { to: dtype }));
  };
  const values = mul(sub(cast(codes, { to: dtype }), zero()), perBlock(scales));
  return slice(reshape(values, [rows, blocks * block]), [0, 0], [rows, columns]);
}

/**
 * x [..., K] times a matrix [N, K] of 4- or 8-bit numbers, transposed; each block of a row has a scale and perhaps a zero
 * point (com.microsoft of ONNX Runtime). The gradient goes to x: integers have none.
 */
export const matMulNBits = defineOp('MatMulNBits', {
  domain: 'com.microsoft',
  infer: ([x, b, scales, , groups], attrs) => {
    const { rows, columns, bits, block, blocks } = layoutOf(attrs);
    if (groups) throw new UnsupportedError('g_idx, blocks in another order, is not supported');
    if (x.shape.at(-1) !== columns)
      throw new ShapeError(`expected an input of ${columns} features, found ${formatShape(x.shape)}`);
    if (b.size !== (rows * blocks * block * bits) / 8 || scales.size !== rows * blocks)
      throw new ShapeError(
        `${rows} rows of ${blocks} blocks of ${block} take ${(rows * blocks * block * bits) / 8} bytes and ${rows * blocks} scales, found ${formatShape(b.shape)} and ${formatShape(scales.shape)}`,
      );
    return type(requireFloat(x), [...x.shape.slice(0, -1), rows]);
  },
  gradient: 'decompose',
  decompose: (inputs, attrs) => {
    const [x] = inputs;
    const y = matMul(x, transpose(cast(dequantized(inputs, attrs), { to: x.dtype }), { perm: [1, 0] }));
    return inputs[5] ? add(y, inputs[5]) : y;
  },
});
