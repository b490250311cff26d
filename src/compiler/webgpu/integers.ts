/** @file 64-bit integers as 32-bit ones: WebGPU computes with nothing wider. Inputs and outputs travel as int32 too. */
import type { DType } from '../../ir/dtype.ts';
import { type Attrs, constant, type Node, Value } from '../../ir/graph.ts';
import { cast } from '../../ops/cast.ts';
import { apply } from '../../ops/define.ts';
import { dtypeAttributes } from '../emit.ts';
import { rewrite } from '../rewrite.ts';

/** Operands that ONNX wants as int64: shapes, axes, counts (constants, read by the host), and a few kinds of indices. */
const wideOperands: Readonly<Record<string, readonly number[]>> = {
  AffineGrid: [1],
  CenterCropPad: [1],
  Col2Im: [1, 2],
  ConstantOfShape: [0],
  CumProd: [1],
  CumSum: [1],
  DFT: [1, 2],
  Expand: [1],
  GatherND: [1],
  MaxUnpool: [1, 2],
  OneHot: [0, 1],
  Pad: [1, 3],
  ReduceL1: [1],
  ReduceL2: [1],
  ReduceLogSum: [1],
  ReduceLogSumExp: [1],
  ReduceMax: [1],
  ReduceMean: [1],
  ReduceMin: [1],
  ReduceProd: [1],
  ReduceSum: [1],
  ReduceSumSquare: [1],
  Reshape: [1],
  Resize: [3],
  ReverseSequence: [1],
  STFT: [1, 3],
  ScatterND: [1],
  Slice: [1, 2, 3, 4],
  Split: [1],
  Squeeze: [1],
  TensorScatter: [2],
  Tile: [1],
  TopK: [1],
  Trilu: [1],
  Unique: [0],
  Unsqueeze: [1],
};

const twins = new WeakMap<Value, Value>();

/** The input of a WebGPU program that stands for an input of the graph: int32 where that is int64. */
export function webGpuInput(value: Value): Value {
  if (value.dtype !== 'int64' || value.node || value.constant) return value;
  let twin = twins.get(value);
  if (!twin) {
    twin = Value.input({ dtype: 'int32', shape: value.shape });
    twins.set(value, twin);
  }
  return twin;
}

function narrow(value: Value): Value {
  if (value.dtype !== 'int64') return value;
  return value.constant
    ? constant(Int32Array.from(value.constant), 'int32', value.shape)
    : cast(value, { to: 'int32' });
}

function narrowAttrs(attrs: Attrs): Attrs {
  const changed = Object.entries(attrs).map(([name, value]) => [
    name,
    dtypeAttributes.has(name) && value === ('int64' satisfies DType) ? 'int32' : value,
  ]);
  return Object.fromEntries(changed);
}

function rule({ op, attrs, outputs }: Node, inputs: readonly (Value | null)[]): readonly Value[] | undefined {
  const touches = inputs.some((v) => v?.dtype === 'int64') || outputs.some((v) => v.dtype === 'int64');
  const wide = wideOperands[op.type] ?? [];
  const isWidened = wide.some((i) => inputs[i]?.dtype === 'int32');
  if (!touches && !isWidened) return undefined;
  const operands = inputs.map((v, i) => {
    if (!v) return null;
    if (!wide.includes(i)) return narrow(v);
    return v.dtype === 'int32' ? cast(v, { to: 'int64' }) : v;
  });
  return apply(op, operands, narrowAttrs(attrs));
}

/** Computes with int32 wherever the graph says int64. */
export function toInt32(outputs: readonly Value[]): Value[] {
  return rewrite(outputs, rule, webGpuInput).map(narrow);
}
