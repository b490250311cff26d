/** @file Graphs that contradict themselves or ask for the impossible end in typed errors that name the place. */
import { describe, expect, it } from 'vitest';
import { FormatError, GradusError, ShapeError, UnsupportedError } from '../../ir/errors.ts';
import { encodeModel } from '../../ir/onnx/encode.ts';
import {
  type AttributeProto,
  AttributeType,
  type FunctionProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from '../../ir/onnx/proto.ts';
import { ones } from '../../tensor/index.ts';
import { OnnxModel } from './index.ts';

const node = (
  opType: string,
  input: string[],
  output: string[],
  attribute: AttributeProto[] = [],
  domain = '',
): NodeProto => ({ opType, domain, name: `${opType.toLowerCase()}_${output[0]}`, input, output, attribute });
const ints = (name: string, ...values: number[]): TensorProto => ({
  name,
  dims: [values.length],
  dataType: 7,
  rawData: new Uint8Array(BigInt64Array.from(values, (v) => BigInt(v)).buffer),
});
const floats = (name: string, ...values: number[]): TensorProto => ({
  name,
  dims: [values.length],
  dataType: 1,
  rawData: new Uint8Array(Float32Array.from(values).buffer),
});
const int = (name: string, i: number): AttributeProto => ({ name, type: AttributeType.INT, i });

function graph(nodes: NodeProto[], initializer: TensorProto[] = [], output = 'y', input = ['x']): GraphProto {
  return {
    name: 'g',
    node: nodes,
    initializer,
    input: input.map((name) => ({ name, elemType: 1, shape: ['n'] })),
    output: [{ name: output, elemType: 1 }],
    valueInfo: [],
  };
}

function bytes(g: GraphProto, more: Partial<ModelProto> = {}): Uint8Array {
  return encodeModel({
    irVersion: 10,
    opsetImport: [{ domain: '', version: 21 }],
    producerName: 'hostile',
    producerVersion: '',
    graph: g,
    metadataProps: [],
    functions: [],
    ...more,
  });
}

const load = (...args: Parameters<typeof bytes>) => OnnxModel.load(bytes(...args));
/** Loads and runs on two ones. */
const run = async (...args: Parameters<typeof bytes>) => (await load(...args)).forward(ones([2]));

describe('contradictions', () => {
  it('cycle', async () => {
    const g = graph([node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b']), node('Neg', ['b'], ['y'])]);
    await expect(load(g)).rejects.toThrow(FormatError);
    await expect(load(g)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[FormatError: ONNX file: the graph has a cycle through node 'add_a' (Add) and node 'relu_b' (Relu)]`,
    );
  });

  it('a node that reads itself', async () => {
    await expect(load(graph([node('Add', ['x', 'y'], ['y'])]))).rejects.toThrow(/cycle through node 'add_y'/);
  });

  it('nodes out of order are sorted', async () => {
    const net = await load(graph([node('Neg', ['b'], ['y']), node('Exp', ['x'], ['b'])]));
    expect((await net.forward(ones([1])).data())[0]).toBeCloseTo(-Math.E);
  });

  it('a value that nothing makes', async () => {
    await expect(load(graph([node('Add', ['x', 'nowhere'], ['y'])]))).rejects.toThrowErrorMatchingInlineSnapshot(
      `[FormatError: ONNX file: node 'add_y' (Add) reads 'nowhere', which nothing makes]`,
    );
    await expect(load(graph([node('Neg', ['x'], ['z'])]))).rejects.toThrowErrorMatchingInlineSnapshot(
      `[FormatError: ONNX file: output 'y' is made by nothing]`,
    );
  });

  it('names made twice', async () => {
    const twice = graph([node('Neg', ['x'], ['y']), node('Exp', ['x'], ['y'])]);
    await expect(load(twice)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[FormatError: ONNX file: value 'y' is made twice, by node 'neg_y' (Neg) and by node 'exp_y' (Exp)]`,
    );
    const tensors = graph([node('Add', ['x', 'w'], ['y'])], [floats('w', 1), floats('w', 2)]);
    await expect(load(tensors)).rejects.toThrow(FormatError);
    await expect(load(graph([node('Neg', ['x'], ['y'])], [], 'y', ['x', 'x']))).rejects.toThrow(FormatError);
  });

  it('names that are members of objects and classes are only names', async () => {
    const names = ['__proto__', 'constructor', 'forward', 'training', 'stateKey', 'toString'];
    const nodes = names.map((name, i) =>
      node('Mul', [i ? `v${i - 1}` : 'x', name], [i === names.length - 1 ? 'y' : `v${i}`]),
    );
    const net = await load(
      graph(
        nodes,
        names.map((n) => floats(n, 2, 2)),
      ),
    );
    expect(net.namedParameters().map(([n]) => n)).toEqual(names);
    expect(await net.forward(ones([2])).array()).toEqual([64, 64]);
  });

  it('weights held by Constant nodes are parameters where there are no others', async () => {
    const value: AttributeProto = { name: 'value', type: AttributeType.TENSOR, t: floats('', 3, 4) };
    const g = graph([node('Constant', [], ['w'], [value]), node('Mul', ['x', 'w'], ['y'])]);
    const net = await load(g);
    net.parameters()[0].setData(Float32Array.of(5, 6));
    expect(await net.forward(ones([2])).array()).toEqual([5, 6]);
    const again = await OnnxModel.load(await net.save(null));
    expect(await again.forward(ones([2])).array()).toEqual([5, 6]);
    const other = await load({
      ...g,
      node: [...g.node.slice(0, 1), node('Add', ['w', 'v'], ['s']), node('Mul', ['x', 's'], ['y'])],
      initializer: [floats('v', 1, 1)],
    });
    expect(other.namedParameters().map(([name]) => name)).toEqual(['v']);
  });

  it('an operator whose name is missing', async () => {
    await expect(load(graph([node('', ['x'], ['y'])]))).rejects.toThrow(FormatError);
  });
});

describe('types and shapes', () => {
  it('an initializer of the wrong type', async () => {
    const g = graph([node('Add', ['x', 'w'], ['y'])], [ints('w', 1, 2)]);
    await expect(run(g)).rejects.toThrow(/different dtypes[\s\S]*in node 'add_y' of the ONNX file/);
  });

  it('an initializer of the wrong shape', async () => {
    const g = graph([node('Add', ['x', 'w'], ['y'])], [floats('w', 1, 2, 3)]);
    await expect(run(g)).rejects.toThrow(ShapeError);
  });

  it('element types that Gradus does not hold', async () => {
    const w: TensorProto = { name: 'w', dims: [2], dataType: 17, rawData: new Uint8Array(2) };
    await expect(run(graph([node('Cast', ['w'], ['y'], [int('to', 1)])], [w]))).rejects.toThrow(GradusError);
  });

  it.each([
    ['ConstantOfShape', [], [1e15]],
    ['ConstantOfShape', [], [1e6, 1e6, 1e6, 1e6]],
    ['Expand', ['x'], [1e15, 2]],
    ['Tile', ['x'], [1e15]],
  ])('%s of absurd size allocates nothing', async (op, inputs, shape) => {
    const before = process.memoryUsage().rss;
    const g = graph([node(op, [...inputs, 's'], ['a']), node('Neg', ['a'], ['y'])], [ints('s', ...shape)]);
    await expect(run(g)).rejects.toThrow(GradusError);
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
  });

  it('a Range and a OneHot of absurd size allocate nothing', async () => {
    const scalar = (name: string, v: number) => ({ ...ints(name, v), dims: [] });
    const range = graph(
      [node('Range', ['a', 'b', 'c'], ['r']), node('Cast', ['r'], ['y'], [int('to', 1)])],
      [scalar('a', 0), scalar('b', 1e15), scalar('c', 1)],
    );
    await expect(run(range)).rejects.toThrow(GradusError);
    const oneHot = graph(
      [node('Cast', ['x'], ['i'], [int('to', 7)]), node('OneHot', ['i', 'd', 'v'], ['y'])],
      [scalar('d', 1e12), floats('v', 0, 1)],
    );
    await expect(run(oneHot)).rejects.toThrow(GradusError);
  });

  it('attributes of the wrong kind', async () => {
    const perm = graph([node('Transpose', ['x'], ['y'], [{ name: 'perm', type: AttributeType.STRING, s: 'abc' }])]);
    await expect(run(perm)).rejects.toThrow(GradusError);
    const axis = graph([node('Softmax', ['x'], ['y'], [{ name: 'axis', type: AttributeType.STRING, s: 'abc' }])]);
    await expect(run(axis)).rejects.toThrow(GradusError);
    const missing = graph([node('Concat', ['x', 'x'], ['y'])]);
    await expect(run(missing)).rejects.toThrow(GradusError);
  });

  it('operators with too few inputs', async () => {
    for (const op of [
      'Add',
      'MatMul',
      'Gather',
      'Conv',
      'Reshape',
      'Where',
      'Slice',
      'BatchNormalization',
      'LSTM',
      'Resize',
    ])
      await expect(run(graph([node(op, [], ['y'])])), op).rejects.toThrow(GradusError);
  });

  it('inputs that do not fit', async () => {
    const net = await load(graph([node('Add', ['x', 'z'], ['y'])], [], 'y', ['x', 'z']));
    expect(() => net.forward(ones([2]))).toThrow(`input 'z' is missing; the model needs 'x', 'z'`);
    expect(() => net.forward({ x: ones([2]), w: ones([2]) })).toThrow(
      `the model has no input 'w'; its inputs are 'x', 'z'`,
    );
    expect(() => net.forward(ones([2]), ones([3]))).toThrow(
      `input 'z': expected [n], found [3]; 'n' is 3 here and 2 in input 'x'`,
    );
    expect(() => net.forward(ones([2, 1]), ones([2]))).toThrow(`input 'x': expected [n], found [2, 1]`);
    expect(() => net.forward(ones([2], { dtype: 'int64' }), ones([2]))).toThrow(
      `input 'x' takes float32, found int64; cast it with .to('float32')`,
    );
  });
});

describe('control flow and functions', () => {
  const condition = (value: number): TensorProto => ({
    name: 'c',
    dims: [],
    dataType: 9,
    rawData: Uint8Array.of(value),
  });
  const branch = (name: string, ...nodes: NodeProto[]): AttributeProto => ({
    name,
    type: AttributeType.GRAPH,
    g: graph(nodes, [], nodes[nodes.length - 1].output[0], []),
  });

  it.each([
    [1, -1],
    [0, Math.E],
  ])('If with condition %i takes its branch', async (c, expected) => {
    const g = graph(
      [
        node(
          'If',
          ['c'],
          ['y'],
          [branch('then_branch', node('Neg', ['x'], ['t'])), branch('else_branch', node('Exp', ['x'], ['e']))],
        ),
      ],
      [condition(c)],
    );
    expect((await (await run(g)).data())[0]).toBeCloseTo(expected);
  });

  it('If on data is refused by name', async () => {
    const g = graph([
      node('ReduceMax', ['x'], ['m'], [int('keepdims', 0)]),
      node('Cast', ['m'], ['c'], [int('to', 9)]),
      node(
        'If',
        ['c'],
        ['y'],
        [branch('then_branch', node('Neg', ['x'], ['t'])), branch('else_branch', node('Exp', ['x'], ['e']))],
      ),
    ]);
    await expect(run(g)).rejects.toThrowErrorMatchingInlineSnapshot(`
      [UnsupportedError: the condition of If is computed from data, which a traced program cannot follow. If it follows from an input that always has the same value, such as a sampling rate, give that once: OnnxModel.load(path, { fixed: { name: value } }). Else export the model by tracing instead of scripting, or without the data-dependent branch
          in node 'if_y' of the ONNX file]
    `);
  });

  it('Ifs nested deeply end in an error or a result, not in a crash', async () => {
    const nest = (depth: number): NodeProto =>
      depth === 0
        ? node('Neg', ['x'], ['y0'])
        : node(
            'If',
            ['c'],
            [`y${depth}`],
            [branch('then_branch', nest(depth - 1)), branch('else_branch', node('Exp', ['x'], [`e${depth}`]))],
          );
    const shallow = await run(graph([nest(20)], [condition(1)], 'y20'));
    expect(await shallow.array()).toEqual([-1, -1]);
    await expect(run(graph([nest(200)], [condition(1)], 'y200'))).rejects.toThrow(GradusError);
  });

  it.each(['Loop', 'Scan', 'SequenceConstruct', 'SplitToSequence', 'NoSuchOperator'])(
    '%s is refused by name',
    async (op) => {
      await expect(run(graph([node(op, ['x'], ['y'])]))).rejects.toThrow(UnsupportedError);
      await expect(run(graph([node(op, ['x'], ['y'])]))).rejects.toThrow(op);
    },
  );

  it('an operator of another vendor is refused by name and node', async () => {
    const g = graph([node('Secret', ['x'], ['y'], [], 'com.vendor')]);
    await expect(load(g)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedError: operator com.vendor.Secret (node 'secret_y' of the ONNX file) is not supported: it belongs to another vendor: export the model with standard operators, or as a function of them]`,
    );
  });

  const fn = (name: string, nodes: NodeProto[], attribute: string[] = []): FunctionProto => ({
    name,
    domain: 'local',
    input: ['a'],
    output: ['b'],
    attribute,
    attributeProto: [],
    node: nodes,
    opsetImport: [{ domain: '', version: 21 }],
  });

  it('functions are inlined, attributes filled in', async () => {
    const functions = [
      fn('Twice', [node('Add', ['a', 'a'], ['b'])]),
      fn(
        'Leaky',
        [
          node('Twice', ['a'], ['t'], [], 'local'),
          node('LeakyRelu', ['t'], ['b'], [{ name: 'alpha', type: AttributeType.FLOAT, refAttrName: 'slope' }]),
        ],
        ['slope'],
      ),
    ];
    const g = graph([
      node('Neg', ['x'], ['n']),
      node('Leaky', ['n'], ['y'], [{ name: 'slope', type: AttributeType.FLOAT, f: 0.25 }], 'local'),
    ]);
    expect(await (await run(g, { functions })).array()).toEqual([-0.5, -0.5]);
  });

  it('functions that call themselves, or double without end, are refused', async () => {
    const self = fn('Self', [node('Self', ['a'], ['b'], [], 'local')]);
    const call = (name: string) => graph([node(name, ['x'], ['y'], [], 'local')]);
    await expect(load(call('Self'), { functions: [self] })).rejects.toThrow(/function 'Self' calls itself/);
    const doubling = Array.from({ length: 40 }, (_, i) =>
      fn(`F${i}`, [
        node(i ? `F${i - 1}` : 'Neg', ['a'], ['t'], [], i ? 'local' : ''),
        node(i ? `F${i - 1}` : 'Neg', ['t'], ['b'], [], i ? 'local' : ''),
      ]),
    );
    await expect(load(call('F39'), { functions: doubling })).rejects.toThrow(/more than 300000 nodes/);
  }, 20_000);
});
