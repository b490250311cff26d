/** @file Operators that repeat, reorder or mask elements: Tile, Trilu, DepthToSpace, SpaceToDepth, ReverseSequence. */
import { ArgumentError, ShapeError } from '../ir/errors.ts';
import { type Attrs, constant, type Value } from '../ir/graph.ts';
import { formatShape, stridesOf } from '../ir/shape.ts';
import { sub } from './arithmetic.ts';
import { less, where } from './compare.ts';
import { constantInts, defineOp, requireRank, type } from './define.ts';
import { foldMovement } from './fold.ts';
import { gatherElements } from './gather.ts';
import { expand, ints, reshape, transpose } from './movement.ts';
import { reduceSum } from './reduce.ts';
import { numberAttr } from './unary.ts';

function repeatsOf([x, repeats]: readonly Value[]): number[] {
  const list = constantInts(repeats, 'repeats');
  if (list.length !== x.rank || list.some((r) => r < 0))
    throw new ShapeError(`repeats must be ${x.rank} numbers >= 0, one per axis, found [${list.join(', ')}]`);
  return list;
}

/** The whole tensor repeated along every axis. */
export const tileOp = defineOp('Tile', {
  infer: (inputs) => {
    const repeats = repeatsOf(inputs);
    return type(
      inputs[0].dtype,
      inputs[0].shape.map((dim, i) => dim * repeats[i]),
    );
  },
  fold: foldMovement(([x], output) => {
    const strides = stridesOf(x.shape);
    let offsets = Int32Array.of(0);
    output.shape.forEach((dim, axis) => {
      const next = new Int32Array(offsets.length * dim);
      for (let i = 0; i < offsets.length; i++)
        for (let k = 0; k < dim; k++) next[i * dim + k] = offsets[i] + (k % x.shape[axis]) * strides[axis];
      offsets = next;
    });
    return offsets;
  }),
  simplify: (inputs) => (repeatsOf(inputs).every((r) => r === 1) ? inputs[0] : undefined),
  gradient: ({ inputs }, [dy]) => {
    if (!dy) return [];
    const [x] = inputs;
    const repeats = repeatsOf(inputs);
    const parts = reshape(
      dy,
      x.shape.flatMap((dim, i) => [repeats[i], dim]),
    );
    return [reduceSum(parts, ints(x.shape.map((_, i) => 2 * i)), { keepdims: 0, noop_with_empty_axes: 1 })];
  },
});

export function tile(x: Value, repeats: readonly number[]): Value {
  return tileOp(x, ints(repeats));
}

/** The upper (or, with `upper: 0`, lower) triangle of the last two axes, shifted by k; zero elsewhere. */
export const trilu = defineOp('Trilu', {
  infer: ([x]) => {
    if (x.rank < 2) throw new ShapeError(`expected at least 2 dimensions, found shape ${formatShape(x.shape)}`);
    return type(x.dtype, x.shape);
  },
  gradient: ({ inputs: [, k], attrs }, [dy]) => [dy && trilu(dy, k, attrs)],
});

function blockSize(x: Value, attrs: Attrs): number {
  requireRank(x, 4);
  const block = numberAttr(attrs, 'blocksize', 0);
  if (!Number.isInteger(block) || block < 1) throw new ArgumentError(`blocksize must be a whole number >= 1`);
  return block;
}

function depthToSpaceParts([x]: readonly Value[], attrs: Attrs): Value {
  const b = blockSize(x, attrs);
  const [n, c, h, w] = x.shape;
  if (c % (b * b) !== 0) throw new ShapeError(`${c} channels cannot be spread over blocks of ${b} x ${b}`);
  const crd = attrs.mode === 'CRD';
  const cells = reshape(x, crd ? [n, c / (b * b), b, b, h, w] : [n, b, b, c / (b * b), h, w]);
  const placed = transpose(cells, { perm: crd ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2] });
  return reshape(placed, [n, c / (b * b), h * b, w * b]);
}

/** Channels moved into blocks of pixels; mode 'DCR' (default) or 'CRD' (torch.nn.functional.pixel_shuffle). */
export const depthToSpace = defineOp('DepthToSpace', {
  infer: ([x], attrs) => {
    const b = blockSize(x, attrs);
    const [n, c, h, w] = x.shape;
    if (c % (b * b) !== 0) throw new ShapeError(`${c} channels cannot be spread over blocks of ${b} x ${b}`);
    return type(x.dtype, [n, c / (b * b), h * b, w * b]);
  },
  gradient: 'decompose',
  decompose: depthToSpaceParts,
});

function spaceToDepthParts([x]: readonly Value[], attrs: Attrs): Value {
  const b = blockSize(x, attrs);
  const [n, c, h, w] = x.shape;
  if (h % b !== 0 || w % b !== 0) throw new ShapeError(`${h} x ${w} pixels do not divide into blocks of ${b} x ${b}`);
  const cells = reshape(x, [n, c, h / b, b, w / b, b]);
  const crd = attrs.mode === 'CRD';
  return reshape(transpose(cells, { perm: crd ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4] }), [
    n,
    c * b * b,
    h / b,
    w / b,
  ]);
}

/** Blocks of pixels moved into channels. Mode 'CRD' is newer than the opset that is emitted, so it is always composed. */
export const spaceToDepth = defineOp('SpaceToDepth', {
  infer: ([x], attrs) => {
    const b = blockSize(x, attrs);
    const [n, c, h, w] = x.shape;
    if (h % b !== 0 || w % b !== 0) throw new ShapeError(`${h} x ${w} pixels do not divide into blocks of ${b} x ${b}`);
    return type(x.dtype, [n, c * b * b, h / b, w / b]);
  },
  // Only float kernels exist, and the attribute `mode` is refused.
  simplify: (inputs, attrs) =>
    attrs.mode === undefined && inputs[0].dtype === 'float32' ? undefined : spaceToDepthParts(inputs, attrs),
  gradient: 'decompose',
  decompose: spaceToDepthParts,
});

/** The first `lengths[b]` entries of each sequence reversed; `time_axis` 0 and `batch_axis` 1 by default. */
export const reverseSequence = defineOp('ReverseSequence', {
  infer: ([x, lengths], attrs) => {
    const batch = numberAttr(attrs, 'batch_axis', 1);
    requireRank(lengths, 1, 'sequence_lens');
    if (x.rank < 2 || lengths.shape[0] !== x.shape[batch])
      throw new ShapeError(
        `sequence_lens must have ${x.shape[batch]} entries, the size of axis ${batch} of ${formatShape(x.shape)}, found ${lengths.shape[0]}`,
      );
    return type(x.dtype, x.shape);
  },
  gradient: ({ inputs: [, lengths], attrs }, [dy]) => [dy && reverseSequence(dy, lengths, attrs)],
  decompose: ([x, lengths], attrs) => {
    const [batch, time] = [numberAttr(attrs, 'batch_axis', 1), numberAttr(attrs, 'time_axis', 0)];
    const along = (v: Value, axis: number) =>
      reshape(
        v,
        x.shape.map((dim, i) => (i === axis ? dim : 1)),
      );
    const at = along(ints([...Array(x.shape[time]).keys()]), time);
    const mirrored = sub(sub(along(lengths, batch), ints([1])), at);
    const source = where(less(mirrored, constant(0, 'int64')), at, mirrored);
    return gatherElements(x, expand(source, x.shape), { axis: time });
  },
});
