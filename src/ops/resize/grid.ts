/** @file GridSample and AffineGrid: sampling images at computed positions. */
import { ShapeError } from '../../ir/errors.ts';
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
 * Gradients by x and grid. Source: ONNX GridSample, torch.nn.functional.grid_sample.
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
  decompose: ([x, grid], attrs) => sample(x, grid, attrs),
});

/** One element read along one axis, and how much it counts (null for all). */
interface Tap {
  readonly index: Value;
  readonly weight: Value | null;
}

/** Sums over all combinations of the taps of the axes, each gathered by one linear index. */
function sample(x: Value, grid: Value, attrs: Attrs): Value {
  const [batch, channels, ...spatial] = x.shape;
  const positions = grid.shape.slice(1, -1);
  const count = sizeOf(positions);
  const axes = spatial.length;
  const flat = reshape(grid, [batch, 1, count, axes]);
  const parts = axes === 1 ? [flat] : split(flat, ints(spatial.map(() => 1)), { axis: 3 });
  const elements = reshape(x, [batch, channels, sizeOf(spatial)]);
  // The grid names the last axis first.
  const taps = spatial.map((size, i) => tapsOf(reshape(parts[axes - 1 - i], [batch, 1, count]), size, attrs));
  const terms = combinations(taps).map((taken) => {
    let at: Value | undefined;
    let inside: Value | undefined;
    let weight: Value | undefined;
    taken.forEach((tap, i) => {
      const size = spatial[i];
      const here = clamped(tap.index, size);
      at = at ? add(mul(at, scalar(at, size)), here) : here;
      inside = inside ? and(inside, within(tap.index, size)) : within(tap.index, size);
      if (tap.weight) weight = weight ? mul(weight, tap.weight) : tap.weight;
    });
    if (!at || !inside) throw new ShapeError(`GridSample needs a spatial axis, found shape ${formatShape(x.shape)}`);
    const index = expand(cast(at, { to: 'int32' }), [batch, channels, count]);
    const kept = cast(inside, { to: x.dtype });
    return mul(gatherElements(elements, index, { axis: 2 }), weight ? mul(weight, kept) : kept);
  });
  return reshape(
    terms.reduce((sum, term) => add(sum, term)),
    [batch, channels, ...positions],
  );
}

/** Every way to take one entry of each list. */
function combinations<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((found, list) => found.flatMap((taken) => list.map((item) => [...taken, item])), [[]]);
}

/** Which elements of an axis make up the value at coordinate `g`. */
function tapsOf(g: Value, size: number, attrs: Attrs): Tap[] {
  const mode = modeOf(attrs);
  if (mode === 'cubic') return cubicTaps(g, size, attrs);
  const p = position(g, size, attrs);
  if (mode === 'nearest') return [{ index: round(p), weight: null }];
  const one = scalar(p, 1);
  const low = floor(p);
  const right = sub(p, low);
  return [
    { index: low, weight: sub(one, right) },
    { index: add(low, one), weight: right },
  ];
}

/** Keys' kernel with -0.75 over four elements; the padding mode applies to each of them, not to the position. */
function cubicTaps(g: Value, size: number, attrs: Attrs): Tap[] {
  const p = position(g, size, { align_corners: attrs.align_corners });
  const c = (n: number) => scalar(p, n);
  const low = floor(p);
  const t = sub(p, low);
  const a = -0.75;
  const near = (d: Value) => add(mul(mul(sub(mul(d, c(a + 2)), c(a + 3)), d), d), c(1));
  const far = (d: Value) => sub(mul(add(mul(sub(mul(d, c(a)), c(5 * a)), d), c(8 * a)), d), c(4 * a));
  const weights = [far(add(t, c(1))), near(t), near(sub(c(1), t)), far(sub(c(2), t))];
  return weights.map((weight, i) => ({ index: padded(add(low, c(i - 1)), size, attrs), weight }));
}

const within = (i: Value, size: number) => and(greaterOrEqual(i, scalar(i, 0)), lessOrEqual(i, scalar(i, size - 1)));

/** Held to [0, size - 1]; where it touches an end no gradient flows, as in PyTorch. */
function clamped(p: Value, size: number): Value {
  const [low, high] = [scalar(p, 0), scalar(p, size - 1)];
  return where(lessOrEqual(p, low), low, where(greaterOrEqual(p, high), high, p));
}

/** From [-1, 1] to element positions, brought back as padding_mode says. */
function position(g: Value, size: number, attrs: Attrs): Value {
  const corners = attrs.align_corners === 1;
  const scale = corners ? (size - 1) / 2 : size / 2;
  return padded(add(mul(g, scalar(g, scale)), scalar(g, (size - 1) / 2)), size, attrs);
}

/** A position brought back into the image. */
function padded(p: Value, size: number, attrs: Attrs): Value {
  if (attrs.padding_mode === 'border') return clamped(p, size);
  if (attrs.padding_mode === 'reflection') return clamped(reflected(p, size, attrs.align_corners === 1), size);
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
