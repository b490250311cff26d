/** The native layouts (blocked, Winograd) compute what the standard operators compute, for any shapes. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { grad } from '../../src/autograd/grad.ts';
import { emitModel } from '../../src/compiler/emit.ts';
import { compileGraph } from '../../src/compiler/pipeline.ts';
import { type Attrs, constant, Value } from '../../src/ir/graph.ts';
import { Random } from '../../src/ir/random.ts';
import { add, conv, maxPool, mul, reduceSum, relu } from '../../src/ops/index.ts';
import { channelBlock } from '../../src/runtime/channel-block.ts';
import { getEngine } from '../../src/runtime/device.ts';
import type { Engine } from '../../src/runtime/engine.ts';

let engine: Engine;
let block = 0;
beforeAll(async () => {
  engine = await getEngine();
  block = await channelBlock(engine);
});

const input = (shape: number[]) => Value.input({ dtype: 'float32', shape }, null, true);

async function run(inputs: Value[], outputs: Value[], data: Float32Array[], channels: number) {
  const compiled = compileGraph(outputs, { device: 'cpu', channelBlock: channels }, (v) => v);
  const model = emitModel(compiled.nodes, inputs, compiled.outputs);
  const program = await engine.compile(model.bytes, model.inputNames, model.outputNames, {});
  const feeds = inputs.map((v, i) => engine.upload('float32', v.shape, data[i]));
  const results = await program.run(
    feeds,
    outputs.map(() => null),
  );
  await program.dispose();
  const kinds = new Set(compiled.nodes.map((n) => `${n.op.domain}.${n.op.type}`));
  return { arrays: results.map((t) => engine.view('float32', t) as Float32Array), kinds };
}

function relativeError(a: Float32Array, b: Float32Array): number {
  let difference = 0;
  let scale = 0;
  for (let i = 0; i < a.length; i++) {
    difference = Math.max(difference, Math.abs(a[i] - b[i]));
    scale = Math.max(scale, Math.abs(b[i]));
  }
  return difference / (scale || 1);
}

const random = (seed: number, size: number) => {
  const r = new Random(seed);
  return Float32Array.from({ length: size }, () => r.normal());
};

/** Conv, relu, (pool), conv; loss and all gradients, in both layouts. */
async function compare(x: number[], first: number[], second: number[], attrs: Attrs, pool: boolean, tolerance: number) {
  const [image, w1, b1, w2] = [input(x), input(first), input([first[0]]), input(second)];
  const hidden = relu(conv(image, w1, b1, attrs));
  const pooled = pool ? maxPool(hidden, { kernel_shape: [2, 2], strides: [2, 2] }) : hidden;
  const y = conv(pooled, w2, { pads: [1, 1, 1, 1] });
  const residual = add(y, mul(y, y));
  const loss = reduceSum(residual);
  const inputs = [image, w1, b1, w2];
  const gradients = grad([loss], inputs).map((g) => g as Value);
  const data = inputs.map((v, i) => random(i + 1, v.size).map((e) => (i === 0 ? e : e * 0.2)));
  const plain = await run(inputs, [y, ...gradients], data, 0);
  const blocked = await run(inputs, [y, ...gradients], data, block);
  plain.arrays.forEach((expected, i) => {
    expect(relativeError(blocked.arrays[i], expected), `output ${i}`).toBeLessThan(tolerance);
  });
  return blocked.kinds;
}

describe('blocked layout', () => {
  it('is found on this processor', () => {
    expect([0, 8, 16]).toContain(block);
  });

  it('computes the same as standard operators for random geometries', async () => {
    const shapes = fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      channels: fc.constantFrom(1, 2, 3, 4, 5, 8, 16, 20, 32),
      hidden: fc.constantFrom(8, 16, 24, 32, 48),
      outputs: fc.constantFrom(8, 10, 16, 32),
      size: fc.integer({ min: 8, max: 14 }),
      stride: fc.constantFrom(1, 1, 2),
      kernel: fc.constantFrom(1, 2, 3, 5),
      pad: fc.integer({ min: 0, max: 2 }),
      pool: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(shapes, async (s) => {
        const pad = Math.min(s.pad, s.kernel - 1);
        const attrs = { pads: [pad, pad, pad, pad], strides: [s.stride, s.stride] };
        const x = [s.batch, s.channels, s.size, s.size];
        await compare(x, [s.hidden, s.channels, s.kernel, s.kernel], [s.outputs, s.hidden, 3, 3], attrs, s.pool, 2e-5);
      }),
      { numRuns: 25, seed: 7 },
    );
  });

  it('gives max-pool ties to the first maximum', async () => {
    if (!block) return;
    const x = input([1, block, 4, 4]);
    const w = input([block, block, 1, 1]);
    const y = maxPool(conv(x, w), { kernel_shape: [2, 2], strides: [2, 2] });
    const [dx] = grad([reduceSum(y)], [x]) as Value[];
    const identity = Float32Array.from({ length: block * block }, (_, i) => Number(i % (block + 1) === 0));
    const { arrays } = await run([x, w], [dx], [new Float32Array(x.size).fill(2), identity], block);
    expect([...arrays[0].slice(0, 8)]).toEqual([1, 0, 1, 0, 0, 0, 0, 0]);
  });

  it('gives ties to the first maximum below relu and without, also where the pooled values are used twice', async () => {
    if (!block) return;
    const [x, w] = [input([3, 2 * block, 6, 8]), input([2 * block, 2 * block, 1, 1])];
    const identity = Float32Array.from({ length: w.size }, (_, i) => Number(i % (2 * block + 1) === 0));
    const whole = random(5, x.size).map((v) => Math.round(v));
    const values = random(6, x.size / 4);
    for (const active of [relu, (v: Value) => v])
      for (const twice of [false, true]) {
        const image = active(conv(x, w));
        const y = maxPool(image, { kernel_shape: [2, 2], strides: [2, 2] });
        const dy = constant(values, 'float32', y.shape);
        const sum = reduceSum(mul(y, dy));
        const [dx] = grad([twice ? add(sum, reduceSum(image)) : sum], [x]) as Value[];
        const [plain, blocked] = [
          await run([x, w], [dx], [whole, identity], 0),
          await run([x, w], [dx], [whole, identity], block),
        ];
        expect(blocked.arrays[0]).toEqual(plain.arrays[0]);
        expect(plain.arrays[0].some((v) => v !== 0)).toBe(true);
      }
  });
});

