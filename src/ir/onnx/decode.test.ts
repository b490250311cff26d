/** @file Reading .onnx files: round trips, files of the Python package, and files that lie. */
import { readFileSync } from 'node:fs';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError, GradusError, UnsupportedError } from '../errors.ts';
import { decodeModel } from './decode.ts';
import { fromRaw } from './elements.ts';
import { encodeModel } from './encode.ts';
import { hasExternalData, resolveExternalData } from './external.ts';
import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto } from './proto.ts';

const folder = new URL('../../../test/golden/onnx/', import.meta.url);
const file = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));
const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex');

interface Expected {
  dims: number[];
  dataType: number;
  hex?: string;
  strings?: string[];
  external?: Record<string, string>;
}
const golden: { files: Record<string, { nodes: [string, string[], string[]][]; tensors: Record<string, Expected> }> } =
  JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8'));

const simple = (graph: Partial<GraphProto> = {}, model: Partial<ModelProto> = {}): ModelProto => ({
  irVersion: 10,
  opsetImport: [{ domain: '', version: 21 }],
  producerName: '',
  producerVersion: '',
  graph: { name: '', node: [], initializer: [], input: [], output: [], valueInfo: [], ...graph },
  metadataProps: [],
  functions: [],
  ...model,
});
const nodeOf = (attribute: AttributeProto[]): NodeProto => ({
  opType: 'If',
  domain: '',
  name: 'n',
  input: [],
  output: [],
  attribute,
});

