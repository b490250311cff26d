/** @file What the tables do not show: refusals and their messages, straight-through gradients, simplifications, kinks. */
import { describe, expect, it } from 'vitest';
import { grad } from '../../src/autograd/grad.ts';
import { emitModel } from '../../src/compiler/emit.ts';
import { compileGraph } from '../../src/compiler/pipeline.ts';
import { ArgumentError, DTypeError, GradientError, ShapeError, UnsupportedError } from '../../src/ir/errors.ts';
import { constant, scalarConstant, topologicalOrder, type Value } from '../../src/ir/graph.ts';
import type { Shape } from '../../src/ir/shape.ts';
import { apply, findOp } from '../../src/ops/define.ts';
import * as ops from '../../src/ops/index.ts';
import { tensor } from '../../src/tensor/creation.ts';
import { Tensor } from '../../src/tensor/tensor.ts';

const input = (shape: Shape, requiresGrad = true) =>
  tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5), { shape, requiresGrad }).value;
const numbers = (...data: number[]) => tensor(data, { requiresGrad: true }).value;
const read = async (v: Value | undefined) => Array.from(await new Tensor(v as Value).data());
const ones = (v: Value) => ops.expand(constant(1, v.dtype), v.shape);
const slope = (y: Value, x: Value, createGraph = false) => grad([y], [x], { gradOutputs: [ones(y)], createGraph })[0];
const nodeTypes = (...values: Value[]) => topologicalOrder(values).map((n) => n.op.type);

