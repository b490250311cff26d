/**
 * @file Interpolation along one axis as a matrix: resizing is separable and linear, so its gradient is a product with the
 * transposed matrix of each axis. Coordinates are computed in float32, as ONNX Runtime's kernel does.
 */
import { ArgumentError } from '../../ir/errors.ts';
import type { Attrs } from '../../ir/graph.ts';
import { numberAttr } from '../unary.ts';

const f32 = Math.fround;

/** One resized axis. */
export interface AxisResize {
  readonly size: number;
  readonly output: number;
  readonly scale: number;
  /** Start and end of the region of interest, normalised; for tf_crop_and_resize. */
  readonly roi: readonly [number, number];
}

function coordinate(at: number, { size, output, scale, roi }: AxisResize, mode: string): number {
  const halfPixel = () => f32(f32(f32(at + 0.5) / scale) - 0.5);
  switch (mode) {
    case 'half_pixel':
      return halfPixel();
    case 'half_pixel_symmetric': {
      const adjustment = f32(output / f32(scale * size));
      return f32(f32((size / 2) * f32(1 - adjustment)) + halfPixel());
    }
    case 'pytorch_half_pixel':
      return output > 1 ? halfPixel() : 0;
    case 'align_corners':
      return output === 1 ? 0 : f32(f32(at * (size - 1)) / (output - 1));
    case 'asymmetric':
      return f32(at / scale);
    case 'tf_crop_and_resize': {
      const [start, end] = roi;
      const step = output > 1 ? f32(f32(at * (end - start) * (size - 1)) / (output - 1)) : 0;
      return output > 1 ? f32(f32(start * (size - 1)) + step) : 0.5 * (start + end) * (size - 1);
    }
    default:
      throw new ArgumentError(
        `coordinate_transformation_mode '${mode}' is unknown; expected half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric or tf_crop_and_resize`,
      );
  }
}

function nearest(x: number, mode: string): number {
  switch (mode) {
    case 'floor':
      return Math.floor(x);
    case 'ceil':
      return Math.ceil(x);
    case 'round_prefer_ceil':
      return Math.floor(x + 0.5);
    case 'round_prefer_floor':
      return Math.ceil(x - 0.5);
    default:
      throw new ArgumentError(
        `nearest_mode '${mode}' is unknown; expected round_prefer_floor, round_prefer_ceil, floor or ceil`,
      );
  }
}

/** Keys 1981: weights of the four neighbours at distance `t` from the second. */
function cubicWeights(t: number, a: number): number[] {
  const near = (d: number) => ((a + 2) * d - (a + 3)) * d * d + 1;
  const far = (d: number) => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return [far(t + 1), near(t), near(1 - t), far(2 - t)];
}

/** Weights where an axis shrinks, of a filter as much wider as the axis gets shorter (Pillow's antialiasing). */
function widenedWeights(x: number, { size, scale }: AxisResize, mode: string, a: number) {
  const kernel = (d: number) => {
    if (mode === 'linear') return Math.max(0, 1 - d);
    const [far, near] = cubicWeights(d % 1, a);
    return d < 1 ? near : d < 2 ? far : 0;
  };
  const support = (mode === 'linear' ? 1 : 2) / scale;
  const start = Math.max(0, Math.trunc(x + 1 - support));
  const end = Math.min(size, Math.trunc(x + 1 + support));
  const taps = Array.from({ length: end - start }, (_, i) => ({
    index: start + i,
    weight: kernel(Math.abs(start + i - x) * scale),
  }));
  const total = taps.reduce((n, { weight }) => n + weight, 0);
  return taps.map(({ index, weight }) => ({ index, weight: weight / total }));
}

const clamp = (i: number, size: number) => Math.min(size - 1, Math.max(0, i));

/** Indices and weights that make up each output element; empty where the extrapolation value stands. */
export function axisWeights(axis: AxisResize, attrs: Attrs): { index: number; weight: number }[][] {
  const mode = (attrs.mode as string | undefined) ?? 'nearest';
  const transformation = (attrs.coordinate_transformation_mode as string | undefined) ?? 'half_pixel';
  const { size, output, scale } = axis;
  return Array.from({ length: output }, (_, at) => {
    // Where nothing is resized, elements stay as they are, whatever the mode.
    const x = scale === 1 && transformation !== 'tf_crop_and_resize' ? at : coordinate(at, axis, transformation);
    if (transformation === 'tf_crop_and_resize' && (x < 0 || x > size - 1)) return [];
    if (mode === 'nearest') {
      const rounding = (attrs.nearest_mode as string | undefined) ?? 'round_prefer_floor';
      return [{ index: clamp(nearest(x, rounding), size), weight: 1 }];
    }
    if (attrs.antialias && scale < 1) return widenedWeights(x, axis, mode, numberAttr(attrs, 'cubic_coeff_a', -0.75));
    const base = Math.floor(x);
    if (mode === 'linear')
      return [
        { index: clamp(base, size), weight: 1 - (x - base) },
        { index: clamp(base + 1, size), weight: x - base },
      ];
    if (mode !== 'cubic') throw new ArgumentError(`mode '${mode}' is unknown; expected nearest, linear or cubic`);
    const weights = cubicWeights(x - base, numberAttr(attrs, 'cubic_coeff_a', -0.75));
    const taps = weights.map((weight, i) => ({ index: base - 1 + i, weight }));
    if (!attrs.exclude_outside) return taps.map(({ index, weight }) => ({ index: clamp(index, size), weight }));
    const inside = taps.filter(({ index }) => index >= 0 && index < size);
    const total = inside.reduce((n, { weight }) => n + weight, 0);
    return inside.map(({ index, weight }) => ({ index, weight: weight / total }));
  });
}
