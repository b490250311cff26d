/** @file GridSample and AffineGrid: sampling images at computed positions. */
import { GradientError, ShapeError } from '../../ir/errors.ts';
import { type Attrs, constant, type Value } from '../../ir/graph.ts';
import { formatShape, type Shape, sizeOf } from '../../ir/shape.ts';
import { add, mul, sub } from '../arithmetic.ts';
import { cast } from '../cast.ts';
import { and, equal, greaterOrEqual, lessOrEqual, where } from '../compare.ts';
import { constantInts, defineOp, requireFloat, type } from '../define.ts';
import { abs, floor, round } from '../elementwise.ts';
import { gatherElements } from '../gather.ts';
import { matMul } from '../matmul.ts';
import { memoConstant } from '../memo.ts';
import { expand, ints, reshape, split, transpose } from '../movement.ts';
import { scalar } from '../unary.ts';

const modeOf = (attrs: Attrs) => {
  const mode = (attrs.mode as string | undefined) ?? 'linear';
  // The names of opset 16 mean the same.
  return mode === 'bilinear' ? 'linear' : mode === 'bicubic' ? 'cubic' : mode;
};

/**
 * Samples x [batch, channels, ...spatial] at grid [batch, ...positions, axes], coordinates from -1 to 1, the last axis of x
 * first. Attributes: mode ('linear', 'nearest', 'cubic'), padding_mode ('zeros', 'border', 'reflection'), align_corners.
 * Gradients by x and grid for linear and nearest on images. Source: ONNX GridSample, torch.nn.functional.grid_sample.
 */
export const gridSample = defineOp('GridSample', {
  infer: ([x, grid]) => {
    requireFloat(x);
    const axes = x.rank - 2;
    if (axes < 1 || grid.rank !== x.rank || grid.shape[0] !== x.shape[0] || grid.shape[x.rank - 1] !== axes)
      throw new ShapeError(
        `an input of shape ${formatShape(x.shape)} needs a grid [${x.shape[0]}, ...positions, ${axes}], found ${formatShape(grid.shape)}`,
      );
    return type(x.dtype, [...x.shape.slice(0, 2), ...grid.shape.slice(1, -1)]);
  },
  simplify: ([x, grid], attrs) => {
    const mode = modeOf(attrs);
    return mode === (attrs.mode ?? 'linear') ? undefined : gridSample(x, grid, { ...attrs, mode });
  },
  gradient: 'decompose',
  decompose: ([x, grid], attrs) => {
    if (modeOf(attrs) === 'cubic' || x.rank !== 4)
      throw new GradientError(
        `GridSample with mode '${modeOf(attrs)}' on shape ${formatShape(x.shape)} can be run but not differentiated; only 'linear' and 'nearest' on [batch, channels, height, width] can`,
      );
    return sampleImage(x, grid, attrs);
  },
});

function sampleImage(x: Value, grid: Value, attrs: Attrs): Value {
  const [batch, channels, height, width] = x.shape;
  const [, rows, columns] = grid.shape;
  const count = rows * columns;
  const parts = split(reshape(grid, [batch, 1, count, 2]), ints([1, 1]), { axis: 3 });
  const [gx, gy] = parts.map((p) => reshape(p, [batch, 1, count]));
  const px = position(gx, width, attrs);
  const py = position(gy, height, attrs);
  const image = reshape(x, [batch, channels, height * width]);
  const sample = (ix: Value, iy: Value, weight: Value | null) => {
    const inside = and(within(ix, width), within(iy, height));
    const at = add(mul(clamped(iy, height), scalar(iy, width)), clamped(ix, width));
    const index = expand(cast(at, { to: 'int32' }), [batch, channels, count]);
    const kept = cast(inside, { to: x.dtype });
    return mul(gatherElements(image, index, { axis: 2 }), weight ? mul(weight, kept) : kept);
  };
  const result = modeOf(attrs) === 'nearest' ? sample(round(px), round(py), null) : bilinear(px, py, sample);
  return reshape(result, [batch, channels, rows, columns]);
}

