/** @file Slice, Pad and what is made of them: CenterCropPad, and undoing a strided slice. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import { type Attrs, constant, type Value } from '../ir/graph.ts';
import { formatShape, normalizeAxes, normalizeAxis, type Shape, stridesOf } from '../ir/shape.ts';
import { sub } from './arithmetic.ts';
import { constantInts, defineOp, requireSameDType, type } from './define.ts';
import { foldMovement, stridedOffsets } from './fold.ts';
import { gatherGrad, zerosOf } from './gather.ts';
import { ints, permutation, reshape, transpose } from './movement.ts';
import { reduceSum } from './reduce.ts';

/** What a slice takes of one axis: `length` elements from `start`, `step` apart. */
interface Range {
  readonly start: number;
  readonly step: number;
  readonly length: number;
}

const clamp = (x: number, low: number, high: number) => Math.min(high, Math.max(low, x));

/** ONNX's (NumPy's) reading of start, end and step on an axis of the given size. */
function rangeOf(size: number, start: number, end: number, step: number): Range {
  if (step === 0 || !Number.isInteger(step)) throw new ArgumentError(`a slice step must be a whole number, not 0`);
  const from = start < 0 ? start + size : start;
  const to = end < 0 ? end + size : end;
  const first = step > 0 ? clamp(from, 0, size) : clamp(from, 0, size - 1);
  const last = step > 0 ? clamp(to, 0, size) : clamp(to, -1, size - 1);
  return { start: first, step, length: Math.max(0, Math.ceil((last - first) / step)) };
}

/** The range taken of every axis. */
function slicedRanges([x, starts, ends, axes, steps]: readonly Value[]): Range[] {
  const from = constantInts(starts, 'slice starts');
  const to = constantInts(ends, 'slice ends');
  const which = axes ? constantInts(axes, 'slice axes').map((a) => normalizeAxis(a, x.rank)) : from.map((_, i) => i);
  const by = steps ? constantInts(steps, 'slice steps') : from.map(() => 1);
  if (to.length !== from.length || which.length !== from.length || by.length !== from.length || from.length > x.rank)
    throw new ShapeError(
      `starts, ends, axes and steps must have one entry per sliced axis of ${formatShape(x.shape)}, found ${from.length}, ${to.length}, ${which.length} and ${by.length}`,
    );
  const ranges: Range[] = x.shape.map((size) => ({ start: 0, step: 1, length: size }));
  which.forEach((axis, i) => {
    ranges[axis] = rangeOf(x.shape[axis], from[i], to[i], by[i]);
  });
  return ranges;
}

const isWhole = (ranges: readonly Range[], shape: Shape) =>
  ranges.every((r, i) => r.length === shape[i] && (r.step === 1 || shape[i] <= 1));

/** Elements from `starts` to `ends` (exclusive) by `steps` along `axes`; all constant. */
export const sliceOp = defineOp('Slice', {
  infer: (inputs) =>
    type(
      inputs[0].dtype,
      slicedRanges(inputs).map((r) => r.length),
    ),
  fold: (inputs, attrs, output) => {
    const ranges = slicedRanges(inputs);
    const strides = stridesOf(inputs[0].shape);
    const start = ranges.reduce((n, r, i) => n + r.start * strides[i], 0);
    const steps = ranges.map((r, i) => r.step * strides[i]);
    return foldMovement(() => stridedOffsets(output.shape, steps, start))(inputs, attrs, output);
  },
  simplify: (inputs) => {
    const ranges = slicedRanges(inputs);
    return isWhole(ranges, inputs[0].shape) ? inputs[0] : sliceThenTranspose(inputs[0], ranges);
  },
  gradient: ({ inputs }, [dy]) => [dy && unslice(dy, inputs[0].shape, slicedRanges(inputs))],
});

/** A slice of a transposed value, taken before: then only what is taken has to move. */
function sliceThenTranspose({ node }: Value, ranges: readonly Range[]): Value | undefined {
  if (node?.op.type !== 'Transpose' || !node.inputs[0] || ranges.some((r) => r.step !== 1)) return undefined;
  const perm = permutation(node.inputs[0], node.attrs);
  const ends = ranges.map((r) => r.start + r.length);
  const taken = slice(
    node.inputs[0],
    ranges.map((r) => r.start),
    ends,
    perm,
  );
  return transpose(taken, { perm });
}

