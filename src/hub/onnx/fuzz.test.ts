/** @file Files with flipped bytes, cut ends and shuffled parts: a typed error or a result, never a crash or a hang. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { GradusError } from '../../ir/errors.ts';
import { decodeModel } from '../../ir/onnx/decode.ts';
import { encodeModel } from '../../ir/onnx/encode.ts';
import { Random } from '../../ir/random.ts';
import { ones } from '../../tensor/index.ts';
import { inspectOnnx, OnnxModel } from './index.ts';

const read = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../../test/golden/onnx_models/${name}.onnx`, import.meta.url)));

/** Loads, inspects and traces, without running; anything but a typed error is a failure. */
async function survives(bytes: Uint8Array, what: string): Promise<boolean> {
  try {
    await inspectOnnx(bytes);
    const net = await OnnxModel.load(bytes);
    const shapes = Object.values(net.exampleInputs());
    net.forwardAll(
      ...shapes.map(({ shape, dtype }) =>
        ones(
          shape.map((d) => (typeof d === 'string' ? 2 : d)),
          { dtype },
        ),
      ),
    );
    return true;
  } catch (error) {
    if (!(error instanceof GradusError)) throw new Error(`${what}: ${error}`, { cause: error });
    return false;
  }
}

describe.each(['mlp-torchscript', 'lstm-torchscript', 'bert-torchscript'])('%s', (name) => {
  const original = read(name);

  it('flipped bytes', async () => {
    const random = new Random(name);
    let loaded = 0;
    for (let i = 0; i < 80; i++) {
      const bytes = original.slice();
      for (let k = random.int(1, 4); k > 0; k--) bytes[random.int(0, bytes.length)] = random.int(0, 256);
      loaded += Number(await survives(bytes, `flip ${i}`));
    }
    expect(loaded).toBeGreaterThan(0);
  });

  it('structure: names, operators, attributes and dims exchanged', async () => {
    const random = new Random(`${name}!`);
    for (let i = 0; i < 80; i++) {
      const model = decodeModel(original);
      const { node, initializer } = model.graph;
      const pick = <T>(list: readonly T[]): T => list[random.int(0, list.length)];
      const one = pick(node);
      const other = pick(node);
      const change = random.int(0, 7);
      if (change === 0) [one.opType, other.opType] = [other.opType, one.opType];
      else if (change === 1) one.input = other.input;
      else if (change === 2) one.attribute = other.attribute;
      else if (change === 3) one.input = one.input.slice(1);
      else if (change === 4 && one.attribute.length) pick(one.attribute).i = random.int(-5, 5);
      else if (change === 5) one.input = [...one.input].reverse();
      else pick(initializer).dims.push(1);
      await survives(encodeModel(model), `change ${change} in round ${i}`);
    }
  });
});