describe('refusals', () => {
  const x = input([2, 3]);
  it.each<[string, () => unknown, new () => Error, RegExp]>([
    ['shapes', () => ops.add(x, input([2, 4])), ShapeError, /^\[Add\(.*do not broadcast: dimension 1 is 3 and 4/],
    ['dtypes', () => ops.mul(x, constant(1, 'int64')), DTypeError, /float32 and int64; cast one with \.to\(dtype\)/],
    [
      'integers',
      () => ops.exp(constant(1, 'int64')),
      DTypeError,
      /\[Exp\(int64\[\]\)\] expected a floating point tensor, found int64/,
    ],
    ['bits of floats', () => ops.bitwiseAnd(x, x), DTypeError, /expected integers, found float32/],
    ['bit widths', () => ops.bitCast(x, { to: 'int8' }), DTypeError, /bits of float32 cannot be read as int8/],
    [
      'shift directions',
      () => ops.bitShift(constant(1, 'uint8'), constant(1, 'uint8')),
      ArgumentError,
      /direction is 'LEFT' or 'RIGHT'/,
    ],
    [
      'inner dimensions',
      () => ops.matMul(x, x),
      ShapeError,
      /last dimension of the first \(3\) must equal the second-last of the second \(2\)/,
    ],
    [
      'index dtypes',
      () => ops.gather(x, constant(1, 'float32')),
      DTypeError,
      /indices must be int64 or int32, found float32/,
    ],
    ['indices', () => ops.gather(x, ops.ints([2])), ShapeError, /index 2 is out of range for an axis of size 2/],
    [
      'index tuples',
      () => ops.gatherND(x, ops.ints([0, 0, 0])),
      ShapeError,
      /index tuples of shape \[3\] do not fit \[2, 3\]/,
    ],
    [
      'ranks of indices',
      () => ops.gatherElements(x, ops.ints([0])),
      ShapeError,
      /same rank, and no axis but 0 may be larger/,
    ],
    [
      'updates',
      () => ops.scatterElements(x, constant([0], 'int64', [1, 1]), input([1, 2])),
      ShapeError,
      /must have one shape, of the rank of \[2, 3\]/,
    ],
    [
      'scattered slices',
      () => ops.scatterND(x, ops.ints([0]), input([2])),
      ShapeError,
      /updates of shape \[2\] do not fit \[2, 3\]/,
    ],
    [
      'scatter reductions',
      () => ops.scatterElements(x, constant([0], 'int64', [1, 1]), input([1, 1]), { reduction: 'mean' }),
      ArgumentError,
      /reduction is one of none, add, mul, max, min, found 'mean'/,
    ],
    [
      'caches',
      () => ops.tensorScatter(input([1, 2, 3]), input([1, 5, 3])),
      ShapeError,
      /does not fit a cache of shape \[1, 2, 3\] along axis 1/,
    ],
    ['slice steps', () => ops.slice(x, [0], [1], [0], [0]), ArgumentError, /slice step must be a whole number, not 0/],
    [
      'slice lists',
      () => ops.slice(x, [0, 0], [1]),
      ShapeError,
      /starts, ends, axes and steps must have one entry per sliced axis/,
    ],
    ['pads', () => ops.padOp(x, ops.ints([1, 1])), ShapeError, /two numbers per axis \(4 in all\), found 2/],
    [
      'pad modes',
      () => ops.pad(x, [0, 0], [1, 1], undefined, 'mirror'),
      ArgumentError,
      /mode is one of constant, reflect, edge, wrap, found 'mirror'/,
    ],
    [
      'reflection',
      () => ops.pad(input([1]), [1], [0], undefined, 'reflect'),
      ShapeError,
      /cannot pad \[1\] by \[1\] and \[0\] in mode 'reflect'/,
    ],
    ['k', () => ops.topK(x, ops.ints([4])), ArgumentError, /k is 4, but axis 1 of \[2, 3\] has 3 entries/],
    ['reshapes', () => ops.reshape(x, [4, -1]), ShapeError, /cannot reshape \[2, 3\] \(6 elements\) into \[4, -1\]/],
    [
      'axes',
      () => ops.softmax(x, { axis: 2 }),
      ArgumentError,
      /axis 2 is out of range for a tensor of rank 2: expected -2 to 1/,
    ],
    ['axes named twice', () => ops.reduceSum(x, ops.ints([0, -2])), ArgumentError, /name an axis twice/],
    ['empty axes of ArgMax', () => ops.argMax(input([0, 2])), ArgumentError, /axis 0 is empty/],
    [
      'computed shapes',
      () => ops.reshapeOp(x, ops.cast(x, { to: 'int64' })),
      ShapeError,
      /the new shape must be known when the graph is built/,
    ],
    [
      'equations',
      () => ops.einsum(x, { equation: 'ij,jk->ik' }),
      ArgumentError,
      /equation 'ij,jk->ik' does not describe 1 operands/,
    ],
    [
      'subscripts',
      () => ops.einsum(x, { equation: 'i->i' }),
      ShapeError,
      /subscripts 'i' name 1 axes, operand 0 is \[2, 3\]/,
    ],
    [
      'subscript sizes',
      () => ops.einsum(x, { equation: 'ii->i' }),
      ShapeError,
      /in 'ii->i', i stands for sizes 2 and 3/,
    ],
    [
      'output subscripts',
      () => ops.einsum(x, { equation: 'ij->k' }),
      ArgumentError,
      /the output 'k' of 'ij->k' must name subscripts of the operands/,
    ],
    [
      'blocks',
      () => ops.depthToSpace(input([1, 3, 2, 2]), { blocksize: 2 }),
      ShapeError,
      /3 channels cannot be spread over blocks of 2 x 2/,
    ],
    [
      'pixels',
      () => ops.spaceToDepth(input([1, 3, 3, 2]), { blocksize: 2 }),
      ShapeError,
      /3 x 2 pixels do not divide into blocks/,
    ],
    [
      'sequence lengths',
      () => ops.reverseSequence(x, ops.ints([1])),
      ShapeError,
      /sequence_lens must have 3 entries, the size of axis 1/,
    ],
    ['repeats', () => ops.tile(x, [2]), ShapeError, /repeats must be 2 numbers >= 0, one per axis, found \[2\]/],
    ['bounds', () => ops.clip(x, input([2])), ShapeError, /the bounds of Clip are scalars, found shape \[2\]/],
    [
      'slopes',
      () => ops.pRelu(x, input([4, 2, 3])),
      ShapeError,
      /the slope of shape \[4, 2, 3\] does not broadcast to \[2, 3\]/,
    ],
    ['gates', () => ops.swiGLU(x, input([2, 1])), ShapeError, /gate and value must have the same shape/],
    [
      'approximations',
      () => ops.gelu(x, { approximate: 'sigmoid' }),
      ArgumentError,
      /approximate is 'none' or 'tanh', found 'sigmoid'/,
    ],
    [
      'scales',
      () => ops.quantizeLinear(x, input([2])),
      ShapeError,
      /a scale of shape \[2\] fits neither \[2, 3\] as a whole nor its axis 1/,
    ],
    ['ranges', () => ops.range(ops.ints([0]), ops.ints([1]), ops.ints([0])), ArgumentError, /delta must not be 0/],
    [
      'depths',
      () => ops.oneHot(ops.ints([0]), constant(0, 'int64'), numbers(0, 1)),
      ArgumentError,
      /the depth must be a whole number >= 1/,
    ],
    [
      'control flow',
      () => ops.ifOp(constant(1, 'bool')),
      UnsupportedError,
      /If has a body that runs depending on data/,
    ],
    [
      'sizes that depend on data',
      () => ops.nonMaxSuppression(x, x),
      ShapeError,
      /the number of boxes kept depends on the scores/,
    ],
    [
      'condition of Compress',
      () => ops.compress(x, ops.cast(ops.slice(x, [0], [1]), { to: 'bool' })),
      ShapeError,
      /condition must have 1 dimensions|must be known/,
    ],
  ])('names %s that do not fit', (_, build, kind, message) => {
    expect(build).toThrow(message);
    expect(build).toThrow(kind);
  });

  it('names the operator and the path where no gradient can flow', () => {
    const m = input([2, 2]);
    const loss = ops.mul(ops.reduceSum(ops.det(ops.exp(m)), { keepdims: 0 }), constant(2, 'float32'));
    expect(() => grad([loss], [m])).toThrow(GradientError);
    expect(() => grad([loss], [m])).toThrow(/operator Det has no gradient.*Path from the output: Mul <- .*Det/);
  });
});

describe('further outputs', () => {
  it('gives the sum of a fused residual normalisation, and its gradient', async () => {
    const [a, b] = [numbers(1, 2, 4), numbers(0.5, 0.5, -1)].map((v) => ops.reshape(v, [1, 3]));
    const scale = constant(1, 'float32', [3]);
    for (const op of [ops.skipLayerNormalization, ops.skipSimplifiedLayerNormalization]) {
      const [y, , , sum] = op(a, b, scale, { epsilon: 1e-5 });
      const [da] = grad([y, sum], [a], { gradOutputs: [ones(y), ones(sum)] });
      expect(await read(sum)).toEqual([1.5, 2.5, 3]);
      const both = ops.add(a, b);
      const plain =
        op === ops.skipLayerNormalization ? ops.layerNormalization(both, scale) : ops.rmsNormalization(both, scale);
      const expected = await read(slope(ops.add(plain, both), a));
      (await read(da)).forEach((v, i) => {
        expect(v).toBeCloseTo(expected[i], 5);
      });
    }
  });
});

describe('kinks', () => {
  it('has no second derivative where Relu has none', async () => {
    const x = numbers(-1, 0, 2);
    const first = slope(ops.relu(x), x, true) as Value;
    expect(await read(first)).toEqual([0, 0, 1]);
    expect(first.requiresGrad).toBe(false);
    const cubed = ops.mul(ops.relu(x), ops.mul(x, x));
    expect(await read(slope(slope(cubed, x, true) as Value, x))).toEqual([0, 0, 12]);
  });

  it('keeps NaN from hiding: it passes through Relu and Clip, and meets a gradient of 0 in Clip', async () => {
    const x = numbers(Number.NaN, 1);
    expect(await read(ops.relu(x))).toEqual([Number.NaN, 1]);
    expect(await read(slope(ops.clip(x, constant(0, 'float32'), constant(2, 'float32')), x))).toEqual([0, 1]);
  });

  it('lets no gradient through integers and comparisons', () => {
    const x = numbers(1.5, -2);
    for (const y of [ops.cast(x, { to: 'int64' }), ops.greater(x, constant(0, 'float32')), ops.argMax(x)])
      expect(y.requiresGrad).toBe(false);
  });
});

describe('quantisation', () => {
  const x = () => numbers(-1, 0.26, 0.9, 300);
  const zeroPoint = constant(2, 'uint8');

  it('passes the gradient straight through where nothing was cut off', async () => {
    const a = x();
    const scale = tensor(0.5, { requiresGrad: true }).value;
    const y = ops.dequantizeLinear(ops.quantizeLinear(a, scale, zeroPoint), scale, zeroPoint);
    expect(nodeTypes(y)).toContain('FakeQuantize');
    // Levels: -1 -> 0, 0.26 -> 3, 0.9 -> 4, 300 -> 255 (cut off).
    expect(await read(y)).toEqual([-1, 0.5, 1, 126.5]);
    const [da, ds] = grad([y], [a, scale], { gradOutputs: [ones(y)] });
    expect(await read(da)).toEqual([1, 1, 1, 0]);
    // d y / d scale: the rounding error inside, the level outside.
    const expected = [0, 1 - 0.52, 2 - 1.8, 253].reduce((p, q) => p + q);
    expect((await read(ds))[0]).toBeCloseTo(expected, 3);
  });

  it('keeps the two operators apart where nothing is differentiated', () => {
    const a = input([2], false);
    const scale = constant(0.5, 'float32');
    const y = ops.dequantizeLinear(ops.quantizeLinear(a, scale, zeroPoint), scale, zeroPoint);
    expect(nodeTypes(y)).toEqual(['QuantizeLinear', 'DequantizeLinear']);
  });

  it('sums the gradient of a scale per channel and per block', async () => {
    const a = tensor([[0.3, 0.8, -0.6, 0.1]], { requiresGrad: true }).value;
    for (const attrs of [{ axis: 1 }, { axis: 1, block_size: 2 }]) {
      const width = attrs.block_size ? 2 : 4;
      const shape = attrs.block_size ? [1, width] : [width];
      const scale = tensor(new Float32Array(width).fill(0.25), { shape, requiresGrad: true }).value;
      const zero = constant(0, 'int8', shape);
      const y = ops.dequantizeLinear(ops.quantizeLinear(a, scale, zero, attrs), scale, zero, attrs);
      const [ds] = grad([y], [scale], { gradOutputs: [ones(y)] });
      // Levels 1, 3, -2, 0 less x / scale.
      const parts = [1 - 1.2, 3 - 3.2, -2 + 2.4, -0.4];
      const expected = attrs.block_size ? [parts[0] + parts[1], parts[2] + parts[3]] : parts;
      (await read(ds)).forEach((v, i) => {
        expect(v).toBeCloseTo(expected[i], 4);
      });
    }
  });
});

describe('simplification', () => {
  const x = input([2, 3]);
  it.each<[string, () => Value]>([
    ['adding 0', () => ops.add(x, constant(0, 'float32'))],
    ['subtracting 0', () => ops.sub(x, constant(0, 'float32'))],
    ['multiplying by 1', () => ops.mul(constant(1, 'float32'), x)],
    ['dividing by 1', () => ops.div(x, constant(1, 'float32'))],
    ['raising to 1', () => ops.pow(x, constant(1, 'float32'))],
    ['negating twice', () => ops.neg(ops.neg(x))],
    ['a slice of everything', () => ops.slice(x, [0, 0], [2, 9])],
    ['no padding', () => ops.pad(x, [0, 0], [0, 0])],
    ['tiling once', () => ops.tile(x, [1, 1])],
    ['casting to the same dtype', () => ops.cast(x, { to: 'float32' })],
    ['transposing twice', () => ops.transpose(ops.transpose(x))],
    ['reshaping there and back', () => ops.reshape(ops.reshape(x, [6]), [2, 3])],
    ['expanding to the same shape', () => ops.expand(x, [2, 3])],
    ['joining one', () => ops.concat(x, { axis: 0 })],
    ['clipping without bounds', () => ops.clip(x)],
    ['an einsum that changes nothing', () => ops.einsum(x, { equation: 'ij->ij' })],
    ['a cast of its bits to its dtype', () => ops.bitCast(x, { to: 'float32' })],
  ])('%s is the value itself', (_, build) => {
    expect(build()).toBe(x);
  });

  it('never widens: 0 of a larger shape still broadcasts', () => {
    expect(ops.add(x, constant(0, 'float32', [4, 1, 1])).shape).toEqual([4, 2, 3]);
  });

  it('turns evenly spaced constant indices into a slice, and its gradient into a padding', async () => {
    const token = ops.gather(x, constant(-1, 'int64'), { axis: 1 });
    expect(nodeTypes(token)).toEqual(['Slice', 'Reshape']);
    expect(token.shape).toEqual([2]);
    const backwards = ops.gather(numbers(1, 2, 3, 4), ops.ints([3, 1]));
    expect(await read(backwards)).toEqual([4, 2]);
    expect(nodeTypes(slope(token, x) as Value)).not.toContain('GatherGrad');
    expect(nodeTypes(ops.gather(x, ops.ints([0, 0])))).toEqual(['Gather']);
  });

  it('selects among bools', async () => {
    const [a, b] = [tensor([true, true, false]).value, tensor([false, true, false]).value];
    expect(await read(ops.where(tensor([true, false, false]).value, a, b))).toEqual([1, 1, 0]);
  });

  it('makes shape arithmetic constant', () => {
    const rows = ops.gather(ops.shapeOp(x), ops.ints([0]), { axis: 0 });
    const wanted = ops.concat(rows, ops.mul(ops.ints([-1]), ops.ints([1])), { axis: 0 });
    expect(Array.from(wanted.constant ?? [])).toEqual([2, -1]);
    expect(Array.from(ops.reduceMax(constant([-3, -2], 'int32')).constant ?? [])).toEqual([-2]);
    const [first, second] = ops.split(ops.shapeOp(x), ops.ints([1, 1]), { axis: 0 });
    expect([first, second].map((v) => v.constant?.[0])).toEqual([2, 3]);
    expect(Array.from(ops.reduceProd(ops.shapeOp(x)).constant ?? [])).toEqual([6]);
    expect(Array.from(ops.range(constant(0, 'int64'), ops.sizeOp(x), constant(2, 'int64')).constant ?? [])).toEqual([
      0, 2, 4,
    ]);
    expect(
      ops.nonZero(
        ops.constantOfShape(ops.ints([2, 2]), { value: { dtype: 'int64', shape: [1], data: Float64Array.of(1) } }),
      ).shape,
    ).toEqual([2, 4]);
  });
});

describe('the compiled program', () => {
  const compile = (...outputs: Value[]) => {
    const { nodes, outputs: results } = compileGraph(outputs, { device: 'cpu', channelBlock: 0 }, (v) => v);
    const inputs = [...new Set(nodes.flatMap((n) => n.inputs.filter((v) => v && !v.node && !v.constant) as Value[]))];
    return { types: nodes.map((n) => n.op.type), bytes: emitModel(nodes, inputs, results).bytes.length };
  };

  it('differentiates Relu in one pass', () => {
    const x = input([4]);
    expect(compile(slope(ops.relu(x), x) as Value).types).toEqual(['Relu', 'HardSigmoid', 'Mul']);
  });

  it('adds at repeated indices with ScatterElements, never with ScatterND', () => {
    const x = input([5, 2]);
    const index = tensor([[1], [1]], { dtype: 'int64' }).value;
    const types = compile(
      slope(ops.gatherND(x, index), x) as Value,
      ops.scatterND(x, index, input([2, 2]), { reduction: 'add' }),
    ).types;
    expect(types).toContain('ScatterElements');
    expect(types).not.toContain('ScatterND');
  });

  it('does not merge two draws of random numbers, but everything else', () => {
    const draw = () => ops.randomNormal({ shape: [2] });
    const x = input([2]);
    const types = compile(ops.add(draw(), draw()), ops.add(ops.exp(x), ops.exp(x))).types;
    expect(types.filter((t) => t === 'RandomNormal')).toHaveLength(2);
    expect(types.filter((t) => t === 'Exp')).toHaveLength(1);
  });

  it('decomposes what the engine does not know', () => {
    const x = input([1, 2, 4]);
    const [y, state] = ops.causalConvWithState(x, input([2, 1, 3]));
    const { types, bytes } = compile(y, state);
    expect(types).not.toContain('CausalConvWithState');
    expect(bytes).toBeGreaterThan(0);
  });

  it('applies operators by their ONNX names', () => {
    expect(apply(findOp('Gelu', 'com.microsoft')!, [input([2])], {})[0].shape).toEqual([2]);
    expect(findOp('Relu', 'ai.onnx')).toBe(ops.relu.definition);
    expect(findOp('NoSuchOperator')).toBeUndefined();
  });
});

describe('16-bit floats', () => {
  it('holds the numbers of rules and formulas, not their bits', async () => {
    const x = ops.cast(numbers(2, -4), { to: 'float16' });
    expect(ops.mul(x, constant(1, 'float16'))).toBe(x);
    for (const dtype of ['float16', 'bfloat16'] as const) expect(scalarConstant(constant(1.5, dtype))).toBe(1.5);
    expect(await read(ops.cast(constant([0.5, -2], 'float16'), { to: 'float32' }))).toEqual([0.5, -2]);
    const halved = slope(ops.mul(x, constant(0.5, 'float16')), x);
    expect(await read(ops.cast(halved as Value, { to: 'float32' }))).toEqual([0.5, 0.5]);
  });
});

describe('tensors without elements', () => {
  const empty = (...shape: number[]) => input(shape);
  it.each<[string, (x: Value) => Value, number[], number[]]>([
    ['sum', (x) => ops.reduceSum(x, ops.ints([1]), { keepdims: 0 }), [2, 0], [0, 0]],
    ['product', (x) => ops.reduceProd(x, ops.ints([1]), { keepdims: 0 }), [2, 0], [1, 1]],
    ['matrix product', (x) => ops.matMul(x, empty(0, 2)), [1, 0], [0, 0]],
    ['elementwise', (x) => ops.gelu(ops.mul(x, x)), [0, 3], []],
    ['softmax', (x) => ops.softmax(x), [0, 3], []],
    ['join', (x) => ops.concat(x, numbers(1, 2), { axis: 0 }), [0], [1, 2]],
    ['gather', (x) => ops.gather(x, constant([], 'int64')), [3], []],
    ['padding', (x) => ops.pad(x, [1], [1]), [0], [0, 0]],
    ['tiling', (x) => ops.tile(x, [0]), [3], []],
    ['expansion', (x) => ops.expand(x, [0, 2]), [1, 2], []],
    ['reshape', (x) => ops.reshape(x, [0, 3]), [2, 0], []],
  ])('%s', async (_, f, shape, expected) => {
    const x = input(shape);
    const y = f(x);
    const dx = slope(y, x);
    expect(dx?.shape).toEqual(shape);
    expect(await read(y)).toEqual(expected);
    expect(await read(dx)).toHaveLength(shape.reduce((a, b) => a * b, 1));
  });
});
