/** @file Cast, CastLike, Identity. */
import { type DType, dtypes, isFloat, type NumericArray } from '../ir/dtype.ts';
import { DTypeError } from '../ir/errors.ts';
import type { Attrs, Value } from '../ir/graph.ts';
import { apply, defineOp, type } from './define.ts';

/** ONNX stores the target as a TensorProto.DataType code; here it is a dtype name, coded at emission. */
const target = (attrs: Attrs): DType => {
  const to = attrs.to as DType;
  if (!(to in dtypes)) throw new DTypeError(`unknown dtype '${to}'; expected one of ${Object.keys(dtypes).join(', ')}`);
  return to;
};

const wrap = (value: number, bits: number, signed: boolean): number => {
  const modulus = 2 ** bits;
  const low = ((Math.trunc(value) % modulus) + modulus) % modulus;
  return signed && low >= modulus / 2 ? low - modulus : low;
};

function foldCast([x]: readonly Value[], _attrs: Attrs, output: { dtype: DType }): NumericArray | undefined {
  const halves: DType[] = ['float16', 'bfloat16', 'string'];
  if (halves.includes(x.dtype) || halves.includes(output.dtype)) return undefined;
  const info = dtypes[output.dtype];
  const out = new info.array(x.size);
  const from = x.constant as NumericArray;
  for (let i = 0; i < out.length; i++) {
    const v = from[i];
    if (info.kind === 'bool') out[i] = v === 0 ? 0 : 1;
    else if (info.kind === 'float') out[i] = v;
    else out[i] = info.bytes === 8 ? toInt64(v) : wrap(v, info.bytes * 8, info.kind === 'int');
  }
  return out;
}

/** Infinities and NaN become the lowest number, as in the engine. */
const toInt64 = (v: number) => (Number.isFinite(v) ? Math.trunc(v) : -(2 ** 63));

/** Converts elements to `to` (a dtype name). Gradients are cast back; none flows through integers. */
export const cast = defineOp('Cast', {
  infer: ([x], attrs) => type(target(attrs), x.shape),
  fold: foldCast,
  simplify: ([x], attrs) => (x.dtype === attrs.to ? x : undefined),
  gradient: ({ inputs: [x] }, [dy]) => [dy && isFloat(x.dtype) ? cast(dy, { to: x.dtype }) : null],
});

/** Converts elements of the first operand to the dtype of the second. */
export const castLike = defineOp('CastLike', {
  infer: ([x, like]) => type(like.dtype, x.shape),
  simplify: ([x, like]) => apply(cast.definition, [x], { to: like.dtype })[0],
  gradient: 'decompose',
  decompose: ([x, like]) => cast(x, { to: like.dtype }),
});

export const identity = defineOp('Identity', {
  infer: ([x]) => type(x.dtype, x.shape),
  simplify: ([x]) => x,
  gradient: (_, [dy]) => [dy],
});

/** The same elements, through which no gradient flows; vanishes when a program is compiled. */
export const stopGradient = defineOp('StopGradient', {
  domain: 'gradus',
  infer: ([x]) => type(x.dtype, x.shape),
  gradient: 'zero',
  decompose: ([x]) => x,
});