describe('files written by Python', () => {
  it.each(['typed-data', 'attributes', 'function', 'external'])('%s.onnx', (name) => {
    const { graph, producerName, producerVersion, irVersion } = decodeModel(file(`${name}.onnx`));
    expect({ producerName, producerVersion, irVersion }).toEqual({
      producerName: 'gradus-test',
      producerVersion: '1.2',
      irVersion: 10,
    });
    const { nodes, tensors } = golden.files[name];
    expect(graph.node.map((n) => [n.opType, n.input, n.output])).toEqual(nodes);
    expect(graph.initializer.map((t) => t.name)).toEqual(Object.keys(tensors));
    for (const t of graph.initializer) {
      const expected = tensors[t.name];
      expect({ dims: t.dims, dataType: t.dataType }).toEqual({ dims: expected.dims, dataType: expected.dataType });
      if (expected.strings) expect(t.stringData?.map((s) => Buffer.from(s).toString())).toEqual(expected.strings);
      else if (expected.external) expect(t.externalData).toEqual(expected.external);
      else expect(hex(t.rawData)).toBe(expected.hex);
    }
  });

  it('attributes, subgraphs, shapes, metadata', () => {
    const { graph, metadataProps, opsetImport } = decodeModel(file('attributes.onnx'));
    expect(metadataProps).toEqual([
      { key: 'author', value: 'Ada' },
      { key: 'note', value: '' },
    ]);
    expect(opsetImport).toEqual([
      { domain: '', version: 21 },
      { domain: 'com.example', version: 1 },
    ]);
    const [branch, conv, resize, custom] = graph.node;
    const attributes = (n: NodeProto) =>
      Object.fromEntries(n.attribute.map(({ name, type, ...value }) => [name, value]));
    const { then_branch, else_branch } = attributes(branch);
    expect(then_branch.g?.node[0].opType).toBe('Identity');
    expect(then_branch.g?.output).toEqual([{ name: 'then_y', elemType: 1 }]);
    const inner = else_branch.g?.node[0].attribute[0].t;
    expect(inner).toMatchObject({ name: 'c', dims: [2], dataType: 1 });
    expect(hex(inner?.rawData)).toBe('0000e04000000041');
    expect(conv).toMatchObject({ name: 'conv', docString: 'a note', input: ['z', 'w', ''] });
    expect(attributes(conv)).toEqual({
      auto_pad: { s: 'NOTSET' },
      group: { i: 1 },
      kernel_shape: { ints: [1, 3] },
      pads: { ints: [0, 1, 0, 1] },
    });
    expect(attributes(resize)).toEqual({ cubic_coeff_a: { f: -0.5 }, mode: { s: 'linear' } });
    expect(custom.domain).toBe('com.example');
    expect(attributes(custom)).toEqual({
      floats: { floats: [1.5, -2] },
      strings: { strings: ['a', 'b'] },
      big: { i: 2 ** 63 },
    });
    expect(graph.input).toEqual([
      { name: 'flag', elemType: 9, shape: [] },
      { name: 'x', elemType: 1, shape: ['batch', null, 3] },
      { name: 'w', elemType: 1, shape: [2, 1, 1, 3] },
    ]);
    expect(graph.output).toEqual([{ name: 'y', elemType: 1 }, { name: 's' }]);
    expect(graph.valueInfo).toEqual([{ name: 'c', elemType: 1, shape: ['batch', 2] }]);
  });

  it('functions', () => {
    const { functions } = decodeModel(file('function.onnx'));
    expect(functions).toEqual([
      {
        name: 'Leaky',
        domain: 'com.example',
        input: ['a'],
        output: ['b'],
        attribute: ['slope'],
        attributeProto: [{ name: 'scale', type: 1, f: 2 }],
        node: [
          {
            opType: 'LeakyRelu',
            domain: '',
            name: '',
            input: ['a'],
            output: ['b'],
            attribute: [{ name: 'alpha', type: 1, refAttrName: 'slope' }],
          },
        ],
        opsetImport: [{ domain: '', version: 21 }],
      },
    ]);
  });

  it('sparse initializers are refused by name', () => {
    expect(() => decodeModel(file('sparse.onnx'))).toThrow(UnsupportedError);
    expect(() => decodeModel(file('sparse.onnx'))).toThrow("initializer 'pruned' is sparse");
  });

  it('raw data are views of the file', () => {
    const bytes = file('typed-data.onnx');
    const raw = decodeModel(bytes).graph.initializer.find((t) => t.name === 'raw');
    expect(raw?.rawData?.buffer).toBe(bytes.buffer);
    const typed = decodeModel(bytes).graph.initializer.find((t) => t.name === 'float32');
    expect(typed?.rawData?.buffer).toBe(bytes.buffer);
  });

  it("raw data are plain arrays, even of Node's Buffer", async () => {
    const t = decodeModel(readFileSync(new URL('typed-data.onnx', folder))).graph.initializer.find(
      (t) => t.name === 'raw',
    );
    expect(t?.rawData?.constructor).toBe(Uint8Array);
    expect([...fromRaw('float32', t?.rawData as Uint8Array)]).toEqual([0, 1, 2, 3, 4, 5]);
    const model = decodeModel(readFileSync(new URL('external.onnx', folder)));
    const blob = readFileSync(new URL('external.bin', folder));
    await resolveExternalData(model, async (_, offset, length) => blob.subarray(offset, offset + length));
    expect(model.graph.initializer.map((t) => t.rawData?.constructor)).toEqual([Uint8Array, Uint8Array]);
  });
});