/** Puts the elements of a slice back to their places in a tensor of zeros: reversal, spreading, padding. */
function unslice(dy: Value, shape: Shape, ranges: readonly Range[]): Value {
  if (dy.size === 0) return zerosOf(dy, shape);
  const low = ranges.map((r) => Math.min(r.start, r.start + (r.length - 1) * r.step));
  const high = ranges.map((r, i) => shape[i] - 1 - Math.max(r.start, r.start + (r.length - 1) * r.step));
  const spread = ranges.reduce((d, r, axis) => dilate(r.step < 0 ? flip(d, [axis]) : d, axis, Math.abs(r.step)), dy);
  return pad(spread, low, high);
}

/** `step - 1` zeros between the elements along `axis`. */
function dilate(x: Value, axis: number, step: number): Value {
  const size = x.shape[axis];
  if (step === 1 || size < 2) return x;
  const zeros = x.shape.map(() => 0);
  const cells = reshape(x, [...x.shape.slice(0, axis + 1), 1, ...x.shape.slice(axis + 1)]);
  const wide = pad(cells, [...zeros, 0], [...zeros, 0].with(axis + 1, step - 1));
  return slice(reshape(wide, x.shape.with(axis, size * step)), [0], [(size - 1) * step + 1], [axis]);
}

/** Slice with plain numbers; axes 0, 1, ... and steps of 1 by default. */
export function slice(
  x: Value,
  starts: readonly number[],
  ends: readonly number[],
  axes: readonly number[] = starts.map((_, i) => i),
  steps: readonly number[] = starts.map(() => 1),
): Value {
  const unit = steps.every((s) => s === 1);
  return sliceOp(x, ints(starts), ints(ends), ints(axes), unit ? null : ints(steps));
}

/** The order of elements along the axes reversed. */
export function flip(x: Value, axes: readonly number[]): Value {
  const end = -Number.MAX_SAFE_INTEGER;
  return slice(
    x,
    axes.map(() => -1),
    axes.map(() => end),
    axes,
    axes.map(() => -1),
  );
}

/** Elements added (negative: taken away) before and after every axis. */
interface Padding {
  readonly before: number[];
  readonly after: number[];
}

function paddingOf([x, pads, , axes]: readonly Value[]): Padding {
  const list = constantInts(pads, 'pads');
  const which = axes ? constantInts(axes, 'pad axes').map((a) => normalizeAxis(a, x.rank)) : x.shape.map((_, i) => i);
  if (list.length !== 2 * which.length)
    throw new ShapeError(`pads must hold two numbers per axis (${2 * which.length} in all), found ${list.length}`);
  const before = x.shape.map(() => 0);
  const after = x.shape.map(() => 0);
  which.forEach((axis, i) => {
    before[axis] = list[i];
    after[axis] = list[which.length + i];
  });
  return { before, after };
}

const modes = ['constant', 'reflect', 'edge', 'wrap'];

function modeOf(attrs: Attrs): string {
  const found = (attrs.mode as string | undefined) ?? 'constant';
  if (!modes.includes(found)) throw new ArgumentError(`mode is one of ${modes.join(', ')}, found '${found}'`);
  return found;
}

/** Which element of an axis each element of the padded axis repeats; ONNX crops before it pads. */
function paddedIndices(size: number, before: number, after: number, mode: string): number[] {
  const start = Math.max(0, -before);
  const kept = size - start - Math.max(0, -after);
  const [low, high] = [Math.max(0, before), Math.max(0, after)];
  const place = (p: number): number => {
    if (mode === 'edge') return clamp(p, 0, kept - 1);
    if (mode === 'wrap') return ((p % kept) + kept) % kept;
    const period = Math.max(1, 2 * (kept - 1));
    const q = ((p % period) + period) % period;
    return q < kept ? q : period - q;
  };
  return Array.from({ length: low + kept + high }, (_, i) => start + place(i - low));
}

