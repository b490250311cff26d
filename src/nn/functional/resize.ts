/** @file Resizing and sampling of images and volumes. */
import { ArgumentError, ShapeError } from '../../ir/errors.ts';
import { constant, type Value } from '../../ir/graph.ts';
import { formatShape, type Shape } from '../../ir/shape.ts';
import * as ops from '../../ops/index.ts';
import { Tensor } from '../../tensor/index.ts';
import { requireOneOf } from '../../tensor/lift.ts';
import { adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d } from './pool.ts';
import { type Sizes, sizes } from './sizes.ts';

export type InterpolateMode = 'nearest' | 'nearest-exact' | 'linear' | 'bilinear' | 'trilinear' | 'bicubic' | 'area';

export interface InterpolateOptions {
  /** Spatial sizes of the result; or give `scaleFactor`. */
  size?: Sizes;
  scaleFactor?: number | readonly number[];
  mode?: InterpolateMode;
  /** Whether the centres of the corner elements stay where they are ('linear' modes and 'bicubic'). */
  alignCorners?: boolean;
  /** Use the ratio of the sizes instead of the given factor. */
  recomputeScaleFactor?: boolean;
  /** Widen the filter when shrinking, against aliasing ('bilinear' and 'bicubic'). */
  antialias?: boolean;
}

/** Spatial dimensions that a mode takes; others take 1 to 3. */
const ranks: Partial<Record<InterpolateMode, number>> = { linear: 1, bilinear: 2, trilinear: 3, bicubic: 2 };
const modes: readonly InterpolateMode[] = [
  'nearest',
  'nearest-exact',
  'linear',
  'bilinear',
  'trilinear',
  'bicubic',
  'area',
];

/**
 * x [batch, channels, ...spatial] resized to `size` or by `scaleFactor` (torch.nn.functional.interpolate).
 * @throws ArgumentError unless exactly one of the two is given, and for a mode that does not fit; ShapeError for other ranks.
 */
export function interpolate(x: Tensor, options: InterpolateOptions = {}): Tensor {
  const { mode = 'nearest', alignCorners, antialias = false } = options;
  requireOneOf(mode, modes, 'interpolate', 'mode');
  const spatial = x.ndim - 2;
  if (spatial < 1 || spatial > 3 || (ranks[mode] ?? spatial) !== spatial)
    throw new ShapeError(
      `interpolate: mode '${mode}' takes [batch, channels] and ${ranks[mode] ?? '1 to 3'} spatial dimensions, found shape ${formatShape(x.shape)}`,
    );
  if (alignCorners !== undefined && ranks[mode] === undefined)
    throw new ArgumentError(`interpolate: alignCorners has no meaning for mode '${mode}'; leave it out`);
  if (antialias && mode !== 'bilinear' && mode !== 'bicubic')
    throw new ArgumentError(`interpolate: antialias goes with modes 'bilinear' and 'bicubic', found '${mode}'`);
  const target = outputSizes(x, spatial, options);
  if (mode === 'area') return [adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d][spatial - 1](x, target.sizes);
  if (mode === 'nearest' || mode === 'nearest-exact') {
    // Whatever the factor, PyTorch copies and doubles images exactly, yet neither sequences nor volumes.
    const isExact = (n: number, i: number) =>
      mode === 'nearest' && spatial === 2 && (n === x.shape[i + 2] || n === 2 * x.shape[i + 2]);
    const places = target.sizes.map((n, i) =>
      nearestPlaces(x.shape[i + 2], n, mode, target.factors?.[i], isExact(n, i)),
    );
    if (places.some((p) => !p.agrees)) return new Tensor(places.reduce(pickPlaces, x.value));
  }
  const [scales, sized] = target.factors
    ? [constant([1, 1, ...target.factors], 'float32'), null]
    : [null, ops.ints([x.shape[0], x.shape[1], ...target.sizes])];
  return new Tensor(ops.resize(x.value, null, scales, sized, resizeAttrs(mode, alignCorners ?? false, antialias)));
}

/** The factor as Resize holds it, moved by one step where rounding to float32 would change the size that follows from it. */
function asFloat32(factor: number, size: number, wanted: number): number {
  const rounded = Math.fround(factor);
  const found = Math.floor(size * rounded);
  if (found === wanted) return factor;
  return Math.fround(rounded * (1 + Math.sign(wanted - found) * 2 ** -23));
}

/** Where each element of an axis comes from by PyTorch's rounding, and whether ONNX's gives the same. */
function nearestPlaces(
  size: number,
  outputs: number,
  mode: InterpolateMode,
  factor: number | undefined,
  isExact: boolean,
) {
  const f32 = Math.fround;
  const step = isExact ? size / outputs : f32(factor === undefined ? size / outputs : 1 / factor);
  const scale = f32(factor ?? outputs / size);
  const index = Array.from({ length: outputs }, (_, i) =>
    Math.min(size - 1, Math.floor(f32(mode === 'nearest' ? i * step : f32(i + 0.5) * step))),
  );
  const onnx = index.map((_, i) => {
    const at = mode === 'nearest' ? Math.floor(f32(i / scale)) : Math.floor(f32(f32(i + 0.5) / scale));
    return Math.min(size - 1, at);
  });
  // ONNX Runtime copies what keeps its size, whatever the factor.
  const fitsCopy = outputs !== size || index.every((at, i) => at === i);
  return { index, agrees: fitsCopy && index.every((at, i) => at === onnx[i]) };
}

