/** @file Branches that inputs decide: what cannot train before, what trains once `fixed` gives the input, where to cut. */
import { describe, expect, it } from 'vitest';
import { UnsupportedError } from '../../ir/errors.ts';
import { encodeModel } from '../../ir/onnx/encode.ts';
import { type AttributeProto, AttributeType, type NodeProto, type TensorProto } from '../../ir/onnx/proto.ts';
import { ones, tensor } from '../../tensor/index.ts';
import { inspectOnnx, OnnxModel } from './index.ts';

const node = (opType: string, input: string[], output: string[], attribute: AttributeProto[] = []): NodeProto => ({
  opType,
  domain: '',
  name: `${opType}_${output[0]}`,
  input,
  output,
  attribute,
});
const body = (name: string, nodes: NodeProto[]): AttributeProto => ({
  name,
  type: AttributeType.GRAPH,
  g: {
    name,
    node: nodes,
    initializer: [],
    input: [],
    output: [{ name: nodes[nodes.length - 1].output[0] }],
    valueInfo: [],
  },
});
const matrix = (name: string, value: number): TensorProto => ({
  name,
  dims: [2, 2],
  dataType: 1,
  rawData: new Uint8Array(Float32Array.from([value, 0, 0, value]).buffer),
});
const integer = (name: string, value: number): TensorProto => ({
  name,
  dims: [],
  dataType: 7,
  rawData: new Uint8Array(BigInt64Array.of(BigInt(value)).buffer),
});

/** h = x stem; y = h wide where rate == 16000, relu(h) narrow elsewhere. */
function bytes(condition: readonly NodeProto[] = [node('Equal', ['rate', 'wanted'], ['c'])]): Uint8Array {
  return encodeModel({
    irVersion: 10,
    opsetImport: [{ domain: '', version: 21 }],
    producerName: '',
    producerVersion: '',
    metadataProps: [],
    functions: [],
    graph: {
      name: 'g',
      node: [
        node('MatMul', ['x', 'stem'], ['h']),
        ...condition,
        node(
          'If',
          ['c'],
          ['y'],
          [
            body('then_branch', [node('MatMul', ['h', 'wide'], ['t'])]),
            body('else_branch', [node('Relu', ['h'], ['r']), node('MatMul', ['r', 'narrow'], ['e'])]),
          ],
        ),
      ],
      initializer: [matrix('stem', 1), matrix('wide', 2), matrix('narrow', 3), integer('wanted', 16000)],
      input: [
        { name: 'x', elemType: 1, shape: ['n', 2] },
        { name: 'rate', elemType: 7, shape: [] },
      ],
      output: [{ name: 'y', elemType: 1, shape: ['n', 2] }],
      valueInfo: [],
    },
  });
}

const trained = (net: OnnxModel) => net.namedParameters().flatMap(([name, p]) => (p.requiresGrad ? [name] : []));