/** Pads (or, where negative, crops) by a constant, by reflection, by the edge or periodically. */
export const padOp = defineOp('Pad', {
  infer: (inputs, attrs) => {
    const [x, , value] = inputs;
    if (value) requireSameDType(x, value);
    const { before, after } = paddingOf(inputs);
    const mode = modeOf(attrs);
    const shape = x.shape.map((dim, i) => dim + before[i] + after[i]);
    const short = x.shape.findIndex(
      (dim, i) => (before[i] > 0 || after[i] > 0) && mode !== 'constant' && dim < (mode === 'reflect' ? 2 : 1),
    );
    if (short >= 0 || shape.some((dim) => dim < 0))
      throw new ShapeError(`cannot pad ${formatShape(x.shape)} by [${before}] and [${after}] in mode '${mode}'`);
    return type(x.dtype, shape);
  },
  simplify: (inputs) => {
    const { before, after } = paddingOf(inputs);
    const [x] = inputs;
    if (!before.every((p) => p <= 0) || !after.every((p) => p <= 0)) return undefined;
    return slice(
      x,
      before.map((p) => -p),
      x.shape.map((dim, i) => dim + after[i]),
    );
  },
  gradient: ({ inputs, attrs, needs }, [dy]) => {
    if (!dy) return [];
    const [x] = inputs;
    const { before, after } = paddingOf(inputs);
    const mode = modeOf(attrs);
    if (mode !== 'constant') return [unpadModes(dy, x.shape, before, after, mode)];
    const crop = () =>
      pad(
        dy,
        before.map((p) => -p),
        after.map((p) => -p),
      );
    const rest = () => {
      const inner = slice(
        dy,
        before.map((p) => Math.max(0, p)),
        dy.shape.map((dim, i) => dim - Math.max(0, after[i])),
      );
      return sub(reduceSum(dy, { keepdims: 0 }), reduceSum(inner, { keepdims: 0 }));
    };
    return [needs[0] ? crop() : null, null, needs[2] ? reshape(rest(), inputs[2].shape) : null];
  },
});

/** Axis by axis, each padded element gives its gradient back to the element it repeats. */
function unpadModes(dy: Value, shape: Shape, before: number[], after: number[], mode: string): Value {
  return shape.reduce((d, size, axis) => {
    if (before[axis] === 0 && after[axis] === 0) return d;
    const from = ints(paddedIndices(size, before[axis], after[axis], mode));
    return gatherGrad(d, from, { axis, shape: d.shape.with(axis, size) });
  }, dy);
}

/** Zeros added before and after every axis; negative numbers crop. */
export function pad(
  x: Value,
  before: readonly number[],
  after: readonly number[],
  value?: Value,
  mode?: string,
): Value {
  return padOp(x, ints([...before, ...after]), value, mode ? { mode } : {});
}

/** Where `v` was made by adding zeros, what they were added to, and how many before and after every axis. */
export function zeroPadded({ node }: Value): (Padding & { readonly inner: Value }) | undefined {
  if (node?.op.type !== 'Pad' || !node.inputs[0] || node.inputs[2] || modeOf(node.attrs) !== 'constant')
    return undefined;
  return { inner: node.inputs[0], ...paddingOf(node.inputs as readonly Value[]) };
}

/** Crops or zero-pads around the centre to the given sizes of `axes`. */
export const centerCropPad = defineOp('CenterCropPad', {
  infer: ([x]) => type(x.dtype, x.shape),
  simplify: centered,
  gradient: 'decompose',
  decompose: centered,
});

function centered([x, shape]: readonly Value[], attrs: Attrs): Value {
  const sizes = constantInts(shape, 'the target shape');
  const given = attrs.axes as readonly number[] | undefined;
  const axes = given ? given.map((a) => normalizeAxis(a, x.rank)) : normalizeAxes(undefined, x.rank);
  if (axes.length !== sizes.length)
    throw new ShapeError(`${sizes.length} sizes were given for ${axes.length} axes of ${formatShape(x.shape)}`);
  const before = x.shape.map(() => 0);
  const after = x.shape.map(() => 0);
  axes.forEach((axis, i) => {
    const extra = sizes[i] - x.shape[axis];
    // The odd element goes to the end when padding, and is cut from the end when cropping.
    before[axis] = extra >= 0 ? Math.floor(extra / 2) : Math.ceil(extra / 2);
    after[axis] = extra - before[axis];
  });
  return pad(x, before, after, constant(0, x.dtype));
}