function pickPlaces(v: Value, { index }: { readonly index: readonly number[] }, i: number): Value {
  return ops.gather(v, ops.ints(index), { axis: i + 2 });
}

function outputSizes(x: Tensor, n: number, { size, scaleFactor, recomputeScaleFactor }: InterpolateOptions) {
  if ((size === undefined) === (scaleFactor === undefined))
    throw new ArgumentError('interpolate: give either size or scaleFactor');
  if (size !== undefined) return { sizes: sizes(size, n, 'interpolate: size', 1) };
  const factors = typeof scaleFactor === 'number' ? Array<number>(n).fill(scaleFactor) : [...(scaleFactor ?? [])];
  if (factors.length !== n || factors.some((f) => !(f > 0)))
    throw new ArgumentError(
      `interpolate: scaleFactor must be a positive number, or ${n} of them, found ${JSON.stringify(scaleFactor)}`,
    );
  const grown = factors.map((f, i) => Math.floor(x.shape[i + 2] * f));
  if (recomputeScaleFactor) return { sizes: grown };
  return { sizes: grown, factors: factors.map((f, i) => asFloat32(f, x.shape[i + 2], grown[i])) };
}

function resizeAttrs(mode: InterpolateMode, alignCorners: boolean, antialias: boolean) {
  if (mode === 'nearest')
    return { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
  if (mode === 'nearest-exact')
    return { mode: 'nearest', coordinate_transformation_mode: 'half_pixel', nearest_mode: 'round_prefer_ceil' };
  return {
    mode: mode === 'bicubic' ? 'cubic' : 'linear',
    coordinate_transformation_mode: alignCorners ? 'align_corners' : 'half_pixel',
    // PyTorch's filters with antialiasing are Keys' with -0.5, and leave out what lies outside.
    ...(mode === 'bicubic' ? { cubic_coeff_a: antialias ? -0.5 : -0.75 } : {}),
    ...(antialias ? { antialias: 1, exclude_outside: 1 } : {}),
  };
}

export interface GridSampleOptions {
  mode?: 'bilinear' | 'nearest' | 'bicubic';
  /** What lies outside: zeros, the nearest edge, or the mirror image. */
  paddingMode?: 'zeros' | 'border' | 'reflection';
  /** Whether -1 and 1 are the centres of the corner elements, or their outer edges. */
  alignCorners?: boolean;
}

/**
 * Values of x [batch, channels, height, width] at the points of `grid` [batch, h, w, 2], coordinates (x, y) from -1 to 1; or
 * of volumes, with a grid [batch, d, h, w, 3] (torch.nn.functional.grid_sample).
 * @throws ShapeError, ArgumentError where they do not fit.
 */
export function gridSample(x: Tensor, grid: Tensor, options: GridSampleOptions = {}): Tensor {
  const { mode = 'bilinear', paddingMode = 'zeros', alignCorners = false } = options;
  requireOneOf(mode, ['bilinear', 'nearest', 'bicubic'], 'gridSample', 'mode');
  requireOneOf(paddingMode, ['zeros', 'border', 'reflection'], 'gridSample', 'paddingMode');
  if ((x.ndim !== 4 && x.ndim !== 5) || grid.ndim !== x.ndim || grid.shape.at(-1) !== x.ndim - 2)
    throw new ShapeError(
      `gridSample: the input ${formatShape(x.shape)} and the grid ${formatShape(grid.shape)} must be [batch, channels, height, width] and [batch, h, w, 2], or their like with a depth`,
    );
  const names = { bilinear: 'linear', nearest: 'nearest', bicubic: 'cubic' };
  const attrs = { mode: names[mode], padding_mode: paddingMode, align_corners: alignCorners ? 1 : 0 };
  return new Tensor(ops.gridSample(x.value, grid.value, attrs));
}

/**
 * The grid for gridSample that the affine maps `theta` make of a regular one: [batch, 2, 3] for `size` [batch, channels,
 * height, width], or [batch, 3, 4] for volumes (torch.nn.functional.affine_grid).
 */
export function affineGrid(
  theta: Tensor,
  size: Shape,
  { alignCorners = false }: { alignCorners?: boolean } = {},
): Tensor {
  const n = size.length - 2;
  if (theta.ndim !== 3 || theta.shape[1] !== n || theta.shape[2] !== n + 1 || theta.shape[0] !== size[0])
    throw new ShapeError(
      `affineGrid: theta ${formatShape(theta.shape)} must be [${size[0]}, ${n}, ${n + 1}] for size ${formatShape(size)}`,
    );
  return new Tensor(ops.affineGrid(theta.value, ops.ints(size), { align_corners: alignCorners ? 1 : 0 }));
}