describe('external data', () => {
  const blob = file('external.bin');
  const read = async (_: string, offset: number, length: number) => blob.subarray(offset, offset + length);

  it('are filled in', async () => {
    const model = decodeModel(file('external.onnx'));
    expect(hasExternalData(model)).toBe(true);
    await resolveExternalData(model, read);
    expect(hasExternalData(model)).toBe(false);
    const [w, b] = model.graph.initializer.map((t) => new Float32Array((t.rawData as Uint8Array).slice().buffer));
    expect([...w]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect([...b]).toEqual([0.5, -0.5, 1.5, 2.5]);
  });

  it('are found in subgraphs and functions, and read once where shared', async () => {
    const t = (name: string): TensorProto => ({ name, dims: [2], dataType: 2, externalData: { location: 'a/b.bin' } });
    const g = simple({ node: [nodeOf([{ name: 'value', type: 4, t: t('inner') }])] }).graph;
    const model = simple({ node: [nodeOf([{ name: 'body', type: 5, g }])], initializer: [t('outer')] });
    let reads = 0;
    await resolveExternalData(decodeModel(encodeModel(model)), async (location, offset, length) => {
      expect([location, offset, length]).toEqual(['a/b.bin', 0, 2]);
      reads++;
      return new Uint8Array(2);
    });
    expect(reads).toBe(1);
  });

  it.each([
    [{ location: '/etc/passwd' }, "inside of the model's own folder"],
    [{ location: 'a/../../b' }, "inside of the model's own folder"],
    [{ location: '..\\b' }, "inside of the model's own folder"],
    [{ location: '\\\\host\\b' }, "inside of the model's own folder"],
    [{ location: 'C:\\b' }, "inside of the model's own folder"],
    [{ location: 'https://example.com/b' }, "inside of the model's own folder"],
    [{ location: 'b\0' }, "inside of the model's own folder"],
    [{}, "inside of the model's own folder"],
    [{ location: 'b', offset: '-1' }, 'offset is "-1"; expected a number of bytes'],
    [{ location: 'b', offset: '1e3' }, 'offset is "1e3"'],
    [{ location: 'b', length: '99999999999999999999' }, 'length is "99999999999999999999"'],
    [{ location: 'b', length: '13' }, 'has length 13; dimensions [3] need 12 bytes'],
    [{ location: 'b', offset: '76' }, "'b' has 4 bytes from byte 76 on; expected 12"],
    [{ location: 'b', offset: '8000000' }, "'b' has 0 bytes from byte 8000000 on"],
  ])('%j is refused', async (externalData: Record<string, string>, message) => {
    const model = simple({ initializer: [{ name: 'w', dims: [3], dataType: 1, externalData }] });
    const decoded = decodeModel(encodeModel(model));
    await expect(resolveExternalData(decoded, read)).rejects.toThrow(FormatError);
    await expect(resolveExternalData(decoded, read)).rejects.toThrow(message);
  });
});

// Generated models, for the round trip.
const name = fc.string({ unit: 'grapheme', maxLength: 6 });
const float = fc.float({ noDefaultInfinity: false });
const tensor: fc.Arbitrary<TensorProto> = fc
  .record({
    name,
    dims: fc.array(fc.nat(3), { maxLength: 3 }),
    dataType: fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16),
    fill: fc.uint8Array({ minLength: 8, maxLength: 8 }),
    kind: fc.nat(9),
  })
  .map(({ fill, kind, ...t }) => {
    const count = t.dims.reduce((a, b) => a * b, 1);
    if (kind === 0 && t.dataType !== 8)
      return { ...t, externalData: { location: 'x.bin', length: '1' }, docString: 'd' };
    if (t.dataType === 8) return { ...t, stringData: Array.from({ length: count }, (_, i) => fill.slice(0, i % 8)) };
    const width = [0, 4, 1, 1, 2, 2, 4, 8, 0, 1, 2, 8, 4, 8, 0, 0, 2][t.dataType];
    return { ...t, rawData: Uint8Array.from({ length: count * width }, (_, i) => fill[i % 8]) };
  });