function bilinear(px: Value, py: Value, sample: (ix: Value, iy: Value, weight: Value) => Value): Value {
  const one = scalar(px, 1);
  const [x0, y0] = [floor(px), floor(py)];
  const [x1, y1] = [add(x0, one), add(y0, one)];
  const [right, down] = [sub(px, x0), sub(py, y0)];
  const [left, up] = [sub(one, right), sub(one, down)];
  const top = add(sample(x0, y0, mul(left, up)), sample(x1, y0, mul(right, up)));
  return add(top, add(sample(x0, y1, mul(left, down)), sample(x1, y1, mul(right, down))));
}

const within = (i: Value, size: number) => and(greaterOrEqual(i, scalar(i, 0)), lessOrEqual(i, scalar(i, size - 1)));

/** Held to [0, size - 1]; where it touches an end no gradient flows, as in PyTorch. */
function clamped(p: Value, size: number): Value {
  const [low, high] = [scalar(p, 0), scalar(p, size - 1)];
  return where(lessOrEqual(p, low), low, where(greaterOrEqual(p, high), high, p));
}

/** From [-1, 1] to element positions, brought back into the image as padding_mode says. */
function position(g: Value, size: number, attrs: Attrs): Value {
  const corners = attrs.align_corners === 1;
  const scale = corners ? (size - 1) / 2 : size / 2;
  const p = add(mul(g, scalar(g, scale)), scalar(g, (size - 1) / 2));
  if (attrs.padding_mode === 'border') return clamped(p, size);
  if (attrs.padding_mode === 'reflection') return clamped(reflected(p, size, corners), size);
  return p;
}

/** Mirrored at the outer elements' centres (align_corners) or at their edges. */
function reflected(p: Value, size: number, corners: boolean): Value {
  const low = corners ? 0 : -0.5;
  const span = corners ? size - 1 : size;
  if (span === 0) return mul(p, scalar(p, 0));
  const distance = abs(sub(p, scalar(p, low)));
  const flips = floor(mul(distance, scalar(p, 1 / span)));
  const extra = sub(distance, mul(flips, scalar(p, span)));
  const half = mul(flips, scalar(p, 0.5));
  const isEven = equal(floor(half), half);
  return add(where(isEven, extra, sub(scalar(p, span), extra)), scalar(p, low));
}

/** Homogeneous coordinates of every position, [positions, axes + 1], x first. */
function baseGrid(spatial: Shape, corners: boolean, like: Value): Value {
  return memoConstant(`affine grid ${like.dtype} ${corners} ${spatial}`, () => {
    const at = (i: number, size: number) =>
      corners ? (size === 1 ? 0 : -1 + (2 * i) / (size - 1)) : (2 * i + 1) / size - 1;
    const axes = spatial.length;
    const data = new Array<number>(sizeOf(spatial) * (axes + 1)).fill(1);
    for (let n = 0; n < sizeOf(spatial); n++) {
      let rest = n;
      for (let axis = axes - 1; axis >= 0; axis--) {
        data[n * (axes + 1) + (axes - 1 - axis)] = at(rest % spatial[axis], spatial[axis]);
        rest = Math.floor(rest / spatial[axis]);
      }
    }
    return constant(data, like.dtype, [sizeOf(spatial), axes + 1]);
  });
}

/**
 * The sampling grid [batch, ...spatial, axes] of affine maps theta [batch, axes, axes + 1]; the second operand is the
 * constant size [batch, channels, ...spatial] of what will be sampled. Source: ONNX AffineGrid,
 * torch.nn.functional.affine_grid.
 */
export const affineGrid = defineOp('AffineGrid', {
  infer: ([theta, size]) => {
    requireFloat(theta);
    const [batch, , ...spatial] = constantInts(size, 'the size');
    const axes = spatial.length;
    if (theta.rank !== 3 || theta.shape[0] !== batch || theta.shape[1] !== axes || theta.shape[2] !== axes + 1)
      throw new ShapeError(
        `theta must have shape [${batch}, ${axes}, ${axes + 1}] for a size of ${axes} spatial axes, found ${formatShape(theta.shape)}`,
      );
    return type(theta.dtype, [batch, ...spatial, axes]);
  },
  gradient: 'decompose',
  decompose: ([theta, size], attrs) => {
    const [batch, , ...spatial] = constantInts(size, 'the size');
    const base = baseGrid(spatial, attrs.align_corners === 1, theta);
    const grid = matMul(base, transpose(theta, { perm: [0, 2, 1] }));
    return reshape(grid, [batch, ...spatial, spatial.length]);
  },
});
