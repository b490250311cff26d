/** @file The gradient of 2x2 max-pooling on blocked memory, without indices: comparisons of neighbours find the first maximum. */
import { type Attrs, constant, type Value } from '../../ir/graph.ts';
import { mul, sub } from '../../ops/arithmetic.ts';
import { concat, reshape } from '../../ops/movement.ts';
import { poolWindows } from '../../ops/pool/geometry.ts';
import { blockedConv, blockedMaxPool } from './ops.ts';

/** Where the second of each pair of neighbours along an axis of [height, width] is greater: 1, else 0; in one pass. */
function secondIsGreater(x: Value, pair: readonly number[], block: number): Value {
  const channels = x.shape[1];
  const weights = Float32Array.from({ length: 2 * channels }, (_, i) => (i % (2 * block) < block ? -1 : 1));
  return blockedConv(x, constant(weights, 'float32', [channels, 1, ...pair]), {
    ...geometry(pair),
    group: channels,
    activation: 'HardSigmoid',
    activation_params: [3e38, 0],
  });
}

function geometry(pair: readonly number[]): Attrs {
  return { kernel_shape: pair, strides: pair, pads: [0, 0, 0, 0], dilations: [1, 1] };
}

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
  const right = secondIsGreater(x, [1, 2], block);
  const lower = secondIsGreater(blockedMaxPool(x, geometry([1, 2])), [2, 1], block);
  const byPair = [rows / 2, 1, half * block];
  const gradient = reshape(dy, byPair);
  const down = mul(reshape(lower, byPair), gradient);
  const up = sub(gradient, down);
  const byRow = reshape(concat(up, down, { axis: 1 }), [rows, half, 1, block]);
  const toRight = mul(reshape(right, [rows, half, 1, block]), byRow);
  const toLeft = sub(byRow, toRight);
  return reshape(concat(toLeft, toRight, { axis: 2 }), x.shape);
}