const valueInfo: fc.Arbitrary<ValueInfoProto> = fc.oneof(
  fc.record({ name }),
  fc.record({ name, elemType: fc.integer({ min: 1, max: 20 }) }),
  fc.record({
    name,
    elemType: fc.integer({ min: 1, max: 20 }),
    shape: fc.array(fc.oneof(fc.nat(), fc.constant(null), fc.constantFrom('batch', 'n')), { maxLength: 4 }),
  }),
);
const int = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(2 ** 63, -(2 ** 63), -1, 0));
const { graph, node } = fc.letrec<{ graph: GraphProto; node: NodeProto; attribute: AttributeProto }>((tie) => ({
  attribute: fc.oneof(
    { depthSize: 'small' },
    fc.record({ name, type: fc.constant(1), f: float }),
    fc.record({ name, type: fc.constant(2), i: int }),
    fc.record({ name, type: fc.constant(3), s: name }),
    fc.record({ name, type: fc.constant(4), t: tensor }),
    fc.record({ name, type: fc.constant(6), floats: fc.array(float, { maxLength: 4 }) }),
    fc.record({ name, type: fc.constant(7), ints: fc.array(int, { maxLength: 4 }) }),
    fc.record({ name, type: fc.constant(8), strings: fc.array(name, { maxLength: 4 }) }),
    fc.record({ name, type: fc.integer({ min: 1, max: 8 }), refAttrName: fc.constant('outer') }),
    fc.record({ name, type: fc.constant(5), g: tie('graph') }),
  ),
  node: fc.record({
    opType: name,
    domain: name,
    name,
    input: fc.array(name, { maxLength: 3 }),
    output: fc.array(name, { maxLength: 3 }),
    attribute: fc.array(tie('attribute'), { maxLength: 3 }),
  }),
  graph: fc.record({
    name,
    node: fc.array(tie('node'), { maxLength: 3, depthIdentifier: 'g' }),
    initializer: fc.array(tensor, { maxLength: 3 }),
    input: fc.array(valueInfo, { maxLength: 3 }),
    output: fc.array(valueInfo, { maxLength: 3 }),
    valueInfo: fc.array(valueInfo, { maxLength: 2 }),
  }),
}));
const opsets = fc.array(fc.record({ domain: name, version: fc.nat() }), { minLength: 1, maxLength: 2 });
const model: fc.Arbitrary<ModelProto> = fc.record({
  irVersion: fc.integer({ min: 1, max: 13 }),
  opsetImport: opsets,
  producerName: name,
  producerVersion: name,
  graph,
  metadataProps: fc.array(fc.record({ key: name, value: name }), { maxLength: 2 }),
  functions: fc.uniqueArray(
    fc.record({
      name,
      domain: name,
      input: fc.array(name, { maxLength: 2 }),
      output: fc.array(name, { maxLength: 2 }),
      attribute: fc.array(name, { maxLength: 2 }),
      attributeProto: fc.constant([]),
      node: fc.array(node, { maxLength: 2 }),
      opsetImport: opsets,
    }),
    { maxLength: 2, selector: (f) => `${f.domain}:${f.name}` },
  ),
});

it('reads back every model that the encoder writes', () => {
  fc.assert(
    fc.property(model, (m) => {
      expect(decodeModel(encodeModel(m))).toEqual(m);
    }),
    { numRuns: 500 },
  );
});

/** A model of one initializer given by its bytes; fields of TensorProto in the order of the calls. */
function withTensor(fill: (w: BinaryWriter) => void): Uint8Array {
  const w = new BinaryWriter();
  w.tag(1, WireType.Varint).int32(10);
  w.tag(7, WireType.LengthDelimited).fork().tag(5, WireType.LengthDelimited).fork();
  fill(w);
  w.join().join();
  w.tag(8, WireType.LengthDelimited).fork().tag(2, WireType.Varint).int32(21).join();
  return w.finish();
}
const dims = (w: BinaryWriter, ...sizes: (number | bigint)[]) => {
  for (const d of sizes) w.tag(1, WireType.Varint).int64(d);
  return w;
};
const type = (w: BinaryWriter, code: number) => w.tag(2, WireType.Varint).int32(code);

