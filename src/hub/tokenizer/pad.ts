/** @file Padding of encodings to one length, and the tensors of a batch. */
import { ArgumentError } from '../../ir/errors.ts';
import { fromData, type Tensor } from '../../tensor/index.ts';
import type { BatchEncoding, Encoding, Offset } from './types.ts';

/** Where padding goes and what it is. */
export interface PadWith {
  readonly id: number;
  readonly typeId: number;
  readonly side: 'left' | 'right';
}

/** The common length. @param length undefined: that of the longest. */
export function paddedLength(encodings: readonly Encoding[], length: number | undefined, multipleOf = 1): number {
  if (!Number.isInteger(multipleOf) || multipleOf < 1)
    throw new ArgumentError(`padToMultipleOf must be a whole number of at least 1, found ${multipleOf}`);
  const target = length ?? encodings.reduce((longest, e) => Math.max(longest, e.inputIds.length), 0);
  return Math.ceil(target / multipleOf) * multipleOf;
}

/** Pads one encoding (and its further windows) to a length; longer ones stay as they are. */
export function padEncoding(encoding: Encoding, length: number, { id, typeId, side }: PadWith): Encoding {
  const missing = length - encoding.inputIds.length;
  const overflowing = encoding.overflowing?.map((e) => padEncoding(e, length, { id, typeId, side }));
  const rest = overflowing ? { overflowing } : {};
  if (missing <= 0) return { ...encoding, ...rest };
  const pad = <T>(values: readonly T[], value: T): T[] => {
    const filler = new Array<T>(missing).fill(value);
    return side === 'right' ? [...values, ...filler] : [...filler, ...values];
  };
  return {
    inputIds: pad(encoding.inputIds, id),
    attentionMask: pad(encoding.attentionMask, 0),
    ...(encoding.tokenTypeIds ? { tokenTypeIds: pad(encoding.tokenTypeIds, typeId) } : {}),
    ...(encoding.specialTokensMask ? { specialTokensMask: pad(encoding.specialTokensMask, 1) } : {}),
    ...(encoding.offsetMapping ? { offsetMapping: pad<Offset>(encoding.offsetMapping, [0, 0]) } : {}),
    sequenceIds: pad(encoding.sequenceIds, null),
    ...rest,
  };
}

/** int64 tensors [count, length] of encodings of equal length. @throws ArgumentError if their lengths differ. */
export function stackEncodings(encodings: readonly Encoding[]): BatchEncoding {
  const length = encodings[0]?.inputIds.length ?? 0;
  const odd = encodings.findIndex((e) => e.inputIds.length !== length);
  if (odd >= 0)
    throw new ArgumentError(
      `texts of ${length} and ${encodings[odd].inputIds.length} tokens cannot be one tensor: use padding: 'longest' or 'maxLength' and truncation`,
    );
  const stack = (values: (encoding: Encoding) => readonly number[]): Tensor => {
    const data = new Float64Array(encodings.length * length);
    encodings.forEach((encoding, i) => void data.set(values(encoding), i * length));
    return fromData(data, [encodings.length, length], { dtype: 'int64' });
  };
  const [first] = encodings;
  return {
    inputIds: stack((e) => e.inputIds),
    attentionMask: stack((e) => e.attentionMask),
    ...(first?.tokenTypeIds ? { tokenTypeIds: stack((e) => e.tokenTypeIds ?? []) } : {}),
    ...(first?.specialTokensMask ? { specialTokensMask: stack((e) => e.specialTokensMask ?? []) } : {}),
  };
}