describe('Winograd', () => {
  const attrs = { pads: [1, 1, 1, 1] };

  it.each([
    [16, 16],
    [14, 18],
    [12, 20],
  ])('cut into tiles, computes the same as standard operators on %i x %i maps', async (height, width) => {
    const kinds = await compare([8, 256, height, width], [256, 256, 3, 3], [288, 256, 3, 3], attrs, false, 5e-5);
    if (block) expect(kinds).toContain('.MatMul');
  });

  it('of whole maps, computes the same as standard operators', async () => {
    const shapes = fc.record({
      height: fc.integer({ min: 1, max: 9 }),
      width: fc.integer({ min: 1, max: 9 }),
      channels: fc.constantFrom(64, 72, 100),
      hidden: fc.constantFrom(64, 90),
      pool: fc.boolean(),
    });
    let dense = 0;
    await fc.assert(
      fc.asyncProperty(shapes, async ({ height, width, channels, hidden, pool }) => {
        const x = [pool ? 16 : 64, channels, height, width];
        const kinds = await compare(
          x,
          [hidden, channels, 3, 3],
          [64, hidden, 3, 3],
          attrs,
          pool && height > 1 && width > 1,
          2e-5,
        );
        dense += Number(kinds.has('com.microsoft.FusedMatMul'));
      }),
      {
        numRuns: 20,
        seed: 3,
        examples: [
          [{ height: 7, width: 8, channels: 64, hidden: 90, pool: true }],
          [{ height: 4, width: 12, channels: 100, hidden: 90, pool: false }],
        ],
      },
    );
    if (block) expect(dense).toBeGreaterThan(5);
  });

  it('shares what the output and both gradients transform', async () => {
    if (!block) return;
    const [x, w] = [input([64, 128, 8, 8]), input([128, 128, 3, 3])];
    const y = conv(x, w, attrs);
    const outputs = [y, ...grad([reduceSum(mul(y, y))], [x, w])] as Value[];
    const { nodes } = compileGraph(outputs, { device: 'cpu', channelBlock: block }, (v) => v);
    const count = (type: string) => nodes.filter((n) => n.op.type === type).length;
    // Filters once and their gradient; x and dy once each, three products, y and dx back.
    expect([count('Gemm'), count('FusedMatMul'), count('Conv')]).toEqual([2, 7, 0]);
  });

  it('shares them where maps are cut into tiles, too', async () => {
    if (!block) return;
    const [x, w] = [input([8, 256, 16, 16]), input([256, 256, 3, 3])];
    const y = conv(x, w, attrs);
    const outputs = [y, ...grad([reduceSum(mul(y, y))], [x, w])] as Value[];
    const { nodes } = compileGraph(outputs, { device: 'cpu', channelBlock: block }, (v) => v);
    // x for the output and the gradient of w, dy for that of x: 36 positions each, in blocks.
    expect(nodes.filter((n) => n.op.type === 'Conv').length).toBe(2 * Math.ceil(36 / block));
  });

  it('leaves the gradient of a pool alone whose input is not in its order', async () => {
    // A narrow convolution, a pool, a wide one: the pool's indices count elements in the order that the pool saw.
    await compare([32, 3, 8, 8], [256, 3, 3, 3], [256, 256, 3, 3], attrs, true, 2e-5);
    await compare([32, 256, 8, 8], [256, 256, 3, 3], [256, 256, 3, 3], attrs, true, 2e-5);
  });
});