describe('what other writers do', () => {
  it('typed data unpacked, packed, and mixed', () => {
    const bytes = withTensor((w) => {
      type(dims(w, 5), 6).tag(5, WireType.Varint).int32(-7).tag(5, WireType.LengthDelimited).fork();
      w.int32(1).int32(-2147483648).join().tag(5, WireType.Varint).int32(9).tag(5, WireType.Varint).int32(10);
    });
    const { rawData } = decodeModel(bytes).graph.initializer[0];
    expect([...new Int32Array((rawData as Uint8Array).slice().buffer)]).toEqual([-7, 1, -2147483648, 9, 10]);
    const floats = withTensor((w) => {
      type(dims(w, 4), 1).tag(4, WireType.Bit32).float(1.5).tag(4, WireType.LengthDelimited).fork();
      w.float(2).float(3).join().tag(4, WireType.Bit32).float(4);
    });
    const raw = decodeModel(floats).graph.initializer[0].rawData as Uint8Array;
    expect([...new Float32Array(raw.slice().buffer)]).toEqual([1.5, 2, 3, 4]);
  });

  it('dimensions packed, unknown fields, fields in any order', () => {
    const bytes = withTensor((w) => {
      w.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(6)).tag(77, WireType.Varint).int32(1);
      w.tag(78, WireType.StartGroup).tag(1, WireType.Bit64).fixed64(1).tag(78, WireType.EndGroup);
      type(w, 2).tag(1, WireType.LengthDelimited).fork().int32(2).int32(3).join();
    });
    expect(decodeModel(bytes).graph.initializer[0]).toEqual({
      name: '',
      dims: [2, 3],
      dataType: 2,
      rawData: new Uint8Array(6),
    });
  });

  it('IR version 1 without operator set; unknown sizes as -1', () => {
    const old = simple({ input: [{ name: 'x', elemType: 1, shape: [-1, 2] }] }, { irVersion: 1, opsetImport: [] });
    const decoded = decodeModel(encodeModel(old));
    expect(decoded.opsetImport).toEqual([{ domain: '', version: 1 }]);
    expect(decoded.graph.input[0].shape).toEqual([null, 2]);
  });
});

