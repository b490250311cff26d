/**
 * @file What a step of w4 (LSTM) cannot go below with ONNX Runtime's kernels: its matrix products, run alone at the same
 * shapes, and its forward operator. `node bench/build/floor.js` after `npm run bench -- --help`, on an idle machine.
 */
import { compile, nn, randn, type Tensor } from 'gradus';

const [steps, batch, inputs, hidden] = [100, 32, 64, 128];
const rows = steps * batch;
const gates = 4 * hidden;

/** Median milliseconds of a run, over two seconds. */
async function median(run: () => Promise<unknown>): Promise<number> {
  for (let i = 0; i < 5; i++) await run();
  const times: number[] = [];
  for (const end = performance.now() + 2000; performance.now() < end; ) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}

async function leaf(...shape: number[]): Promise<Tensor> {
  return await randn(shape).mul(0.05).realize();
}

const lstm = new nn.LSTM(inputs, hidden).eval();
const x = await leaf(steps, batch, inputs);
// Inputs, states and ones side by side, as the gradient has them; a step's gates are columns.
const joined = await leaf(steps, batch, inputs + hidden + 1);
const [weights, back] = [await leaf(gates, inputs + hidden + 1), await leaf(hidden, gates)];
const [first, slopes] = [await leaf(gates, batch), await leaf(gates, rows)];

/** 100 products that wait for each other; each result is widened again by a copy, which the real step does, too. */
const chain = compile((d: Tensor, weight: Tensor) => {
  let h = d;
  for (let s = 0; s < steps; s++) h = weight.matmul(h).tile([4, 1]);
  return h;
});
const forward = compile((input: Tensor) => lstm.forward(input)[1][0]);
const recompute = compile((w: Tensor, z: Tensor) => w.matmul(z.transpose(1, 2)).narrow(0, 0, 1));
const gradients = compile((d: Tensor, z: Tensor) => d.matmul(z.reshape([rows, inputs + hidden + 1])));

const flops = (m: number, k: number, n: number) => 2 * m * k * n;
const parts = [
  ['forward: the LSTM operator', await median(() => forward(x)), flops(rows, inputs + hidden, gates)],
  [
    'gates again, which the operator does not hand out',
    await median(() => recompute(weights, joined)),
    flops(rows, inputs + hidden, gates),
  ],
  ['backward: 100 products one after the other', await median(() => chain(first, back)), flops(rows, gates, hidden)],
  [
    'gradients of the weights',
    await median(() => gradients(slopes, joined)),
    flops(gates, rows, inputs) + flops(gates, rows, hidden),
  ],
] as const;
for (const [name, ms, work] of parts)
  console.log(`${name}: ${ms.toFixed(2)} ms, ${(work / ms / 1e6).toFixed(0)} GFLOP/s`);
console.log(`together ${parts.reduce((sum, [, ms]) => sum + ms, 0).toFixed(2)} ms`);
