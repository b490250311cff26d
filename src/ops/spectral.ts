/** @file Fourier transforms: types only, no gradient yet. */
import { ShapeError } from '../ir/errors.ts';
import type { Attrs, Value } from '../ir/graph.ts';
import { formatShape, normalizeAxis } from '../ir/shape.ts';
import { constantInts, defineOp, requireFloat, type } from './define.ts';

/** The axis of real and imaginary parts: 1 for real numbers, 2 for complex ones. */
function requireComplexAxis(x: Value, what: string): void {
  const last = x.shape[x.rank - 1];
  if (x.rank < 3 || (last !== 1 && last !== 2))
    throw new ShapeError(`${what} must end in an axis of size 1 (real) or 2 (complex), found ${formatShape(x.shape)}`);
}

/** Bins of a transform of `length` points. */
const bins = (length: number, onesided: boolean) => (onesided ? Math.floor(length / 2) + 1 : length);

/**
 * Discrete Fourier transform of [batch, ..., 1 or 2] along an axis (the second-last by default, as third operand), cut or
 * zero-filled to `dft_length` (second operand).
 */
export const dft = defineOp('DFT', {
  infer: ([x, length, axis], attrs: Attrs) => {
    requireFloat(x);
    requireComplexAxis(x, 'the input');
    const at = normalizeAxis(axis ? constantInts(axis, 'the axis')[0] : -2, x.rank);
    const points = length ? constantInts(length, 'dft_length')[0] : x.shape[at];
    const inverseReal = attrs.onesided === 1 && attrs.inverse === 1;
    const shape = x.shape.with(at, inverseReal ? points : bins(points, attrs.onesided === 1));
    return type(x.dtype, shape.with(x.rank - 1, inverseReal ? 1 : 2));
  },
  gradient: 'unsupported',
});

/** Short-time Fourier transform of [batch, samples, 1 or 2]: [batch, frames, bins, 2]. */
export const stft = defineOp('STFT', {
  infer: ([x, frameStep, window, frameLength], attrs) => {
    requireFloat(x);
    requireComplexAxis(x, 'the signal');
    const [hop] = constantInts(frameStep, 'frame_step');
    const length = frameLength ? constantInts(frameLength, 'frame_length')[0] : (window?.size ?? x.shape[1]);
    const frames = Math.floor((x.shape[1] - length) / hop) + 1;
    if (frames < 1) throw new ShapeError(`a frame of ${length} samples does not fit into ${formatShape(x.shape)}`);
    return type(x.dtype, [x.shape[0], frames, bins(length, attrs.onesided !== 0), 2]);
  },
  gradient: 'unsupported',
});