describe('hostile and broken files', () => {
  const text = (s: string) => new TextEncoder().encode(s);
  const nested = (depth: number): GraphProto => {
    let g = simple().graph;
    for (let i = 1; i < depth; i++) g = simple({ node: [nodeOf([{ name: 'body', type: 5, g }])] }).graph;
    return g;
  };
  it.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(0), 'not an ONNX file: it is empty'],
    ['text', text('hello, this is a note\n'), 'not an ONNX file: it is text, starting "hello, this is a note'],
    ['HTML', text('<!DOCTYPE html>\n<html>'), 'not an ONNX file: it is a web page, starting "<!DOCTYPE html>'],
    ['a Git LFS pointer', text('version https://git-lfs.github.com/spec/v1\noid'), 'git lfs pull'],
    ['zip', Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 0), 'zip archive'],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0, 0), 'gzip'],
    ['zeros', new Uint8Array(100), 'not an ONNX file: illegal tag'],
    ['a message without graph', Uint8Array.of(8, 10), 'not an ONNX file: it has no graph'],
    ['no IR version', encodeModel(simple({}, { irVersion: 0 })), 'IR version is 0'],
    ['no operator set', encodeModel(simple({}, { opsetImport: [] })), 'names no operator set'],
    [
      'a length beyond the file',
      Uint8Array.of(8, 10, 0x3a, 0xff, 0xff, 0xff, 0xff, 0x07, 1),
      'claims 2147483647 bytes where 1 are left',
    ],
    [
      'a length beyond its message',
      Uint8Array.of(8, 10, 0x3a, 2, 0x12, 5, 65, 65, 65, 65, 65),
      'reaches beyond its message',
    ],
    ['a wrong wire type', Uint8Array.of(8, 10, 0x3a, 2, 0x10, 5), 'field 2 before byte 5 has wire type 0; expected 2'],
    ['a negative dimension', withTensor((w) => type(dims(w, -3), 1)), 'has a dimension of -3'],
    ['a huge dimension', withTensor((w) => type(dims(w, 2n ** 62n), 1)), 'has a dimension of 4611686018427388000'],
    ['a product that overflows', withTensor((w) => type(dims(w, 2 ** 40, 2 ** 40), 1)), 'more than any file holds'],
    [
      'too little data',
      withTensor((w) =>
        type(dims(w, 2, 3), 1)
          .tag(9, 2)
          .bytes(new Uint8Array(23)),
      ),
      "tensor '' (float32 [2, 3]) needs 24 bytes; the file holds 23",
    ],
    ['no data', withTensor((w) => type(dims(w, 10 ** 9), 1)), 'needs 4000000000 bytes; the file holds 0'],
    [
      'data of another type',
      withTensor((w) => type(dims(w, 1), 7).tag(4, 5).float(1)),
      'needs 8 bytes; the file holds 0',
    ],
    [
      'too few strings',
      withTensor((w) => type(dims(w, 2), 8).tag(6, 2).bytes(text('a'))),
      'needs 2 strings; the file holds 1',
    ],
    ['no element type', withTensor((w) => dims(w, 2)), 'has element type 0'],
    [
      'packed floats cut off',
      withTensor((w) => type(dims(w, 1), 1).tag(4, 2).bytes(new Uint8Array(3))),
      'no 4-byte numbers',
    ],
    ['graphs without end', encodeModel(simple({}, { graph: nested(65) })), 'graphs are nested more than 64 deep'],
    ['groups without end', new Uint8Array(1_000_000).fill(0x7b), 'not an ONNX file'],
    [
      'an attribute of unknown type',
      encodeModel(simple({ node: [nodeOf([{ name: 'a', type: 99 }])] })),
      "attribute 'a' has unknown type 99",
    ],
    [
      'a graph attribute without graph',
      encodeModel(simple({ node: [nodeOf([{ name: 'a', type: 5 }])] })),
      "attribute 'a' is a graph but holds none",
    ],
  ])('%s', (_, bytes, message) => {
    expect(() => decodeModel(bytes)).toThrow(FormatError);
    expect(() => decodeModel(bytes)).toThrow(message);
  });

  it('graphs 64 deep are read', () => {
    expect(decodeModel(encodeModel(simple({}, { graph: nested(64) }))).graph.node).toHaveLength(1);
  });

  it('names what is not supported', () => {
    const sparse = simple({ node: [nodeOf([{ name: 'sparse_value', type: 11 }])] });
    expect(() => decodeModel(encodeModel(sparse))).toThrow(
      "attribute 'sparse_value' of node 'n' (If) is a sparse tensor",
    );
    const f = {
      name: 'F',
      domain: 'd',
      input: [],
      output: [],
      attribute: [],
      attributeProto: [],
      node: [],
      opsetImport: [],
    };
    expect(() => decodeModel(encodeModel(simple({}, { functions: [f, f] })))).toThrow("function 'd:F' has overloads");
  });

  it('allocates nothing for a mere claim', () => {
    const claim = withTensor((w) =>
      type(dims(w, 2 ** 20, 2 ** 20), 1)
        .tag(9, 2)
        .bytes(new Uint8Array(4)),
    );
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 100; i++) expect(() => decodeModel(claim)).toThrow(FormatError);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10e6);
  });

  /** @returns whether it decoded; anything but data or a GradusError fails the test. */
  const survives = (bytes: Uint8Array): boolean => {
    try {
      decodeModel(bytes);
      return true;
    } catch (error) {
      if (!(error instanceof GradusError)) throw error;
      expect(error.message.length).toBeGreaterThan(20);
      return false;
    }
  };

  it.each(['typed-data', 'attributes', 'function', 'external', 'sparse'])(
    'every truncation and byte change of %s',
    (name) => {
      const bytes = file(`${name}.onnx`);
      for (let length = 0; length < bytes.length; length++) survives(bytes.subarray(0, length));
      for (let at = 0; at < bytes.length; at++)
        for (const change of [0x01, 0x80, 0xff, 0x7f, 0x08, 0x04]) {
          const copy = bytes.slice();
          copy[at] ^= change;
          survives(copy);
        }
    },
  );

  it('random bytes, and random bytes behind a true beginning', () => {
    const start = file('attributes.onnx');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(start.length), (noise, keep) => {
        survives(noise);
        survives(Uint8Array.from([...start.subarray(0, keep), ...noise]));
      }),
      { numRuns: 2000 },
    );
  });
});