describe('a branch that an input decides', () => {
  it('is named, with what cannot train and how to mend it', async () => {
    const found = await inspectOnnx(bytes());
    expect(found.branches).toEqual([{ node: 'If_y', inputs: ['rate'], thenOnly: ['wide'], elseOnly: ['narrow'] }]);
    expect(found.elements.trainable).toBe(0);
    expect(found.parameters.find((p) => p.name === 'stem')?.reason).toBe(
      "operator If (node 'If_y') branches on input 'rate', which must be given once: { fixed: { rate: value } }; path from the output: If",
    );
    expect(String(found).split('\n').slice(-9)).toEqual([
      'trains: 0 of 13 elements, in 0 of 4 initializers',
      'does not train',
      "  stem    float32 [2, 2]  cannot train before If 'If_y' is decided",
      "  wide    float32 [2, 2]  cannot train before If 'If_y' is decided; then where it holds",
      "  narrow  float32 [2, 2]  cannot train before If 'If_y' is decided; then where it fails",
      '  wanted  int64 []  holds int64, not floating point',
      "If 'If_y' follows from input rate; nothing before it can train until that is given once:",
      '  gradus inspect --fixed rate=VALUE, OnnxModel.load(path, { fixed: { rate: value } })',
      '  initializers that then train: 1 where it holds, 1 where it fails',
    ]);
    expect(trained(await OnnxModel.load(bytes()))).toEqual([]);
  });

  it.each([
    [16000, ['stem', 'wide'], 2, 'h'],
    [8000, ['stem', 'narrow'], 3, 'r'],
  ] as const)('is taken where fixed gives %i', async (rate, names, expected, feature) => {
    const fixed = { rate };
    const found = await inspectOnnx(bytes(), { fixed });
    expect(found.branches).toEqual([]);
    expect(found.parameters.flatMap((p) => (p.trainable ? [p.name] : []))).toEqual(names);
    expect(found.parameters.find((p) => !p.trainable)?.reason).toBe(
      'nothing reads it, or only a branch that is not taken',
    );
    const net = await OnnxModel.load(bytes(), { fixed });
    expect(trained(net)).toEqual(names);
    expect(await net.forward(ones([1, 2])).array()).toEqual([[expected, expected]]);
    // Values of the branch can be cut at.
    expect(net.features().map((f) => f.name)).toEqual([feature]);
    expect(
      await net
        .cutAt(feature)
        .forward(ones([1, 2]))
        .array(),
    ).toEqual([[1, 1]]);
    // The file that is written has both branches.
    const back = await OnnxModel.load(await net.save(null), { fixed: { rate: 16000 } });
    expect(await back.forward(ones([1, 2])).array()).toEqual([[2, 2]]);
  });

  it('is refused at run time where nothing decides it', async () => {
    const net = await OnnxModel.load(bytes());
    const rate = tensor(16000, { dtype: 'int64' });
    expect(() => net.forward({ x: ones([1, 2]), rate })).toThrow(UnsupportedError);
  });

  it('that follows from the size of an input is decided for each size, and all of it can train', async () => {
    const bySize = bytes([node('Size', ['x'], ['s']), node('Greater', ['wanted', 's'], ['c'])]);
    const net = await OnnxModel.load(bySize, { fixed: { rate: 0 } });
    expect(trained(net)).toEqual(['stem', 'wide', 'narrow']);
    expect(await net.forward(ones([1, 2])).array()).toEqual([[2, 2]]);
    expect((await inspectOnnx(bySize)).branches).toEqual([]);
  });

  it('a Loop says that the graph must be cut before it', async () => {
    const looped = encodeModel({
      irVersion: 10,
      opsetImport: [{ domain: '', version: 21 }],
      producerName: '',
      producerVersion: '',
      metadataProps: [],
      functions: [],
      graph: {
        name: 'g',
        node: [
          node('MatMul', ['x', 'stem'], ['h']),
          node(
            'Loop',
            ['count', '', 'h'],
            ['y'],
            [
              {
                name: 'body',
                type: AttributeType.GRAPH,
                g: {
                  name: 'body',
                  node: [node('Identity', ['go'], ['went']), node('MatMul', ['state', 'inner'], ['next'])],
                  initializer: [],
                  input: [{ name: 'i' }, { name: 'go' }, { name: 'state' }],
                  output: [{ name: 'went' }, { name: 'next' }],
                  valueInfo: [],
                },
              },
            ],
          ),
        ],
        initializer: [matrix('stem', 1), matrix('inner', 2), integer('count', 3)],
        input: [{ name: 'x', elemType: 1, shape: ['n', 2] }],
        output: [{ name: 'y', elemType: 1 }],
        valueInfo: [],
      },
    });
    const found = await inspectOnnx(looped);
    const reasons = Object.fromEntries(found.parameters.map(({ name, reason }) => [name, reason]));
    expect(reasons.stem).toMatch(
      /^operator Loop \(node 'Loop_y'\) runs its body as often as the data says.*cut the graph/,
    );
    expect(reasons.inner).toMatch(/^operator Loop/);
    expect(found.problems).toEqual([
      "Loop (node 'Loop_y') runs its body as often as the data says and cannot be traced; cut the graph before it: OnnxModel.load(path, { cutAt: name })",
    ]);
    const cut = await OnnxModel.load(looped, { cutAt: 'h' });
    expect(trained(cut)).toEqual(['stem']);
  });
});
