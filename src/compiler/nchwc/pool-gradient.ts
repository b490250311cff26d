/** @file The gradient of 2x2 max-pooling on blocked memory, without indices: comparisons of neighbours find the first maximum. */
import type { Attrs, Value } from '../../ir/graph.ts';
import { hardSigmoid } from '../../ops/activations.ts';
import { max, mul, sub } from '../../ops/arithmetic.ts';
import { concat, ints, reshape, split } from '../../ops/movement.ts';
import { poolWindows } from '../../ops/pool/geometry.ts';

/** 1 where x > 0, else 0, in one pass. */
const positive = (x: Value) => hardSigmoid(x, { alpha: 3e38, beta: 0 });

/**
 * dx [N, C, H, W] (blocked) from blocked x and dy: all of dy goes to the first maximum of its window, as in PyTorch.
 * Undefined unless windows are 2x2 with stride 2 and cover the input exactly.
 */
export function blockedMaxPoolGradient(x: Value, dy: Value, attrs: Attrs, block: number): Value | undefined {
  const { kernel, strides, begin, end, dilations } = poolWindows(x.shape, attrs);
  const [batch, channels, height, width] = x.shape;
  const isSimple =
    kernel.every((k) => k === 2) &&
    strides.every((s) => s === 2) &&
    dilations.every((d) => d === 1) &&
    [...begin, ...end].every((p) => p === 0);
  if (!isSimple || height % 2 || width % 2) return undefined;
  const rows = batch * (channels / block) * height;
  const half = width / 2;
  // Left against right neighbours first, then the upper against the lower of each pair's winner; ties go to the former.
  const [left, right] = split(reshape(x, [rows, half, 2, block]), ints([1, 1]), { axis: 2 });
  const winners = reshape(max(left, right), [rows / 2, 2, half * block]);
  const [upper, lower] = split(winners, ints([1, 1]), { axis: 1 });
  const gradient = reshape(dy, [rows / 2, 1, half * block]);
  const down = mul(positive(sub(lower, upper)), gradient);
  const up = sub(gradient, down);
  const byRow = reshape(concat(up, down, { axis: 1 }), [rows, half, 1, block]);
  const toRight = mul(positive(sub(right, left)), byRow);
  const toLeft = sub(byRow, toRight);
  return reshape(concat(toLeft, toRight, { axis: 2 }), x.shape);
}
