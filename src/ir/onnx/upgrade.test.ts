/** @file Models of older operator sets give what ONNX Runtime gives for them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { OnnxModel } from '../../hub/onnx/index.ts';
import { fromData } from '../../tensor/index.ts';
import { type DType, dtypes } from '../dtype.ts';
import { UnsupportedError } from '../errors.ts';
import type { NodeProto } from './proto.ts';
import { checkOpset, upgradeNode } from './upgrade.ts';

interface Values {
  dtype: DType;
  shape: number[];
  data: number[];
}
interface Case {
  name: string;
  model: string;
  inputs: Values[];
  outputs: Values[];
}
const file = new URL('../../../test/golden/onnx_models/opsets.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Case[] };

describe('older operator sets', () => {
  it.each(cases.map((c) => [c.name, c] as const))('%s', async (_, { model, inputs, outputs }) => {
    const net = (await OnnxModel.load(Buffer.from(model, 'base64'))).eval();
    const given = inputs.map(({ dtype, shape, data }) => fromData(toArray(dtype, data), shape, { dtype }));
    const found = Object.values(net.forwardAll(...given));
    expect(found.length).toBe(outputs.length);
    for (const [i, { shape, data }] of outputs.entries()) {
      expect([...found[i].shape]).toEqual(shape);
      const actual = await found[i].data();
      data.forEach((v, k) => {
        expect(actual[k]).toBeCloseTo(v, 4);
      });
    }
  });

  it('refuses operator sets that are too old or too new, with what to do', () => {
    expect(() => checkOpset(6)).toThrow(UnsupportedError);
    expect(() => checkOpset(6)).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedError: the model uses operator set 6; Gradus reads 7 to 26. Convert it with onnx.version_converter.convert_version(model, 17), or export it again]`,
    );
    expect(() => checkOpset(27)).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedError: the model uses operator set 27, newer than ONNX Runtime's and Gradus's newest, 26. Export it with opset_version=26 or lower, or upgrade Gradus]`,
    );
    expect(() => checkOpset(7)).not.toThrow();
    expect(() => checkOpset(26)).not.toThrow();
  });

  it('refuses statistics per element', () => {
    const node: NodeProto = {
      opType: 'BatchNormalization',
      domain: '',
      name: 'bn',
      input: ['x', 's', 'b', 'm', 'v'],
      output: ['y'],
      attribute: [{ name: 'spatial', type: 2, i: 0 }],
    };
    expect(() => upgradeNode(node, 7, () => 'n')).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedError: node 'bn': BatchNormalization with spatial=0 (statistics per element) was dropped from ONNX; export the model with opset 9 or newer]`,
    );
    expect(upgradeNode(node, 14, () => 'n')).toEqual([node]);
  });
});

function toArray(dtype: DType, data: readonly number[]) {
  const out = new dtypes[dtype].array(data.length);
  data.forEach((v, i) => {
    out[i] = v;
  });
  return out;
}
